"""Which embedder of which endpoint an application asks, and connections to it that are kept for the next request."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, load_credentials
from biai_xinf.errors import AuthFailed
from biai_xinf.reach import endpoint_of

# Stands for whichever embedder the endpoint has; the spec that has it as an alias is bge-m3.
ROLE = "embedding"
# Xinference makes one batch of 32 texts at most of what comes together (XINFERENCE_BATCH_SIZE, 4.1.0).
BATCH = 32
# The descriptions of 32 tables may take a processor half a minute.
TIMEOUT_S = 120.0
# Xinference closes a connection that was idle for 5 s, and that is seen here (XINFERENCE_HTTP_TIMEOUT_KEEP_ALIVE,
# 4.1.0). Firewalls between us forget one after minutes, and tell nobody.
KEEP_S = 30.0
# Of one source; more requests at once have connections of their own.
MOST_KEPT = 8


@dataclass(frozen=True)
class Source:
    """Which model of which endpoint, as an application says it; nothing here is a secret.

    `model` is a uid, a spec's name or the role `embedding`. `endpoint` None is BIAI_XINF_ENDPOINT, else this machine's
    Xinference. `api_key_env` names the variable that holds the key; None: BIAI_XINF_API_KEY, or a saved login. `spec`
    tells the prefixes of a model whose name does not lead to one. `timeout` is for one batch, in seconds.
    """

    model: str = ROLE
    endpoint: str | None = None
    api_key_env: str | None = None
    spec: str | None = None
    batch: int = BATCH
    timeout: float = TIMEOUT_S

    def as_told(self) -> Source:
        """With the endpoint that the environment tells, if any; this machine's is not looked for."""
        return replace(self, endpoint=self.endpoint or os.environ.get("BIAI_XINF_ENDPOINT") or None)

    def settled(self) -> Source:
        """With the endpoint that is meant now."""
        return replace(self, endpoint=endpoint_of(self.as_told().endpoint))

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A client for one request, with the login that is meant now.

        Where its request goes well it is kept for the next one, of whichever thread: no two use one at a time, and
        none goes from a process to its fork.
        """
        source = self.settled()
        # A fork has its parent's, whose connections are not its own.
        idle = _IDLE.setdefault((os.getpid(), source), deque(maxlen=MOST_KEPT))
        credentials = source._credentials()
        client = _fresh(idle, credentials) or Client(source.endpoint or "", credentials, source.timeout)
        try:
            yield client
        except BaseException:
            # It may have been refused, or be in the middle of an answer.
            client.close()
            raise
        idle.append((time.monotonic(), client))

    def _credentials(self) -> Credentials | None:
        if self.api_key_env is None:
            return load_credentials(self.endpoint or "")
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise AuthFailed(f"not set in the environment: `{self.api_key_env}`, which should hold the API key")
        return Credentials(api_key=key)


_Idle = deque[tuple[float, Client]]
# By process and settled source: since when a client is idle, the latest last.
_IDLE: dict[tuple[int, Source], _Idle] = {}


def _fresh(idle: _Idle, credentials: Credentials | None) -> Client | None:
    while True:
        try:
            since, client = idle.pop()
        except IndexError:
            return None
        if client.credentials == credentials and time.monotonic() - since < KEEP_S:
            return client
        client.close()
