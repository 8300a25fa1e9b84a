"""`biai-xinf ask`: a question in plain language, its SQL, and the rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from biai_xinf import charts, prompting
from biai_xinf.catalogue import find, load_catalogue
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.databases import open_database
from biai_xinf.databases.rows import Rows, plain
from biai_xinf.errors import QuestionFailed

if TYPE_CHECKING:
    from biai_xinf.asking import Answer

# A refused answer may be a page of reasoning.
_LINES = 40


@click.command("ask")
@click.argument("question")
@click.option(
    "--db",
    "database",
    required=True,
    metavar="URL",
    help="A SQLite file, its sqlite:/// URL, a postgresql:// DSN, or `demo` for the demo shop.",
)
@click.option("--model", default="sql-coder", show_default=True, metavar="UID", help="The SQL model to ask.")
@click.option("--spec", help="The model's spec, where its uid is not the spec's name.")
@click.option(
    "--table", "tables", multiple=True, metavar="NAME", help="A table to ask; may be repeated. All without it."
)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Rows to show at most.")
@click.option(
    "--timeout", default=10.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds the query may run."
)
@click.option("--explain", is_flag=True, help="Show the database's plan for the query, and do not run it.")
@click.option("--chart", type=click.Path(path_type=Path), metavar="FILE", help="Draw the rows, too: a .png or a .svg.")
@click.option("--json", "as_json", is_flag=True, help="Print SQL and rows as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    question: str,
    database: str,
    model: str,
    spec: str | None,
    tables: tuple[str, ...],
    limit: int,
    timeout: float,
    explain: bool,
    chart: Path | None,
    as_json: bool,
) -> None:
    """Ask a database a question in plain language.

    A SQL model writes one query. It runs only if the SQL gate lets it pass, in a transaction that only reads.
    docs/ask.md has the rest.
    """
    # Imported here: sqlglot takes longer to import than all other commands.
    from biai_xinf.adapters.sqlgate import SqlRefused
    from biai_xinf.asking import Question, ask

    _can_draw(chart, explain)
    entry = find(load_catalogue(), spec or model)
    asked = Question(question, tables, limit, timeout, explain)
    try:
        with closing(open_database(database)) as opened, connect(ctx.obj) as client:
            answer = ask(client, model, entry, opened, asked)
            to = opened.dialect
    except SqlRefused as error:
        if not as_json:
            details = [*error.details, *error.sql.splitlines()[:_LINES]]
            raise QuestionFailed(error.message, details=details) from error
        problems = [problem.as_data() for problem in error.problems]
        show_json({"question": question, "sql": error.sql, "problems": problems})
        ctx.exit(1)
    if as_json:
        show_json(as_data(question, answer))
    else:
        _tell(answer, model, prompting.SPELLED[to], explained=explain)
    if chart is not None:
        charts.draw(charts.chart_of(answer.rows), question, chart)
        say(f"chart in {chart}")


def as_data(question: str, answer: Answer) -> dict[str, object]:
    """An answer for machines; docs/ask.md describes it."""
    return {
        "question": question,
        "sql": answer.sql,
        "columns": list(answer.rows.columns),
        "rows": [plain(row) for row in answer.rows.rows],
        "cut": answer.rows.cut,
        "written_in": answer.written_in,
        "mended": list(answer.mended),
        "model_s": round(answer.model_s, 3),
        "database_s": round(answer.database_s, 3),
    }


def _can_draw(chart: Path | None, explain: bool) -> None:
    if chart is None:
        return
    if explain:
        raise click.UsageError("--explain gives no rows, so --chart has nothing to draw")
    if chart.suffix.lower() not in charts.SUFFIXES:
        raise click.UsageError(f"--chart {chart}: the name must end in {' or '.join(charts.SUFFIXES)}")
    charts.load()


def _tell(answer: Answer, model: str, dialect: str, *, explained: bool) -> None:
    for reason in answer.mended:
        say(f"asked `{model}` again: {reason}")
    if answer.written_in is not None:
        say(f"`{model}` writes {prompting.SPELLED[answer.written_in]}; translated to {dialect}")
    if answer.unreadable:
        say(f"left out, for they may not be read: {', '.join(answer.unreadable)}")
    show(answer.sql)
    show()
    show(table([_cell(name) for name in answer.rows.columns], _cells(answer.rows)))
    say()
    count = len(answer.rows.rows)
    fetched = f"{'the first ' if answer.rows.cut else ''}{count} row{'' if count == 1 else 's'}"
    told = "not run" if explained else fetched
    say(f"{told}; model {answer.model_s:.2f} s, database {answer.database_s:.3f} s")


def _cells(rows: Rows) -> Sequence[Sequence[str]]:
    return [[_cell(value) for value in row] for row in rows.rows]


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float):
        # Sums of prices end in digits that no money has.
        return f"{value:.12g}"
    shown = str(value) if isinstance(value, Decimal) else plain(value)
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    # What a terminal would obey, and what would break the table, is told instead.
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
