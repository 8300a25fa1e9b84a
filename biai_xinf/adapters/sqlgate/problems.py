"""Why SQL was refused, as values: for a person, for a program, and for the model that wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum

from biai_xinf.errors import BiaiXinfError


class Code(str, Enum):
    """The kinds of reasons; the values are stable, programs may compare them."""

    NO_SQL = "no-sql"
    TOO_LONG = "too-long"
    TOO_DEEP = "too-deep"
    BAD_CHARACTER = "bad-character"
    SYNTAX = "syntax"
    SEVERAL_STATEMENTS = "several-statements"
    NOT_A_QUERY = "not-a-query"
    CHANGES_DATA = "changes-data"
    LOCKS = "locks"
    HINT = "hint"
    PLACEHOLDER = "placeholder"
    NOT_ALLOWED = "not-allowed"
    FUNCTION = "function"
    TABLE = "table"
    COLUMN = "column"
    AMBIGUOUS = "ambiguous"
    NOT_TRANSPILED = "not-transpiled"
    DATABASE = "database"


@dataclass(frozen=True)
class Problem:
    """One reason: `found` is what stands in the SQL, `line` and `column` count from 1, None where unknown."""

    code: Code
    message: str
    line: int | None = None
    column: int | None = None
    found: str | None = None
    suggestions: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}, column {self.column}: "
        return f"{where}{self.message}{did_you_mean(self.suggestions)}"

    def as_data(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "code": self.code.value, "suggestions": list(self.suggestions)}


def did_you_mean(names: Sequence[str]) -> str:
    """The end of a sentence that suggests the names; nothing where there are none."""
    return f"; did you mean {' or '.join(f'`{name}`' for name in names)}?" if names else ""


class SqlRefused(BiaiXinfError):
    """SQL did not pass the gate; `problems` holds every reason that was found, at least one."""

    def __init__(self, problems: Sequence[Problem], sql: str = "") -> None:
        first, *others = problems
        super().__init__(f"the SQL is refused: {first}", details=[str(problem) for problem in others])
        self.problems = tuple(problems)
        self.sql = sql
