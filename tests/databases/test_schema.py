"""One schema, as values and in the styles of prompts; what is written of SQLite is written of PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import get_args

import pytest

from biai_xinf import demo
from biai_xinf.databases import Database, Schema, Table, demo_shop, open_database
from biai_xinf.databases.examples import examples
from biai_xinf.databases.schema import Column, Reference
from biai_xinf.databases.sqlite import SqliteDatabase
from biai_xinf.databases.styles import written
from biai_xinf.errors import QuestionFailed
from biai_xinf.specs import SchemaStyle
from tests import postgres as servers

NOTED = Schema(
    "shop",
    (
        Table(
            "Line",
            '"Line"',
            (
                Column("order_id", "order_id", "integer", key=True, required=True),
                Column("No", '"No"', "integer", key=True, required=True, comment="counts\nfrom 1"),
                Column("state", "state", "sales.state", comment="one of 'new', 'paid'"),
            ),
            (
                Reference(("order_id",), "sales.orders", ("id",)),
                Reference(("order_id", '"No"'), "sales.parts", ("order_id", "no")),
            ),
            comment="Lines of orders",
        ),
    ),
)


def text(database: Database, style: SchemaStyle) -> str:
    return written(database.schema(), style, partial(examples, database))


def test_the_ddl_of_sqlite_is_what_the_tables_were_created_with() -> None:
    with closing(demo_shop()) as shop:
        assert text(shop, "ddl") + "\n" == demo.SCHEMA


@pytest.mark.parametrize("style", get_args(SchemaStyle))
def test_the_same_shop_reads_the_same_in_both_databases_but_for_its_types(postgres: str, style: SchemaStyle) -> None:
    types = {"numeric(10,2)": "real", "_date date": "_date text", "_date:date": "_date:text", "test_": "demo"}
    with closing(demo_shop()) as one, closing(open_database(servers.demo_shop(postgres))) as other:
        in_postgres = text(other, style).lower().replace(other.schema().database, "demo")
        in_sqlite = text(one, style).lower()

    for found, wanted in types.items():
        in_postgres = in_postgres.replace(found, wanted)
    # PostgreSQL keeps the zeros of its prices.
    for price in ("999.0", "229.5", "79.9"):
        in_postgres = in_postgres.replace(f"{price}0", price)
    assert in_postgres == in_sqlite


def test_comments_enums_and_keys_of_several_columns_are_written_as_ddl() -> None:
    assert (
        written(NOTED, "ddl", lambda table, wanted: {})
        == """\
-- Lines of orders
CREATE TABLE "Line" (
  order_id integer NOT NULL REFERENCES sales.orders(id),
  "No" integer NOT NULL, -- counts from 1
  state sales.state, -- one of 'new', 'paid'
  PRIMARY KEY (order_id, "No"),
  FOREIGN KEY (order_id, "No") REFERENCES sales.parts(order_id, no)
);"""
    )


def test_comments_are_written_in_the_other_styles_too() -> None:
    values = {"order_id": [7, 8], "state": ["paid"]}

    with_examples = written(NOTED, "ddl-examples", lambda table, wanted: values)
    as_m_schema = written(NOTED, "m-schema", lambda table, wanted: values)

    assert (
        with_examples
        == """\
CREATE TABLE "Line" (
    order_id integer, -- example: [7, 8]
    "No" integer, -- counts from 1
    state sales.state, -- one of 'new', 'paid', example: ['paid']
    PRIMARY KEY (order_id, "No"),
    FOREIGN KEY (order_id) REFERENCES sales.orders (id),
    FOREIGN KEY (order_id, "No") REFERENCES sales.parts (order_id, no)
);"""
    )
    assert (
        as_m_schema
        == """\
