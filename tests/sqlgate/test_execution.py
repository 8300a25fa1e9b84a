"""What passes never changes a database: run on real ones, opened for writing."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biai_xinf.adapters.sqlgate import Dialect, Gate, SqlRefused
from tests.sqlgate.statements import Statement, attacks, legitimate, schema

# Types that let most of the queries run; SQLite takes them as they come.
_TYPES = {
    "DOUBLE": "total_amount quantity unit_price discount price cost salary amount vat_rate duration_s kwota unit_price",
    "TIMESTAMP": "order_date shipped_date created_at occurred_at paid_at updated_at issued_on due_on paid_on hire_date",
    "INTEGER": "order_id customer_id product_id category_id parent_id employee_id manager_id department_id event_id case_id "
    "invoice_id year quarter id klient_id",
    "VARCHAR[]": "tags",
    "JSON": "metadata payload attributes",
    "BOOLEAN": "is_active",
}
_IN_POSTGRES = {"DOUBLE": "NUMERIC", "VARCHAR[]": "TEXT[]", "JSON": "JSONB"}
_TYPE_OF = {column: kind for kind, columns in _TYPES.items() for column in columns.split()}
HARMLESS_AND_HARMFUL = [it.sql for it in [*legitimate(), *attacks()] if it.dialect in ("sqlite", "duckdb", "postgres")]


def ddl(dialect: Dialect) -> list[str]:
    statements = []
    for table in schema(dialect).tables.values():
        types = {name: _TYPE_OF.get(name.replace(" ", "_"), "VARCHAR") for name in table.columns.values()}
        if dialect == "postgres":
            types = {name: _IN_POSTGRES.get(kind, kind) for name, kind in types.items()}
        columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        statements.append(f'CREATE TABLE "{table.name}" ({columns})')
    return statements


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "shop.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        for statement in ddl("sqlite"):
            database.execute(statement)
        database.execute("INSERT INTO orders (order_id, customer_id, total_amount) VALUES (1, 1, 10), (2, 1, 20)")
        database.execute("INSERT INTO customers (customer_id, name) VALUES (1, 'Anna')")
        database.commit()
    return path


@pytest.fixture(scope="module")
def duckdb_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with contextlib.closing(duckdb.connect(str(tmp_path_factory.mktemp("duckdb") / "shop.duckdb"))) as database:
        for statement in ddl("duckdb"):
            database.execute(statement)
        database.execute("INSERT INTO orders (order_id, customer_id, total_amount) VALUES (1, 1, 10), (2, 1, 20)")
        yield database


def contents(database: duckdb.DuckDBPyConnection) -> list[object]:
    """All tables with their rows, and all settings; a DuckDB file's bytes change when it is merely closed."""
    catalogue = database.execute("SELECT * FROM duckdb_tables() ORDER BY table_name").fetchall()
    views = database.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    attached = database.execute("SELECT database_name, path FROM duckdb_databases() ORDER BY 1").fetchall()
    settings_ = database.execute(
        "SELECT name, value FROM duckdb_settings() WHERE name NOT LIKE '%log%' ORDER BY 1"
    ).fetchall()
    rows = [database.execute(f'SELECT * FROM "{name}"').fetchall() for name in schema("duckdb").tables]
    return [catalogue, views, attached, settings_, rows]


def run_on_sqlite(path: Path, sql: str) -> None:
    before = hashlib.sha256(path.read_bytes()).hexdigest(), sorted(path.parent.iterdir())
    with contextlib.closing(sqlite3.connect(path)) as database, contextlib.suppress(sqlite3.Error, OverflowError):
        # Not every accepted query runs here: the tables are nearly empty, and some functions are newer than SQLite's.
        database.execute(sql).fetchall()
        assert not database.in_transaction
        assert database.total_changes == 0
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), sorted(path.parent.iterdir())) == before


@pytest.mark.parametrize("query", [it for it in legitimate() if it.dialect == "sqlite"], ids=lambda it: it.where)
def test_honest_queries_change_nothing_in_sqlite(sqlite_file: Path, query: Statement) -> None:
    checked = Gate("sqlite", schema=schema("sqlite"), max_rows=1000).check(query.sql)

    run_on_sqlite(sqlite_file, checked.sql)


def test_honest_queries_run_as_they_were_written_anew(
    sqlite_file: Path, duckdb_database: duckdb.DuckDBPyConnection
) -> None:
    with contextlib.closing(sqlite3.connect(sqlite_file)) as database:
        run = {"sqlite": database.execute, "duckdb": duckdb_database.execute}
        for query in legitimate():
            if query.dialect in run:
                sql = Gate(query.dialect, schema=schema(query.dialect), max_rows=1000).check(query.sql).sql

                run[query.dialect](sql).fetchall()


def test_honest_queries_run_on_postgresql_as_they_were_written_anew(postgres: str) -> None:
    gate = Gate("postgres", schema=schema("postgres"), max_rows=1000)
    with psycopg.connect(postgres) as database:
        for statement in ddl("postgres"):
            database.execute(statement)
        for query in legitimate():
            if query.dialect == "postgres":
                database.execute(gate.check(query.sql).sql.encode()).fetchall()
        database.rollback()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(HARMLESS_AND_HARMFUL),
    st.sampled_from(HARMLESS_AND_HARMFUL),
    st.sampled_from(["", ";", "; ", "\n;\n", " UNION ALL ", "--\n", "/*"]),
)
def test_whatever_passes_leaves_sqlite_as_it_is(sqlite_file: Path, first: str, second: str, between: str) -> None:
    sql = first + between + second if between else first
    with contextlib.suppress(SqlRefused):
        run_on_sqlite(sqlite_file, Gate("sqlite", max_rows=100).check(sql).sql)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(HARMLESS_AND_HARMFUL),
    st.sampled_from(HARMLESS_AND_HARMFUL),
    st.sampled_from(["", ";", "; ", " UNION ALL ", "--\n"]),
)
def test_whatever_passes_leaves_duckdb_as_it_is(
    duckdb_database: duckdb.DuckDBPyConnection, first: str, second: str, between: str
) -> None:
    try:
        checked = Gate("duckdb", max_rows=100).check(first + between + second if between else first)
    except SqlRefused:
        return
    before = contents(duckdb_database)

    with contextlib.suppress(duckdb.Error):
        duckdb_database.execute(checked.sql).fetchall()

    assert contents(duckdb_database) == before
