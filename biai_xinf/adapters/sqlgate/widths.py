"""Functions that make a value as wide as they are told: one that is told a billion takes the server's memory."""

from __future__ import annotations

import math
import re

from sqlglot import exp

from biai_xinf.adapters.sqlgate.places import problem_at
from biai_xinf.adapters.sqlgate.problems import Code, Problem

WIDEST = 1000
_FORMATTING = frozenset({"format", "printf"})
# A width or precision of four digits, or one that stands elsewhere: `%9000d`, `%.9000f`, `%*d`; `{:9000}`, `{:{}}`.
_WIDE_OF_C = re.compile(r"%[^A-Za-z%]*?(?:\d{4}|\*)")
_WIDE_OF_FMT = re.compile(r"\{[^{}]*:[^{}]*(?:\d{4}|\{)")


def width_problem(function: exp.Func, dialect: str) -> Problem | None:
    """None where what the function makes is no wider than WIDEST, as far as the text of the query tells."""
    if isinstance(function, exp.Pad):
        return _wide_pad(function)
    name = function.name.lower() if isinstance(function, exp.Anonymous) else function.key
    if name not in _FORMATTING:
        return None
    template = next(iter(function.expressions), None) if isinstance(function, exp.Anonymous) else function.this
    if not isinstance(template, exp.Literal):
        return problem_at(function, Code.FUNCTION, f"the first argument of `{name}` must be a plain string")
    if (dialect, name) == ("duckdb", "format"):
        wide = _WIDE_OF_FMT.search(template.name)
    else:
        # `%%` is a percent sign.
        wide = _WIDE_OF_C.search(template.name.replace("%%", ""))
    if wide:
        return problem_at(function, Code.FUNCTION, f"`{name}` may make nothing wider than {WIDEST - 1} characters")
    return None


def _wide_pad(pad: exp.Pad) -> Problem | None:
    """`2 * (LEVEL - 1)` is how trees are drawn: of a computed width, its numbers count."""
    numbers = [abs(_number(literal)) for literal in pad.expression.find_all(exp.Literal)]
    if math.prod(number for number in numbers if number > 1) <= WIDEST:
        return None
    return problem_at(pad, Code.FUNCTION, f"nothing may be padded to more than {WIDEST} characters")


def _number(literal: exp.Literal) -> float:
    try:
        return float(literal.name)
    except ValueError:
        return 0
