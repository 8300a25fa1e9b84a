"""`biai-xinf ask` with a model that says what a test has it say, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from biai_xinf import demo
from biai_xinf.databases import demo_shop
from tests import postgres as servers
from tests.builders import recipe, spec_data
from tests.commandline import Result, run
from tests.fake_xinference import FakeXinference, Refused

QUESTION = "How many customers?"
RIGHT = "SELECT COUNT(*) AS customers FROM customers"
Says = Callable[..., None]


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """A cluster where `coder` runs, which answers right."""
    with FakeXinference() as server:
        server.run("coder", model_format="ggufv2", model_size_in_billions=7, quantization="q-only")
        server.chat["coder"] = lambda body: f"```sql\n{RIGHT};\n```"
        yield server


@pytest.fixture(autouse=True)
def spec(own_home: Path) -> Path:
    """The user's own spec `coder`, which writes SQLite and PostgreSQL."""
    folder = own_home / "specs"
    folder.mkdir()
    file = folder / "coder.yaml"
    file.write_text(yaml.safe_dump(data()), encoding="utf-8")
    return file


def data(dialects: tuple[str, ...] = ("sqlite", "postgres"), **more: Any) -> dict[str, Any]:
    prompt = {"dialects": list(dialects), "system": "Write {dialect} for\n{schema}", **more}
    return {**spec_data(recipe("only")), "prompt": prompt}


def says(fake: FakeXinference, *answers: str) -> list[dict[str, Any]]:
    """Have the model say one thing after the other, the last for ever; the list gets what it was asked."""
    asked: list[dict[str, Any]] = []

    def chat(body: dict[str, Any]) -> str:
        asked.append(json.loads(json.dumps(body)))
        return answers[min(len(asked), len(answers)) - 1]

    fake.chat["coder"] = chat
    return asked


def ask(fake: FakeXinference, *words: str, db: str = "demo", question: str = QUESTION) -> Result:
    return run("--endpoint", fake.endpoint, "ask", question, "--db", db, "--model", "coder", *words)


def orders_per_year() -> list[tuple[object, ...]]:
    with closing(demo_shop()) as shop:
        return [*shop.query("SELECT STRFTIME('%Y', order_date), COUNT(*) FROM orders GROUP BY 1 ORDER BY 1").rows]


def test_it_answers_with_sql_and_rows(fake: FakeXinference) -> None:
    done = ask(fake)

    assert (done.exit_code, done.stdout) == (0, f"{RIGHT}\n\ncustomers\n120\n")
    assert done.stderr.startswith("\n1 row; model ")


def test_as_json_it_tells_all_that_came_of_it(fake: FakeXinference, tmp_path: Path) -> None:
    done = ask(fake, "--json", db=f"sqlite:///{demo.create(tmp_path / 'shop.db')}")

    told = json.loads(done.stdout)
    assert (told.pop("model_s") >= 0, told.pop("database_s") >= 0) == (True, True)
    assert told == {
        "question": QUESTION,
        "sql": RIGHT,
        "columns": ["customers"],
        "rows": [[120]],
        "cut": False,
        "written_in": None,
        "mended": [],
    }


def test_the_model_is_asked_by_its_contract_at_temperature_0(fake: FakeXinference) -> None:
    asked = says(fake, RIGHT)

    ask(fake)

    assert asked[0]["temperature"] == 0
    assert asked[0]["messages"] == [
        {"role": "system", "content": "Write SQLite for\n" + demo.SCHEMA.rstrip()},
        {"role": "user", "content": QUESTION},
    ]


def test_rows_beyond_the_limit_are_left_and_null_is_shown(fake: FakeXinference) -> None:
    says(fake, "SELECT city, NULL AS remark FROM customers ORDER BY city LIMIT 2")

    done = ask(fake, "--limit", "1")

    assert done.stdout.splitlines()[-2:] == ["city       remark", "Barcelona  NULL"]
    assert done.stderr.startswith("\nthe first 1 row;")


