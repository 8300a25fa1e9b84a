"""The gate: from what a model answered to SQL that only reads, from tables that may be read. It runs nothing.

extract -> read -> read only -> tables -> columns -> row cap -> write
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from biai_xinf import prompting
from biai_xinf.adapters.sqlgate.cap import capped
from biai_xinf.adapters.sqlgate.columns import column_problems
from biai_xinf.adapters.sqlgate.dialects import DIALECTS, Dialect
from biai_xinf.adapters.sqlgate.problems import Code, Problem, SqlRefused
from biai_xinf.adapters.sqlgate.read_only import read_only_problems
from biai_xinf.adapters.sqlgate.reading import read, refused
from biai_xinf.adapters.sqlgate.schema import Schema
from biai_xinf.adapters.sqlgate.tables import refuse_impossible_names, table_problems, tables_read
from biai_xinf.specs import AnswerForm

# An answer reasons and quotes; more than this is not looked through for SQL.
_LONGEST_ANSWER = 200_000
# A text may hold several drafts; the likeliest few are looked at.
_DRAFTS = 3


@dataclass(frozen=True)
class Checked:
    """SQL that passed: written anew from what was understood, without comments, in `dialect`."""

    sql: str
    dialect: Dialect
    tables: tuple[str, ...]
    capped: bool
    ordered: bool


@dataclass(frozen=True)
class Gate:
    """What may pass: queries in `dialect`, over the tables of `schema`, and of `tables` where that is given.

    Without a schema, tables and columns are not looked up. `max_rows` caps the rows, `to` is the dialect to write,
    `form` says where in an answer its SQL stands. ValueError where one of them makes no sense, or `schema` lacks one of
    `tables`.
    """

    dialect: Dialect
    schema: Schema | None = None
    tables: Collection[str] | None = None
    max_rows: int | None = None
    to: Dialect | None = None
    form: AnswerForm = "anywhere"

    def __post_init__(self) -> None:
        for dialect in (self.dialect, self.to):
            if dialect is not None and dialect not in DIALECTS:
                raise ValueError(f"the dialect `{dialect}` is none of {', '.join(DIALECTS)}")
        if self.max_rows is not None and self.max_rows < 1:
            raise ValueError(f"max_rows is {self.max_rows}, and must be at least 1")
        if self.tables is not None:
            refuse_impossible_names(self.tables, self.dialect, self.schema)

    def check(self, answer: str) -> Checked:
        """The one query of a model's answer, or of plain SQL; SqlRefused with every reason it does not pass."""
        tree = self._read(answer)
        self._refuse(tree)
        tree, rows_capped = _without_parentheses(tree), False
        ordered = tree.args.get("order") is not None
        if self.max_rows is not None:
            tree, rows_capped = capped(tree, self.max_rows)
        sql = self._write(tree)
        self._look_again(sql)
        return Checked(sql, self.to or self.dialect, tables_read(tree, self.dialect), rows_capped, ordered)

    def _read(self, answer: str) -> exp.Query:
        if len(answer) > _LONGEST_ANSWER:
            raise refused(Code.TOO_LONG, f"the answer has {len(answer)} characters, {_LONGEST_ANSWER} are the most")
        first: SqlRefused | None = None
        for sql in prompting.statements(answer, self.form)[:_DRAFTS]:
            try:
                return read(sql, self.dialect)
            except SqlRefused as error:
                first = first or SqlRefused(error.problems, sql)
        raise first or refused(Code.NO_SQL, "there is no SQL in the answer")

    def _refuse(self, tree: exp.Query) -> None:
        problems = read_only_problems(tree, self.dialect)
        # What is refused for what it does needs no advice on its spelling.
        problems = problems or table_problems(tree, self.dialect, self.schema, self.tables)
        problems = problems or column_problems(tree, self.dialect, self.schema)
        if problems:
            raise SqlRefused(sorted(dict.fromkeys(problems), key=_place), _text(tree, self.dialect))

    def _write(self, tree: exp.Query) -> str:
        dialect = self.to or self.dialect
        if dialect != self.dialect:
            _name_derived_tables(tree)
        level = ErrorLevel.RAISE if dialect != self.dialect else ErrorLevel.IGNORE
        try:
            return tree.sql(dialect=dialect, comments=False, unsupported_level=level)
        except RecursionError as error:
            raise refused(Code.TOO_DEEP, "the SQL is nested too deep to be written") from error
        except (SqlglotError, ValueError) as error:
            message = f"it cannot be said in {dialect}: {str(error).splitlines()[0]}"
            raise refused(Code.NOT_TRANSPILED, message) from error

    def _look_again(self, sql: str) -> None:
        """What leaves the gate is read again, as the database will read it: it must still be harmless."""
        dialect = self.to or self.dialect
        tree = read(sql, dialect)
        schema = self.schema if dialect == self.dialect else None
        problems = read_only_problems(tree, dialect) or table_problems(tree, dialect, schema, None)
        if problems:
            raise SqlRefused(problems, sql)


def _without_parentheses(tree: exp.Query) -> exp.Query:
    """SQL Server knows no TOP for a query in parentheses."""
    while (
        isinstance(tree, exp.Subquery)
        and isinstance(tree.this, exp.Query)
        and not any(value for part, value in tree.args.items() if part != "this")
    ):
        tree = tree.this.pop()
    return tree


def _name_derived_tables(tree: exp.Query) -> None:
    """SQLite, Oracle and DuckDB let a query behind FROM go without an alias; PostgreSQL 15, MySQL and T-SQL do not."""
    taken = {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    names = (name for number in count(1) if (name := f"derived_{number}") not in taken)
    for derived in tree.find_all(exp.Subquery):
        if isinstance(derived.parent, (exp.From, exp.Join)) and isinstance(derived.this, exp.Query):
            derived.set("alias", derived.args.get("alias") or exp.TableAlias(this=exp.to_identifier(next(names))))


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line or 0, problem.column or 0


def _text(tree: exp.Query, dialect: str) -> str:
    try:
        return tree.sql(dialect=dialect, comments=False, unsupported_level=ErrorLevel.IGNORE)
    except (RecursionError, SqlglotError, ValueError):
        return ""
