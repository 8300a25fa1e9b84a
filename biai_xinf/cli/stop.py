"""`biai-xinf stop`: stop models."""

from __future__ import annotations

import difflib

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import progress, say, show_json
from biai_xinf.errors import UnknownName
from biai_xinf.plan import Action, Change
from biai_xinf.reconcile import carry_out, prepare
from biai_xinf.state import Cluster, Desired


@click.command("stop")
@click.argument("uids", metavar="UID...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was stopped as JSON.")
@click.pass_obj
def command(endpoint: str | None, uids: tuple[str, ...], as_json: bool) -> None:
    """Stop models, in whatever state they are; their files stay on the disk."""
    desired = Desired(absent=uids)
    with connect(endpoint) as client:
        cluster, plan = prepare(client, desired)
        for uid in uids:
            if cluster.model(uid) is None:
                raise unknown(uid, cluster)
        for outcome in carry_out(client, plan, desired, lambda change: progress(change.uid)):
            if outcome.error is not None:
                raise outcome.error
            if outcome.warning:
                say(f"warning: {outcome.warning}")
            if not as_json:
                say(_what_is_true_now(outcome.change))
    if as_json:
        show_json({"stopped": list(uids)})


def _what_is_true_now(change: Change) -> str:
    if change.action is Action.KEEP:
        return f"`{change.uid}` {change.reason}; the entry goes away when it is launched again"
    return f"`{change.uid}` is stopped"


def unknown(uid: str, cluster: Cluster) -> UnknownName:
    """That nothing runs under a uid, with the closest that does."""
    close = difflib.get_close_matches(uid, [model.uid for model in cluster.models])
    meant = f"did you mean `{close[0]}`? " if close else ""
    return UnknownName(f"no model runs as `{uid}`", hint=f"{meant}`biai-xinf status` shows them all")
