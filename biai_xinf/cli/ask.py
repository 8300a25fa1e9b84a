"""`biai-xinf ask`: a question in plain language, its SQL, and the rows."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import Connection

import click

from biai_xinf import demo, sqlite
from biai_xinf.asking import Answer, ask
from biai_xinf.catalogue import find, load_catalogue
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.errors import NotFound, QuestionFailed
from biai_xinf.specs import SqlSpec


@click.command("ask")
@click.argument("question")
@click.option("--db", "database", required=True, metavar="PATH", help="A SQLite file, or `demo` for the demo shop.")
@click.option("--model", default="sql-coder", show_default=True, metavar="UID", help="The SQL model to ask.")
@click.option("--spec", help="The model's spec, where its uid is not the spec's name.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="Rows to show at most.")
@click.option("--json", "as_json", is_flag=True, help="Print SQL and rows as JSON.")
@click.pass_obj
def command(
    endpoint: str | None,
    question: str,
    database: str,
    model: str,
    spec: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Ask a database a question in plain language.

    A SQL model writes one query, which runs read only and for ten seconds at most.
    """
    entry = find(load_catalogue(), spec or model)
    if not isinstance(entry.spec, SqlSpec):
        raise QuestionFailed(f"`{entry.spec.name}` is for {entry.spec.role}, questions need a model for sql")
    with closing(open_database(database)) as connection, connect(endpoint) as client:
        try:
            answer = ask(client, model, entry.spec, connection, question, limit=limit)
        except NotFound as error:
            raise QuestionFailed(f"no model runs as `{model}`", hint=f"biai-xinf launch {entry.spec.name}") from error
    if as_json:
        show_json(as_data(question, answer))
    else:
        _tell(answer)


def open_database(name: str) -> Connection:
    """A connection that reads only: to the demo shop, or to a SQLite file."""
    return demo.in_memory() if name == "demo" else sqlite.open_read_only(Path(name))


def as_data(question: str, answer: Answer) -> dict[str, object]:
    """An answer for machines."""
    return {
        "question": question,
        "sql": answer.sql,
        "columns": list(answer.rows.columns),
        "rows": [list(row) for row in answer.rows.rows],
        "cut": answer.rows.cut,
    }


def _tell(answer: Answer) -> None:
    show(answer.sql)
    show()
    rows = answer.rows.rows
    show(table(answer.rows.columns, [[_cell(value) for value in row] for row in rows]))
    say()
    count = f"{'the first ' if answer.rows.cut else ''}{len(rows)} row{'' if len(rows) == 1 else 's'}"
    say(f"{count}; model {answer.model_s:.2f} s, database {answer.database_s:.3f} s")


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    # Sums of prices end in digits that no money has.
    return f"{value:.12g}" if isinstance(value, float) else str(value)
