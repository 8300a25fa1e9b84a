"""Ask a database a question: its schema and the question go to a SQL model, the SQL that comes back is run."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from biai_xinf import prompting, sqlite
from biai_xinf.client import Client
from biai_xinf.errors import QuestionFailed
from biai_xinf.specs import SqlSpec
from biai_xinf.sqlite import Rows


@dataclass(frozen=True)
class Answer:
    """The SQL a model wrote, the rows it gave, and the seconds each took."""

    sql: str
    rows: Rows
    model_s: float
    database_s: float


def ask(
    client: Client, uid: str, spec: SqlSpec, database: sqlite3.Connection, question: str, *, limit: int = 100
) -> Answer:
    """The answer to one question; QuestionFailed where no SQL came back, or it does not run."""
    messages = prompting.messages(
        spec.prompt, dialect="sqlite", schema=sqlite.schema(database, spec.prompt.schema_as), question=question
    )
    begun = time.monotonic()
    said = client.chat(uid, messages, **spec.defaults).text
    written = time.monotonic()
    sql = prompting.extract_sql(said, spec.prompt.answer)
    if sql is None:
        raise QuestionFailed(f"`{uid}` answered without SQL", details=said.splitlines()[:5])
    rows = sqlite.query(database, sql, limit=limit)
    return Answer(sql, rows, written - begun, time.monotonic() - written)
