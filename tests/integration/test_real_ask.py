"""The bundled model, on a real Xinference, asked about the demo shop in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from biai_xinf.databases import demo_shop, same_rows
from tests import postgres as servers
from tests.commandline import run
from tests.xinference_fixtures import RealXinference, needs_xinference

pytestmark = [pytest.mark.real, needs_xinference]

# Questions with the SQL, written by hand, whose rows are right.
RIGHT = {
    "How many customers are there?": "SELECT COUNT(*) FROM customers",
    "How many orders were cancelled in 2024?": (
        "SELECT COUNT(*) FROM orders WHERE status = 'cancelled' AND order_date LIKE '2024-%'"
    ),
    "What is the total revenue per country?": (
        "SELECT country, SUM(quantity * unit_price) FROM customers JOIN orders USING (customer_id) "
        "JOIN order_items USING (order_id) GROUP BY country"
    ),
    "How many orders per month in 2024?": (
        "SELECT SUBSTR(order_date, 1, 7), COUNT(*) FROM orders WHERE order_date LIKE '2024-%' GROUP BY 1"
    ),
    "Which five products sold best?": (
        "SELECT product_name, SUM(quantity) FROM products JOIN order_items USING (product_id) "
        "GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
    ),
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_the_same_questions_get_the_same_right_rows_from_both_databases(
    real_xinference: RealXinference, postgres: str
) -> None:
    launched = run("--endpoint", real_xinference.endpoint, "launch", "sql-coder")
    assert launched.exit_code == 0, launched.stderr
    shop = servers.demo_shop(postgres)

    for question, sql in RIGHT.items():
        with closing(demo_shop()) as database:
            wanted = database.query(sql).rows
        for name, written_in in (("demo", None), (shop, "sqlite")):
            done = run("--endpoint", real_xinference.endpoint, "ask", question, "--db", name, "--json")

            assert done.exit_code == 0, done.stderr
            told = json.loads(done.stdout)
            assert same_rows(told["rows"], wanted), f"{question}: {told['sql']}"
            assert told["written_in"] == written_in
