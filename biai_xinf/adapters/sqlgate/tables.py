"""Which tables a query may read: those of the schema or of a list, and never a database's own catalogue."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches

from sqlglot import exp

from biai_xinf.adapters.sqlgate.dialects import DUAL, folded
from biai_xinf.adapters.sqlgate.places import problem_at
from biai_xinf.adapters.sqlgate.problems import Code, Problem, did_you_mean
from biai_xinf.adapters.sqlgate.schema import Schema, key_of, listed_name, without_default_schema

# What databases keep about themselves, their users and sessions, and tables through which they reach out.
_SYSTEM_SCHEMAS = {
    "postgres": r"information_schema|pg_.*",
    "oracle": r"sys|system|sysaux|outln|dbsnmp|xdb|ctxsys|mdsys|wmsys|audsys|gsmadmin_internal|apex_.*|ords_.*",
    "sqlite": r"temp",
    "duckdb": r"information_schema|pg_.*|system|temp",
    "mysql": r"information_schema|performance_schema|mysql|sys",
    "tsql": r"information_schema|sys|master|msdb|model|tempdb|guest",
}
_SYSTEM_TABLES = {
    "postgres": r"pg_.*",
    "oracle": (
        r"g?v_?\$.*|x\$.*|(?:dba|cdb)_.*|(?:all|user)_(?:tables|tab_.*|users|objects|views|source|synonyms|indexes|ind_.*|"
        r"cons.*|sequences|triggers|procedures|arguments|role_.*|sys_privs|db_links|directories|jobs|scheduler_.*|"
        r"segments|tablespaces|mviews.*|col_.*|credentials|errors|dependencies|policies|catalog|cluster.*|types|type_.*)"
        r"|role_(?:sys|tab|role)_privs|session_(?:privs|roles)|dict(?:ionary)?|dict_columns|tab|cat|obj|user\$|obj\$|link\$"
        r"|global_name|product_component_version|nls_.*parameters|plan_table|recyclebin|.*\$"
    ),
    "sqlite": r"sqlite_.*|pragma_.*|dbstat|sqlean_.*|fsdir|csv|zipfile",
    "duckdb": r"duckdb_.*|pragma_.*|sqlite_.*|pg_.*",
    "mysql": r"innodb_.*",
    "tsql": (
        r"sys(?:objects|columns|users|logins|databases|processes|comments|indexes|files|configures|members|permissions|"
        r"protects|types|servers|jobs|constraints|depends|foreignkeys|references|xlogins|altfiles|perfinfo|oledbusers|"
        r"remotelogins|curconfigs|lockinfo|cacheobjects|messages|language|charsets)|spt_.*|fn_.*|dm_.*|xp_.*|sp_.*|\#\#.*"
    ),
}
# DuckDB reads a file, or an address, where no table has such a name.
_LIKE_A_FILE = re.compile(r"[./\\:*?\[]")
# A CTE may refer to itself without the word RECURSIVE.
_RECURSES_UNASKED = {"oracle", "sqlite", "tsql"}
_CASE_MATTERS_NOT = {"sqlite", "duckdb"}
# A list has names without their quotes; spaces may stand within them.
_LISTED_PART = r"""[^\s\x00-\x1f"'`\[\];,.]+(?: +[^\s\x00-\x1f"'`\[\];,.]+)*"""
_LISTED = re.compile(rf"{_LISTED_PART}(?:\.{_LISTED_PART})*")


def table_problems(
    tree: exp.Query, dialect: str, schema: Schema | None, allowed: Collection[str] | None
) -> list[Problem]:
    """Every table of the tree that may not be read, with names that may."""
    policy = {listed_name(name, dialect) for name in allowed} if allowed is not None else None
    found = (_problem(table, dialect, schema, policy) for table in _read_tables(tree, dialect))
    return [problem for problem in found if problem is not None]


def tables_read(tree: exp.Query, dialect: str) -> tuple[str, ...]:
    """The tables that the query reads, in the order they stand in it, as it names them."""
    return tuple(dict.fromkeys(_full_name(table) for table in _read_tables(tree, dialect)))


def refuse_impossible_names(allowed: Collection[str], dialect: str, schema: Schema | None) -> None:
    """ValueError where a list of tables is none, or has what no table is called, or what the schema lacks."""
    if isinstance(allowed, str) or not isinstance(allowed, Collection):
        raise ValueError(f"tables is {allowed!r}, and must be a list of names")
    known = schema.names() | ({"dual"} if dialect in DUAL else set()) if schema is not None else None
    for name in allowed:
        if not isinstance(name, str) or not _LISTED.fullmatch(name):
            raise ValueError(f"no table is called {name!r}; write `orders` or `sales.orders`, without quotes")
        listed = listed_name(name, dialect)
        if known is not None and listed not in known:
            raise ValueError(f"the schema has no table `{name}`{did_you_mean(_alike(listed, known))}")


def _read_tables(tree: exp.Query, dialect: str) -> Iterator[exp.Table]:
    for table in tree.find_all(exp.Table):
        named = isinstance(table.this, exp.Identifier)
        if table.this is not None and not isinstance(table.this, exp.Func) and not (named and _is_cte(table, dialect)):
            yield table


def _full_name(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts)


def _problem(table: exp.Table, dialect: str, schema: Schema | None, policy: Collection[str] | None) -> Problem | None:
    parts = [part.name for part in table.parts]
    name = ".".join(parts)
    if not all(isinstance(part, exp.Identifier) for part in table.parts) or "" in parts:
        return problem_at(table, Code.TABLE, f"`{name}` is no table that may be read")
    if dialect in DUAL and name.lower() == "dual":
        return None
    if _is_system(parts, dialect) and not (schema is not None and schema.lists(parts)):
        return problem_at(table, Code.TABLE, f"`{name}` belongs to the database itself and may not be read")
    if policy is not None and _listed_as(table, dialect) not in policy:
        return problem_at(table, Code.TABLE, f"the table `{name}` may not be read", _alike(name, policy))
    if schema is not None:
        return _unknown(table, schema)
    if len(parts) > 2 or (dialect == "duckdb" and _LIKE_A_FILE.search(parts[-1])):
        return problem_at(table, Code.TABLE, f"`{name}` is outside of this database")
    return None


def _is_system(parts: list[str], dialect: str) -> bool:
    *schemas, table = (part.lower() for part in parts)
    of_system = any(re.fullmatch(_SYSTEM_SCHEMAS[dialect], schema) for schema in schemas)
    return of_system or re.fullmatch(_SYSTEM_TABLES[dialect], table) is not None


def _listed_as(table: exp.Table, dialect: str) -> str:
    """What a list of tables has the table by; in quotes, the schema in other letters is another one."""
    keys = [key_of(part, dialect) for part in table.parts]
    return ".".join(without_default_schema(keys, dialect)).lower()


def _unknown(table: exp.Table, schema: Schema) -> Problem | None:
    if schema.table(table.parts) is not None:
        return None
    name = _full_name(table)
    return problem_at(table, Code.TABLE, f"there is no table `{name}`", schema.tables_like(table.parts))


def _alike(name: str, names: Collection[str]) -> tuple[str, ...]:
    return tuple(get_close_matches(name.lower(), names, n=3, cutoff=0.6))


# Common table expressions


def _is_cte(table: exp.Table, dialect: str) -> bool:
    """Whether the name means a CTE here; where that is not certain, it means a table."""
    if table.args.get("db") or table.args.get("catalog"):
        return False
    wanted = _cte_name(table.this, dialect)
    node: exp.Expr = table
    inside: exp.Expr | None = None
    while node.parent is not None:
        inside = node if isinstance(node, exp.CTE) else inside
        node = node.parent
        with_ = node if isinstance(node, exp.With) else node.args.get("with_")
        if isinstance(with_, exp.With) and wanted in _visible(with_, inside, dialect):
            return True
    return False


def _visible(with_: exp.With, inside: exp.Expr | None, dialect: str) -> Iterator[str]:
    """Names of the CTEs that can be seen from within one of them, or from behind the WITH."""
    all_visible = bool(with_.args.get("recursive"))
    for cte in with_.expressions:
        itself = cte is inside
        if itself and not all_visible and dialect not in _RECURSES_UNASKED:
            return
        yield _cte_name(cte.args["alias"].this, dialect)
        if itself and not all_visible:
            return


def _cte_name(identifier: exp.Expr, dialect: str) -> str:
    name = folded(identifier.name, bool(identifier.args.get("quoted")), dialect)
    return name.lower() if dialect in _CASE_MATTERS_NOT else name
