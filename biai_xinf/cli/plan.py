"""`biai-xinf plan`: what launch or apply would do, and why."""

from __future__ import annotations

from pathlib import Path

import click

from biai_xinf.cli import plan_file
from biai_xinf.cli.connect import connect
from biai_xinf.cli.launch import wanted
from biai_xinf.cli.output import say, show, show_json
from biai_xinf.cli.render import plan_data, plan_text
from biai_xinf.cli.wished import connect_to, from_file, is_file
from biai_xinf.reconcile import prepare


@click.command("plan")
@click.argument("name", metavar="SPEC|FILE")
@click.option("--uid", help="Name it is asked under; the spec's own unless given.")
@click.option("--recipe", metavar="NAME", help="Take this recipe and no other.")
@click.option("--upgrade", is_flag=True, help="Replace what runs under the uid if a better recipe fits.")
@click.option("--prune", is_flag=True, help="With a FILE: stop the models that it does not name.")
@click.option(
    "--out",
    metavar="PLAN.json",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With a FILE: keep the plan, for `apply` to carry out just this one.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 if there is something to do.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    uid: str | None,
    recipe: str | None,
    upgrade: bool,
    prune: bool,
    out: Path | None,
    detailed_exitcode: bool,
    as_json: bool,
) -> None:
    """Show what `launch SPEC` or `apply FILE` would do, and why; change nothing."""
    if is_file(name):
        if uid or recipe or upgrade:
            raise click.UsageError(
                "--uid, --recipe and --upgrade go with a SPEC; a cluster file says these things itself"
            )
        file, desired = from_file(Path(name), prune)
        connection, following = connect_to(file, ctx.obj), f"biai-xinf apply {out or name}"
    elif prune or out:
        raise click.UsageError("--prune and --out go with a cluster FILE")
    else:
        desired = wanted(name, uid, recipe, upgrade)
        connection, following = connect(ctx.obj), f"biai-xinf launch {name}"
    with connection as client:
        _, plan = prepare(client, desired)
    if out:
        plan_file.write(out, Path(name), client.endpoint, desired.prune, plan)
    if as_json:
        show_json(plan_data(plan))
    else:
        show(plan_text(plan))
        if not plan.is_empty:
            say(f"next: {following}")
    if plan.refused:
        ctx.exit(1)
    if detailed_exitcode and not plan.is_empty:
        ctx.exit(3)
