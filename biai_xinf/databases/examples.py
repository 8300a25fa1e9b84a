"""Example values of a table's columns, from its first rows: a model cannot guess how a status is spelled."""

from __future__ import annotations

import contextlib

from biai_xinf.databases.database import Database
from biai_xinf.databases.schema import LONGEST_EXAMPLE, Table
from biai_xinf.databases.styles import Examples
from biai_xinf.errors import QuestionFailed

# Three values of a column that has two are never found in a million rows.
_ROWS_LOOKED_AT = 1000
# A view may take for ever to give its first row; then its columns go without examples.
_SECONDS = 2


def examples(database: Database, table: Table, wanted: int) -> Examples:
    """Up to `wanted` different values of each column, none of them long."""
    shown = {column.name: column.example for column in table.columns if column.example is not None}
    found: dict[str, list[object]] = {name: [] for name in shown}
    with contextlib.suppress(QuestionFailed):
        sql = f"SELECT {', '.join(shown.values())} FROM {table.written}"
        for row in database.query(sql, limit=_ROWS_LOOKED_AT, seconds=_SECONDS).rows if shown else ():
            for values, value in zip(found.values(), row, strict=True):
                if len(values) < wanted and value not in (None, *values) and len(str(value)) <= LONGEST_EXAMPLE:
                    values.append(value)
    return found
