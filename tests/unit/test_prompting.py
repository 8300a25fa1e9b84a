from __future__ import annotations

from contextlib import closing
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.catalogue import load_entry, shipped_specs
from biai_xinf.databases import demo_shop
from biai_xinf.databases.examples import examples
from biai_xinf.databases.styles import written
from biai_xinf.prompting import extract_sql, messages, statements, without_comments
from biai_xinf.specs import Prompt, SqlSpec


def test_a_question_is_put_by_the_specs_contract() -> None:
    prompt = Prompt(dialects=["sqlite"], system="Write {dialect} for {schema}", user="Q: {question}")

    asked = messages(prompt, dialect="sqlite", schema="CREATE TABLE t (a);", question="How many?")

    assert asked == [
        {"role": "system", "content": "Write SQLite for CREATE TABLE t (a);"},
        {"role": "user", "content": "Q: How many?"},
    ]


def test_braces_in_schema_and_question_stay_what_they_are() -> None:
    prompt = Prompt(dialects=["sqlite"], system="{schema}")

    asked = messages(prompt, dialect="sqlite", schema="{question} {0}", question="{schema}")

    assert [message["content"] for message in asked] == ["{question} {0}", "{schema}"]


def test_hints_stand_where_the_prompt_has_a_place_for_them() -> None:
    prompt = Prompt(dialects=["postgres"], user="{question} [{evidence}] in {dialect}")

    hinted = messages(prompt, dialect="postgres", schema="", question="How many?", evidence="active means status A")
    plain = messages(prompt, dialect="postgres", schema="", question="How many?")

    assert hinted[0]["content"] == "How many? [active means status A] in PostgreSQL"
    assert plain[0]["content"] == "How many? [] in PostgreSQL"


@pytest.mark.parametrize("name", ["xiyan-sql", "omnisql", "arctic-text2sql-r1", "sqlcoder", "sqlcoder-7b-2"])
def test_a_shipped_prompt_is_filled_in_to_its_last_slot(name: str) -> None:
    spec = load_entry(shipped_specs() / f"{name}.yaml").spec
    assert isinstance(spec, SqlSpec)
    with closing(demo_shop()) as shop:
        schema = written(shop.schema(), spec.prompt.schema_as, partial(examples, shop))

    asked = messages(spec.prompt, dialect=spec.prompt.dialects[0], schema=schema, question="How many orders?")

    told = asked[-1]["content"]
    assert schema in told
    assert "How many orders?" in told
    assert not any(slot in told for slot in ("{dialect}", "{schema}", "{question}", "{evidence}"))


