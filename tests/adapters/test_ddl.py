"""Tables out of DDL that people wrote, as the styles of prompts want them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf import demo
from biai_xinf.adapters.ddl import read_ddl
from biai_xinf.databases import Schema, demo_shop
from biai_xinf.databases.styles import written

DIALECTS = ("postgres", "oracle", "sqlite", "mysql", "duckdb", "tsql", "")


def read(*texts: str, dialect: str = "postgres") -> Schema:
    schema, others = read_ddl(texts, dialect, "shop")
    assert not others
    return schema


def m_schema(*texts: str, dialect: str = "postgres") -> str:
    return written(read(*texts, dialect=dialect), "m-schema", lambda table, wanted: {})


def test_the_demo_shops_ddl_says_what_the_database_itself_says() -> None:
    with closing(demo_shop()) as shop:
        kept = shop.schema()
    found = read(demo.SCHEMA, dialect="sqlite")

    for table, same in zip(kept.tables, found.tables, strict=True):
        assert [(it.written, it.type, it.key) for it in same.columns] == [
            (it.written, it.type, it.key) for it in table.columns
        ]
        assert set(same.references) == set(table.references)


def test_notes_reach_the_prompt_wherever_they_stand() -> None:
    text = m_schema(
        "-- who buys from us\nCREATE TABLE shop.customers (\n  id INT, -- as on the invoice\n  country CHAR(2)\n);",
        "COMMENT ON COLUMN shop.customers.country IS 'ISO 3166'",
        "COMMENT ON COLUMN shop.orders.country IS 'of a table that is not here'",
    )
    assert text.splitlines()[2:] == [
        "# Table: shop.customers, who buys from us",
        "[",
        "(id:INT, as on the invoice),",
        "(country:CHAR(2), ISO 3166)",
        "]",
    ]


def test_mysqls_own_comments_are_notes() -> None:
    ddl = "CREATE TABLE t (a INT COMMENT 'the first') COMMENT = 'all of it'"
    assert "# Table: t, all of it\n[\n(a:INT, the first)" in m_schema(ddl, dialect="mysql")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "key",
    [
        "CREATE TABLE orders (id INT PRIMARY KEY, customer INT REFERENCES customers (id))",
        "CREATE TABLE orders (id INT PRIMARY KEY, customer INT REFERENCES customers)",
        "CREATE TABLE orders (id INT, customer INT, PRIMARY KEY (id), FOREIGN KEY (customer) REFERENCES customers (id))",
        "CREATE TABLE orders (id INT, customer INT, CONSTRAINT p PRIMARY KEY (id),"
        " CONSTRAINT f FOREIGN KEY (customer) REFERENCES customers (id))",
        "CREATE TABLE orders (id INT PRIMARY KEY, customer INT);"
        " ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (customer) REFERENCES customers (id)",
    ],
)
def test_keys_are_found_wherever_they_stand(key: str, dialect: str) -> None:
    if dialect == "sqlite" and "ALTER" in key:
        pytest.skip("SQLite knows no ADD CONSTRAINT")
    schema = read(key, "CREATE TABLE customers (id INT PRIMARY KEY)", dialect=dialect)
    orders = next(table for table in schema.tables if table.written == "orders")
    assert [column.key for column in orders.columns] == [True, False]
    assert [(it.columns, it.table, it.others) for it in orders.references] == [(("customer",), "customers", ("id",))]


def test_names_are_written_as_the_database_wants_them() -> None:
    assert "(Kraj:TEXT)" not in m_schema('CREATE TABLE "Klienci" ("Kraj" TEXT)')
    assert '# Table: "Klienci"\n[\n("Kraj":TEXT)' in m_schema('CREATE TABLE "Klienci" ("Kraj" TEXT)')


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE TABLE t AS SELECT 1 AS one",
        "CREATE TABLE t (untyped)",
        "orders: what was ordered",
        "CREATE TABLE t (a INT",
        "CREATE TABLE t (a INT); CREATE VIEW v AS SELECT a FROM t",
        "DROP TABLE t",
        "",
        "(" * 5000,
    ],
)
def test_what_says_more_than_tables_is_given_back(text: str) -> None:
    schema, others = read_ddl([text, "CREATE TABLE kept (a INT)"], "sqlite", "shop")
    assert [table.written for table in schema.tables] == ["kept"]
    assert others == (text,)


def test_indexes_are_passed_over() -> None:
    assert [it.written for it in read("CREATE TABLE t (a INT); CREATE INDEX i ON t (a);").tables] == ["t"]


NAMES = st.text("abcdefghij_", min_size=1, max_size=8)
TABLES = st.dictionaries(NAMES, st.dictionaries(NAMES, st.sampled_from(["INTEGER", "TEXT"]), min_size=1), min_size=1)


@given(TABLES)
def test_whatever_sqlite_holds_its_ddl_tells(tables: dict[str, dict[str, str]]) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, columns in tables.items():
            connection.execute(
                f'CREATE TABLE "{name}" ({", ".join(f"{chr(34)}{c}{chr(34)} {t}" for c, t in columns.items())})'
            )
        ddl = [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master")]
    found = {
        it.written.strip('"'): {c.written.strip('"'): c.type for c in it.columns}
        for it in read(*ddl, dialect="sqlite").tables
    }
    assert found == tables
