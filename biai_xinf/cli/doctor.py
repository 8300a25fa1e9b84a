"""`biai-xinf doctor`: what is well, what is not, and what mends it."""

from __future__ import annotations

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json
from biai_xinf.doctor import Finding, Health, examine


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check this machine and the cluster, and say what to mend.

    Exits with 1 if something is broken.
    """
    findings = []
    with connect(ctx.obj) as client:
        for finding in examine(client):
            findings.append(finding)
            if not as_json:
                show(_line(finding))
    if as_json:
        show_json([{**vars(finding), "health": finding.health.name.lower()} for finding in findings])
    broken = [finding for finding in findings if finding.health is Health.ILL]
    doubtful = sum(finding.health is Health.DOUBTFUL for finding in findings)
    say()
    say(f"{len(findings)} checks: {len(broken)} broken, {doubtful} doubtful")
    if broken:
        ctx.exit(1)


def _line(finding: Finding) -> str:
    line = f"{finding.health.value:<4}  {finding.check:<10}  {finding.seen}"
    return f"{line}\n{'':<18}hint: {finding.hint}" if finding.hint else line
