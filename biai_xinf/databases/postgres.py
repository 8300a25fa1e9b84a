"""PostgreSQL databases, read only: every query in a transaction that cannot write, and that is rolled back."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from biai_xinf.databases.rows import Rows
from biai_xinf.databases.schema import LONGEST_EXAMPLE, Column, Reference, Schema, Table
from biai_xinf.errors import MissingExtra, QueryRejected, QuestionFailed
from biai_xinf.specs import Dialect

try:
    import psycopg
    from psycopg import errors
    from psycopg.abc import Buffer
    from psycopg.adapt import Loader
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.types import datetime as loaders
except ImportError as error:
    raise MissingExtra(
        "PostgreSQL is asked through `psycopg`, which is not installed", hint="pip install 'biai-xinf[postgres]'"
    ) from error

_CONNECT_S = 10
_SCHEMA_S = 30
# A query waits only for a table that is being altered or dropped; better to say so than to wait with the others.
_LOCK_S = 3
_LIMITS = "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
_AS_WRITTEN = "postgresql://USER@HOST:PORT/NAME; what is special in a password is written %40 for `@`, %2F for `/`"
# By class of SQLSTATE: what the server cannot do, values that do not fit, wrong SQL. Another query may do.
_FAULTS_OF_THE_QUERY = ("0A", "22", "42")


def connect(dsn: str) -> PostgresDatabase:
    """The database of a DSN; its password is in there, in PGPASSWORD or in ~/.pgpass, and told to nobody."""
    told = _parts(dsn)
    wanted = {"connect_timeout": _CONNECT_S, "application_name": "biai-xinf", **told, "client_encoding": "utf8"}
    try:
        connection = psycopg.connect(**wanted)
    except psycopg.Error as error:
        message = f"`{_without_password(told)}` cannot be reached: {_reason(error)}"
        raise QuestionFailed(message, hint="passwords come from the DSN, PGPASSWORD or ~/.pgpass") from error
    return PostgresDatabase(connection)


def _parts(dsn: str) -> dict[str, Any]:
    authority = re.split(r"[/?#]", dsn.partition("://")[2], maxsplit=1)[0]
    try:
        # A password with an unwritten `@` or `/` would be taken for a host, and be told in an error.
        if dsn.count("@") > min(1, authority.count("@")):
            raise psycopg.ProgrammingError
        return conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise QuestionFailed("the DSN cannot be read", hint=_AS_WRITTEN) from None


def _without_password(told: Mapping[str, Any]) -> str:
    user = f"{told['user']}@" if "user" in told else ""
    port = f":{told['port']}" if "port" in told else ""
    return f"postgresql://{user}{told.get('host', '')}{port}/{told.get('dbname', '')}"


def _reason(error: psycopg.Error) -> str:
    """The server's own words, without the address and port that libpq puts before them."""
    first = str(error).strip().partition("\n")[0]
    return re.sub(r"^connection (?:failed|is bad): |connection to server at .*? failed: |(FATAL|ERROR):\s+", "", first)


class PostgresDatabase:
    """A connection that only reads, whatever its user may do."""

    dialect: Dialect = "postgres"

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        connection.read_only = True
        # Poolers hand a prepared statement to the next client.
        connection.prepare_threshold = None
        for type_name, loader in _LOADERS.items():
            connection.adapters.register_loader(type_name, loader)
        self._connection = connection

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def query(self, sql: str, *, limit: int = 1000, seconds: float = 10) -> Rows:
        """The first `limit` rows of one query; the server keeps the others. QuestionFailed where it fails."""
        # A server's cursor is of one query: no second statement can end the transaction.
        with self._reading(seconds, sql), self._connection.cursor(name="answer") as cursor:
            cursor.execute(sql.encode())
            columns = tuple(column.name for column in cursor.description or ())
            rows = cursor.fetchmany(limit + 1)
        return Rows(columns, tuple(rows[:limit]), cut=len(rows) > limit)

    def explain(self, sql: str, *, seconds: float = 10) -> Rows:
        """The lines of EXPLAIN; the query itself is not run."""
        with self._reading(seconds, sql), self._connection.cursor() as cursor:
            # With its options in parentheses an ANALYZE in `sql` is an error; what is asked in binary is one statement.
            cursor.execute(f"EXPLAIN (ANALYZE FALSE) {sql}".encode(), binary=True)
            return Rows(("QUERY PLAN",), tuple(cursor.fetchall()))

    def schema(self) -> Schema:
        """Its tables and views, those that need no schema before their name first."""
        with self._reading(_SCHEMA_S), self._connection.cursor() as cursor:
            rows = cursor.execute(_COLUMNS).fetchall()
            keys = cursor.execute(_FOREIGN_KEYS).fetchall()
        tables: dict[str, Table] = {}
        unreadable: dict[str, None] = {}
        for may_read, name, written, comment, *column in rows:
            if may_read:
                table = tables.get(written, Table(name, written, (), comment=comment))
                tables[written] = replace(table, columns=(*table.columns, _column(*column)))
            else:
                unreadable[written] = None
        for written, columns, other, others in keys:
            if written in tables and other in tables:
                found = Reference(tuple(columns), other, tuple(others))
                tables[written] = replace(tables[written], references=(*tables[written].references, found))
        hidden = tuple(name for name in unreadable if name not in tables)
        return Schema(self._connection.info.dbname, tuple(tables.values()), hidden)

    @contextlib.contextmanager
    def _reading(self, seconds: float, sql: str = "") -> Iterator[None]:
        """A transaction that reads only, for `seconds` at most; its errors in our words."""
        deadline = time.monotonic() + seconds
        try:
            self._connection.execute(_LIMITS, (f"{seconds * 1000:.0f}ms", f"{min(_LOCK_S, seconds) * 1000:.0f}ms"))
            yield
        except psycopg.Error as error:
            raise self._failed(error, sql, seconds if time.monotonic() >= deadline else None) from error
        finally:
            with contextlib.suppress(psycopg.Error):
                self._connection.rollback()

    def _failed(self, error: psycopg.Error, sql: str, over: float | None) -> QuestionFailed:
        told = error.diag.message_primary or _reason(error)
        code, details = error.sqlstate or "", sql.splitlines()
        if over is not None and isinstance(error, errors.QueryCanceled):
            return QuestionFailed(f"the query took longer than {over:g} s", details=details)
        if isinstance(error, errors.LockNotAvailable):
            return QuestionFailed("the query waits for a table that somebody else is changing", details=details)
        if self._connection.closed:
            return QuestionFailed(f"the connection to the database was lost: {told}")
        hinted = f"{told} ({error.diag.message_hint})" if error.diag.message_hint else told
        if code.startswith(_FAULTS_OF_THE_QUERY) and not isinstance(error, errors.InsufficientPrivilege):
            return QueryRejected(hinted, sql)
        return QuestionFailed(f"the query failed: {hinted}", details=details)


