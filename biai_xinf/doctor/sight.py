"""What the doctor looks at in a cluster: one sweep of reads, so that the checks themselves decide on values."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import urlsplit

from biai_xinf import local, local_log, wire
from biai_xinf.bearer import expires_at
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, saved_credentials
from biai_xinf.doctor.finding import Answer
from biai_xinf.endpoint import is_loopback
from biai_xinf.errors import BadFile, BiaiXinfError, NoExtension, XinferenceError
from biai_xinf.hardware import Worker
from biai_xinf.observe import observe, worker_of
from biai_xinf.pins import Pinned, read_pins
from biai_xinf.state import Hub, ObservedModel

T = TypeVar("T")

# A supervisor whose threads are used up never answers this; any other does within a second (Xinference 4.1.0).
LARGE_ANSWER_PATIENCE_S = 10.0
_CONNECT_PATIENCE_S = 1.0
# Workers are heard of every 5 s; Xinference's patience ends after 10.
SILENT_S = 15
# A worker that is refused tries again every 15 s (Xinference 4.1.0).
_REFUSED_LATELY_S = 60
# Access tokens are good for 30 minutes, refresh tokens for 7 days (Xinference 4.1.0).
_ACCESS_S, _REFRESH_S = 30 * 60, 7 * 24 * 3600


@dataclass(frozen=True)
class Door:
    """How far one gets at the endpoint: whether it asks for a login, and whether it tells of its models.

    `status` is asked for before anything that waits for workers: one that hangs is soon no worker any more. `now` is
    our clock then, `clock_ahead` by how much the supervisor's was ahead of it.
    """

    endpoint: str
    auth: Answer[bool]
    status: Answer[wire.ClusterStatus] | None = None
    now: float = 0
    clock_ahead: float | None = None
    instances: Answer[list[wire.Instance]] | None = None


@dataclass(frozen=True)
class Login:
    """Who we are there; `ends` is when a saved login cannot be renewed any more, in seconds since the epoch."""

    kind: str
    renewable: bool = True
    ends: float | None = None


@dataclass(frozen=True)
class LargeAnswer:
    """A list of all registrations of one type: how many there are, and how long it took."""

    entries: int
    seconds: float


@dataclass(frozen=True)
class Port:
    """One RPC port of the cluster: whether it answers from here, and whether it is one of this machine's."""

    address: str
    answers: bool
    ours: bool


@dataclass(frozen=True)
class Seen:
    """All that was seen of a cluster. `None` marks what was not asked; times are seconds, of our clock `now`.

    `refused_lately`: a worker is being turned away, which only the log of the supervisor on this machine tells.
    """

    endpoint: str
    auth: bool
    now: float
    workers: tuple[Worker, ...]
    models: tuple[ObservedModel, ...]
    hub: Hub
    on_this_machine: bool = True
    service: local.LocalService | None = None
    refused_lately: bool = False
    clock_ahead: float | None = None
    reported: Mapping[str, wire.WorkerStatus] = field(default_factory=dict)
    version: Answer[str] | None = None
    nodes: Answer[list[wire.ClusterNode]] | None = None
    extension: Answer[wire.ExtensionVersion | None] = None
    status: Answer[wire.EndpointStatus] | None = None
    upstreams: Answer[list[wire.Upstream]] | None = None
    autostart: Answer[list[wire.AutostartEntry]] | None = None
    large_answer: Answer[LargeAnswer] | None = None
    supervisor: Answer[str] | None = None
    ports: tuple[Port, ...] = ()
    login: Login | None = None
    instances: tuple[wire.Instance, ...] = ()
    listed: frozenset[str] = frozenset()
    progress: Mapping[str, float | None] = field(default_factory=dict)
    pins: tuple[Pinned, ...] | BadFile = ()

    @property
    def ready(self) -> dict[str, ObservedModel]:
        """Those that answer, by uid."""
        return {model.uid: model for model in self.models if model.phase == "ready"}

    @property
    def facts(self) -> dict[str, wire.WorkerFacts]:
        """What each worker says of its machine, where the endpoint has the extension."""
        if not isinstance(self.status, wire.EndpointStatus):
            return {}
        return {worker.address: worker.facts for worker in self.status.workers or []}

    @property
    def addresses(self) -> list[str]:
        """What the supervisor and each worker call themselves."""
        return [*([self.supervisor] if isinstance(self.supervisor, str) else []), *self.reported]

    @property
    def silent(self) -> dict[str, float]:
        """For how many seconds each worker has not been heard of, where that is longer than it should be."""
        ages = {at: self.supervisor_now - one.update_time for at, one in self.reported.items() if one.update_time}
        return {address: age for address, age in ages.items() if age > SILENT_S}

    @property
    def mute(self) -> list[str]:
        """The workers that are silent, or did not answer the endpoint in time."""
        answered = {address for address, told in self.facts.items() if not (told.error or "").startswith("no answer")}
        return [at for at in self.reported if at in self.silent or (self.facts and at not in answered)]

    @property
    def supervisor_now(self) -> float:
        """The supervisor's clock, by which it says when it last heard of a worker."""
        return self.now + (self.clock_ahead or 0)