def test_what_a_terminal_would_obey_is_told_instead(fake: FakeXinference) -> None:
    says(fake, "SELECT 'a' || CHAR(27) || '[31mb' || CHAR(10) || 'zażółć' AS text FROM customers LIMIT 1")

    done = ask(fake)

    assert done.stdout.splitlines()[-1] == r"a\x1b[31mb\nzażółć"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param("DROP TABLE customers", ["the SQL is refused: line 1, column 1: only a query is allowed", "  DROP TABLE customers"], id="ddl"),
        pytest.param("SELECT 1; DROP TABLE customers", ["only one statement is allowed, `DROP` begins another"], id="stacked"),
        pytest.param("WITH x AS (SELECT 1) DELETE FROM customers", ["only a query is allowed"], id="write"),
        pytest.param("SELECT email, nam FROM customers", ["`email`", "  line 1, column 15: there is no column `nam`; did you mean `name`?", "  SELECT email, nam FROM customers"], id="columns"),
        pytest.param("SELECT load_extension('x') FROM customers", ["LOAD_EXTENSION"], id="function"),
        pytest.param("I cannot.", ["there is no SQL in the answer\n  I cannot.\n"], id="prose"),
        pytest.param("", ["there is no SQL in the answer"], id="nothing"),
    ],
)  # fmt: skip
def test_what_does_more_than_read_is_refused_with_every_reason_and_its_sql(
    fake: FakeXinference, answer: str, said: list[str]
) -> None:
    says(fake, answer)

    done = ask(fake)

    assert (done.exit_code, done.stdout) == (1, "")
    assert [text for text in said if text not in done.stderr] == []


def test_a_refusal_is_data_with_json(fake: FakeXinference) -> None:
    says(fake, "SELECT nam FROM customers")

    done = ask(fake, "--json")

    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (told["sql"], [(it["code"], it["suggestions"]) for it in told["problems"]]) == (
        "SELECT nam FROM customers",
        [("column", ["name"])],
    )


def test_what_the_gate_refuses_goes_back_to_the_model(fake: FakeXinference) -> None:
    asked = says(fake, "SELECT COUNT(*) FROM customer", RIGHT)

    done = ask(fake)

    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, RIGHT)
    assert "asked `coder` again: line 1, column 22: there is no table `customer`" in done.stderr
    assert [message["role"] for message in asked[1]["messages"]] == ["system", "user", "assistant", "user"]
    assert "there is no table `customer`; did you mean `customers`?" in asked[1]["messages"][-1]["content"]


def test_what_the_database_refuses_goes_back_to_the_model(fake: FakeXinference) -> None:
    asked = says(fake, "SELECT MAX(COUNT(*)) FROM customers GROUP BY city", RIGHT)

    done = ask(fake)

    assert done.exit_code == 0
    assert "the database says: misuse of aggregate function COUNT()" in asked[1]["messages"][-1]["content"]


def test_a_model_that_does_not_mend_is_asked_three_times_in_all(fake: FakeXinference) -> None:
    asked = says(fake, "SELECT a FROM customers", "SELECT b FROM customers", "SELECT c FROM customers")

    done = ask(fake)

    assert (done.exit_code, len(asked)) == (1, 3)
    assert done.stderr.splitlines() == [
        "error: the SQL is refused: line 1, column 8: there is no column `c`",
        "  an earlier try: line 1, column 8: there is no column `a`",
        "  an earlier try: line 1, column 8: there is no column `b`",
        "  SELECT c FROM customers",
    ]


def test_a_query_that_takes_too_long_is_ended_and_not_asked_for_again(fake: FakeXinference) -> None:
    product = ", ".join(f"orders AS o{number}" for number in range(5))
    asked = says(fake, f"SELECT COUNT(*) FROM {product}")

    done = ask(fake, "--timeout", "0.2")

    assert (done.exit_code, len(asked)) == (1, 1)
    assert "the query took longer than 0.2 s" in done.stderr


def test_explain_shows_the_plan_and_runs_nothing(fake: FakeXinference) -> None:
    says(fake, "SELECT name FROM customers WHERE customer_id = 3")

    done = ask(fake, "--explain")

    assert done.stdout.splitlines()[2:] == ["QUERY PLAN", "SEARCH customers USING INTEGER PRIMARY KEY (rowid=?)"]


