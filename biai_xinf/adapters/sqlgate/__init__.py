"""The SQL gate: what a model answered becomes one query that only reads, or a list of reasons why not.

    from biai_xinf.adapters.sqlgate import Gate, Schema

    gate = Gate("postgres", schema=Schema.from_ddl(ddl, "postgres"), max_rows=1000)
    checked = gate.check(answer)

It never runs anything. docs/sql-gate.md says what it promises and what not.
"""

from __future__ import annotations

from biai_xinf.adapters.sqlgate.dialects import DIALECTS, Dialect
from biai_xinf.adapters.sqlgate.gate import Checked, Gate
from biai_xinf.adapters.sqlgate.problems import Code, Problem, SqlRefused
from biai_xinf.adapters.sqlgate.repairing import feedback, repair
from biai_xinf.adapters.sqlgate.schema import Schema, load_schema
from biai_xinf.adapters.sqlgate.voting import Vote, vote

__all__ = [
    "DIALECTS",
    "Checked",
    "Code",
    "Dialect",
    "Gate",
    "Problem",
    "Schema",
    "SqlRefused",
    "Vote",
    "feedback",
    "load_schema",
    "repair",
    "vote",
]
