"""Vanna of both generations with Chroma, each in an environment of its own, on a real Xinference and real databases.

BIAI_XINF_TEST_VANNA07 and BIAI_XINF_TEST_VANNA2 name their Pythons; each has biai-xinf with its extra, and
psycopg2-binary for Vanna's way to PostgreSQL. The SQL is the bundled model's, the vectors are all-MiniLM-L6-v2's, both
on llama.cpp.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from biai_xinf import demo
from tests.applications.serving import EMBEDDER, application_environment  # noqa: F401  the fixture
from tests.postgres import demo_shop, postgres  # noqa: F401  the fixture
from tests.real_servers import no_python
from tests.xinference_fixtures import needs_xinference

pytestmark = [pytest.mark.real, pytest.mark.slow, needs_xinference]

APPLICATIONS = Path(__file__).parents[1] / "applications"
VANNA07, VANNA2 = "BIAI_XINF_TEST_VANNA07", "BIAI_XINF_TEST_VANNA2"
# What must come back, in SQL of the demo shop's that is right on every fill of it.
QUESTIONS = {
    "How many customers are there?": "SELECT COUNT(*) FROM customers",
    "How many orders were cancelled in 2024?": (
        "SELECT COUNT(*) FROM orders WHERE status = 'cancelled' AND order_date BETWEEN '2024-01-01' AND '2024-12-31'"
    ),
    "What is the total revenue per country?": (
        "SELECT country, SUM(quantity * unit_price) FROM customers JOIN orders USING (customer_id) "
        "JOIN order_items USING (order_id) GROUP BY country"
    ),
}


@pytest.mark.parametrize(
    ("variable", "application"),
    [
        pytest.param(VANNA07, "legacy_vanna", id="vanna-0.7"),
        pytest.param(VANNA2, "legacy_vanna", id="legacy-of-vanna-2"),
        pytest.param(VANNA2, "vanna2", id="vanna-2"),
    ],
)
def test_a_question_becomes_sql_that_runs_and_is_right(
    variable: str,
    application: str,
    application_environment: dict[str, str],  # noqa: F811
    postgres: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    if missing := no_python(variable, "vanna", "chromadb", "psycopg2", "biai_xinf"):
        pytest.skip(f"{missing}; `.ci/run` shows how to get it")
    shop = demo.create(tmp_path / "shop.db")

    found, printed = answers(
        application,
        os.environ[variable],
        application_environment,
        {
            "embedder": EMBEDDER,
            "folder": str(tmp_path),
            "sqlite": str(shop),
            "postgres": demo_shop(postgres),
            "questions": list(QUESTIONS),
        },
    )

    for database in ("sqlite", "postgres"):
        for question, sql in QUESTIONS.items():
            answer = found[database][question]
            assert rows(answer["rows"]) == rows(right(shop, sql)), f"{database}: {question}: {answer['sql']}"
    assert ("CREATE TABLE products" if application == "legacy_vanna" else "How many customers") in found["nearest"]
    # Vanna's own clients print their prompts.
    assert "You write" not in printed
    assert "revenue" not in printed


def answers(
    application: str, python: str, environ: dict[str, str], given: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """What the application found, and what was printed before it said so."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIAI_XINF_")}
    done = subprocess.run(
        [python, str(APPLICATIONS / f"{application}.py"), json.dumps(given)],
        env={**kept, **environ},
        cwd=given["folder"],
        capture_output=True,
        encoding="utf-8",
        timeout=500,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    *printed, last = done.stdout.strip().splitlines()
    return json.loads(last), "\n".join(printed)


def right(shop: Path, sql: str) -> list[list[Any]]:
    """The rows that a person's SQL gives."""
    import sqlite3

    with sqlite3.connect(shop) as database:
        return [list(row) for row in database.execute(sql)]


def rows(found: list[list[Any]] | None) -> list[list[Any]] | None:
    """In an order of their own, with prices as people write them."""
    if found is None:
        return None
    return sorted([[round(value, 2) if isinstance(value, float) else value for value in row] for row in found], key=str)