【DB_ID】 shop
【Schema】
# Table: "Line", Lines of orders
[
(order_id:INTEGER, Primary Key, Examples: [7, 8]),
("No":INTEGER, counts from 1, Primary Key),
(state:SALES.STATE, one of 'new', 'paid', Examples: [paid])
]
【Foreign keys】
"Line".order_id=sales.orders.id
"Line".order_id=sales.parts.order_id
"Line"."No"=sales.parts.no"""
    )


def test_tables_are_written_as_m_schema() -> None:
    with closing(demo_shop()) as shop:
        lines = text(shop, "m-schema").splitlines()

    assert lines[:2] == ["【DB_ID】 demo", "【Schema】"]
    assert lines[18:25] == [
        "# Table: orders",
        "[",
        "(order_id:INTEGER, Primary Key, Examples: [1, 2, 3]),",
        "(customer_id:INTEGER, Examples: [31, 48, 93]),",
        "(order_date:TEXT, Examples: [2024-03-11, 2025-05-14, 2024-03-04]),",
        "(status:TEXT, Examples: [delivered, shipped, cancelled]),",
        "(channel:TEXT, Examples: [mobile, web, store])",
    ]
    assert lines[-4:] == [
        "【Foreign keys】",
        "orders.customer_id=customers.customer_id",
        "order_items.order_id=orders.order_id",
        "order_items.product_id=products.product_id",
    ]


def test_tables_are_written_with_example_values_as_omnisql_reads_them() -> None:
    with closing(demo_shop()) as shop:
        tables = text(shop, "ddl-examples").split("\n\n")

    assert (
        tables[2]
        == """\
CREATE TABLE orders (
    order_id integer, -- example: [1, 2]
    customer_id integer, -- example: [31, 48]
    order_date text, -- example: ['2024-03-11', '2025-05-14']
    status text, -- example: ['delivered', 'shipped']
    channel text, -- example: ['mobile', 'web']
    PRIMARY KEY (order_id),
    FOREIGN KEY (customer_id) REFERENCES customers (customer_id)
);"""
    )


def test_odd_tables_are_written_as_well() -> None:
    with closing(SqliteDatabase(sqlite3.connect(":memory:"), "odd")) as database:
        database._connection.executescript(
            """
            CREATE TABLE "order" (id INTEGER PRIMARY KEY, "unit price" DECIMAL(10, 2), photo BLOB, note TEXT);
            CREATE TABLE line (amount, "order" REFERENCES "order");
            CREATE TABLE pair (a INTEGER, b INTEGER, PRIMARY KEY (a, b));
            CREATE TABLE of_pair (x INTEGER, y INTEGER, FOREIGN KEY (x, y) REFERENCES pair);
            CREATE VIEW cheap AS SELECT amount FROM line;
            CREATE VIEW dead AS SELECT * FROM gone;
            """
        )
        database._connection.execute("INSERT INTO 'order' VALUES (1, 2.5, x'00', ?)", ("long " * 20,))

        told = text(database, "ddl-examples")

    assert (
        told
        == """\
CREATE TABLE "order" (
    id integer, -- example: [1]
    "unit price" decimal(10, 2), -- example: [2.5]
    photo blob,
    note text,
    PRIMARY KEY (id)
);

CREATE TABLE line (
    amount text,
    "order" text,
    FOREIGN KEY ("order") REFERENCES "order" (id)
);

CREATE TABLE pair (
    a integer,
    b integer,
    PRIMARY KEY (a, b)
);

CREATE TABLE of_pair (
    x integer,
    y integer,
    FOREIGN KEY (x, y) REFERENCES pair (a, b)
);

CREATE TABLE cheap (
    amount text
);"""
    )


def test_chosen_tables_are_found_in_any_case_and_refer_only_to_each_other() -> None:
    with closing(demo_shop()) as shop:
        chosen = shop.schema().only(["ORDERS", "order_items"])

    assert [(table.name, [it.table for it in table.references]) for table in chosen.tables] == [
        ("orders", []),
        ("order_items", ["orders"]),
    ]


def test_a_table_that_is_not_there_is_named_with_one_that_is() -> None:
    with closing(demo_shop()) as shop, pytest.raises(QuestionFailed) as failed:
        shop.schema().only(["order"])

    assert (failed.value.message, failed.value.hint) == (
        "`demo` has no table `order` that can be read",
        "did you mean `orders` or `order_items`?",
    )


def test_a_table_is_found_by_its_name_with_or_without_quotes() -> None:
    assert NOTED.only(['"Line"']).tables[0].name == NOTED.only(["line"]).tables[0].name == "Line"
