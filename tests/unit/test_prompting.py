import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.prompting import extract_sql, messages
from biai_xinf.specs import Prompt


def test_a_question_is_put_by_the_specs_contract() -> None:
    prompt = Prompt(dialects=["sqlite"], system="Write {dialect} for {schema}", user="Q: {question}")

    asked = messages(prompt, dialect="sqlite", schema="CREATE TABLE t (a);", question="How many?")

    assert asked == [
        {"role": "system", "content": "Write sqlite for CREATE TABLE t (a);"},
        {"role": "user", "content": "Q: How many?"},
    ]


def test_braces_in_schema_and_question_stay_what_they_are() -> None:
    prompt = Prompt(dialects=["sqlite"], system="{schema}")

    asked = messages(prompt, dialect="sqlite", schema="{question} {0}", question="{schema}")

    assert [message["content"] for message in asked] == ["{question} {0}", "{schema}"]


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
        pytest.param("I cannot answer that.", None, id="refusal"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_one_statement_meant_is_found(answer: str, sql: str | None) -> None:
    assert extract_sql(answer) == sql


@given(st.text(alphabet="SELECT with'\";-/*`\n<think>ab ", max_size=200))
def test_extraction_ends_on_any_text(answer: str) -> None:
    sql = extract_sql(answer)

    assert sql is None or sql in answer.replace("<think>", "") or "<think>" in answer
