"""Which columns a query names that its tables do not have; each with what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from sqlglot import exp

from biai_xinf.adapters.sqlgate.dialects import ALIASES_IN, DUAL, FOLDED_TO, PSEUDO_COLUMNS
from biai_xinf.adapters.sqlgate.places import problem_at
from biai_xinf.adapters.sqlgate.problems import Code, Problem
from biai_xinf.adapters.sqlgate.schema import Schema, key_of, written

# Keys of columns with their names; None where nobody knows what columns there are.
Columns = Mapping[str, str]
_ROW_BY_ALIAS = {"postgres", "duckdb"}
_FIELDS_BY_DOT = {"duckdb"}
_JUDGED = (
    "expressions",
    "distinct",
    "where",
    "group",
    "having",
    "qualify",
    "windows",
    "order",
    "connect",
    "limit",
    "offset",
)


@dataclass
class _Level:
    """What one SELECT can see of its own: tables by alias, and the names of its list."""

    sources: dict[str, Columns | None] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    merged: set[str] = field(default_factory=set)
    all_merged: bool = False
    aliases: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)


_Levels = tuple[_Level, ...]
_Ctes = Mapping[str, "Columns | None"]


def column_problems(tree: exp.Query, dialect: str, schema: Schema | None) -> list[Problem]:
    """Every column that is not there, or is there twice; without a schema, every table alias that is not there."""
    search = _Search(dialect, schema)
    search.query(tree, {}, ())
    return search.problems


class _Search:
    """One walk through a query, from the outside in: names mean what the nearest SELECT around them says."""

    def __init__(self, dialect: str, schema: Schema | None) -> None:
        self.dialect = dialect
        self.schema = schema
        self.problems: list[Problem] = []

    def query(self, node: exp.Expr, ctes: _Ctes, outer: _Levels) -> Columns | None:
        """Judge a query; the columns that it gives."""
        with_ = node.args.get("with_")
        if with_ is not None:
            ctes = self._with(with_, ctes, outer)
        if isinstance(node, exp.Subquery):
            return self.query(node.this, ctes, outer)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, ctes, outer)
        if isinstance(node, exp.Select):
            return self._select(node, ctes, outer)
        self._expressions(node.iter_expressions(), "expressions", ctes, (_Level(), *outer))
        return None

    def _with(self, with_: exp.With, ctes: _Ctes, outer: _Levels) -> _Ctes:
        seen = dict(ctes)
        for cte in with_.expressions:
            alias = cte.args["alias"]
            named = self._named(alias.columns)
            # Within itself, a recursive one has the columns it names, or any.
            seen[self._key(alias.this)] = named
            given = self.query(cte.this, seen, outer)
            seen[self._key(alias.this)] = named if named is not None else given
        return seen

    def _set_operation(self, node: exp.SetOperation, ctes: _Ctes, outer: _Levels) -> Columns | None:
        given = self.query(node.this, ctes, outer)
        self.query(node.expression, ctes, outer)
        order = node.args.get("order")
        if order is not None and given is not None:
            level = _Level(sources={"": given}, outputs=set(given))
            self._expressions([order], "order", ctes, (level, *outer))
        return given

    def _select(self, node: exp.Select, ctes: _Ctes, outer: _Levels) -> Columns | None:
        level = _Level()
        levels = (level, *outer)
        joins = node.args.get("joins") or []
        tables = [node.args["from_"].this] if node.args.get("from_") else []
        for table in [*tables, *(join.this for join in joins), *(node.args.get("laterals") or [])]:
            self._source(table, level, ctes, outer)
        for join in joins:
            self._merge(join, level)
        for projection in node.expressions:
            if isinstance(projection, (exp.Alias, exp.Column)) and projection.output_name:
                name = projection.args["alias"] if isinstance(projection, exp.Alias) else projection.this
                level.outputs.add(self._key(name))
                if isinstance(projection, exp.Alias):
                    level.aliases.add(self._key(name))
        self._expressions((join.args.get("on") for join in joins), "on", ctes, levels)
        for part in _JUDGED:
            value = node.args.get(part)
            self._expressions(value if isinstance(value, list) else [value], part, ctes, levels)
        return self._given(node, level)

    # Tables

    def _source(self, node: exp.Expr, level: _Level, ctes: _Ctes, outer: _Levels) -> None:
        """Add what stands behind FROM or JOIN."""
        columns: Columns | None = None
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            columns = self._columns_of(node, ctes)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            columns = self.query(node, ctes, outer)
        elif isinstance(node, exp.Subquery):
            self._source(node.this, level, ctes, outer)
        elif isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            columns = self.query(node.this, ctes, (level, *outer))
        elif not isinstance(node, exp.Pivot):
            # A function or VALUES: its arguments may name the tables before it.
            self._expressions(node.iter_expressions(), "from", ctes, (level, *outer))
        self._name_source(node, columns, level)
        for join in node.args.get("joins") or []:
            self._source(join.this, level, ctes, outer)
            self._merge(join, level)
            self._expressions([join.args.get("on")], "on", ctes, (level, *outer))

    def _name_source(self, node: exp.Expr, columns: Columns | None, level: _Level) -> None:
        pivots = node.args.get("pivots") or []
        alias = next((it.args["alias"] for it in [*reversed(pivots), node] if it.args.get("alias")), None)
        if isinstance(alias, exp.TableAlias):
            named = self._named(alias.columns)
            columns = named if named is not None and columns is not None else columns
        name = alias.this if isinstance(alias, exp.TableAlias) and alias.this else node.this
        if isinstance(name, exp.Identifier):
            key = self._key(name)
            level.spelled[key] = name.name
        elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Query):
            return
        else:
            key = f" {len(level.sources)}"
        level.sources[key] = None if pivots else columns

    def _columns_of(self, node: exp.Table, ctes: _Ctes) -> Columns | None:
        key = self._key(node.this)
        if not node.args.get("db") and key in ctes:
            return ctes[key]
        if self.dialect in DUAL and not node.args.get("db") and node.name.lower() == "dual":
            return DUAL[self.dialect]
        table = self.schema.table(node.parts) if self.schema is not None else None
        return table.columns if table is not None else None

    def _merge(self, join: exp.Expr, level: _Level) -> None:
        level.merged.update(self._key(name) for name in join.args.get("using") or [])
        level.all_merged |= str(join.args.get("method") or "").upper() == "NATURAL"

    # Columns

    def _expressions(self, nodes: Iterable[object], clause: str, ctes: _Ctes, levels: _Levels) -> None:
        stack = [node for node in nodes if isinstance(node, exp.Expr)][::-1]
        while stack:
            node = stack.pop()
            if isinstance(node, exp.Column):
                self._column(node, clause, levels)
            elif isinstance(node, exp.Query):
                self.query(node, ctes, levels)
            elif not isinstance(node, exp.Pivot):
                stack.extend([*node.iter_expressions()][::-1])

    def _column(self, column: exp.Column, clause: str, levels: _Levels) -> None:
        if column.args.get("table") is not None:
            self._qualified(column, levels)
        elif isinstance(column.this, exp.Identifier):
            self._unqualified(column, clause, levels)

    def _qualified(self, column: exp.Column, levels: _Levels) -> None:
        table, name = column.args["table"], column.this
        wanted = self._key(table)
        level = next((level for level in levels if wanted in level.sources), None)
        if level is None:
            if not (self.dialect in _FIELDS_BY_DOT and self._is_column(wanted, levels)):
                aliases = [spelled for level in levels for spelled in level.spelled.values()]
                message = f"no table of this query is called `{table.name}`"
                self._problem(column, Code.COLUMN, message, _alike(table.name, aliases))
            return
        columns = level.sources[wanted]
        if isinstance(name, exp.Star) or columns is None or self._key(name) in columns or self._is_pseudo(name):
            return
        elsewhere = self._owners(name, levels)
        near = [f"{table.name}.{it}" for it in _alike(name.name, self._written(columns))]
        self._problem(
            column, Code.COLUMN, f"`{table.name}` has no column `{self._spelled(name)}`", (*elsewhere, *near)[:3]
        )

    def _unqualified(self, column: exp.Column, clause: str, levels: _Levels) -> None:
        name = column.this
        wanted, level = self._key(name), levels[0]
        owners = [key for key, columns in level.sources.items() if columns is not None and wanted in columns]
        if clause == "order" and wanted in level.outputs:
            return
        if len(owners) > 1 and wanted not in level.merged and not level.all_merged:
            choices = tuple(f"{level.spelled.get(key, key)}.{name.name}" for key in owners)
            self._problem(column, Code.AMBIGUOUS, f"`{name.name}` may be a column of several tables", choices)
        elif not owners and not self._is_known(column, wanted, clause, levels):
            self._unknown(column, clause, levels)

    def _is_known(self, column: exp.Column, wanted: str, clause: str, levels: _Levels) -> bool:
        level = levels[0]
        if wanted in level.aliases and clause in ALIASES_IN[self.dialect]:
            return True
        if self._is_pseudo(column.this) or (
            self.dialect in _ROW_BY_ALIAS and any(wanted in it.sources for it in levels)
        ):
            return True
        return self._is_column(wanted, levels)

    def _is_column(self, wanted: str, levels: _Levels) -> bool:
        every = [columns for level in levels for columns in level.sources.values()]
        return any(columns is None or wanted in columns for columns in every)

    def _is_pseudo(self, name: exp.Expr) -> bool:
        return not name.args.get("quoted") and name.name.lower() in PSEUDO_COLUMNS.get(self.dialect, ())

    def _unknown(self, column: exp.Column, clause: str, levels: _Levels) -> None:
        name = column.this
        if self._key(name) in levels[0].aliases:
            message = f"`{name.name}` is an alias of the SELECT list, which cannot be used here; repeat its expression"
            self._problem(column, Code.COLUMN, message, ())
            return
        known = [
            it for level in levels for columns in level.sources.values() if columns for it in self._written(columns)
        ]
        self._problem(column, Code.COLUMN, f"there is no column `{self._spelled(name)}`", _alike(name.name, known))

    def _owners(self, name: exp.Expr, levels: _Levels) -> list[str]:
        wanted = self._key(name)
        found = [
            (level, key) for level in levels for key, columns in level.sources.items() if columns and wanted in columns
        ]
        return [f"{level.spelled.get(key, key)}.{name.name}" for level, key in found]

    # What a query gives

    def _given(self, node: exp.Select, level: _Level) -> Columns | None:
        given: dict[str, str] = {}
        for projection in node.expressions:
            if projection.is_star and not isinstance(projection, (exp.Star, exp.Column)):
                return None
            if isinstance(projection, exp.Star):
                sources = list(level.sources.values())
            elif isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star):
                sources = [level.sources.get(self._key(projection.args["table"]))]
            elif projection.output_name and isinstance(projection, (exp.Alias, exp.Column)):
                name = projection.args["alias"] if isinstance(projection, exp.Alias) else projection.this
                given[self._key(name)] = name.name
                continue
            else:
                # How an expression without an alias is called differs from one database to the next.
                return None
            for columns in sources:
                if columns is None:
                    return None
                given.update(columns)
        return given

    def _named(self, identifiers: Iterable[exp.Expr]) -> Columns | None:
        return {self._key(name): name.name for name in identifiers} or None

    def _key(self, identifier: exp.Expr) -> str:
        return key_of(identifier, self.dialect)

    def _spelled(self, identifier: exp.Expr) -> str:
        """As it stands in the query: quotes are what is wrong where only they are."""
        return (
            f'"{identifier.name}"' if identifier.args.get("quoted") and self.dialect in FOLDED_TO else identifier.name
        )

    def _written(self, columns: Columns) -> Iterator[str]:
        folds = self.dialect in FOLDED_TO
        return (written(key if folds else name, self.dialect) for key, name in columns.items())

    def _problem(self, column: exp.Column, code: Code, message: str, suggestions: tuple[str, ...]) -> None:
        self.problems.append(problem_at(column, code, message, suggestions))


def _alike(name: str, names: Iterable[str]) -> tuple[str, ...]:
    by_letters = {it.strip('"').lower(): it for it in names}
    return tuple(by_letters[found] for found in get_close_matches(name.lower(), by_letters, n=3, cutoff=0.6))
