"""`biai-xinf worker`: a machine that runs models for a supervisor."""

from __future__ import annotations

import click

from biai_xinf import joining
from biai_xinf.cli.output import say
from biai_xinf.cli.supervisor import PORT
from biai_xinf.client import Client
from biai_xinf.endpoint import parse_endpoint


@click.command("worker")
@click.option(
    "--supervisor",
    envvar="BIAI_XINF_SUPERVISOR",
    required=True,
    metavar="URL",
    help="What `biai-xinf supervisor` printed.",
)
@click.option(
    "--host",
    envvar="BIAI_XINF_HOST",
    metavar="ADDRESS",
    help="The address the supervisor reaches; found out by itself.",
)
@click.option("--port", type=PORT, default=joining.WORKER_PORT, show_default=True, help="For the supervisor.")
@click.option("--metrics-port", type=PORT, default=joining.METRICS_PORT, show_default=True, help="For Prometheus.")
def command(supervisor: str, host: str | None, port: int, metrics_port: int) -> None:
    """Run a worker here, in the foreground, after a look at what would keep it from joining.

    Every model is a process with a port of its own: leave the machines of a cluster open to each other. The address
    and port stay the worker's name; a worker that comes back under them is the same.
    """
    with Client(parse_endpoint(supervisor)) as client:
        process = joining.worker(client, host, port, metrics_port)
    say(f"the worker will join {client.endpoint} as {process.address}:{port}")
    say(f"what it offers, once it has joined: biai-xinf --endpoint {client.endpoint} status")
    joining.become(process)
