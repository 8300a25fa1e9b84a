"""Repair asks a model a few times at most; a vote goes to the rows that most candidates agree on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from biai_xinf.adapters.sqlgate import Code, Gate, SqlRefused, Vote, repair, vote
from tests.sqlgate.statements import schema

GATE = Gate("postgres", schema=schema("postgres"), max_rows=100)


def test_a_right_answer_is_not_asked_about() -> None:
    def ask(feedback: str) -> str:
        raise AssertionError(feedback)

    assert repair(GATE, "SELECT name FROM customers", ask).sql == "SELECT name FROM customers LIMIT 100"


def test_a_model_is_told_its_sql_what_is_wrong_with_it_and_what_is_wanted() -> None:
    told = []

    def ask(feedback: str) -> str:
        told.append(feedback)
        return "SELECT name FROM customers"

    checked = repair(GATE, "Sure:\n```sql\nSELECT nam FROM customers\n```", ask)

    assert checked.sql == "SELECT name FROM customers LIMIT 100"
    assert told == [
        "This PostgreSQL query cannot be used:\n\n```sql\nSELECT nam FROM customers\n```\n\n"
        "- line 1, column 8: there is no column `nam`; did you mean `name`?\n\n"
        "Answer with one corrected query that only reads, in a ```sql block, and nothing else."
    ]


def test_rounds_are_bounded() -> None:
    asked = []

    def ask(feedback: str) -> str:
        asked.append(feedback)
        return f"SELECT nam{len(asked)} FROM customers"

    with pytest.raises(SqlRefused, match="nam3"):
        repair(GATE, "SELECT nam FROM customers", ask, rounds=3)

    assert len(asked) == 3


def test_a_model_that_repeats_itself_is_not_asked_again() -> None:
    asked = []

    def ask(feedback: str) -> str:
        asked.append(feedback)
        return "SELECT nam FROM customers"

    with pytest.raises(SqlRefused):
        repair(GATE, "SELECT nam FROM customers", ask, rounds=5)

    assert len(asked) == 1


def voted(rows: dict[str, list[tuple[object, ...]]], order: str = "") -> Vote:
    """A vote over queries of these columns, each of which gives its rows."""
    sql = {f"SELECT {name} FROM customers{order}": found for name, found in rows.items()}
    return vote(Gate("postgres"), sql, lambda asked: sql[asked])


def test_the_largest_group_of_equal_rows_wins() -> None:
    result = voted({"a": [(1,)], "b": [(2,)], "c": [(2.0,)], "d": [(Decimal("2.000000000001"),)]})

    assert result.winner.sql == "SELECT b FROM customers"
    assert result.rows == [[2]]
    assert result.agreement == 0.75
    assert [len(group) for group in result.groups] == [1, 3]


def test_rows_are_equal_in_any_order_unless_both_queries_say_one() -> None:
    found = {"a": [(1,), (2,)], "b": [(2,), (1,)]}

    assert voted(found).agreement == 1
    assert voted(found, " ORDER BY 1").agreement == 0.5


def test_rows_that_stand_twice_count_twice() -> None:
    assert voted({"a": [(1,), (1,)], "b": [(1,)]}).agreement == 0.5


def test_of_two_groups_the_one_with_rows_wins_and_then_the_earlier_one() -> None:
    assert voted({"a": [], "b": [(1,)]}).winner.sql == "SELECT b FROM customers"
    assert voted({"a": [(2,)], "b": [(1,)]}).winner.sql == "SELECT a FROM customers"


def test_what_is_refused_or_fails_has_no_vote_and_is_never_run() -> None:
    ran = []

    def execute(sql: str) -> list[tuple[object, ...]]:
        ran.append(sql)
        if "bad" in sql:
            raise RuntimeError("no such column")
        return [([1, 2], {"k": 1})]

    result = vote(
        Gate("postgres"), ["DROP TABLE x", "SELECT bad FROM t", "SELECT a FROM t", "SELECT b FROM t"], execute
    )

    assert ran == ["SELECT bad FROM t", "SELECT a FROM t", "SELECT b FROM t"]
    assert result.dropped == ("DROP TABLE x", "SELECT bad FROM t")
    assert result.agreement == 0.5


def test_a_vote_without_candidates_left_says_why() -> None:
    with pytest.raises(SqlRefused) as refused:
        vote(Gate("postgres"), ["DROP TABLE x"], lambda sql: [])

    assert [it.code for it in refused.value.problems] == [Code.NOT_A_QUERY]
    with pytest.raises(SqlRefused):
        vote(Gate("postgres"), [], lambda sql: [])


def test_a_mistake_of_the_executor_is_not_swallowed_where_the_caller_says_so() -> None:
    def execute(sql: str) -> list[tuple[object, ...]]:
        raise TypeError("a bug")

    with pytest.raises(TypeError):
        vote(Gate("postgres"), ["SELECT 1"], execute, dropped_on=(ConnectionError,))
