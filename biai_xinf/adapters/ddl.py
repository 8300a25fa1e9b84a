"""A schema from DDL that somebody wrote, for who has no connection to the database itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from biai_xinf.databases.schema import Column, Reference, Schema, Table

# What stands beside tables and tells a model nothing.
_OF_NO_MATTER = ("INDEX", "SEQUENCE", "SCHEMA", "TRIGGER")


def read_ddl(texts: Iterable[str], dialect: str, database: str) -> tuple[Schema, tuple[str, ...]]:
    """The tables that texts create, with their keys and what is noted on them; and the texts that say more than that.

    `dialect` is one of sqlglot's, or "" for what all have in common. Notes are comments in a column's line or before a
    table, and those of COMMENT ON. Views are among the other texts: their columns have no types.
    """
    statements: list[exp.Expr] = []
    others: list[str] = []
    for text in texts:
        read = _statements(text, dialect)
        if read is None:
            others.append(text)
        else:
            statements += read
    reader = _Reader(dialect)
    for statement in sorted(statements, key=lambda it: not isinstance(it, exp.Create)):
        reader.read(statement)
    return Schema(database, tuple(map(reader.referring, reader.tables.values()))), tuple(others)


def _statements(text: str, dialect: str) -> list[exp.Expr] | None:
    """Those that matter; None where one of them cannot be read."""
    try:
        found = [tree for tree in sqlglot.parse(text, dialect=dialect) if tree is not None]
    except (SqlglotError, RecursionError):
        return None
    told = [tree for tree in found if not (isinstance(tree, exp.Create) and tree.kind in _OF_NO_MATTER)]
    return told if told and all(map(_is_readable, told)) else None


def _is_readable(tree: exp.Expr) -> bool:
    if isinstance(tree, exp.Create):
        parts = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
        columns = [part for part in parts if isinstance(part, exp.ColumnDef)]
        return tree.kind == "TABLE" and bool(columns) and all(column.kind for column in columns)
    if isinstance(tree, exp.Alter):
        return all(isinstance(action, exp.AddConstraint) for action in tree.args["actions"])
    return isinstance(tree, exp.Comment) and tree.args["kind"] in ("TABLE", "COLUMN")


class _Reader:
    """Puts tables together, one statement after the other: those that create them come first."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self.tables: dict[str, Table] = {}

    def read(self, statement: exp.Expr) -> None:
        """Take what it says."""
        if isinstance(statement, exp.Create):
            table = self._created(statement)
            self.tables[table.written.lower()] = table
        elif isinstance(statement, exp.Comment):
            self._note(statement)
        elif (key := self._written(statement.this).lower()) in self.tables:
            rules = [rule for action in statement.args["actions"] for rule in action.expressions]
            self.tables[key] = self._ruled(self.tables[key], rules)

    def referring(self, table: Table) -> Table:
        """With the columns of what it refers to: a reference that names none means the other table's key."""
        found = []
        for it in table.references:
            target = self.tables.get(it.table.lower())
            keys = tuple(column.written for column in target.columns if column.key) if target else ()
            found.append(it if it.others else replace(it, others=keys if len(keys) == len(it.columns) else it.columns))
        return replace(table, references=tuple(found))

    def _created(self, tree: exp.Create) -> Table:
        columns = [part for part in tree.this.expressions if isinstance(part, exp.ColumnDef)]
        rules = [part for part in tree.this.expressions if not isinstance(part, exp.ColumnDef)]
        properties = tree.args["properties"].expressions if tree.args.get("properties") else ()
        told = next((it.name for it in properties if isinstance(it, exp.SchemaCommentProperty)), None)
        name = self._written(tree.this.this)
        table = Table(
            name=name,
            written=name,
            columns=tuple(map(self._column, columns)),
            references=tuple(reference for column in columns for reference in self._beside(column)),
            comment=told or _said(tree.comments),
        )
        return self._ruled(table, rules)

    def _column(self, column: exp.ColumnDef) -> Column:
        rules = {type(it.kind): it.kind for it in column.constraints}
        told = rules.get(exp.CommentColumnConstraint)
        name = self._written(column.this)
        return Column(
            name=name,
            written=name,
            type=self._written(column.kind),
            key=exp.PrimaryKeyColumnConstraint in rules,
            required=exp.NotNullColumnConstraint in rules,
            comment=_said([*(column.this.comments or ()), *(column.comments or ())]) if told is None else told.name,
        )

    def _beside(self, column: exp.ColumnDef) -> Iterator[Reference]:
        for constraint in column.constraints:
            if isinstance(constraint.kind, exp.Reference):
                yield self._reference([column.this], constraint.kind)

    def _ruled(self, table: Table, rules: Sequence[exp.Expr]) -> Table:
        """With the keys that stand apart from the columns."""
        bare = [it for rule in rules for it in (rule.expressions if isinstance(rule, exp.Constraint) else [rule])]
        named = [it for rule in bare if isinstance(rule, exp.PrimaryKey) for it in rule.expressions]
        keys = {self._written(it.this if isinstance(it, exp.Ordered) else it).lower() for it in named}
        columns = tuple(replace(it, key=it.key or it.written.lower() in keys) for it in table.columns)
        found = [self._reference(it.expressions, it.args["reference"]) for it in bare if isinstance(it, exp.ForeignKey)]
        return replace(table, columns=columns, references=(*table.references, *found))

    def _reference(self, columns: Sequence[exp.Expr], to: exp.Reference) -> Reference:
        target = to.this
        table, others = (target.this, target.expressions) if isinstance(target, exp.Schema) else (target, [])
        return Reference(tuple(map(self._written, columns)), self._written(table), tuple(map(self._written, others)))

    def _note(self, tree: exp.Comment) -> None:
        said, named = tree.expression.name, tree.this
        if isinstance(named, exp.Table):
            key = self._written(named).lower()
            if key in self.tables:
                self.tables[key] = replace(self.tables[key], comment=said)
            return
        *within, column = (self._written(part).lower() for part in named.parts)
        if table := self.tables.get(key := ".".join(within)):
            columns = (replace(it, comment=said) if it.written.lower() == column else it for it in table.columns)
            self.tables[key] = replace(table, columns=tuple(columns))

    def _written(self, tree: exp.Expr | None) -> str:
        return tree.sql(self._dialect, comments=False) if tree is not None else ""


def _said(comments: Sequence[str] | None) -> str | None:
    return " ".join(" ".join(comments or ()).split()) or None
