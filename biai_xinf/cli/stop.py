"""`biai-xinf stop`: stop models."""

from __future__ import annotations

import difflib

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import progress, say, show_json
from biai_xinf.errors import UnknownName
from biai_xinf.plan import Action
from biai_xinf.reconcile import carry_out, prepare
from biai_xinf.state import Desired


@click.command("stop")
@click.argument("uids", metavar="UID...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was stopped as JSON.")
@click.pass_obj
def command(endpoint: str | None, uids: tuple[str, ...], as_json: bool) -> None:
    """Stop models, in whatever state they are; their files stay on the disk."""
    desired = Desired(absent=uids)
    with connect(endpoint) as client:
        cluster, plan = prepare(client, desired)
        unknown = [change.uid for change in plan.changes if change.action is Action.KEEP]
        if unknown:
            close = difflib.get_close_matches(unknown[0], [model.uid for model in cluster.models])
            meant = f"did you mean `{close[0]}`? " if close else ""
            raise UnknownName(f"no model runs as `{unknown[0]}`", hint=f"{meant}`biai-xinf status` shows them all")
        for outcome in carry_out(client, plan, desired, lambda change: progress(change.uid)):
            if outcome.error is not None:
                raise outcome.error
            if not as_json:
                say(f"`{outcome.change.uid}` is stopped")
    if as_json:
        show_json({"stopped": list(uids)})
