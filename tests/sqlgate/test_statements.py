"""The two sets of statements, as they are written and dressed up: no attack passes, every honest question does."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from biai_xinf.adapters.sqlgate import DIALECTS, Checked, Dialect, Gate, SqlRefused
from tests.sqlgate.statements import Statement, attacks, legitimate, schema

ATTACKS = attacks()
LEGITIMATE = legitimate()
BARE = {dialect: Gate(dialect) for dialect in DIALECTS}
GATES = {dialect: Gate(dialect, schema=schema(dialect), max_rows=1000) for dialect in DIALECTS}


def passes(gate: Gate, sql: str) -> Checked | None:
    try:
        return gate.check(sql)
    except SqlRefused:
        return None


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda it: it.where)
def test_no_attack_passes(attack: Statement) -> None:
    assert passes(BARE[attack.dialect], attack.sql) is None
    assert passes(GATES[attack.dialect], attack.sql) is None


@pytest.mark.parametrize("query", LEGITIMATE, ids=lambda it: it.where)
def test_honest_queries_pass_with_a_schema_and_without(query: Statement) -> None:
    assert passes(BARE[query.dialect], query.sql) is not None
    assert passes(GATES[query.dialect], query.sql) is not None


@pytest.mark.parametrize("query", LEGITIMATE, ids=lambda it: it.where)
def test_what_passed_passes_again_unchanged(query: Statement) -> None:
    once = GATES[query.dialect].check(query.sql)

    again = GATES[query.dialect].check(once.sql)

    assert (again.sql, again.tables, again.capped) == (once.sql, once.tables, False)


def test_the_sets_are_as_large_as_promised_and_without_copies() -> None:
    for statements, least in ((ATTACKS, 200), (LEGITIMATE, 300)):
        assert (
            len({(it.dialect, re.sub("[ \n]+", " ", it.sql.lower())) for it in statements}) == len(statements) >= least
        )
        assert {it.dialect for it in statements} == set(DIALECTS)


PIECES = """
    SELECT FROM WHERE ( ) , * orders name 1 'a' AS x UNION ALL WITH CASE WHEN THEN END NOT - + :: [ ] IN EXISTS JOIN ON
    GROUP BY ORDER LIMIT INTO ; $$ /* */ -- " ` @ : ? -> OVER PARTITION LATERAL VALUES CAST INTERVAL
"""


# Dressed up


# sqlglot 30.30 reads no comment between GROUP and BY: honest queries are tried with white space alone.
SPACES = ["\n", "\t", "  ", "\r\n", " \n "]
COMMENTS = [" /* why not */ ", "\n-- a remark\n", "/**/"]
AROUND = st.sampled_from(
    [
        "{}",
        "{};",
        "\n\n{}\n",
        "```sql\n{}\n```",
        "```\n{};\n```\nThis answers the question.",
        "<think>First I select from orders; then I drop it.</think>\n{}",
        "Here is the query:\n\n```sql\n{}\n```",
        "/* generated */ {}",
        "-- generated\n{}",
    ]
)


def split_outside_quotes(sql: str) -> list[str]:
    """Words of a statement that has neither quotes nor comments, in which white space means nothing."""
    return sql.split(" ")


PLAIN_ATTACKS = [it for it in ATTACKS if not set("'\"`[$-#/") & set(it.sql) and it.sql.isascii()]
PLAIN_QUERIES = [it for it in LEGITIMATE if not set("'\"`[$-#/") & set(it.sql)]


def swapped_case(sql: str, flags: list[bool]) -> str:
    return "".join(letter.swapcase() if flags[at % len(flags)] else letter for at, letter in enumerate(sql))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ATTACKS), AROUND)
def test_no_attack_passes_wrapped_in_an_answer(attack: Statement, around: str) -> None:
    assert passes(BARE[attack.dialect], around.format(attack.sql)) is None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(PLAIN_ATTACKS), st.sampled_from(SPACES + COMMENTS), st.lists(st.booleans(), min_size=1, max_size=7)
)
def test_no_attack_passes_in_other_letters_and_spaces(attack: Statement, space: str, flags: list[bool]) -> None:
    dressed = space.join(split_outside_quotes(swapped_case(attack.sql, flags)))
    # "Explain ..." begins a sentence, in which a query is looked for.
    assume(not dressed.split()[0].istitle())

    assert passes(BARE[attack.dialect], dressed) is None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ATTACKS), st.sampled_from(LEGITIMATE), st.sampled_from([";", ";\n", "; ; ", "\n;--\n", ";/**/"]))
def test_no_attack_passes_behind_an_honest_query(attack: Statement, query: Statement, between: str) -> None:
    first = query.sql.split("\n--")[0]
    passed = passes(BARE[query.dialect], first + between + attack.sql)

    # Prose behind a query is left out, and so is what cannot be told from it: it never leaves the gate.
    assert passed is None or passed.sql == BARE[query.dialect].check(query.sql).sql


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LEGITIMATE), AROUND)
def test_honest_queries_pass_wrapped_in_an_answer(query: Statement, around: str) -> None:
    assert passes(GATES[query.dialect], around.format(query.sql)) is not None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLAIN_QUERIES), st.sampled_from(SPACES), st.lists(st.booleans(), min_size=1, max_size=7))
def test_honest_queries_pass_in_other_letters_and_spaces(query: Statement, space: str, flags: list[bool]) -> None:
    # Where a server may tell `r` from `R`, a table is no CTE of other letters.
    every = flags[:1] if query.dialect in ("mysql", "tsql") else flags
    dressed = space.join(split_outside_quotes(swapped_case(query.sql, every)))

    assert passes(GATES[query.dialect], dressed) is not None


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(DIALECTS), st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"]), max_size=40)
)
def test_a_literal_stays_one_literal_whatever_is_in_it(dialect: Dialect, text: str) -> None:
    escaped = text.replace("'", "''")
    escaped = escaped.replace("\\", "\\\\") if dialect == "mysql" else escaped

    passed = passes(BARE[dialect], f"SELECT '{escaped}' AS a FROM orders")

    if passed is not None:
        written = passed.sql.removeprefix("SELECT '").removesuffix("' AS a FROM orders")
        unescaped = written.replace("\\\\", "\\") if dialect == "mysql" else written
        assert "'" not in written.replace("''", "")
        assert unescaped.replace("''", "'") == text


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(DIALECTS), st.text(alphabet="ab]['`\"\\;- x", min_size=1, max_size=12))
def test_a_quoted_name_stays_one_name_whatever_is_in_it(dialect: Dialect, name: str) -> None:
    open_, close = {"mysql": "``", "tsql": "[]"}.get(dialect, '""')

    # Three of them are the fence of an answer.
    assume(dialect != "mysql" or "`" not in name)

    passed = passes(BARE[dialect], f"SELECT {open_}{name.replace(close, close * 2)}{close} FROM orders")

    if passed is not None:
        written = passed.sql.removeprefix(f"SELECT {open_}").removesuffix(f"{close} FROM orders")
        assert written.replace(close * 2, close) == name
        assert close not in written.replace(close * 2, "")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(DIALECTS),
    st.lists(
        st.sampled_from(PIECES.split()),
        max_size=30,
    ),
)
def test_any_text_gives_a_query_or_a_typed_refusal(dialect: Dialect, words: list[str]) -> None:
    passed = passes(BARE[dialect], " ".join(["SELECT", *words]))

    assert passed is None or passed.dialect == dialect
