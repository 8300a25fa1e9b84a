"""What the gate has to know of each dialect: how names are folded, and which words and columns are its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Dialect = Literal["postgres", "oracle", "sqlite", "duckdb", "mysql", "tsql"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

# Where a quoted name is another one than the same letters without quotes.
FOLDED_TO: Mapping[str, Literal["lower", "upper"]] = {"postgres": "lower", "oracle": "upper"}

# Columns that every table has, or every row, without its schema naming them.
PSEUDO_COLUMNS: Mapping[str, frozenset[str]] = {
    "oracle": frozenset({"rownum", "rowid", "level", "connect_by_isleaf", "connect_by_iscycle"}),
    "sqlite": frozenset({"rowid", "_rowid_", "oid"}),
    "duckdb": frozenset({"rowid"}),
}

# Tables of one row, for queries that read none, with their columns.
DUAL: Mapping[str, Mapping[str, str]] = {"oracle": {"DUMMY": "DUMMY"}, "mysql": {}}

# Where an alias of the SELECT list may be used, beyond ORDER BY, which every dialect has.
ALIASES_IN: Mapping[str, frozenset[str]] = {
    "postgres": frozenset({"group"}),
    "oracle": frozenset(),
    "sqlite": frozenset({"group", "having", "where"}),
    "duckdb": frozenset({"group", "having", "where", "qualify", "expressions"}),
    "mysql": frozenset({"group", "having"}),
    "tsql": frozenset(),
}

# In T-SQL a new statement needs no `;` before it: a word that sqlglot takes for an alias would be run.
_TSQL_STATEMENTS = """
    backup begin break checkpoint close commit continue dbcc deallocate declare deny disable drop dump enable exec
    execute fetch go goto grant kill lineno load open print raiserror readtext reconfigure restore return revert
    revoke rollback save set setuser shutdown throw truncate updatetext use waitfor while writetext
"""
STATEMENT_WORDS: Mapping[str, frozenset[str]] = {"tsql": frozenset(_TSQL_STATEMENTS.split())}

# Behind a dot these advance or read a sequence.
SEQUENCE_WORDS: Mapping[str, frozenset[str]] = {"oracle": frozenset({"nextval", "currval"})}


def folded(name: str, quoted: bool, dialect: str) -> str:
    """The name as the database keeps it: as it is where it is quoted, or where the dialect does not fold."""
    fold = FOLDED_TO.get(dialect)
    if fold is None or quoted:
        return name
    return name.lower() if fold == "lower" else name.upper()
