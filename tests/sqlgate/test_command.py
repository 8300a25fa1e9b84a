"""`biai-xinf sql check`, and that nothing else waits for sqlglot."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from biai_xinf.adapters.sqlgate import DIALECTS
from biai_xinf.cli.sql import _DIALECT
from tests import commandline
from tests.commandline import Result
from tests.sqlgate.statements import HERE

SCHEMA = str(HERE / "schema.json")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a text on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))


def check(*words: str) -> Result:
    return commandline.run("sql", "check", *words)


def test_the_gated_sql_goes_to_stdout_and_the_rest_to_stderr(typed: Callable[[str], None]) -> None:
    typed("```sql\nSELECT name FROM customers; -- all\n```")

    done = check("--dialect", "postgres", "--schema", SCHEMA)

    assert (done.exit_code, done.stdout, done.stderr) == (
        0,
        "SELECT name FROM customers LIMIT 1000\n",
        "capped at 1000 rows\n",
    )


def test_problems_go_to_stderr_with_exit_code_1(typed: Callable[[str], None]) -> None:
    typed("SELECT nam FROM customers")

    done = check("-", "--dialect", "postgres", "--schema", SCHEMA)

    assert (done.exit_code, done.stdout, done.stderr) == (
        1,
        "",
        "error: the SQL is refused: line 1, column 8: there is no column `nam`; did you mean `name`?\n",
    )


def test_a_file_is_written_in_another_dialect_as_json(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("SELECT TOP 3 name FROM customers ORDER BY name", encoding="utf-8")

    done = check(str(tmp_path / "q.sql"), "--dialect", "tsql", "--to", "oracle", "--table", "customers", "--json")

    assert json.loads(done.stdout) == {
        "ok": True,
        "sql": "SELECT name FROM customers ORDER BY name NULLS FIRST FETCH FIRST 3 ROWS ONLY",
        "dialect": "oracle",
        "tables": ["customers"],
        "capped": False,
        "ordered": True,
    }


def test_problems_are_data_with_json(typed: Callable[[str], None]) -> None:
    typed("DROP TABLE x")

    done = check("--dialect", "sqlite", "--json")

    assert done.exit_code == 1
    assert [it["code"] for it in json.loads(done.stdout)["problems"]] == ["not-a-query"]


def test_a_file_that_is_not_there_is_named() -> None:
    done = check("nowhere.sql", "--dialect", "sqlite")

    assert (done.exit_code, done.stdout, done.stderr) == (
        1,
        "",
        "error: `nowhere.sql` cannot be read: No such file or directory\n",
    )


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ("", "no table is called ''; write `orders` or `sales.orders`, without quotes"),
        ("x;y", "no table is called 'x;y'; write `orders` or `sales.orders`, without quotes"),
        ("custmers", "the schema has no table `custmers`; did you mean `customers`?"),
    ],
)
def test_a_table_that_cannot_be_is_a_wrong_option(table: str, error: str, typed: Callable[[str], None]) -> None:
    typed("SELECT name FROM customers")

    done = check("--dialect", "postgres", "--schema", SCHEMA, "--table", table)

    assert (done.exit_code, done.stdout, done.stderr.splitlines()[-1]) == (2, "", f"Error: --table: {error}")


def test_the_command_knows_every_dialect_of_the_gate() -> None:
    assert tuple(_DIALECT.choices) == DIALECTS


@pytest.mark.parametrize("module", ["biai_xinf.cli.sql", "biai_xinf.cli.ask", "biai_xinf.prompting"])
def test_help_pages_and_the_core_do_not_wait_for_what_few_commands_need(module: str) -> None:
    heavy = {"sqlglot", "psycopg", "matplotlib", "biai_xinf.adapters"}
    script = f"import sys; import {module}; assert not {heavy!r} & {{*sys.modules}}"

    subprocess.run([sys.executable, "-c", script], check=True)
