"""What a database holds, as values: tables with their columns, keys and what people noted on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from biai_xinf.errors import QuestionFailed

# M-Schema leaves longer examples of values out: they cost tokens and tell little.
LONGEST_EXAMPLE = 50


@dataclass(frozen=True)
class Column:
    """One column: `name` as the database keeps it, `written` as a query has to write it.

    `type` is in the database's words; `example` is an expression for a short example of its values, None where they
    would tell nothing.
    """

    name: str
    written: str
    type: str
    key: bool = False
    required: bool = False
    comment: str | None = None
    example: str | None = None


@dataclass(frozen=True)
class Reference:
    """A foreign key: its columns, and those of the other table, as queries write them."""

    columns: tuple[str, ...]
    table: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table, or a view, which a query reads alike.

    `name` is as the database keeps it, with its schema where it is in another than the usual one; `created` is the
    statement that made it, where the database remembers.
    """

    name: str
    written: str
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    comment: str | None = None
    created: str | None = None


@dataclass(frozen=True)
class Schema:
    """The tables of a database that may be read, and the names of those that may not."""

    database: str
    tables: tuple[Table, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def columns(self) -> Mapping[str, Sequence[str]]:
        """Tables with their columns, as the database keeps their names."""
        return {table.name: [column.name for column in table.columns] for table in self.tables}

    def only(self, names: Sequence[str]) -> Schema:
        """The tables of these names, written in any case and with or without quotes; all of them where there are none.

        QuestionFailed where there is none of that name.
        """
        if not names:
            return self
        chosen = {table.written for name in names for table in self._called(name)}
        tables = (_within(table, chosen) for table in self.tables if table.written in chosen)
        return replace(self, tables=tuple(tables))

    def _called(self, name: str) -> Iterable[Table]:
        wanted = name.replace('"', "").lower()
        found = [table for table in self.tables if wanted in _names(table)]
        if not found:
            every = {it: table.written for table in self.tables for it in _names(table)}
            near = [every[it] for it in get_close_matches(wanted, every, n=3)]
            hint = f"did you mean {' or '.join(f'`{it}`' for it in dict.fromkeys(near))}?" if near else None
            raise QuestionFailed(f"`{self.database}` has no table `{name}` that can be read", hint=hint)
        return found


def _names(table: Table) -> tuple[str, ...]:
    name = table.name.lower()
    return name, name.rpartition(".")[2]


def _within(table: Table, chosen: set[str]) -> Table:
    """A reference to a table that is not shown would only invite to join it."""
    return replace(table, references=tuple(it for it in table.references if it.table in chosen))
