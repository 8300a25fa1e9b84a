"""`biai-xinf down`: stop the local Xinference."""

from __future__ import annotations

import click

from biai_xinf import local
from biai_xinf.cli.output import progress, say


@click.command("down")
def command() -> None:
    """Stop the local Xinference and its models.

    What `biai-xinf up` did not start is left alone; models stay on the disk.
    """
    service = local.running() or local.abandoned()
    if service is None:
        say("no local Xinference is running; `biai-xinf up` starts one")
        return
    with progress("local Xinference") as report:
        report(None, "stopping")
        local.stop(service)
    say(f"stopped Xinference at {service.endpoint} (pid {service.pid}); `biai-xinf up` starts it again")
