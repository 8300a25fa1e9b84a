"""`biai-xinf watch`: keep a cluster as its file says."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from pathlib import Path

import click

from biai_xinf.cli.output import say, show
from biai_xinf.cli.wished import connect_to, from_file
from biai_xinf.watch import Event, Watch
from biai_xinf.watch_metrics import Metrics, serve


@click.command("watch")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--prune", is_flag=True, help="Stop the models that the file does not name.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Pause between two looks.",
)
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), help="Tell Prometheus at this port; nowhere unless given."
)
@click.option(
    "--metrics-host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where that port is open."
)
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line.")
@click.pass_obj
def command(
    endpoint: str | None,
    file: Path,
    prune: bool,
    interval: float,
    metrics_port: int | None,
    metrics_host: str,
    as_json: bool,
) -> None:
    """Keep a cluster as FILE says, until it is stopped: launch what is missing, again and again.

    A worker that died is noticed within seconds, and its replicas are restored where they fit. What is healthy is
    never touched. A model that fails is tried again after a pause that grows from 5 seconds to 5 minutes. The
    supervisor may go away and come back, and so may this command. FILE is read once, at the start.
    """
    wanted, desired = from_file(file, prune)
    show_event = _as_json if as_json else _as_text
    with connect_to(wanted, endpoint) as client:

        def tell(event: Event) -> None:
            metrics.count(event)
            show_event(event)

        watch = Watch(client, desired, time.monotonic, tell)
        metrics = Metrics(lambda: watch.seen)
        if metrics_port is not None:
            server = serve(metrics, metrics_host, metrics_port)
            say(f"metrics at http://{metrics_host}:{server.server_address[1]}/metrics")
        say(f"watching {client.endpoint}; Ctrl-C ends it, and leaves the models running")
        while True:
            watch.turn()
            metrics.count_turn()
            time.sleep(interval)


def _as_text(event: Event) -> None:
    moment = datetime.now().astimezone().strftime("%H:%M:%S")
    show(f"{moment}  {event.uid or 'cluster'}  {event.what}")


def _as_json(event: Event) -> None:
    moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    show(json.dumps({"at": moment, "uid": event.uid, "kind": event.kind, "event": event.what}, ensure_ascii=False))
