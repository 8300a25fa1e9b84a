"""Read-only by construction: every part of a query must be of a kind that is known to read and do nothing else."""

from __future__ import annotations

from sqlglot import exp

from biai_xinf.adapters.sqlgate.dialects import SEQUENCE_WORDS, STATEMENT_WORDS
from biai_xinf.adapters.sqlgate.functions import function_problem
from biai_xinf.adapters.sqlgate.places import problem_at
from biai_xinf.adapters.sqlgate.problems import Code, Problem
from biai_xinf.adapters.sqlgate.widths import width_problem

# sqlglot's names (`Expression.key`) of what a query may be made of; functions are judged by `functions`.
_CLAUSES = """
    select union except intersect subquery with cte values tuple from join where group having qualify order ordered
    limit limitoptions offset fetch distinct window windowspec withingroup filter lateral table tablealias
    tablesample pivot pivotalias unpivotcolumns cube rollup groupingsets connect prior forclause queryoption
    withtablehint tablefromrows xmlkeyvalueoption recursivewithsearch
"""
_NAMES_AND_LITERALS = """
    column pseudocolumn identifier star alias aliases literal boolean null national hexstring bitstring bytestring
    rawstring introducer interval intervalspan var datatype datatypeparam dot paren
"""
_OPERATORS = """
    neg not eq neq gt gte lt lte is in between like ilike similarto escape add sub mul div intdiv mod dpipe
    bitwiseand bitwiseor bitwisexor bitwisenot bitwiseleftshift bitwiserightshift nullsafeeq nullsafeneq glob
    overlaps bracket slice attimezone kwarg lambda all any distance extendsleft extendsright adjacent match
"""
_PARTS_OF_FUNCTIONS = """
    ignorenulls respectnulls havingmax overflowtruncatebehavior oncondition formatjson jsonkeyvalue jsonvalue
    jsoncolumndef jsonschema openjsoncolumndef propertyeq jsonpath jsonpathroot jsonpathkey jsonpathsubscript
    jsonpathwildcard jsonpathslice jsonpathfilter jsonpathselector jsonpathrecursive jsonpathunion
"""
_ALLOWED = frozenset((_CLAUSES + _NAMES_AND_LITERALS + _OPERATORS + _PARTS_OF_FUNCTIONS).split())
_CHANGING = """
    insert update delete merge create drop alter truncatetable copy loaddata into returning multitableinserts
    command execute set grant revoke attach detach pragma use kill transaction commit rollback
"""
_CHANGES = frozenset(_CHANGING.split())
_PLACEHOLDERS = frozenset({"placeholder", "parameter", "sessionparameter"})
# Hints to SQL Server that only weaken what a reader waits for.
_HARMLESS_TABLE_HINTS = frozenset({"NOLOCK", "READUNCOMMITTED", "READPAST"})
_HARMLESS_OPTIONS = frozenset({"MAXRECURSION", "RECOMPILE"})
# PostgreSQL calls any other by its name, as a function.
_SAMPLE_METHODS = frozenset({"", "BERNOULLI", "SYSTEM", "RESERVOIR", "ROW"})
_REFUSED_TYPES = frozenset({"USERDEFINED", "OBJECT_IDENTIFIER", "XML", "UNKNOWN", "VARIANT", "OBJECT"})
# Parts of a node that hold text or flags, not nodes, and change what it does.
_REFUSED_PARTS = {"select": ("kind", "operation_modifiers", "settings", "format"), "table": ("pattern", "format")}


def read_only_problems(tree: exp.Query, dialect: str) -> list[Problem]:
    """Everything in the tree that does more than read, or that the gate does not know to be harmless."""
    return [problem for node in tree.walk() if (problem := _problem(node, dialect)) is not None]


def _problem(node: exp.Expr, dialect: str) -> Problem | None:
    if isinstance(node, exp.Func):
        return function_problem(node, dialect) or width_problem(node, dialect)
    if node.key not in _ALLOWED:
        return _unknown_kind(node)
    check = _CHECKS.get(node.key)
    if check is not None and (problem := check(node, dialect)) is not None:
        return problem
    part = next((part for part in _REFUSED_PARTS.get(node.key, ()) if node.args.get(part)), None)
    return problem_at(node, Code.NOT_ALLOWED, f"`{node.args[part]}` is not allowed") if part else None


