"""SQLite databases as `ask` and the probes use them: what cannot be done to them, and what is said then."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from biai_xinf import demo
from biai_xinf.databases import Rows, demo_shop, open_database, same_rows
from biai_xinf.databases.sqlite import open_file
from biai_xinf.errors import QuestionFailed
from tests.commandline import interruptible


def test_rows_come_with_their_columns() -> None:
    with closing(demo_shop()) as database:
        found = database.query("SELECT country, COUNT(*) AS n FROM customers GROUP BY 1 ORDER BY 2 DESC LIMIT 1")

    assert found == Rows(("country", "n"), (("Poland", 35),))


def test_rows_beyond_the_limit_are_cut_and_it_is_said() -> None:
    with closing(demo_shop()) as database:
        found = database.query("SELECT order_id FROM orders", limit=5)

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
    with closing(demo_shop()) as database:
        before = database.query("SELECT COUNT(*) FROM orders")

        with pytest.raises(QuestionFailed, match="the query failed"):
            database.query(sql)

        assert database.query("SELECT COUNT(*) FROM orders") == before


def test_a_query_that_runs_away_is_stopped() -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"

    with (
        closing(demo_shop()) as database,
        pytest.raises(QuestionFailed, match=r"took longer than 0\.1 s"),
    ):
        database.query(endless, seconds=0.1)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 sets SQLite no limits")
def test_a_value_that_outgrows_memory_is_not_made() -> None:
    ten = "'" + "x" * 10 + "'"
    grown = ten
    for _ in range(7):
        grown = f"replace({grown}, 'x', {ten})"

    with closing(demo_shop()) as database, pytest.raises(QuestionFailed, match="string or blob too big"):
        database.query(f"SELECT length({grown})")


def test_a_database_file_is_opened_read_only(tmp_path: Path) -> None:
    file = demo.create(tmp_path / "demo ü.db")

    with closing(open_file(file)) as database:
        assert database.query("SELECT COUNT(*) FROM customers").rows == ((120,),)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database._connection.execute("DELETE FROM customers")


@pytest.mark.parametrize(("content", "said"), [(None, "no database at"), (b"x" * 5000, "is no SQLite database")])
def test_what_is_no_database_is_refused_with_its_path(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "x.db"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(QuestionFailed, match=said):
        open_file(file)


def test_answers_are_compared_as_rows_in_any_order_with_rounding() -> None:
    assert same_rows([(1, 0.1 + 0.2), (2, None)], [(2, None), (1.0, 0.3)])
    assert not same_rows([(1,), (1,)], [(1,)])
    assert not same_rows([(1, 2)], [(2, 1)])
    assert not same_rows([(1.0001,)], [(1,)])
    assert not same_rows([(None,)], [(0,)])


def test_the_demo_shop_is_the_same_every_time() -> None:
    with closing(demo.in_memory()) as one, closing(demo.in_memory()) as other:
        assert list(one.iterdump()) == list(other.iterdump())


def test_the_demo_shop_has_customers_without_orders_and_products_never_sold() -> None:
    with closing(demo_shop()) as database:
        silent = database.query(
            "SELECT COUNT(*) FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders)",
        )
        unsold = database.query(
            "SELECT COUNT(*) FROM products WHERE product_id NOT IN (SELECT product_id FROM order_items)",
        )

    assert (silent.rows, unsold.rows) == (((9,),), ((2,),))


def test_text_that_is_no_utf_8_is_read_all_the_same(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as made:
        made.execute("CREATE TABLE t AS SELECT CAST(x'B3F364' AS TEXT) AS city")
        made.commit()

    with closing(open_file(tmp_path / "old.db")) as database:
        assert database.query("SELECT city FROM t").rows == (("\ufffd\ufffdd",),)


def test_a_plan_is_a_step_a_row_and_nothing_is_run() -> None:
    with closing(demo_shop()) as database:
        plan = database.explain("SELECT name FROM customers WHERE customer_id IN (SELECT customer_id FROM orders)")
        with pytest.raises(QuestionFailed, match="the query failed: not authorized"):
            database.explain("DELETE FROM orders")

    assert plan.columns == ("QUERY PLAN",)
    assert plan.rows[0] == ("SEARCH customers USING INTEGER PRIMARY KEY (rowid=?)",)
    assert plan.rows[2][0].startswith("  SCAN orders")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mysql://root:secret@db/shop", "`mysql` is no database that can be asked"),
        ("sqlite://", "a SQLite URL names a file"),
        ("host=db user=me password=secret", "the database is not written as a DSN"),
        ("sqlite:///nowhere.db", "no database at `nowhere.db`"),
    ],
)
def test_what_cannot_be_opened_is_said_without_its_password(name: str, said: str) -> None:
    with pytest.raises(QuestionFailed) as failed:
        open_database(name)

    assert failed.value.message == said
    assert "secret" not in str(failed.value)


def test_a_url_opens_the_file_it_names(tmp_path: Path) -> None:
    file = demo.create(tmp_path / "shop.db")

    with closing(open_database(f"sqlite:///{file}")) as database:
        assert database.schema().database == "shop"


ENDLESS = """
import sys
from biai_xinf.databases import demo_shop
print("runs", flush=True)
try:
    demo_shop().query("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n", seconds=60)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a SIGINT")
def test_ctrl_c_ends_the_query() -> None:
    process = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, preexec_fn=interruptible)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"runs\n"
        # Wherever it hits: while SQLite counts, or just before.
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGINT)

        assert process.wait(30) == 130
