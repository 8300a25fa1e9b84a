"""`biai-xinf plan`: what launch would do, and why."""

from __future__ import annotations

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.launch import wanted
from biai_xinf.cli.output import say, show, show_json
from biai_xinf.cli.render import plan_text
from biai_xinf.plan import Plan
from biai_xinf.reconcile import prepare


@click.command("plan")
@click.argument("name", metavar="SPEC")
@click.option("--uid", help="Name it is asked under; the spec's own unless given.")
@click.option("--recipe", metavar="NAME", help="Take this recipe and no other.")
@click.option("--upgrade", is_flag=True, help="Replace what runs under the uid if a better recipe fits.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 if there is something to do.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    uid: str | None,
    recipe: str | None,
    upgrade: bool,
    detailed_exitcode: bool,
    as_json: bool,
) -> None:
    """Show what `biai-xinf launch SPEC` would do, and why; change nothing."""
    desired = wanted(name, uid, recipe, upgrade)
    with connect(ctx.obj) as client:
        _, plan = prepare(client, desired)
    if as_json:
        show_json(as_data(plan))
    else:
        show(plan_text(plan))
        if not plan.is_empty:
            say(f"next: biai-xinf launch {name}")
    if detailed_exitcode and not plan.is_empty:
        ctx.exit(3)


def as_data(plan: Plan) -> dict[str, object]:
    """A plan for machines; `body` is what would be sent to Xinference."""
    changes = [
        {
            "action": change.action.name.lower(),
            "uid": change.uid,
            "reason": change.reason,
            "recipe": change.recipe.name if change.recipe else None,
            "body": dict(change.launch.body) if change.launch else None,
            "recipes": [
                {"name": verdict.recipe.name, "taken": verdict.reason is None, "reason": verdict.reason}
                for verdict in (change.resolution.verdicts if change.resolution else ())
            ],
        }
        for change in plan.changes
    ]
    return {"changes": changes, "unmanaged": list(plan.unmanaged)}
