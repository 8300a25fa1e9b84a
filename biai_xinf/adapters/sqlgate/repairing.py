"""Repair: tell the model what is wrong with its SQL, a few times at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from biai_xinf import prompting
from biai_xinf.adapters.sqlgate.problems import SqlRefused

Passed_co = TypeVar("Passed_co", covariant=True)


class Judge(Protocol[Passed_co]):
    """A gate, or what asks a gate and then more, such as a database."""

    @property
    def dialect(self) -> str:
        """What the model writes."""

    def check(self, answer: str) -> Passed_co:
        """What came of the answer; SqlRefused with every reason where it cannot be used."""


def repair(gate: Judge[Passed_co], answer: str, ask: Callable[[str], str], *, rounds: int = 2) -> Passed_co:
    """The first of an answer and up to `rounds` better ones that passes the gate; SqlRefused where none does.

    `ask` takes what is wrong in words and gives the model's next answer. An answer that was refused before
    is the last: a model at temperature 0 would say it for ever.
    """
    refused_already: set[str] = set()
    for left in range(rounds, -1, -1):
        try:
            return gate.check(answer)
        except SqlRefused as error:
            if left == 0 or answer in refused_already:
                raise
            refused_already.add(answer)
            answer = ask(feedback(error, answer, gate.dialect))
    raise AssertionError("the last round returns or raises")


def feedback(error: SqlRefused, answer: str, dialect: str) -> str:
    """What a model is told: its SQL, every problem with its place, and what is wanted instead."""
    sql = next(iter(prompting.statements(answer)), answer).strip()
    problems = "\n".join(f"- {problem}" for problem in error.problems)
    return (
        f"This {prompting.SPELLED.get(dialect, dialect)} query cannot be used:\n\n```sql\n{sql}\n```\n\n{problems}\n\n"
        "Answer with one corrected query that only reads, in a ```sql block, and nothing else."
    )
