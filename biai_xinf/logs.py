"""What can be read of a model or of a process of the cluster: replicas, events, logs; and where the rest of it lies."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from biai_xinf import local, local_log, wire
from biai_xinf.client import Client
from biai_xinf.errors import Forbidden, UnknownName, XinferenceError
from biai_xinf.journal import Line, Reader

# As much as Xinference 4.1 hands out at once.
_END_OF_LOG = 256 * 1024


@dataclass
class Source:
    """A log that can be read on; `lines` are those found last."""

    name: str
    read: Callable[[], list[Line]]
    lines: list[Line] = field(default_factory=list)


@dataclass
class Told:
    """All that is known of a model, or of one process; `elsewhere` says what could not be read, and where it is."""

    uid: str | None
    replicas: list[wire.ReplicaStatus] = field(default_factory=list)
    events: list[wire.Event] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def look(client: Client, uid: str | None, worker: str | None) -> Told:
    """What is told of the model `uid`, of a worker, or else of the supervisor; UnknownName, XinferenceError."""
    told = Told(uid)
    if uid is not None:
        told.replicas, told.events = client.replicas(uid), client.events(uid)
        _refuse_unknown(client, told, uid)
    addresses = [worker] if worker else list(dict.fromkeys(one.worker_address or "" for one in told.replicas))
    log = _local_log(client)
    if log is not None and worker is None:
        told.sources.append(_local_source(log, uid))
        return told
    _add_sources(client, told, addresses)
    if uid is not None and told.sources:
        told.elsewhere.append(
            "what the engine itself prints is not among them: it goes where its worker's process prints, "
            "`journalctl -u biai-xinf-worker` or its container's log there"
        )
    return told


def read_ends(told: Told, lines: int) -> None:
    """Read each log, and keep its last lines; one that cannot be read now is told of among `elsewhere`."""
    for source in list(told.sources):
        try:
            found = source.read()
        except XinferenceError as error:
            told.sources.remove(source)
            told.elsewhere.insert(
                0, f"{source.name} does not hand out its log ({error.message}): it is on that machine"
            )
        else:
            source.lines = found[-lines:] if lines else []


def _refuse_unknown(client: Client, told: Told, uid: str) -> None:
    if told.replicas or told.events:
        return
    known = [instance.model_uid for instance in client.instances()]
    if uid in known:
        return
    close = difflib.get_close_matches(uid, known)
    meant = f"did you mean `{close[0]}`? " if close else ""
    raise UnknownName(f"nothing is told of a model `{uid}`", hint=f"{meant}`biai-xinf status` shows them all")


def _local_log(client: Client) -> Path | None:
    service = local.running()
    return service.log if service and service.endpoint == client.endpoint else None


def _local_source(log: Path, uid: str | None) -> Source:
    """All that the local Xinference and its children print: the engines' lines too, whichever model they are of."""
    reader = Reader(uid)
    at = max(0, local_log.size(log) - _END_OF_LOG)

    def read() -> list[Line]:
        nonlocal at
        text = local_log.read_from(log, at)
        at += len(text)
        return reader.feed(text.decode("utf-8", errors="replace"))

    return Source(str(log), read)


def _add_sources(client: Client, told: Told, addresses: Sequence[str]) -> None:
    """The logs of these workers, without any the supervisor's; what may not be read is told as that."""
    try:
        known = {source.id: source.role for source in client.log_sources()}
    except Forbidden:
        told.elsewhere.append("only a user with the right `logs:list` may read the logs: `biai-xinf login`")
        return
    # Where supervisor and worker are one process, there is one log.
    everything = next((name for name, role in known.items() if role == "local"), None)
    for address in addresses or [next(iter(known))]:
        source = address if address in known else everything
        if source is None:
            told.elsewhere.append(f"{address or 'its worker'} is no worker any more: its log is on that machine only")
        elif source not in [one.name for one in told.sources]:
            told.sources.append(_remote_source(client, source, told.uid))


def _remote_source(client: Client, name: str, uid: str | None) -> Source:
    reader, cursor = Reader(uid, engines=uid is None), ""

    def read() -> list[Line]:
        nonlocal cursor
        found: list[Line] = []
        while True:
            part = client.log(name, cursor)
            cursor = part.cursor or cursor
            found += reader.feed(part.text)
            if not part.has_more:
                return found

    return Source(name, read)
