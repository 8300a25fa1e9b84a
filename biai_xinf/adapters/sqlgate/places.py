"""Where a part of a query stands in the text that was read."""

from __future__ import annotations

from sqlglot import exp

from biai_xinf.adapters.sqlgate.problems import Code, Problem


def problem_at(node: exp.Expr, code: Code, message: str, suggestions: tuple[str, ...] = ()) -> Problem:
    """A problem at the node's place, or at that of the first name within it."""
    line, column = place(node)
    return Problem(code, message, line, column, node.name or None, suggestions)


def place(node: exp.Expr) -> tuple[int | None, int | None]:
    """Line and column of the node's first letter, from 1; None where sqlglot kept no place."""
    for part in node.walk():
        told = part.meta if part.args else {}
        if "line" in told and "col" in told:
            return int(told["line"]), max(1, int(told["col"]) - int(told["end"]) + int(told["start"]))
    return None, None
