"""The row cap: no query gives more rows than it may, in whatever way its dialect says so."""

from __future__ import annotations

from sqlglot import exp


def capped(tree: exp.Query, max_rows: int) -> tuple[exp.Query, bool]:
    """The query with at most `max_rows` rows, and whether that changed it; a smaller cap of its own stays."""
    own = tree.args.get("limit")
    if own is None:
        return tree.limit(max_rows, copy=False), True
    rows = _rows(own)
    if rows is not None and rows <= max_rows:
        return tree, False
    if rows is not None:
        return _replaced(tree, own, max_rows), True
    return _around(tree, max_rows), True


def _rows(limit: exp.Expr) -> int | None:
    """The number of rows a LIMIT, TOP or FETCH allows; None where it is no plain number of rows."""
    options = limit.args.get("limit_options")
    if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
        return None
    count = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.args.get("expression")
    if isinstance(limit, exp.Fetch) and count is None:
        return 1
    if isinstance(count, exp.Paren):
        count = count.this
    return int(count.name) if isinstance(count, exp.Literal) and not count.is_string and count.name.isdigit() else None


def _replaced(tree: exp.Query, own: exp.Expr, max_rows: int) -> exp.Query:
    own.set("count" if isinstance(own, exp.Fetch) else "expression", exp.Literal.number(max_rows))
    return tree


def _around(tree: exp.Query, max_rows: int) -> exp.Query:
    """A query around one whose own cap cannot be compared, such as a percentage."""
    with_ = tree.args.get("with_")
    if with_ is not None:
        with_.pop()
    outer = exp.select("*").from_(exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier("capped"))))
    if with_ is not None:
        outer.set("with_", with_)
    return outer.limit(max_rows, copy=False)
