from contextlib import closing
from pathlib import Path

import pytest

from biai_xinf import demo, sqlite
from biai_xinf.errors import QuestionFailed
from biai_xinf.sqlite import Rows


def test_rows_come_with_their_columns() -> None:
    with closing(demo.in_memory()) as database:
        found = sqlite.query(
            database, "SELECT country, COUNT(*) AS n FROM customers GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
        )

    assert found == Rows(("country", "n"), (("Poland", 35),))


def test_rows_beyond_the_limit_are_cut_and_it_is_said() -> None:
    with closing(demo.in_memory()) as database:
        found = sqlite.query(database, "SELECT order_id FROM orders", limit=5)

    assert (len(found.rows), found.cut) == (5, True)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "INSERT INTO orders SELECT * FROM orders",
        "DROP TABLE orders",
        "CREATE TABLE x (a)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "ATTACH ':memory:' AS other",
        "PRAGMA journal_mode",
        "VACUUM",
        "SELECT load_extension('x')",
        "SELECT 1; DELETE FROM orders",
        "WITH x AS (SELECT 1) DELETE FROM orders",
        "EXPLAIN DELETE FROM orders",
    ],
)
def test_whatever_does_more_than_read_is_refused(sql: str) -> None:
    with closing(demo.in_memory()) as database:
        before = database.execute("SELECT COUNT(*) FROM orders").fetchone()

        with pytest.raises(QuestionFailed, match="the query failed"):
            sqlite.query(database, sql)

        assert database.execute("SELECT COUNT(*) FROM orders").fetchone() == before


def test_a_query_that_runs_away_is_stopped() -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"

    with (
        closing(demo.in_memory()) as database,
        pytest.raises(QuestionFailed, match=r"took longer than 0\.1 s"),
    ):
        sqlite.query(database, endless, seconds=0.1)


def test_a_database_file_is_opened_read_only(tmp_path: Path) -> None:
    file = demo.create(tmp_path / "demo ü.db")

    with closing(sqlite.open_read_only(file)) as database:
        assert sqlite.query(database, "SELECT COUNT(*) FROM customers").rows == ((120,),)
        with pytest.raises(Exception, match="readonly"):
            database.execute("DELETE FROM customers")


@pytest.mark.parametrize(("content", "said"), [(None, "no database at"), (b"x" * 5000, "is no SQLite database")])
def test_what_is_no_database_is_refused_with_its_path(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "x.db"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(QuestionFailed, match=said):
        sqlite.open_read_only(file)


def test_the_schema_is_what_the_tables_were_created_with() -> None:
    with closing(demo.in_memory()) as database:
        assert sqlite.schema(database) + "\n" == demo.SCHEMA


def test_answers_are_compared_as_rows_in_any_order_with_rounding() -> None:
    assert sqlite.same_rows([(1, 0.1 + 0.2), (2, None)], [(2, None), (1.0, 0.3)])
    assert not sqlite.same_rows([(1,), (1,)], [(1,)])
    assert not sqlite.same_rows([(1, 2)], [(2, 1)])
    assert not sqlite.same_rows([(1.0001,)], [(1,)])
    assert not sqlite.same_rows([(None,)], [(0,)])


def test_the_demo_shop_is_the_same_every_time() -> None:
    with closing(demo.in_memory()) as one, closing(demo.in_memory()) as other:
        assert list(one.iterdump()) == list(other.iterdump())


def test_the_demo_shop_has_customers_without_orders_and_products_never_sold() -> None:
    with closing(demo.in_memory()) as database:
        silent = sqlite.query(
            database,
            "SELECT COUNT(*) FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders)",
        )
        unsold = sqlite.query(
            database,
            "SELECT COUNT(*) FROM products WHERE product_id NOT IN (SELECT product_id FROM order_items)",
        )

    assert (silent.rows, unsold.rows) == (((9,),), ((2,),))
