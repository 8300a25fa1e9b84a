"""The tables and columns that a database has, from its DDL or from JSON; made once, and asked for every query."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from biai_xinf.adapters.sqlgate.dialects import FOLDED_TO, folded
from biai_xinf.errors import BadFile

# The schema that a table stands in where nobody says another.
_DEFAULT_SCHEMAS = {"postgres": "public", "tsql": "dbo", "sqlite": "main", "duckdb": "main"}
# Server, database, schema and table, as T-SQL may write them.
_MOST_NAMES = 4


@dataclass(frozen=True)
class SchemaTable:
    """One table or view: its name, and the keys of its columns with the columns as the database spells them."""

    name: str
    columns: Mapping[str, str]


class Schema:
    """Tables with their columns, in one dialect, found by the identifiers of a query."""

    def __init__(self, tables: Mapping[str, Iterable[str]], dialect: str) -> None:
        """`tables` maps `table` or `schema.table` to columns, all as the database keeps them."""
        self.dialect = dialect
        self.tables = {
            name: SchemaTable(name, {_key(it, dialect): it for it in columns}) for name, columns in tables.items()
        }
        self._by_full_name = {_key(name, dialect): table for name, table in self.tables.items()}
        self._by_bare_name = {_key(name.rpartition(".")[2], dialect): table for name, table in self.tables.items()}

    @classmethod
    def from_ddl(cls, ddl: str, dialect: str) -> Schema:
        """The tables and views that CREATE statements make; BadFile where one cannot be read."""
        try:
            statements = [tree for tree in sqlglot.parse(ddl, dialect=dialect) if tree is not None]
        except (SqlglotError, RecursionError) as error:
            first = str(error).splitlines()[0] if str(error) else "it is nested too deep"
            raise BadFile(f"the schema is no DDL of {dialect}: {first}") from error
        tables: dict[str, list[str]] = {}
        for tree in statements:
            if isinstance(tree, exp.Command) and tree.name.upper() == "CREATE":
                raise BadFile(f"the schema has a CREATE that cannot be read: {tree.sql()[:60]}")
            if isinstance(tree, exp.Create) and tree.kind in ("TABLE", "VIEW"):
                name, columns = _created(tree, dialect)
                tables[name] = columns
        if not tables:
            raise BadFile("the schema creates no table")
        return cls(tables, dialect)

    @classmethod
    def from_data(cls, data: object, dialect: str) -> Schema:
        """Of `{table: [column, ...]}` or `{table: {column: type}}`, within schemas or not; BadFile otherwise."""
        return cls(dict(_tables_of(data, dialect, ())), dialect)

    def table(self, parts: Sequence[exp.Expr]) -> SchemaTable | None:
        """The table that the identifiers of a query name."""
        keys = [self.key(part) for part in parts]
        found = self._by_full_name.get(".".join(keys))
        if found is None:
            found = self._by_full_name.get(".".join(without_default_schema(keys, self.dialect)))
        return self._by_bare_name.get(keys[0]) if found is None and len(keys) == 1 else found

    def lists(self, parts: Sequence[str]) -> bool:
        """Whether a table was listed by exactly this name."""
        return _key(".".join(parts), self.dialect) in self._by_full_name or ".".join(parts).lower() in {
            name.lower() for name in self._by_full_name
        }

    def names(self) -> frozenset[str]:
        """All names that queries can have for the tables, as `listed_name` gives them."""
        listed = {listed_name(name, self.dialect) for name in self.tables}
        return frozenset(listed | {name.rpartition(".")[2] for name in listed})

    def tables_like(self, parts: Sequence[exp.Expr]) -> tuple[str, ...]:
        """Up to three names of tables that look like these identifiers, quoted where they must be."""
        by_letters = {name.rpartition(".")[2].lower(): name for name in self.tables}
        alike = get_close_matches(parts[-1].name.lower(), by_letters, n=3, cutoff=0.6)
        return tuple(".".join(written(part, self.dialect) for part in by_letters[name].split(".")) for name in alike)

    def key(self, identifier: exp.Expr) -> str:
        """What an identifier of a query is looked up by."""
        return key_of(identifier, self.dialect)


def load_schema(path: Path, dialect: str) -> Schema:
    """The schema in a `.json` file or a file of DDL; BadFile where there is none."""
    try:
        # Editors on Windows put a byte order mark before the text.
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadFile(f"`{path}` cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"`{path}` cannot be read: {error}") from error
    if path.suffix.lower() != ".json":
        return Schema.from_ddl(text, dialect)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadFile(f"{path}:{error.lineno}: no JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise BadFile(f"{path}: no JSON of tables: it is nested too deep, or has too long a number") from error
    return Schema.from_data(data, dialect)


def key_of(identifier: exp.Expr, dialect: str) -> str:
    """The name as the database looks it up: exact where quoting makes a difference, else without regard to case."""
    if dialect in FOLDED_TO:
        return folded(identifier.name, bool(identifier.args.get("quoted")), dialect)
    return identifier.name.lower()


def without_default_schema(names: Sequence[str], dialect: str) -> Sequence[str]:
    """The names of a table from the left; without its schema, where that need not be said."""
    return names[1:] if len(names) == 2 and names[0] == _DEFAULT_SCHEMAS.get(dialect) else names


def listed_name(name: str, dialect: str) -> str:
    """What a name in a list of tables is compared by: in small letters, without the schema that need not be said."""
    return ".".join(without_default_schema(name.lower().split("."), dialect))


def written(name: str, dialect: str) -> str:
    """The name as a query has to write it, in quotes only where they make a difference."""
    if not name.replace("_", "a").isalnum() or name[:1].isdigit():
        return exp.to_identifier(name, quoted=True).sql(dialect)
    if dialect in FOLDED_TO and folded(name, False, dialect) != name:
        return exp.to_identifier(name, quoted=True).sql(dialect)
    return name.lower() if dialect == "oracle" else name


def _key(name: str, dialect: str) -> str:
    return name if dialect in FOLDED_TO else name.lower()


def _created(tree: exp.Create, dialect: str) -> tuple[str, list[str]]:
    schema = tree.this
    table = schema.this if isinstance(schema, exp.Schema) else schema
    name = ".".join(_stored(part, dialect) for part in table.parts)
    if isinstance(schema, exp.Schema):
        named = (part.this if isinstance(part, exp.ColumnDef) else part for part in schema.expressions)
        return name, [_stored(column, dialect) for column in named if isinstance(column, exp.Identifier)]
    query = tree.expression
    if not isinstance(query, exp.Query) or query.is_star:
        raise BadFile(
            f"the columns of `{name}` cannot be told from its CREATE; list them: CREATE VIEW {name} (a, b) AS ..."
        )
    return name, [folded(column, False, dialect) for column in query.named_selects]


def _stored(identifier: exp.Expr, dialect: str) -> str:
    return folded(identifier.name, bool(identifier.args.get("quoted")), dialect)


def _tables_of(data: object, dialect: str, within: tuple[str, ...]) -> Iterable[tuple[str, list[str]]]:
    if not isinstance(data, Mapping) or not data:
        raise BadFile("the schema must map tables to their columns: " + '{"orders": ["id", "total"]}')
    for name, value in data.items():
        names = (*within, _as_kept(str(name), dialect))
        if len(names) > _MOST_NAMES:
            raise BadFile(f"the schema has `{'.'.join(names)}`, and a table has {_MOST_NAMES} names at most")
        if isinstance(value, Mapping) and value and all(isinstance(it, (Mapping, list)) for it in value.values()):
            yield from _tables_of(value, dialect, names)
        elif isinstance(value, (Mapping, list)):
            yield ".".join(names), [_as_kept(_column(column, name, at), dialect) for at, column in enumerate(value, 1)]
        else:
            raise BadFile(f"the columns of `{name}` must be a list of names, or names with types")


def _column(column: object, table: str, at: int) -> str:
    if not isinstance(column, str):
        raise BadFile(f"column {at} of `{table}` must be a name, and is of type {type(column).__name__}")
    return column


def _as_kept(name: str, dialect: str) -> str:
    """Names in one case are taken for names that were never quoted."""
    return folded(name, False, dialect) if name in (name.lower(), name.upper()) else name
