"""SQLite databases, read only: their schema, and the rows of one query that can neither write nor run away."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from biai_xinf.databases.rows import Rows
from biai_xinf.databases.schema import LONGEST_EXAMPLE, Column, Reference, Schema, Table
from biai_xinf.errors import QueryRejected, QuestionFailed
from biai_xinf.specs import Dialect

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit"}
_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 10_000
# Bytes. SQLite looks at no clock while it makes a value, and has room for a thousand million of them.
_LONGEST_VALUE = 10_000_000
# The names that SQLite's own parser, or a dialect a model writes, would take for something else.
_RESERVED = {"ORDER", "GROUP", "SELECT", "FROM", "WHERE", "TABLE", "INDEX", "DATE", "YEAR", "KEY", "USER", "VALUES"}


def open_file(path: Path) -> SqliteDatabase:
    """A database that cannot be written; QuestionFailed where the file is missing or no database."""
    if not path.is_file():
        raise QuestionFailed(f"no database at `{path}`", hint="`--db demo` asks the demo shop")
    connection = sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True)
    try:
        connection.execute("SELECT name FROM sqlite_master LIMIT 1")
    except sqlite3.Error as error:
        connection.close()
        raise QuestionFailed(f"`{path}` is no SQLite database: {error}") from error
    return SqliteDatabase(connection, path.stem)


class SqliteDatabase:
    """A connection of its own, through which nothing is written whatever it was opened for."""

    dialect: Dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        if sys.version_info >= (3, 11):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        # SQLite keeps any bytes as text, and refuses to give them where they are no UTF-8.
        connection.text_factory = lambda kept: kept.decode("utf-8", errors="replace")

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def query(self, sql: str, *, limit: int = 1000, seconds: float = 10) -> Rows:
        """The first `limit` rows of one reading statement; QuestionFailed where it fails, writes or takes too long."""
        with self._reading(sql, seconds):
            cursor = self._connection.execute(sql)
            columns = tuple(column[0] for column in cursor.description or ())
            rows = cursor.fetchmany(limit + 1)
        return Rows(columns, tuple(rows[:limit]), cut=len(rows) > limit)

    def explain(self, sql: str, *, seconds: float = 10) -> Rows:
        """SQLite's query plan: a step a row, indented below the step that needs it."""
        with self._reading(sql, seconds):
            steps = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
        depth = {0: -1}
        for number, parent, _, _ in steps:
            depth[number] = depth.get(parent, -1) + 1
        return Rows(("QUERY PLAN",), tuple(("  " * depth[number] + str(step),) for number, _, _, step in steps))

    def schema(self) -> Schema:
        """Its tables and views, in the order they were made."""
        made = self._connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' "
            "ORDER BY rowid"
        ).fetchall()
        tables = []
        for name, created in made:
            # A view over a table that is gone cannot be read: nothing to ask of it.
            with contextlib.suppress(sqlite3.OperationalError):
                tables.append(Table(name, _written(name), self._columns(name), self._references(name), None, created))
        return Schema(self._name, tuple(tables))

    @contextlib.contextmanager
    def _reading(self, sql: str, seconds: float) -> Iterator[None]:
        deadline = time.monotonic() + seconds
        self._connection.set_authorizer(_only_reading)
        self._connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning) as error:
            if time.monotonic() > deadline:
                raise QuestionFailed(f"the query took longer than {seconds:g} s", details=sql.splitlines()) from error
            if str(error) == "interrupted":
                # Only a Ctrl-C does that: Python raises it where it looks at the clock, and sqlite3 swallows it.
                raise KeyboardInterrupt from error
            raise QueryRejected(str(error), sql) from error
        finally:
            self._connection.set_authorizer(_anything)
            self._connection.set_progress_handler(None, 0)

    def _columns(self, table: str) -> tuple[Column, ...]:
        told = self._connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (table,))
        return tuple(
            Column(name, _written(name), type_ or "TEXT", bool(key), bool(required), None, _example(name))
            for name, type_, required, key in told.fetchall()
        )

    def _references(self, table: str) -> tuple[Reference, ...]:
        told = self._connection.execute(
            'SELECT id, "from", "table", "to" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq', (table,)
        ).fetchall()
        keys: dict[int, Reference] = {}
        for number, column, other, to in told:
            # Without a column, a reference means the other table's primary key.
            found = keys.get(number, Reference((), _written(other), ()))
            target = to or self._key_of(other, len(found.others))
            keys[number] = Reference((*found.columns, _written(column)), found.table, (*found.others, _written(target)))
        return tuple(keys.values())

    def _key_of(self, table: str, place: int) -> str:
        keys = self._connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk = ?", (table, place + 1))
        key = keys.fetchone()
        return str(key[0]) if key else "rowid"


def _example(column: str) -> str:
    """The value, but for what is long: bytes, and the end of texts."""
    name = _quoted(column)
    text = f"substr({name}, 1, {LONGEST_EXAMPLE + 1})"
    return f"CASE typeof({name}) WHEN 'blob' THEN NULL WHEN 'text' THEN {text} ELSE {name} END"


def _only_reading(action: int, _first: str | None, second: str | None, *_: str | None) -> int:
    if action not in _READING or (action == sqlite3.SQLITE_FUNCTION and second in _FORBIDDEN_FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _anything(*_: object) -> int:
    # Python 3.10 cannot take an authorizer off again; 3.11 does with `set_authorizer(None)`.
    return sqlite3.SQLITE_OK


def _written(name: str) -> str:
    """The name, in quotes only where it needs them: models copy what they read."""
    return name if name.isidentifier() and name.isascii() and name.upper() not in _RESERVED else _quoted(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
