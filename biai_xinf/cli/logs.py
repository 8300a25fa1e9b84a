"""`biai-xinf logs`: what Xinference tells of a model or of one of its processes, and where the rest of it lies."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from time import sleep

import click

from biai_xinf import wire
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.client import Client
from biai_xinf.errors import XinferenceError
from biai_xinf.journal import Line
from biai_xinf.logs import Source, Told, look, read_ends

_POLL_S = 1.0


@click.command("logs")
@click.argument("uid", required=False)
@click.option("--worker", metavar="ADDRESS", help="The log of this worker, as `status` names it.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=40, show_default=True, help="Last lines of each log."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON; with --follow one line each.")
@click.pass_obj
def command(endpoint: str | None, uid: str | None, worker: str | None, lines: int, follow: bool, as_json: bool) -> None:
    """Show what Xinference tells of the model UID: its replicas, its events, and its lines in the logs.

    Without a UID the supervisor's log. Reading logs of a cluster needs an administrator where it asks for a login.
    """
    with connect(endpoint) as client:
        told = look(client, uid, worker)
        read_ends(told, lines)
        if as_json and not follow:
            show_json(_as_data(told))
        elif not as_json:
            _show(told)
        for sentence in told.elsewhere:
            say(sentence)
        if follow:
            _follow(client, told, as_json)


def _follow(client: Client, told: Told, as_json: bool) -> None:
    say("following; Ctrl-C ends it")
    shown = len(told.events)
    if as_json:
        for source in told.sources:
            _show_new(source, source.lines, as_json)
    while True:
        sleep(_POLL_S)
        for source in told.sources:
            # A supervisor that is away for a while comes back.
            with contextlib.suppress(XinferenceError):
                _show_new(source, source.read(), as_json)
        if told.uid is not None:
            with contextlib.suppress(XinferenceError):
                events = client.events(told.uid)
                # The last hundred are kept: of more, none is told as new.
                for event in events[shown:]:
                    _show_event(event, as_json)
                shown = len(events)


def _show_new(source: Source, lines: Sequence[Line], as_json: bool) -> None:
    for line in lines:
        show(json.dumps({"source": source.name, **asdict(line)}, ensure_ascii=False) if as_json else _text(line))


def _show_event(event: wire.Event, as_json: bool) -> None:
    show(json.dumps({"event": event.model_dump()}, ensure_ascii=False) if as_json else _event(event))


def _show(told: Told) -> None:
    if told.replicas:
        show(table(["REPLICA", "WORKER", "STATE", "REASON"], [_row(replica) for replica in told.replicas]))
        show()
    for event in told.events:
        show(_event(event))
    for source in told.sources:
        say()
        say(f"log of {source.name}:")
        for line in source.lines:
            show(_text(line))
        if not source.lines:
            say("  nothing" + (f" about `{told.uid}`" if told.uid else ""))


def _row(replica: wire.ReplicaStatus) -> list[str]:
    state = replica.status.lower()
    return [str(replica.replica_id), replica.worker_address or "-", state, replica.error_message or "-"]


def _event(event: wire.Event) -> str:
    moment = datetime.fromtimestamp(event.event_ts, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"{moment}  {event.event_type:<7}  {event.event_content}"


def _text(line: Line) -> str:
    if line.at is None:
        return f"  {line.text}"
    return f"{line.at}  {line.level or '':<7}  {line.text}"


def _as_data(told: Told) -> dict[str, object]:
    return {
        "uid": told.uid,
        "replicas": [replica.model_dump() for replica in told.replicas],
        "events": [event.model_dump() for event in told.events],
        "logs": [{"source": one.name, "lines": [asdict(line) for line in one.lines]} for one in told.sources],
        "elsewhere": told.elsewhere,
    }
