"""One request to an OpenAI-compatible server, bounded in time and size, whatever the server does."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from biai_xinf.endpoint import proxies_to
from biai_xinf.errors import UpstreamFailed

_CONNECT_S = 5.0
_MOST_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Reply:
    """What came back: `body` is None where there was no JSON; `events` are those of a stream, without `[DONE]`."""

    status: int
    body: Any = None
    events: list[Any] = field(default_factory=list)
    streamed: bool = False
    text: str = ""

    @property
    def problem(self) -> str | None:
        """What the server says is wrong, whatever status it says it with; None where it says nothing of the kind."""
        said = self.body.get("error") or self.body.get("detail") if isinstance(self.body, dict) else None
        if isinstance(said, dict):
            said = said.get("message") or said
        if said is None and self.status == 200:
            return None
        words = str(said) if said is not None else self.text.strip() or "no reason"
        return _shortened(f"status {self.status}: {words}")


class NoReply(Exception):
    """There is no whole answer; the message is a clause that says why."""


@dataclass(frozen=True)
class Server:
    """A server's base address, and the headers that go with every request."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def get(self, path: str, patience_s: float) -> Reply:
        return self._request("GET", path, None, patience_s)

    def post(self, path: str, body: Mapping[str, Any], patience_s: float) -> Reply:
        """The answer, read whole, or for as long as `patience_s`; NoReply says why there is none."""
        return self._request("POST", path, body, patience_s)

    def _request(self, method: str, path: str, body: Any, patience_s: float) -> Reply:
        with requests.Session() as session:
            # The environment is read here instead: `requests` would send a login of ~/.netrc.
            session.trust_env = False
            session.proxies.update(proxies_to(self.url))
            try:
                with session.request(
                    method,
                    self.url + path,
                    json=body,
                    headers=dict(self.headers),
                    timeout=(_CONNECT_S, patience_s),
                    stream=True,
                    allow_redirects=False,
                ) as response:
                    return _read(response, time.monotonic() + patience_s)
            except requests.RequestException as error:
                if _nobody_there(error):
                    hint = "is the server running, and is that its address?"
                    raise UpstreamFailed(f"nothing answers at `{self.url}`", hint=hint) from error
                raise NoReply(_why(error, patience_s)) from error


def _read(response: requests.Response, deadline: float) -> Reply:
    streamed = response.headers.get("content-type", "").startswith("text/event-stream")
    data = bytearray()
    for chunk in response.iter_content(chunk_size=None):
        data += chunk
        if len(data) > _MOST_BYTES:
            raise NoReply(f"it sent more than {_MOST_BYTES // 2**20} MiB")
        if time.monotonic() > deadline:
            raise NoReply("its answer did not end in time")
    text = data.decode("utf-8", errors="replace")
    if streamed:
        return Reply(response.status_code, events=list(_events(text)), streamed=True, text=text)
    try:
        return Reply(response.status_code, body=json.loads(text), text=text)
    except ValueError:
        return Reply(response.status_code, text=text)


def _events(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        said = line[5:].strip() if line.startswith("data:") else ""
        if not said or said == "[DONE]":
            continue
        try:
            yield json.loads(said)
        except ValueError as error:
            raise NoReply(f"an event of its stream is no JSON: `{_shortened(said)}`") from error


def _nobody_there(error: BaseException | None) -> bool:
    """Whether no connection came about at all: refused, not in time, or no such host."""
    nowhere = (ConnectionRefusedError, socket.gaierror, requests.exceptions.ConnectTimeout)
    while error is not None:
        if isinstance(error, nowhere):
            return True
        error = error.__cause__ or error.__context__
    return False


def _why(error: requests.RequestException, patience_s: float) -> str:
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
        return f"it said nothing for {patience_s:g} s"
    return "it broke the connection off"


def _shortened(text: str, most: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 3] + "..."