def test_a_chart_is_drawn_beside_the_table(fake: FakeXinference, tmp_path: Path) -> None:
    says(fake, "SELECT segment, COUNT(*) AS customers FROM customers GROUP BY segment")

    done = ask(fake, "--chart", str(tmp_path / "segments.png"), question="Ilu klientów? Zażółć gęślą jaźń")

    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "segments.png").read_bytes().startswith(b"\x89PNG")
    assert done.stderr.endswith(f"chart in {tmp_path / 'segments.png'}\n")


def test_rows_without_a_chart_are_shown_and_it_is_said_why(fake: FakeXinference, tmp_path: Path) -> None:
    done = ask(fake, "--chart", str(tmp_path / "one.svg"))

    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "120")
    assert done.stderr.endswith("error: no chart: it takes two rows, and there is one\n")
    assert not (tmp_path / "one.svg").exists()


@pytest.mark.parametrize("words", [["--chart", "x.pdf"], ["--chart", "x.png", "--explain"], ["--limit", "0"]])
def test_wrong_options_are_refused_before_anything_is_asked(fake: FakeXinference, words: list[str]) -> None:
    assert ask(fake, *words).exit_code == 2
    assert fake.calls == []


def test_without_the_model_it_says_how_to_launch_it(fake: FakeXinference) -> None:
    del fake.models["coder"]

    done = ask(fake)

    assert (done.exit_code, done.stderr) == (
        1,
        "error: no model runs as `coder`\n\nhint: biai-xinf launch coder\n",
    )


def test_only_the_tables_named_are_shown_and_may_be_read(fake: FakeXinference) -> None:
    asked = says(fake, "SELECT COUNT(*) FROM orders")

    done = ask(fake, "--table", "customers", "--table", "products")

    assert "orders" not in asked[0]["messages"][0]["content"]
    assert "there is no table `orders`" in done.stderr


def test_tables_that_no_prompt_holds_are_not_sent(fake: FakeXinference, tmp_path: Path) -> None:
    fake.registered["LLM"]["coder"] = {"context_length": 4096}
    with closing(sqlite3.connect(tmp_path / "big.db")) as big:
        for number in range(300):
            big.execute(f"CREATE TABLE facts_{number} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL)")
    asked = says(fake, "SELECT COUNT(*) FROM facts_7")

    whole = ask(fake, db=str(tmp_path / "big.db"))
    part = ask(fake, "--table", "facts_7", db=str(tmp_path / "big.db"))

    assert (whole.exit_code, whole.stderr) == (
        1,
        "error: 300 tables take about 5,574 tokens of a prompt, and `coder` reads 4,096 with its answer\n\n"
        "hint: name those that the question is about: --table facts_0\n",
    )
    assert (part.exit_code, len(asked)) == (0, 1)


def test_a_model_that_fails_is_told_with_the_length_of_its_prompt(fake: FakeXinference) -> None:
    def fails(body: dict[str, Any]) -> str:
        raise Refused(500, "the cache is full")

    fake.chat["coder"] = fails

    done = ask(fake)

    assert done.exit_code == 1
    assert done.stderr.startswith("error: `coder` did not answer: the cache is full")
    assert done.stderr.endswith("\nhint: its prompt has about 174 tokens; `--table NAME` makes it shorter\n")


