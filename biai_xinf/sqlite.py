"""SQLite databases, read only: their schema, and the rows of one query that can neither write nor run away."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from biai_xinf.errors import QuestionFailed

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit"}
_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 10_000
# M-Schema leaves longer examples out: they cost tokens and tell little.
_LONGEST_EXAMPLE = 50
# Examples come from the first rows: three values of a column that has two are never found in a million.
_ROWS_LOOKED_AT = 1000
# The names that SQLite's own parser, or a dialect a model writes, would take for something else.
_RESERVED = {"ORDER", "GROUP", "SELECT", "FROM", "WHERE", "TABLE", "INDEX", "DATE", "YEAR", "KEY", "USER", "VALUES"}

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


def schema(connection: sqlite3.Connection, style: str = "ddl") -> str:
    """All tables and views, written in one of the styles that models were trained on (`specs.SchemaStyle`)."""
    return _WRITERS[style](connection)


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


@dataclass(frozen=True)
class _Column:
    name: str
    type: str
    key: bool
    examples: tuple[object, ...]


@dataclass(frozen=True)
class _Reference:
    column: str
    table: str
    other: str


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[_Column, ...]
    references: tuple[_Reference, ...]


def _as_created(connection: sqlite3.Connection) -> str:
    created = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    )
    return "\n".join(f"{sql};" for (sql,) in created if sql)


def _as_ddl_with_examples(connection: sqlite3.Connection) -> str:
    """As the prompts of OmniSQL's repository (its `examples/`) show it to the models trained on SynSQL."""
    return "\n\n".join(_table_with_examples(table) for table in _tables(connection, examples=2))


def _table_with_examples(table: _Table) -> str:
    keys = [_quoted(column.name) for column in table.columns if column.key]
    rules = [f"    PRIMARY KEY ({', '.join(keys)})"] if keys else []
    rules += [
        f"    FOREIGN KEY ({_quoted(it.column)}) REFERENCES {_quoted(it.table)} ({_quoted(it.other)})"
        for it in table.references
    ]
    lines = []
    for column in table.columns:
        comma = "" if column is table.columns[-1] and not rules else ","
        told = f" -- example: [{', '.join(map(repr, column.examples))}]" if column.examples else ""
        lines.append(f"    {_quoted(column.name)} {column.type.lower()}{comma}{told}")
    return (
        f"CREATE TABLE {_quoted(table.name)} (\n"
        + "\n".join([*lines, *([",\n".join(rules)] if rules else [])])
        + "\n);"
    )


def _as_m_schema(connection: sqlite3.Connection) -> str:
    """As the repository XGenerationLab/M-Schema writes it."""
    tables = _tables(connection, examples=3)
    lines = ["【DB_ID】 " + _database_name(connection), "【Schema】"]
    for table in tables:
        columns = ",\n".join(_m_schema_column(column) for column in table.columns)
        lines.append(f"# Table: {table.name}\n[\n{columns}\n]")
    references = [f"{table.name}.{it.column}={it.table}.{it.other}" for table in tables for it in table.references]
    return "\n".join([*lines, *(["【Foreign keys】", *references] if references else [])])


def _m_schema_column(column: _Column) -> str:
    key = ", Primary Key" if column.key else ""
    examples = f", Examples: [{', '.join(map(str, column.examples))}]" if column.examples else ""
    return f"({column.name}:{column.type.upper()}{key}{examples})"


_WRITERS: Mapping[str, Callable[[sqlite3.Connection], str]] = {
    "ddl": _as_created,
    "ddl-examples": _as_ddl_with_examples,
    "m-schema": _as_m_schema,
}


def _tables(connection: sqlite3.Connection, *, examples: int) -> list[_Table]:
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    ).fetchall()
    found = []
    for (name,) in names:
        # A view over a table that is gone cannot be read: nothing to ask of it.
        with contextlib.suppress(sqlite3.OperationalError):
            found.append(_table(connection, str(name), examples))
    return found


def _table(connection: sqlite3.Connection, name: str, examples: int) -> _Table:
    told = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
    columns = [
        _Column(column, type_ or "TEXT", bool(key), _examples(connection, name, column, examples))
        for column, type_, key in told
    ]
    references = connection.execute(
        'SELECT "from", "table", "to" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq', (name,)
    ).fetchall()
    return _Table(
        name,
        tuple(columns),
        # Without a column, a reference means the other table's primary key.
        tuple(_Reference(column, other, to or _key_of(connection, other)) for column, other, to in references),
    )


def _key_of(connection: sqlite3.Connection, table: str) -> str:
    key = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk = 1", (table,)).fetchone()
    return str(key[0]) if key else "rowid"


def _examples(connection: sqlite3.Connection, table: str, column: str, wanted: int) -> tuple[object, ...]:
    some = f"SELECT {_name(column)} AS value FROM {_name(table)} LIMIT {_ROWS_LOOKED_AT}"
    found = connection.execute(f"SELECT DISTINCT value FROM ({some}) WHERE value IS NOT NULL LIMIT {wanted}")
    values = [value for (value,) in found if not isinstance(value, bytes)]
    return tuple(value for value in values if len(str(value)) <= _LONGEST_EXAMPLE)


def _database_name(connection: sqlite3.Connection) -> str:
    file = next((row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main"), "")
    return Path(file).stem or "main"


def _quoted(name: str) -> str:
    """The name, in quotes only where it needs them: models copy what they read."""
    return name if name.isidentifier() and name.isascii() and name.upper() not in _RESERVED else _name(name)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