def knock(client: Client) -> Door:
    """Whether anybody answers, and whether we may look; nothing more is asked of who does not let us in."""
    auth = _told(client.auth_enabled)
    if isinstance(auth, XinferenceError):
        return Door(client.endpoint, auth)
    status, now = _told(client.status), time.time()
    return Door(client.endpoint, auth, status, now, client.clock_ahead, _told(client.instances))


def look(client: Client, hub: Hub, door: Door) -> Seen:
    """One sweep of reads; what fails by itself is told as that, the others raise XinferenceError."""
    for answer in (door.status, door.instances):
        if isinstance(answer, XinferenceError):
            raise answer
    reported = door.status.workers if isinstance(door.status, wire.ClusterStatus) else {}
    instances = door.instances if isinstance(door.instances, list) else []
    service = local.running()
    if service and service.endpoint != client.endpoint:
        service = None
    status = _told(client.endpoint_status)
    # Xinference waits a minute for a worker that hangs, and renews this answer every 3 s (4.1.0).
    listed, models = frozenset(model.id for model in client.models()), observe(client).models
    seen = Seen(
        endpoint=client.endpoint,
        auth=door.auth is True,
        now=door.now,
        workers=(),
        models=models,
        hub=hub,
        on_this_machine=is_loopback(client.endpoint),
        service=service,
        refused_lately=_refused_lately(service),
        clock_ahead=door.clock_ahead,
        reported=reported,
        version=_told(client.version),
        nodes=_told(client.cluster_info),
        extension=_told(client.extension),
        status=None if isinstance(status, NoExtension) else status,
        upstreams=None if isinstance(found := _told(client.upstreams), NoExtension) else found,
        autostart=_told(client.autostart),
        large_answer=_told(lambda: _large_answer(client)),
        supervisor=_told(client.supervisor_address),
        login=_login(client),
        instances=tuple(instances),
        listed=listed,
        pins=_pins(client.endpoint),
        progress={one.model_uid: _progress(client, one.model_uid) for one in instances if one.status == "CREATING"},
    )
    return _with_workers(seen)


def _with_workers(seen: Seen) -> Seen:
    """With the workers as what was told of each makes them, and with their ports as they are from here."""
    facts = seen.facts
    workers = tuple(worker_of(address, status, facts.get(address)) for address, status in seen.reported.items())
    return replace(seen, workers=workers, ports=() if seen.on_this_machine else _ports(seen.addresses))


def _pins(endpoint: str) -> tuple[Pinned, ...] | BadFile:
    try:
        return read_pins(endpoint)
    except BadFile as error:
        return error


def _refused_lately(service: local.LocalService | None) -> bool:
    refusal = local_log.last_refusal(service.log) if service else None
    return refusal is not None and time.time() - refusal < _REFUSED_LATELY_S


def _told(ask: Callable[[], T]) -> Answer[T]:
    try:
        return ask()
    except XinferenceError as error:
        return error


def _large_answer(client: Client) -> LargeAnswer:
    begun = time.monotonic()
    entries = client.registrations("LLM", timeout=LARGE_ANSWER_PATIENCE_S)
    return LargeAnswer(len(entries), time.monotonic() - begun)


def _progress(client: Client, uid: str) -> float | None:
    found = _told(lambda: client.progress(uid))
    return None if isinstance(found, XinferenceError) else found.progress


def _login(client: Client) -> Login | None:
    """Who the client is; of a saved login the file is asked, for it may just have been renewed."""
    credentials = client.credentials
    if credentials is None:
        return None
    if credentials.api_key:
        return Login("an API key")
    if credentials.password is not None:
        return Login(f"user `{credentials.username}`")
    with contextlib.suppress(BiaiXinfError):
        credentials = saved_credentials(client.endpoint) or credentials
    return _saved(credentials)


def _saved(credentials: Credentials) -> Login:
    expiry = expires_at(credentials.access_token or "")
    renewable = credentials.refresh_token is not None
    # Both tokens were made in the same moment.
    ends = expiry - _ACCESS_S + _REFRESH_S if expiry is not None and renewable else expiry
    return Login(f"the saved login of `{credentials.username or 'unknown'}`", renewable, ends)


def _ports(addresses: list[str]) -> tuple[Port, ...]:
    with ThreadPoolExecutor(16) as threads:
        return tuple(threads.map(_port, dict.fromkeys(addresses)))


def _port(address: str) -> Port:
    parts = urlsplit(f"//{address}")
    host = parts.hostname or ""
    try:
        socket.create_connection((host, parts.port or 0), _CONNECT_PATIENCE_S).close()
        answers = True
    except (OSError, ValueError):
        answers = False
    return Port(address, answers, _is_ours(host))


def _is_ours(host: str) -> bool:
    """Whether this machine has that address: only its own can be bound."""
    try:
        family, _, _, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(place)
    except OSError:
        return False
    return True
