"""`biai-xinf supervisor`: the machine that answers for the whole cluster."""

from __future__ import annotations

import click

from biai_xinf import joining, local
from biai_xinf.cli.output import say

PORT = click.IntRange(1, 65535)


@click.command("supervisor")
@click.option(
    "--host",
    envvar="BIAI_XINF_HOST",
    metavar="ADDRESS",
    help="The one address that the other machines reach; found out by itself.",
)
@click.option("--port", type=PORT, default=local.DEFAULT_PORT, show_default=True, help="For applications and browsers.")
@click.option(
    "--supervisor-port", type=PORT, default=joining.SUPERVISOR_PORT, show_default=True, help="For the workers."
)
@click.option("--no-auth", is_flag=True, help="Let everybody in who reaches it.")
@click.option("--stock", is_flag=True, help="Xinference as it comes: without our extension and repairs.")
def command(host: str | None, port: int, supervisor_port: int, no_auth: bool, stock: bool) -> None:
    """Run the supervisor of a cluster here, in the foreground.

    A service manager keeps it running: cluster/systemd has the unit. Both ports must be open to the other machines.
    """
    process = joining.supervisor(host, port, supervisor_port, auth=not no_auth, stock=stock)
    endpoint = f"http://{process.address}:{port}"
    say(f"the supervisor will answer at {endpoint}")
    say(f"on every machine with models: biai-xinf worker --supervisor {endpoint}")
    if not no_auth:
        say(f"once, to make the first administrator: biai-xinf --endpoint {endpoint} init")
    joining.become(process)