def _unknown_kind(node: exp.Expr) -> Problem:
    if node.key in _CHANGES:
        return problem_at(node, Code.CHANGES_DATA, f"only reading is allowed, and {node.key.upper()} changes something")
    if node.key == "lock":
        return problem_at(node, Code.LOCKS, "a query must not lock rows, leave FOR UPDATE or FOR SHARE out")
    if node.key == "hint":
        return problem_at(node, Code.HINT, "hints to the optimizer are not allowed, leave `/*+ ... */` out")
    if node.key in _PLACEHOLDERS:
        return problem_at(node, Code.PLACEHOLDER, "variables and placeholders are not allowed, write the value itself")
    return problem_at(node, Code.NOT_ALLOWED, f"{node.key.upper()} is not allowed in a query")


def _select(node: exp.Expr, dialect: str) -> Problem | None:
    """An answer that was cut off, or PostgreSQL's query of no columns."""
    return None if node.expressions else problem_at(node, Code.SYNTAX, "SELECT names nothing to select")


def _dot(node: exp.Expr, dialect: str) -> Problem | None:
    """Fields of a record may be read; `schema.function()` and methods are functions that nobody vouched for."""
    called = node.args.get("expression")
    if not isinstance(called, exp.Func):
        return None
    return problem_at(node, Code.FUNCTION, f"functions of a schema or package are not allowed: `{node.sql(dialect)}`")


def _data_type(node: exp.Expr, dialect: str) -> Problem | None:
    kind = getattr(node.this, "name", str(node.this))
    if kind not in _REFUSED_TYPES:
        return None
    return problem_at(node, Code.NOT_ALLOWED, f"the type `{node.sql(dialect)}` is not allowed")


def _table_hint(node: exp.Expr, dialect: str) -> Problem | None:
    harmful = next((hint for hint in node.expressions if hint.name.upper() not in _HARMLESS_TABLE_HINTS), None)
    return problem_at(node, Code.LOCKS, f"the table hint `{harmful.name}` is not allowed") if harmful else None


def _query_option(node: exp.Expr, dialect: str) -> Problem | None:
    if node.find_ancestor(exp.ForClause) or node.name.upper() in _HARMLESS_OPTIONS:
        return None
    return problem_at(node, Code.HINT, f"the option `{node.name}` is not allowed")


def _sample(node: exp.Expr, dialect: str) -> Problem | None:
    method = str(node.args.get("method") or "")
    if method.upper() in _SAMPLE_METHODS:
        return None
    return problem_at(node, Code.FUNCTION, f"the sampling method `{method}` is not allowed")


def _column(node: exp.Expr, dialect: str) -> Problem | None:
    name = node.this
    if (
        isinstance(name, exp.Identifier)
        and name.name.lower() in SEQUENCE_WORDS.get(dialect, ())
        and node.args.get("table")
    ):
        return problem_at(node, Code.CHANGES_DATA, f"`{node.sql(dialect)}` advances a sequence")
    return None


def _identifier(node: exp.Expr, dialect: str) -> Problem | None:
    name = node.name
    if node.args.get("quoted"):
        return None
    if name.startswith("$") or not all(sign.isalnum() or sign in "_$#" for sign in name):
        return problem_at(node, Code.NOT_ALLOWED, f"the name `{name}` is not allowed without quotes")
    if name.lower() in STATEMENT_WORDS.get(dialect, ()):
        return problem_at(node, Code.SEVERAL_STATEMENTS, f"`{name}` begins another statement; quote it if it is a name")
    return None


def _assignment(node: exp.Expr, dialect: str) -> Problem | None:
    """`a: 1` in a DuckDB struct is one to sqlglot, and so is MySQL's `@a := 1`."""
    if isinstance(node.parent, exp.Struct):
        return None
    return problem_at(node, Code.CHANGES_DATA, "variables must not be set")


_CHECKS = {
    "select": _select,
    "dot": _dot,
    "datatype": _data_type,
    "withtablehint": _table_hint,
    "queryoption": _query_option,
    "tablesample": _sample,
    "column": _column,
    "identifier": _identifier,
    "propertyeq": _assignment,
}
