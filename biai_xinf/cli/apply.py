"""`biai-xinf apply`: make a cluster what its file says."""

from __future__ import annotations

from pathlib import Path

import click

from biai_xinf.cli import plan_file
from biai_xinf.cli.launch import engine_words
from biai_xinf.cli.output import board, say, show_json
from biai_xinf.cli.render import plan_text
from biai_xinf.cli.wished import connect_to, from_file
from biai_xinf.plan import Action, Plan
from biai_xinf.reconcile import Outcome, carry_out, prepare
from biai_xinf.state import Scaling


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--prune", is_flag=True, help="Stop the models that the file does not name.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def command(ctx: click.Context, file: Path, prune: bool, as_json: bool) -> None:
    """Make a cluster what FILE says: a cluster file, or a plan that `plan --out` wrote.

    Models that run as the file says are kept as they are, so a second `apply` does nothing. One that fails does not
    stop the others. Exits with 1 if something failed or found no room.
    """
    written = plan_file.read(file) if plan_file.is_plan(file) else None
    wanted, desired = from_file(written.cluster_file, written.prune) if written else from_file(file, prune)
    with connect_to(wanted, ctx.obj or (written.endpoint if written else None)) as client:
        _, plan = prepare(client, desired)
        if written:
            written.refuse_if_moved_on(plan)
        say(plan_text(plan))
        say()
        with board() as row, engine_words(client):
            outcomes = carry_out(client, plan, desired, lambda change: row(change.uid))
    for outcome in outcomes:
        for line in said(outcome):
            say(line)
    if as_json:
        show_json(as_data(plan, outcomes))
    failed = sum(outcome.error is not None for outcome in outcomes)
    say(_what_is_true_now(plan, failed, client.endpoint))
    if failed or plan.refused:
        ctx.exit(1)


def said(outcome: Outcome) -> list[str]:
    """What became of one change: nothing of what was kept as it is."""
    change = outcome.change
    if outcome.error is not None:
        return [f"! {change.uid}  {line}" if number == 0 else f"    {line}" for number, line in _lines(outcome.error)]
    warning = [f"    warning: {outcome.warning}"] if outcome.warning else []
    if change.action is Action.KEEP and not change.pending:
        return warning
    if change.action is Action.TERMINATE:
        return [f"- {change.uid}  is stopped", *warning]
    if isinstance(change.launch, Scaling):
        return [f"~ {change.uid}  {_scaled(change.launch)} in {outcome.load_s:.1f} s", *warning]
    took = f"loaded in {outcome.load_s:.1f} s, {len(outcome.checks)} checks answered right in {outcome.verify_s:.1f} s"
    return [f"{change.action.value} {change.uid}  is ready: {took}", *warning]


def _scaled(scaling: Scaling) -> str:
    count = len(scaling.devices) or len(scaling.drop)
    return f"{count} replica{'s' * (count > 1)} {'started' if scaling.devices else 'stopped'}"


def _lines(error: Exception) -> list[tuple[int, str]]:
    return list(enumerate(line for line in str(error).splitlines() if line))


def _what_is_true_now(plan: Plan, failed: int, endpoint: str) -> str:
    missing = failed + len(plan.refused)
    if missing:
        return f"{missing} of {len(plan.changes) + len(plan.refused)} models are not as the file says; see above"
    return f"the cluster at {endpoint} is as the file says" + (", and was before" if plan.is_empty else "")


def as_data(plan: Plan, outcomes: tuple[Outcome, ...]) -> dict[str, object]:
    """What was done, for machines."""
    done = [
        {
            "uid": outcome.change.uid,
            "action": outcome.change.action.name.lower(),
            "recipe": outcome.change.recipe.name if outcome.change.recipe else None,
            "load_seconds": round(outcome.load_s, 3),
            "verify_seconds": round(outcome.verify_s, 3),
            "checks": len(outcome.checks),
            "error": outcome.error.message if outcome.error else None,
        }
        for outcome in outcomes
    ]
    refused = [{"uid": refused.uid, "message": refused.error.message} for refused in plan.refused]
    return {"changes": done, "refused": refused}