@pytest.mark.parametrize(
    ("answer", "sql"),
    [
        pytest.param("SELECT 1", "SELECT 1", id="bare"),
        pytest.param("SELECT 1;", "SELECT 1", id="semicolon"),
        pytest.param("```sql\nSELECT 1;\n```", "SELECT 1", id="fence"),
        pytest.param("```\nSELECT 1\n```", "SELECT 1", id="fence-without-language"),
        pytest.param("Sure!\n```sql\nSELECT 1\n```\nor\n```sql\nSELECT 2\n```", "SELECT 2", id="last-fence"),
        pytest.param("```sql\nSELECT 1", "SELECT 1", id="fence-cut-off"),
        pytest.param("<think>select x from y</think>```sql\nSELECT 1\n```", "SELECT 1", id="reasoning"),
        pytest.param("<think>I would select x", None, id="reasoning-cut-off"),
        pytest.param("WITH t AS (SELECT 1) SELECT * FROM t", "WITH t AS (SELECT 1) SELECT * FROM t", id="with"),
        pytest.param("SELECT ';' || \";\" FROM t; DROP TABLE t", "SELECT ';' || \";\" FROM t", id="quoted-semicolon"),
        pytest.param("SELECT 1 -- a; b\nFROM t; x", "SELECT 1 -- a; b\nFROM t", id="commented-semicolon"),
        pytest.param("SELECT (ARRAY_AGG(x))[1] FROM t", "SELECT (ARRAY_AGG(x))[1] FROM t", id="brackets"),
        pytest.param(r"SELECT a FROM t WHERE b ~ '\d+'", r"SELECT a FROM t WHERE b ~ '\d+'", id="backslash"),
        pytest.param("SELECT 1\n```", "SELECT 1", id="fence-opened-by-the-prompt"),
        pytest.param("SELECT 1\n```\nThis will select it.", "SELECT 1", id="fence-opened-and-explained"),
        pytest.param("SELECT 1 [/SQL] done", "SELECT 1", id="mark-opened-by-the-prompt"),
        pytest.param("<answer>SELECT 1</answer>", "SELECT 1", id="answer-tags"),
        pytest.param("<answer>So:\n```sql\nSELECT 1\n```\n</answer>", "SELECT 1", id="fence-in-answer-tags"),
        pytest.param("so I select x</think>\nSELECT 1", "SELECT 1", id="reasoning-opened-by-the-prompt"),
        pytest.param("```sql\nSELECT 1\n```\n```python\nprint()\n```", "SELECT 1", id="other-fence-last"),
        pytest.param("```duckdb\nSELECT 1\n```\nDone select x from y.", "SELECT 1", id="fence-of-a-dialect"),
        pytest.param("```plsql\nSELECT 1\n```", "SELECT 1", id="fence-of-an-oracle"),
        pytest.param("```snowflake\nSELECT 1\n```", "SELECT 1", id="fence-of-another-dialect"),
        pytest.param("```sql\nSELECT 1\n```\n```python\nrun('SELECT 2')\n```", "SELECT 1", id="other-fence-quotes"),
        pytest.param("```sql SELECT 1```", "SELECT 1", id="fence-of-one-line"),
        pytest.param("```SELECT 1\nFROM t```", "SELECT 1\nFROM t", id="fence-without-a-line-of-its-own"),
        pytest.param("It is: SELECT 1 FROM t\n```\nIt counts.", "SELECT 1 FROM t", id="fence-that-only-closes"),
        pytest.param("SELECT $$a;b$$, $x$;$x$; x", "SELECT $$a;b$$, $x$;$x$", id="dollar-quotes"),
        pytest.param("SELECT a FROM v$x; SELECT b FROM w$x", "SELECT a FROM v$x", id="dollars-in-names"),
        pytest.param(r"SELECT E'it\'s; so' FROM t; x", r"SELECT E'it\'s; so' FROM t", id="escapes"),
        pytest.param(
            r"SELECT a FROM t WHERE b LIKE '!\' OR c = ';'; x",
            r"SELECT a FROM t WHERE b LIKE '!\' OR c = ';'",
            id="no-escapes",
        ),
        pytest.param("I cannot answer that.", None, id="refusal"),
        pytest.param("Please select a table; then ask again.", None, id="a-word-amid-a-sentence"),
        pytest.param("No.\nSelect one from the list.", None, id="a-word-that-begins-a-sentence"),
        pytest.param("We take names: select name from people;", "select name from people", id="small-amid-a-sentence"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_one_statement_meant_is_found(answer: str, sql: str | None) -> None:
    assert extract_sql(answer) == sql


@pytest.mark.parametrize("end", [";\n", ";\n\n", "\n\n"])
@pytest.mark.parametrize(
    "prose",
    [
        "This query counts.",
        "Explanation:\nThis counts.",
        "Explanation: it counts, grouped by city",
        "**Note**: it counts",
        "# Notes",
        "- It counts.",
        "* Counts the orders.",
        "1. We join.",
        "It's a count.",
        "I\u2019ve used COUNT here.",
        "(This counts all orders.)",
        "Done.",
        "To zapytanie liczy zamówienia.",
    ],
)
def test_what_is_explained_behind_a_query_is_left_out(end: str, prose: str) -> None:
    sql = "SELECT city FROM t WHERE note = 'it (is'"

    assert statements(f"{sql}{end}{prose}") == [sql]


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("WITH a AS (SELECT 1 AS x),\n\ntotals AS (SELECT 2 AS y)\n\nSELECT * FROM a, totals", id="several-with"),
        pytest.param("WITH a AS (\n\nkept AS (SELECT 1)\n\n)\n\nSELECT x\n\nFROM a\n\nORDER BY 1", id="in-parentheses"),
        pytest.param("SELECT\n\nname customer,\n\ntotal amount,\n\n-- and\n\ncity place\n\nFROM t", id="aliases"),
        pytest.param("SELECT a FROM t WHERE b AND\n\nnot_c = 1 OR\n\nnote like 'x'", id="conditions"),
        pytest.param("SELECT 'one\n\nThis is two' FROM t", id="in-a-literal"),
        pytest.param("SELECT 1;\n\nDROP TABLE t", id="another-statement"),
    ],
)  # fmt: skip
def test_an_empty_line_does_not_end_a_query_that_goes_on(sql: str) -> None:
    assert statements(sql) == [sql]


@pytest.mark.parametrize(
    ("answer", "fenced", "after_thinking"),
    [
        pytest.param("We select from t.\n```sql\nSELECT 1\n```", "SELECT 1", None, id="thought-aloud"),
        pytest.param("We select from t.", None, None, id="cut-off-before-the-fence"),
        pytest.param("a ```sql\nSELECT 1\n``` b</think><answer>\n```sql\nSELECT 2\n```\n</answer>", "SELECT 2", "SELECT 2", id="a-draft-in-the-reasoning"),
        pytest.param("a\n```sql\nSELECT 1\n```\nwait,", "SELECT 1", None, id="cut-off-while-reasoning"),
        pytest.param("</think> SELECT 1", None, None, id="no-fence"),
    ],
)  # fmt: skip
def test_a_model_that_thinks_aloud_is_taken_at_its_last_word(
    answer: str, fenced: str | None, after_thinking: str | None
) -> None:
    assert extract_sql(answer, "fenced") == fenced
    assert extract_sql(answer, "after-thinking") == after_thinking


@pytest.mark.parametrize(
    ("sql", "bare"),
    [
        pytest.param("SELECT 1 -- one\nFROM t", "SELECT 1\nFROM t", id="behind"),
        pytest.param("-- all\nSELECT 1\n  -- and\n  , 2", "SELECT 1\n  , 2", id="lines-of-their-own"),
        pytest.param("SELECT a/* b */FROM t /* end */", "SELECT a FROM t", id="within"),
        pytest.param("SELECT '--', '/* it''s */', \"a--b\"", "SELECT '--', '/* it''s */', \"a--b\"", id="in-strings-and-names"),
        pytest.param("SELECT $x$ -- $x$, $$/**/$$ -- z", "SELECT $x$ -- $x$, $$/**/$$", id="in-dollar-quotes"),
    ],
)  # fmt: skip
def test_comments_are_left_out_and_nothing_else(sql: str, bare: str) -> None:
    assert without_comments(sql) == bare


@given(st.text(alphabet="SELECT with'\";-/*`\n<think>ab ", max_size=200))
def test_extraction_ends_on_any_text(answer: str) -> None:
    sql = extract_sql(answer)

    assert sql is None or sql in answer.replace("<think>", "") or "<think>" in answer
