"""Schemas from DDL and from JSON, as people have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from biai_xinf.adapters.sqlgate import Gate, Schema, load_schema
from biai_xinf.errors import BadFile


def test_tables_and_views_come_from_ddl() -> None:
    schema = Schema.from_ddl(
        """
        CREATE TABLE sales.orders (id INT PRIMARY KEY, "Total" NUMERIC(10, 2), FOREIGN KEY (id) REFERENCES x (id));
        CREATE VIEW v (a, b) AS SELECT 1, 2;
        CREATE OR REPLACE VIEW w AS SELECT id AS Number FROM sales.orders;
        CREATE INDEX i ON sales.orders (id);
        """,
        "postgres",
    )

    assert {name: list(table.columns.values()) for name, table in schema.tables.items()} == {
        "sales.orders": ["id", "Total"],
        "v": ["a", "b"],
        "w": ["number"],
    }


@pytest.mark.parametrize(
    ("data", "tables"),
    [
        pytest.param({"t": ["a", "b"]}, {"T": ["A", "B"]}, id="lists"),
        pytest.param({"t": {"a": "int", "B": "text"}}, {"T": ["A", "B"]}, id="types"),
        pytest.param({"s": {"t": ["a"]}}, {"S.T": ["A"]}, id="within-a-schema"),
        pytest.param({"Mixed": ["Case"]}, {"Mixed": ["Case"]}, id="names-that-were-quoted"),
    ],
)
def test_tables_come_from_json_in_the_case_of_the_dialect(data: object, tables: dict[str, list[str]]) -> None:
    schema = Schema.from_data(data, "oracle")

    assert {name: list(table.columns.values()) for name, table in schema.tables.items()} == tables


@pytest.mark.parametrize("name", ["orders", "public.orders", '"orders"', "ORDERS"])
def test_the_default_schema_may_be_named(name: str) -> None:
    gate = Gate("postgres", schema=Schema({"orders": ["id"]}, "postgres"))

    assert gate.check(f"SELECT id FROM {name}")


def test_what_is_no_schema_says_so(tmp_path: Path) -> None:
    files = {
        "a.sql": ("SELECT 1", "the schema creates no table"),
        "b.sql": ("CREATE TABLE t (a", "the schema is no DDL of postgres"),
        "c.sql": ("CREATE VIEW v AS SELECT * FROM t", "the columns of `v` cannot be told"),
        "d.json": ("[1]", "the schema must map tables to their columns"),
        "e.json": ('{"t": 1}', "the columns of `t` must be a list"),
        "f.json": ('{"t":\n', "no JSON"),
    }
    for name, (text, message) in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(BadFile, match=message.replace("(", r"\(")):
            load_schema(tmp_path / name, "postgres")
    with pytest.raises(BadFile, match="cannot be read"):
        load_schema(tmp_path / "none.sql", "postgres")