def _column(
    name: str,
    written: str,
    type_: str,
    category: str,
    required: bool,
    key: bool,
    comment: str | None,
    labels: Sequence[str] | None,
) -> Column:
    one_of = f"one of {', '.join(map(repr, labels))}" if labels else None
    said = "; ".join(text for text in (comment, one_of) if text) or None
    return Column(name, written, type_, key, required, said, _example(written, category))


def _example(written: str, category: str) -> str | None:
    """By `pg_type.typcategory`: numbers, dates and truth values as they are, text and enums cut short."""
    if category in "NDB":
        return written
    return f"left({written}::text, {LONGEST_EXAMPLE + 1})" if category in "SE" else None


class _Text(Loader):
    """Text, though its bytes may be none: old databases took whatever came."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", errors="replace")


def _or_text(loader: type[Loader]) -> type[Loader]:
    """What Python has no value for, such as the date `infinity`, is text."""

    class OrText(loader):  # type: ignore[valid-type, misc]  # a base that is chosen here
        def load(self, data: Buffer) -> Any:
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return OrText


_LOADERS: Mapping[str, type[Loader]] = {
    "date": _or_text(loaders.DateLoader),
    "time": _or_text(loaders.TimeLoader),
    "timetz": _or_text(loaders.TimetzLoader),
    "timestamp": _or_text(loaders.TimestampLoader),
    "timestamptz": _or_text(loaders.TimestamptzLoader),
    # A month is no number of days, as Python's would have it.
    "interval": _Text,
    **dict.fromkeys(("text", "varchar", "bpchar", "name"), _Text),
}

# A table as `regclass` is told as a query has to write it. Partitions are left out, their table has all they have; and
# what extensions brought.
_COLUMNS = """
    SELECT
      has_schema_privilege(t.relnamespace, 'USAGE') AND has_column_privilege(t.oid, c.attnum, 'SELECT'),
      concat(CASE WHEN n.nspname <> 'public' OR NOT pg_table_is_visible(t.oid) THEN n.nspname || '.' END, t.relname),
      t.oid::regclass::text,
      obj_description(t.oid, 'pg_class'),
      c.attname, quote_ident(c.attname), format_type(c.atttypid, c.atttypmod), y.typcategory::text, c.attnotnull,
      coalesce(c.attnum = ANY (k.indkey), false),
      col_description(t.oid, c.attnum),
      (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = c.atttypid)
    FROM pg_class t
    JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
    JOIN pg_type y ON y.oid = c.atttypid
    LEFT JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary
    WHERE t.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT t.relispartition
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e'
      )
    ORDER BY pg_table_is_visible(t.oid) DESC, t.oid, c.attnum
"""
_FOREIGN_KEYS = """
    SELECT
      f.conrelid::regclass::text,
      (SELECT array_agg(quote_ident(c.attname) ORDER BY k.place)
       FROM unnest(f.conkey) WITH ORDINALITY k (number, place)
       JOIN pg_attribute c ON c.attrelid = f.conrelid AND c.attnum = k.number),
      f.confrelid::regclass::text,
      (SELECT array_agg(quote_ident(c.attname) ORDER BY k.place)
       FROM unnest(f.confkey) WITH ORDINALITY k (number, place)
       JOIN pg_attribute c ON c.attrelid = f.confrelid AND c.attnum = k.number)
    FROM pg_constraint f
    WHERE f.contype = 'f' AND f.conparentid = 0
    ORDER BY f.oid
"""
