"""SQLite databases, read only: their schema, and the rows of one query that can neither write nor run away."""

from __future__ import annotations

import math
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from biai_xinf.errors import QuestionFailed

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit"}
_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 10_000

Row = tuple[object, ...]


@dataclass(frozen=True)
class Rows:
    """The answer to one query; `cut` says that there were more rows than asked for."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    cut: bool = False


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; QuestionFailed where the file is missing or no database."""
    if not path.is_file():
        raise QuestionFailed(f"no database at `{path}`", hint="`--db demo` asks the demo shop")
    connection = sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True)
    try:
        connection.execute("SELECT name FROM sqlite_master LIMIT 1")
    except sqlite3.Error as error:
        connection.close()
        raise QuestionFailed(f"`{path}` is no SQLite database: {error}") from error
    return connection


def schema(connection: sqlite3.Connection) -> str:
    """The CREATE statements of all tables and views, as they were written."""
    created = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    )
    return "\n".join(f"{sql};" for (sql,) in created if sql)


def query(connection: sqlite3.Connection, sql: str, *, limit: int = 1000, seconds: float = 10) -> Rows:
    """The first `limit` rows of one reading statement; QuestionFailed where it fails, writes or takes too long."""
    deadline = time.monotonic() + seconds
    connection.set_authorizer(_only_reading)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)
    try:
        cursor = connection.execute(sql)
        columns = tuple(column[0] for column in cursor.description or ())
        rows = cursor.fetchmany(limit + 1)
    except (sqlite3.Error, sqlite3.Warning) as error:
        reason = f"took longer than {seconds:g} s" if time.monotonic() > deadline else f"failed: {error}"
        raise QuestionFailed(f"the query {reason}", details=sql.splitlines()) from error
    finally:
        connection.set_authorizer(_anything)
        connection.set_progress_handler(None, 0)
    return Rows(columns, tuple(rows[:limit]), cut=len(rows) > limit)


def same_rows(found: Iterable[Sequence[object]], expected: Iterable[Sequence[object]]) -> bool:
    """Whether two answers hold the same rows, in any order; numbers may differ in the ninth digit."""
    return Counter(map(_comparable, found)) == Counter(map(_comparable, expected))


def _comparable(row: Sequence[object]) -> Row:
    return tuple(_rounded(value) if isinstance(value, (int, float)) else value for value in row)


def _rounded(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 8 - math.floor(math.log10(abs(value))))


def _only_reading(action: int, _first: str | None, second: str | None, *_: str | None) -> int:
    if action not in _READING or (action == sqlite3.SQLITE_FUNCTION and second in _FORBIDDEN_FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _anything(*_: object) -> int:
    # Python 3.10 cannot take an authorizer off again; 3.11 does with `set_authorizer(None)`.
    return sqlite3.SQLITE_OK
