"""`biai-xinf sql`: SQL that a model wrote, checked before anybody runs it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from biai_xinf.cli.output import say, show, show_json
from biai_xinf.errors import BadFile

# As `sqlgate.DIALECTS` has them; that module is not imported for a help page.
_DIALECT = click.Choice(["postgres", "oracle", "sqlite", "duckdb", "mysql", "tsql"])


@click.group("sql")
def command() -> None:
    """Check SQL that a model wrote."""


@command.command("check")
@click.argument("file", default="-", metavar="[FILE|-]")
@click.option("--dialect", required=True, type=_DIALECT, help="The dialect it is written in.")
@click.option(
    "--schema", "schema_file", type=click.Path(path_type=Path), metavar="FILE", help="Tables and columns: DDL, or JSON."
)
@click.option("--table", "tables", multiple=True, metavar="NAME", help="A table that may be read; may be repeated.")
@click.option("--max-rows", default=1000, show_default=True, type=click.IntRange(min=1), help="Rows it gives at most.")
@click.option("--to", type=_DIALECT, help="Write it in this dialect instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the SQL, or the problems, as JSON.")
@click.pass_context
def check(
    ctx: click.Context,
    file: str,
    dialect: str,
    schema_file: Path | None,
    tables: tuple[str, ...],
    max_rows: int,
    to: str | None,
    as_json: bool,
) -> None:
    """Print the one query of a model's answer, if it only reads; every reason against it otherwise.

    FILE holds SQL or a whole answer, with its reasoning and fences. Nothing is run. docs/sql-gate.md says what is
    promised.
    """
    # Imported here: sqlglot takes longer to import than all other commands.
    from biai_xinf.adapters.sqlgate import Gate, SqlRefused, load_schema

    schema = load_schema(schema_file, dialect) if schema_file is not None else None
    try:
        gate = Gate(dialect, schema, tables or None, max_rows, to)  # type: ignore[arg-type]  # click.Choice made it one
    except ValueError as error:
        raise click.UsageError(f"--table: {error}") from error
    try:
        checked = gate.check(_text(file))
    except SqlRefused as error:
        if not as_json:
            raise
        show_json({"ok": False, "problems": [problem.as_data() for problem in error.problems]})
        ctx.exit(1)
    if as_json:
        show_json({"ok": True, **asdict(checked)})
        return
    show(checked.sql)
    if checked.capped:
        say(f"capped at {max_rows} rows")


def _text(file: str) -> str:
    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode("utf-8")
    except OSError as error:
        raise BadFile(f"`{file}` cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"`{file}` cannot be read: {error}") from error
