"""Schemas from DDL and from JSON, as people have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from biai_xinf.adapters.sqlgate import Gate, Schema, SqlRefused, load_schema
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


def test_a_schema_in_quotes_and_other_letters_is_not_the_default_one() -> None:
    gate = Gate("postgres", schema=Schema({"orders": ["id"]}, "postgres"))

    with pytest.raises(SqlRefused, match=r"there is no table `PUBLIC\.orders`"):
        gate.check('SELECT id FROM "PUBLIC".orders')


@pytest.mark.parametrize(
    ("name", "text"), [("a.sql", "CREATE TABLE t (a INT)"), ("a.json", '{"t": ["a"]}')], ids=["ddl", "json"]
)
def test_a_byte_order_mark_is_no_part_of_a_schema(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8-sig")

    schema = load_schema(tmp_path / name, "postgres")

    assert {name: list(table.columns) for name, table in schema.tables.items()} == {"t": ["a"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[" * 200_000, "{}: no JSON of tables: it is nested too deep, or has too long a number", id="lists"),
        pytest.param('{"a":' * 200_000, "{}: no JSON of tables: it is nested too deep, or has too long a number", id="objects"),
        pytest.param('{"a":' * 5 + "[]" + "}" * 5, "the schema has `a.a.a.a.a`, and a table has 4 names at most", id="names"),
        pytest.param('{"t": ["a", 1]}', "column 2 of `t` must be a name, and is of type int", id="number"),
        pytest.param('{"t": [null]}', "column 1 of `t` must be a name, and is of type NoneType", id="null"),
        pytest.param('{"t": ["a", {"x": 1}]}', "column 2 of `t` must be a name, and is of type dict", id="object"),
    ],
)  # fmt: skip
def test_json_that_holds_no_tables_is_told_in_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(BadFile) as raised:
        load_schema(file, "postgres")

    assert str(raised.value) == message.format(file)


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
    with pytest.raises(BadFile) as raised:
        load_schema(tmp_path / "none.sql", "postgres")
    assert str(raised.value) == f"`{tmp_path / 'none.sql'}` cannot be read: No such file or directory"
    (tmp_path / "g.sql").write_bytes(b"\xff")
    with pytest.raises(BadFile, match="cannot be read: 'utf-8' codec"):
        load_schema(tmp_path / "g.sql", "postgres")
