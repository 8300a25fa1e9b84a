"""Which functions a query may call; `functions.yaml` lists them, everything else is refused."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import yaml
from sqlglot import exp

from biai_xinf.adapters.sqlgate.places import problem_at
from biai_xinf.adapters.sqlgate.problems import Code, Problem

_LISTED = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
_KNOWN = frozenset(word for words in _LISTED["known"].values() for word in words.split())
_BY_NAME = {
    dialect: frozenset([*_LISTED["named"]["everywhere"].split(), *words.split()])
    for dialect, words in _LISTED["named"].items()
}


def function_problem(function: exp.Func, dialect: str) -> Problem | None:
    """None where the function is known to be harmless in the dialect."""
    if not isinstance(function, exp.Anonymous):
        if function.key in _KNOWN:
            return None
        name = function.sql_name()
        return problem_at(function, Code.FUNCTION, f"the function `{name}` is not allowed")
    if isinstance(function.this, exp.Identifier) and function.this.args.get("quoted"):
        return problem_at(function, Code.FUNCTION, f"functions in quotes are not allowed: `{function.name}`")
    name = function.name
    if name.lower() in _BY_NAME[dialect]:
        return None
    alike = tuple(get_close_matches(name.lower(), _BY_NAME[dialect], n=2, cutoff=0.8))
    return problem_at(function, Code.FUNCTION, f"the function `{name}` is not allowed", alike)