def test_a_database_without_tables_is_not_asked(fake: FakeXinference, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()

    done = ask(fake, db=str(tmp_path / "empty.db"))

    assert (done.exit_code, done.stderr) == (1, "error: `empty` has no table that can be read\n")
    assert fake.calls == []


def test_postgresql_is_asked_in_its_own_dialect(fake: FakeXinference, postgres: str) -> None:
    asked = says(
        fake, "SELECT DATE_TRUNC('year', order_date)::date AS year, COUNT(*) FROM orders GROUP BY 1 ORDER BY 1"
    )

    done = ask(fake, db=servers.demo_shop(postgres))

    assert done.exit_code == 0, done.stderr
    assert "Write PostgreSQL for" in asked[0]["messages"][0]["content"]
    assert done.stdout.splitlines()[-3:] == [f"{year}-01-01  {count}" for year, count in orders_per_year()]


def test_where_the_model_writes_another_dialect_its_sql_is_translated(
    fake: FakeXinference, spec: Path, postgres: str
) -> None:
    spec.write_text(yaml.safe_dump(data(("sqlite",))), encoding="utf-8")
    asked = says(fake, "SELECT STRFTIME('%Y', order_date) AS year, COUNT(*) AS n FROM orders GROUP BY 1 ORDER BY 1")

    done = ask(fake, db=servers.demo_shop(postgres))

    assert done.exit_code == 0, done.stderr
    assert "Write SQLite for" in asked[0]["messages"][0]["content"]
    assert "`coder` writes SQLite; translated to PostgreSQL" in done.stderr
    assert done.stdout.splitlines()[-3:] == [f"{year}  {count}" for year, count in orders_per_year()]


def test_a_recipe_may_write_less_than_its_spec(fake: FakeXinference, spec: Path, postgres: str) -> None:
    told = data()
    told["recipes"][0]["dialects"] = ["sqlite"]
    spec.write_text(yaml.safe_dump(told), encoding="utf-8")
    fake.models["coder"].body.update(model_name="coder", model_engine="llama.cpp")
    asked = says(fake, RIGHT)

    done = ask(fake, "--json", db=servers.demo_shop(postgres))

    assert json.loads(done.stdout)["written_in"] == "sqlite"
    assert "Write SQLite for" in asked[0]["messages"][0]["content"]


def test_the_plan_of_postgresql_is_shown(fake: FakeXinference, postgres: str) -> None:
    says(fake, "SELECT name FROM customers")

    done = ask(fake, "--explain", db=servers.demo_shop(postgres))

    assert done.stdout.splitlines()[-1].startswith("Seq Scan on customers  (cost=")


def test_every_type_of_postgresql_has_its_json(fake: FakeXinference, postgres: str) -> None:
    columns = {
        "whole": "9007199254740993::bigint",
        "money": "1234.50::numeric",
        "exact": "12345678901234567890.12::numeric",
        "nan": "'NaN'::numeric",
        "infinite": "'Infinity'::float8",
        "day": "DATE '2024-02-29'",
        "moment": "TIMESTAMPTZ '2024-02-29 12:00:00+00'",
        "span": "INTERVAL '1 month 2 days'",
        "bytes": r"'\xdeadbeef'::bytea",
        "id": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
        "many": "ARRAY[[1, 2], [3, NULL]]",
        "days": "ARRAY[DATE '2024-02-29']",
        "doc": """'{"a": [1, null], "ż": 1.5}'::jsonb""",
        "truth": "true",
        "never": "DATE 'infinity'",
        "missing": "NULL::text",
    }
    made = ", ".join(f"{value} AS {name}" for name, value in columns.items())
    database = servers.new_database(postgres, f"CREATE VIEW odd AS SELECT {made}")
    says(fake, "SELECT * FROM odd")

    done = ask(fake, "--json", db=database)

    told = json.loads(done.stdout)
    assert dict(zip(told["columns"], told["rows"][0], strict=True)) == {
        "whole": 9007199254740993,
        "money": 1234.5,
        "exact": "12345678901234567890.12",
        "nan": "NaN",
        "infinite": "Infinity",
        "day": "2024-02-29",
        "moment": "2024-02-29T12:00:00+00:00",
        "span": "1 mon 2 days",
        "bytes": r"\xdeadbeef",
        "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "many": [[1, 2], [3, None]],
        "days": ["2024-02-29"],
        "doc": {"a": [1, None], "ż": 1.5},
        "truth": True,
        "never": "infinity",
        "missing": None,
    }


def test_tables_that_may_not_be_read_are_left_out_and_named(fake: FakeXinference, postgres: str) -> None:
    database = servers.new_database(
        postgres,
        "CREATE TABLE open (id integer); CREATE TABLE secret (id integer, salary numeric)",
        f"DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD '{servers.PASSWORD}'; GRANT SELECT ON open TO clerk",
    )
    asked = says(fake, "SELECT COUNT(*) FROM secret", "SELECT COUNT(*) FROM open")

    done = ask(fake, db=database.replace("//admin:", "//clerk:"))

    assert done.exit_code == 0, done.stderr
    assert "secret" not in asked[0]["messages"][0]["content"]
    assert "left out, for they may not be read: secret" in done.stderr
