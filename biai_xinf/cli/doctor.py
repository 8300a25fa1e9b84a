"""`biai-xinf doctor`: what is well, what is not, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from biai_xinf import clusterfile
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json
from biai_xinf.cli.wished import connect_to
from biai_xinf.doctor import Finding, Health, examine


@click.command("doctor")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--all", "everything", is_flag=True, help="Also show what is well and concerns few, and what was skipped."
)
@click.option("--json", "as_json", is_flag=True, help="Print all findings as JSON.")
@click.pass_context
def command(ctx: click.Context, path: Path | None, everything: bool, as_json: bool) -> None:
    """Check this machine and the cluster, and say what to mend.

    With a cluster FILE also what differs from it. Exits with 1 if something is broken.
    """
    file = (path, clusterfile.load(path)) if path else None
    found = []
    with connect_to(file[1], ctx.obj) if file else connect(ctx.obj) as client:
        for finding in examine(client, file):
            found.append(finding)
            if not as_json and (everything or finding.worth_showing):
                show(_line(finding))
    if as_json:
        show_json([_as_data(finding) for finding in found])
    say()
    say(_tally(found, everything or as_json))
    if any(finding.health is Health.ILL for finding in found):
        ctx.exit(1)


def _line(finding: Finding) -> str:
    line = f"{finding.health.value:<4}  {finding.check:<10}  {finding.seen}"
    return f"{line}\n{'':<18}hint: {finding.hint}" if finding.hint else line


def _as_data(finding: Finding) -> dict[str, object]:
    told = {**asdict(finding), "health": finding.health.name.lower()}
    del told["quiet"]
    return told


def _tally(found: Sequence[Finding], all_shown: bool) -> str:
    made = [finding for finding in found if finding.health is not Health.SKIPPED]
    broken = sum(finding.health is Health.ILL for finding in made)
    doubtful = sum(finding.health is Health.DOUBTFUL for finding in made)
    hidden = sum(not finding.worth_showing for finding in made)
    beside = f"; `--all` shows the {hidden} others, which are well" if hidden and not all_shown else ""
    return f"{len(made)} checks: {broken} broken, {doubtful} doubtful{beside}"
