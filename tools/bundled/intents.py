"""What can be asked of the demo shop: each draw gives a meaning (`Query`) with its one canonical SQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import values

from biai_xinf import demo

REVENUE = "SUM(oi.quantity * oi.unit_price)"


@dataclass(frozen=True)
class Filter:
    """One condition: its `kind` and `value` choose the words, `sql` is canonical."""

    kind: str
    table: str
    sql: str
    value: Any = None
    how: str = "is"


@dataclass(frozen=True)
class Measure:
    key: str
    tables: frozenset[str]
    sql: str
    alias: str
    dims: tuple[str, ...]
    filters: tuple[str, ...]
    # COUNT(*) counts order lines once order_items is joined; then this is counted instead.
    over_items: str | None = None


@dataclass(frozen=True)
class Dim:
    key: str
    table: str
    select: str
    group: str
    in_time: bool = False


@dataclass
class Query:
    """A meaning in one of the shapes the wordings know, its `slots`, and the SQL that answers it."""

    shape: str
    sql: str
    filters: list[Filter] = field(default_factory=list)
    slots: dict[str, Any] = field(default_factory=dict)


def draw(rng: random.Random) -> Query:
    """A random query, common business questions more often than rare ones."""
    shape = rng.choices(list(SHAPES), weights=[weight for weight, _ in SHAPES.values()])[0]
    return SHAPES[shape][1](rng)


_C, _P, _O, _OI = (frozenset([table]) for table in ("c", "p", "o", "oi"))
_PEOPLE = ("city", "country", "segment")
_SALE = ("status", "channel", "date")
_ALL = (*_PEOPLE, "customer", "category", "product", *_SALE)
_ALL_DIMS = (
    *_PEOPLE,
    "category",
    "product",
    "customer",
    "status",
    "channel",
    "year",
    "month",
    "quarter",
    "weekday",
    "day",
)

MEASURES = {
    m.key: m
    for m in [
        Measure("revenue", _OI, REVENUE, "revenue", _ALL_DIMS, _ALL),
        Measure("units", _OI, "SUM(oi.quantity)", "units", _ALL_DIMS, _ALL),
        Measure("orders", _O, "COUNT(*)", "orders", _ALL_DIMS, _ALL, "COUNT(DISTINCT o.order_id)"),
        Measure("buyers", _O, "COUNT(DISTINCT o.customer_id)", "buyers",
                (*_PEOPLE, "category", "product", "channel", "status", "year", "month"), (*_PEOPLE, "category", "product", *_SALE)),
        Measure("customers", _C, "COUNT(*)", "customers", (*_PEOPLE, "signup_year", "signup_month"), (*_PEOPLE, "signup")),
        Measure("products", _P, "COUNT(*)", "products", ("category",), ("category", "price")),
        Measure("order_value", _OI, f"{REVENUE} / COUNT(DISTINCT oi.order_id)", "average_order_value",
                (*_PEOPLE, "status", "channel", "year", "month", "customer"), _ALL),
        Measure("average_price", _P, "AVG(p.price)", "average_price", ("category",), ("category", "price")),
        Measure("charged_price", _OI, "AVG(oi.unit_price)", "average_price", ("category", "product", "channel", "year"),
                ("category", "product", "product", "channel", "country", "date")),
        Measure("lowest_price", _P, "MIN(p.price)", "lowest_price", ("category",), ("category",)),
        Measure("highest_price", _P, "MAX(p.price)", "highest_price", ("category",), ("category",)),
        Measure("average_quantity", _OI, "AVG(oi.quantity)", "average_quantity", ("category", "product", "channel", "country"),
                ("category", "product", "channel", "country", "date")),
        Measure("items_per_order", _OI, "1.0 * SUM(oi.quantity) / COUNT(DISTINCT oi.order_id)", "items_per_order",
                (*_PEOPLE, "status", "channel", "year"), (*_PEOPLE, *_SALE)),
        Measure("revenue_per_buyer", _OI | _O, f"{REVENUE} / COUNT(DISTINCT o.customer_id)", "revenue_per_customer",
                (*_PEOPLE, "channel", "year"), (*_PEOPLE, *_SALE)),
        Measure("orders_per_buyer", _O, "1.0 * COUNT(*) / COUNT(DISTINCT o.customer_id)", "orders_per_customer",
                (*_PEOPLE, "year"), (*_PEOPLE, *_SALE)),
        Measure("products_sold", _OI, "COUNT(DISTINCT oi.product_id)", "products",
                ("category", "country", "city", "customer", "year", "month", "channel"), (*_PEOPLE, "customer", "category", *_SALE)),
        Measure("lines", _OI, "COUNT(*)", "lines", ("category", "product", "channel"), ("category", "product", *_SALE)),
        Measure("cities", _C, "COUNT(DISTINCT c.city)", "cities", ("country", "segment"), ("country", "segment")),
        Measure("countries", _C, "COUNT(DISTINCT c.country)", "countries", ("segment",), ("segment",)),
        Measure("categories", _P, "COUNT(DISTINCT p.category)", "categories", (), ("price",)),
        Measure("first_order", _O, "MIN(o.order_date)", "first_order", ("customer", *_PEOPLE, "channel"), _ALL),
        Measure("last_order", _O, "MAX(o.order_date)", "last_order", ("customer", *_PEOPLE, "channel"), _ALL),
        Measure("first_signup", _C, "MIN(c.signup_date)", "first_signup", _PEOPLE, _PEOPLE),
        Measure("last_signup", _C, "MAX(c.signup_date)", "last_signup", _PEOPLE, _PEOPLE),
    ]
}  # fmt: skip
_WEIGHTS = {"revenue": 12, "units": 6, "orders": 11, "buyers": 4, "customers": 7, "products": 3, "order_value": 5,
            "average_price": 2, "items_per_order": 1.5, "first_order": 1.2, "last_order": 1.2}  # fmt: skip

DIMS = {
    d.key: d
    for d in [
        *(Dim(key, "c", f"c.{key}", f"c.{key}") for key in _PEOPLE),
        Dim("customer", "c", "c.name", "c.customer_id"),
        Dim("category", "p", "p.category", "p.category"),
        Dim("product", "p", "p.product_name", "p.product_name"),
        Dim("status", "o", "o.status", "o.status"),
        Dim("channel", "o", "o.channel", "o.channel"),
        Dim("year", "o", "strftime('%Y', o.order_date) AS year", "year", True),
        Dim("month", "o", "strftime('%Y-%m', o.order_date) AS month", "month", True),
        Dim("quarter", "o", "(strftime('%m', o.order_date) + 2) / 3 AS quarter", "quarter", True),
        Dim("weekday", "o", "strftime('%w', o.order_date) AS weekday", "weekday", True),
        Dim("day", "o", "o.order_date", "o.order_date", True),
        Dim("signup_year", "c", "strftime('%Y', c.signup_date) AS year", "year", True),
        Dim("signup_month", "c", "strftime('%Y-%m', c.signup_date) AS month", "month", True),
    ]
}
_DIM_WEIGHTS = {
    "month": 1.6,
    "year": 1.6,
    "country": 1.6,
    "category": 1.5,
    "quarter": 0.4,
    "day": 0.4,
    "weekday": 0.3,
    "signup_month": 0.5,
}

JOINS = {
    "o": " JOIN orders o ON o.order_id = oi.order_id",
    "c": " JOIN customers c ON c.customer_id = o.customer_id",
    "p": " JOIN products p ON p.product_id = oi.product_id",
}
FROM = {"oi": " FROM order_items oi", "o": " FROM orders o", "c": " FROM customers c", "p": " FROM products p"}
_FILTER_ORDER = [
    "city",
    "country",
    "segment",
    "customer",
    "signup",
    "category",
    "product",
    "price",
    "status",
    "channel",
    "date",
]


def joined(tables: Iterable[str]) -> frozenset[str]:
    """`tables` with the ones between them."""
    found = set(tables)
    if "p" in found and found & {"o", "c"}:
        found |= {"oi", "o"}
    if "c" in found and "oi" in found:
        found.add("o")
    return frozenset(found)


def statement(
    columns: str, tables: Iterable[str], filters: Iterable[Filter] = (), tail: str = "", distinct: bool = False
) -> str:
    every = joined({*tables, *(f.table for f in filters)})
    first, *rest = (table for table in ("oi", "o", "c", "p") if table in every)
    where = conditions(filters)
    return (
        f"SELECT {'DISTINCT ' if distinct else ''}{columns}{FROM[first]}{''.join(JOINS[table] for table in rest)}"
        f"{' WHERE ' + where if where else ''}{tail}"
    )


def conditions(filters: Iterable[Filter]) -> str:
    return " AND ".join(f.sql for f in sorted(filters, key=lambda f: _FILTER_ORDER.index(f.kind)))


def measured(measure: Measure, tables: Iterable[str]) -> str:
    return measure.over_items if measure.over_items and "oi" in joined(tables) else measure.sql


def draw_filters(rng: random.Random, kinds: Iterable[str], weights: tuple[int, ...] = (30, 40, 22, 6)) -> list[Filter]:
    pool = sorted(set(kinds))
    count = min(rng.choices(range(len(weights)), weights)[0], len(pool))
    if "date" in pool:
        pool += ["date"]
    chosen: dict[str, Filter] = {}
    for kind in rng.sample(pool, len(pool)):
        clash = {
            "city": "country",
            "country": "city",
            "category": "product",
            "product": "category",
            "customer": "segment",
        }.get(kind)
        if len(chosen) < count and kind not in chosen and (clash not in chosen or rng.random() < 0.1):
            chosen[kind] = draw_filter(rng, kind)
    found = list(chosen.values())
    country = chosen.get("country")
    if "city" in pool and "city" not in chosen and country and country.how == "is" and rng.random() < 0.06:
        city = rng.choice(demo.CITIES[country.value]) if country.value in demo.CITIES else values.city(rng)
        found.append(Filter("city", "c", f"c.city <> {quote(city)}", city, "not"))
    return found


def draw_filter(rng: random.Random, kind: str) -> Filter:
    if kind in ("date", "signup"):
        return _draw_period(rng, kind)
    if kind == "price":
        return _draw_price(rng)
    table, column, draw_value = _TEXT_COLUMNS[kind]
    value = draw_value(rng)
    weights = {"customer": [97, 3, 0, 0], "product": [95, 4, 1, 0], "status": [74, 9, 11, 6]}.get(kind, [85, 8, 5, 2])
    how = rng.choices(["is", "in", "not", "not_in"], weights)[0]
    if how in ("in", "not_in"):
        several = list(dict.fromkeys([value, *(draw_value(rng) for _ in range(rng.choice([1, 1, 1, 2])))]))
        if len(several) > 1:
            listed = ", ".join(map(quote, several))
            return Filter(
                kind, table, f"{column} {'NOT ' if how == 'not_in' else ''}IN ({listed})", tuple(several), how
            )
    if how == "not":
        return Filter(kind, table, f"{column} <> {quote(value)}", value, how)
    return Filter(kind, table, f"{column} = {quote(value)}", value)


_TEXT_COLUMNS: dict[str, tuple[str, str, Callable[[random.Random], str]]] = {
    "city": ("c", "c.city", values.city),
    "country": ("c", "c.country", values.country),
    "segment": ("c", "c.segment", values.segment),
    "customer": ("c", "c.name", values.person),
    "category": ("p", "p.category", values.category),
    "product": ("p", "p.product_name", values.product),
    "status": ("o", "o.status", values.status),
    "channel": ("o", "o.channel", values.channel),
}


def quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _draw_price(rng: random.Random) -> Filter:
    low = rng.choice(
        [rng.randint(1, 60), rng.randrange(5, 500, 5), rng.randrange(10, 1000, 10), rng.randint(1, 9) * 100]
    )
    value = rng.choice([str(low)] * 4 + [f"{low}.{rng.choice(['5', '99', '9', '50'])}"])
    how = rng.choice(["above", "above", "below", "below", "between", "at_least", "at_most"])
    if how == "between":
        high = str(low + rng.choice([5, 10, 20, 30, 40, 50, 100, 150, 200, 300]))
        return Filter("price", "p", f"p.price BETWEEN {low} AND {high}", (str(low), high), how)
    sign = {"above": ">", "below": "<", "at_least": ">=", "at_most": "<="}[how]
    return Filter("price", "p", f"p.price {sign} {value}", value, how)


def draw_year(rng: random.Random) -> int:
    return rng.choice([2023, 2024, 2025] * 6 + [2018, 2019, 2020, 2021, 2022, 2022, 2026, 2026, 2027])


def _draw_period(rng: random.Random, kind: str) -> Filter:
    column, table = ("o.order_date", "o") if kind == "date" else ("c.signup_date", "c")
    year, month = draw_year(rng), rng.randint(1, 12)
    day = date(year, 1, 1) + timedelta(days=rng.randint(0, 364))
    how = rng.choices(
        ["year", "month", "quarter", "half", "days", "years", "months", "since", "before", "after",
         "since_month", "before_month", "after_month", "since_day", "before_day", "after_day", "on_day"],
        weights=[38, 20, 13, 3, 7, 4, 5, 5, 5, 3, 3, 2, 2, 3, 3, 4, 3],
    )[0]  # fmt: skip
    span = _spans(rng, how, year, month, day)
    return Filter(kind, table, " AND ".join(f"{column} {sign} '{edge}'" for sign, edge in span[1]), span[0], how)


def _spans(
    rng: random.Random, how: str, year: int, month: int, day: date
) -> tuple[tuple[Any, ...], list[tuple[str, str]]]:
    """What is said of a period, and its edges."""
    start, following = f"{year}-01-01", f"{year + 1}-01-01"
    if how == "year":
        return (year,), [(">=", start), ("<", following)]
    if how == "years":
        last = year + rng.choice([1, 1, 1, 2])
        return (year, last), [(">=", start), ("<", f"{last + 1}-01-01")]
    if how == "month":
        return (year, month), [(">=", _first(year, month)), ("<", _first(year, month + 1))]
    if how == "months":
        last_month = rng.randint(month, 12)
        return (year, month, last_month), [(">=", _first(year, month)), ("<", _first(year, last_month + 1))]
    if how == "quarter":
        quarter = rng.randint(1, 4)
        return (year, quarter), [(">=", _first(year, quarter * 3 - 2)), ("<", _first(year, quarter * 3 + 1))]
    if how == "half":
        half = rng.randint(1, 2)
        return (year, half), [(">=", _first(year, half * 6 - 5)), ("<", _first(year, half * 6 + 1))]
    if how == "days":
        last_day = day + timedelta(days=rng.choice([1, 6, 7, 13, 14, 30, 31, 59, 60, 90, 120]))
        return (day, last_day), [(">=", day.isoformat()), ("<=", last_day.isoformat())]
    if how in ("since", "before"):
        return (year,), [(">=" if how == "since" else "<", start)]
    if how == "after":
        return (year,), [(">=", following)]
    if how in ("since_month", "before_month"):
        return (year, month), [(">=" if how == "since_month" else "<", _first(year, month))]
    if how == "after_month":
        return (year, month), [(">=", _first(year, month + 1))]
    if rng.random() < 0.3:
        day = day.replace(day=1)
    sign = {"since_day": ">=", "before_day": "<", "after_day": ">", "on_day": "="}[how]
    return (day,), [(sign, day.isoformat())]


def _first(year: int, month: int) -> str:
    return f"{year + (month - 1) // 12}-{(month - 1) % 12 + 1:02}-01"


def draw_measure(rng: random.Random, fits: Callable[[Measure], bool] = lambda _: True) -> Measure:
    pool = [measure for measure in MEASURES.values() if fits(measure)]
    return rng.choices(pool, weights=[_WEIGHTS.get(measure.key, 0.8) for measure in pool])[0]


def draw_dim(rng: random.Random, keys: Iterable[str]) -> Dim:
    pool = [DIMS[key] for key in keys]
    return rng.choices(pool, weights=[_DIM_WEIGHTS.get(dim.key, 1) for dim in pool])[0]


def kinds_beside(measure: Measure, *dims: Dim) -> list[str]:
    """Filters that make sense when the answer is grouped: not on the group itself."""
    kinds = [kind for kind in measure.filters if kind not in {dim.key for dim in dims}]
    if any(dim.key in ("customer", "product") for dim in dims):
        kinds = [kind for kind in kinds if kind not in ("customer", "product")]
    return [kind for kind in kinds if kind != "customer" or not any(dim.key in _PEOPLE for dim in dims)]


def scalar(rng: random.Random) -> Query:
    measure = draw_measure(rng)
    filters = draw_filters(rng, measure.filters, (16, 40, 32, 10))
    tables = measure.tables | {f.table for f in filters}
    return Query("scalar", statement(measured(measure, tables) + f" AS {measure.alias}", measure.tables, filters), filters,
                 {"measure": measure})  # fmt: skip


def grouped(rng: random.Random) -> Query:
    measure = draw_measure(rng, lambda m: bool(m.dims))
    dim = draw_dim(rng, measure.dims)
    filters = draw_filters(rng, kinds_beside(measure, dim), (42, 40, 14, 3))
    order = rng.choices([None, "desc", "asc", "name"], weights=[82, 8, 5, 5])[0]
    if dim.in_time:
        order = rng.choice([None, None, "time"])
    return Query("grouped", grouped_statement(measure, [dim], filters, _ordering(measure, dim, order)), filters,
                 {"measure": measure, "dim": dim, "order": order})  # fmt: skip


def _ordering(measure: Measure, dim: Dim, order: str | None) -> str:
    if dim.in_time:
        return f" ORDER BY {dim.group}"
    if order == "name":
        return f" ORDER BY {dim.select}"
    return f" ORDER BY {measure.alias}{'' if order == 'asc' else ' DESC'}"


def grouped_statement(measure: Measure, dims: list[Dim], filters: list[Filter], tail: str, only: bool = False) -> str:
    tables = measure.tables | {dim.table for dim in dims}
    value = measured(measure, tables | {f.table for f in filters})
    columns = [dim.select for dim in dims] + ([] if only else [f"{value} AS {measure.alias}"])
    if only:
        tail = tail.replace(f"ORDER BY {measure.alias}", f"ORDER BY {value}")
    tail = tail.replace("HAVING @", f"HAVING {value}")
    return statement(", ".join(columns), tables, filters, f" GROUP BY {', '.join(dim.group for dim in dims)}{tail}")


def two_dims(rng: random.Random) -> Query:
    measure = draw_measure(rng, lambda m: len(m.dims) > 2 and m.key not in ("first_order", "last_order"))
    keys = [key for key in measure.dims if key not in ("product", "customer", "weekday")]
    first, second = DIMS[rng.choice(keys)], DIMS[rng.choice(keys)]
    if first == second or (first.in_time and second.in_time):
        return grouped(rng)
    filters = draw_filters(rng, kinds_beside(measure, first, second), (60, 34, 6))
    return Query("two_dims", grouped_statement(measure, [first, second], filters, f" ORDER BY {first.group}, {second.group}"), filters,
                 {"measure": measure, "dim": first, "dim2": second})  # fmt: skip


def two_measures(rng: random.Random) -> Query:
    sets = [["revenue", "orders"], ["revenue", "units"], ["orders", "units"], ["orders", "buyers"], ["revenue", "order_value"],
            ["lowest_price", "highest_price"], ["lowest_price", "highest_price", "average_price"], ["products", "average_price"],
            ["revenue", "orders", "units"], ["first_order", "last_order"], ["orders", "order_value"]]  # fmt: skip
    measures = [MEASURES[key] for key in rng.choice(sets)]
    rng.shuffle(measures)
    shared = [
        key for key in DIMS if all(key in measure.dims for measure in measures) and key not in ("weekday", "quarter")
    ]
    dim = draw_dim(rng, shared) if rng.random() < 0.8 else None
    kinds = [
        kind for kind in kinds_beside(measures[0], *([dim] if dim else [])) if all(kind in m.filters for m in measures)
    ]
    filters = draw_filters(rng, kinds, (55, 35, 10))
    tables = frozenset().union(*(m.tables for m in measures), {dim.table} if dim else set())
    counted = tables | {f.table for f in filters}
    columns = ([dim.select] if dim else []) + [f"{measured(m, counted)} AS {m.alias}" for m in measures]
    tail = f" GROUP BY {dim.group}{_ordering(measures[0], dim, None)}" if dim else ""
    return Query(
        "two_measures",
        statement(", ".join(columns), tables, filters, tail),
        filters,
        {"measures": measures, "dim": dim},
    )


_RANKED = ("revenue", "units", "orders", "buyers", "customers", "products", "order_value", "average_price", "items_per_order",
           "products_sold", "revenue_per_buyer")  # fmt: skip


def ranked(rng: random.Random) -> Query:
    measure = draw_measure(rng, lambda m: m.key in _RANKED)
    keys = [key for key in measure.dims if key not in ("quarter", "signup_month")]
    keys += [key for key in ("product", "customer", "product", "customer", "category", "country") if key in keys]
    dim = draw_dim(rng, keys)
    filters = draw_filters(rng, kinds_beside(measure, dim), (50, 36, 12, 2))
    lowest = rng.random() < 0.25
    count = rng.choice([1, 1, 1, 2, 3, 3, 4, 5, 5, 5, 6, 7, 8, 10, 10, 15, 20])
    said = rng.choices(["nothing", "only", "both"], weights=[50, 25, 25])[0]
    only = said == "only" or (said == "nothing" and count == 1)
    tail = f" ORDER BY {measure.alias}{'' if lowest else ' DESC'} LIMIT {count}"
    return Query("ranked_one" if count == 1 else "ranked", grouped_statement(measure, [dim], filters, tail, only), filters,
                 {"measure": measure, "dim": dim, "n": count, "lowest": lowest, "said": said})  # fmt: skip


_THRESHOLDS: dict[str, Callable[[random.Random], int]] = {
    "revenue": lambda rng: rng.choice(
        [rng.randint(1, 19) * 500, rng.randint(1, 20) * 1000, rng.randint(1, 30) * 10000]
    ),
    "units": lambda rng: rng.choice([rng.randint(2, 30), rng.randint(1, 40) * 10, rng.randint(1, 10) * 100]),
    "orders": lambda rng: rng.choice([rng.randint(1, 12), rng.randint(1, 12), rng.randint(2, 50) * 5]),
    "buyers": lambda rng: rng.choice([rng.randint(2, 20), rng.randint(1, 10) * 10]),
    "customers": lambda rng: rng.choice([rng.randint(1, 20), rng.randint(1, 10) * 5]),
    "products": lambda rng: rng.randint(1, 6),
    "order_value": lambda rng: rng.randint(2, 40) * 50,
    "average_price": lambda rng: rng.randint(1, 40) * 10,
}
SIGNS = {"above": ">", "at_least": ">=", "below": "<", "exactly": "=", "at_most": "<="}


def having(rng: random.Random) -> Query:
    measure = draw_measure(rng, lambda m: m.key in _THRESHOLDS)
    keys = [
        key
        for key in measure.dims
        if key not in ("year", "quarter", "weekday", "signup_month", "signup_year", "status")
    ]
    keys += [key for key in ("customer", "customer", "product", "product") if key in keys]
    dim = draw_dim(rng, keys)
    filters = draw_filters(rng, kinds_beside(measure, dim), (64, 30, 6))
    how = rng.choices(list(SIGNS), weights=[60, 18, 14, 4, 4])[0]
    if measure.key not in ("orders", "customers", "buyers") and how == "exactly":
        how = "above"
    threshold = _THRESHOLDS[measure.key](rng)
    limit = f" HAVING @ {SIGNS[how]} {threshold}"
    slots = {"measure": measure, "dim": dim, "how": how, "threshold": threshold}
    if dim.key in ("customer", "product", "city", "country") and rng.random() < 0.22:
        tables = measure.tables | {dim.table}
        value = measured(measure, tables | {f.table for f in filters})
        inner = statement(dim.group, tables, filters, f" GROUP BY {dim.group}{limit.replace('@', value)}")
        return Query("count_having", f"SELECT COUNT(*) FROM ({inner})", filters, slots)
    said = rng.choices(["nothing", "only", "both"], weights=[45, 20, 35])[0]
    order = f" ORDER BY {dim.group if dim.in_time else measure.alias + ' DESC'}" if said == "both" else ""
    return Query(
        "having",
        grouped_statement(measure, [dim], filters, limit + order, only=said != "both"),
        filters,
        {**slots, "said": said},
    )


def compare(rng: random.Random) -> Query:
    measure = draw_measure(rng, lambda m: len(m.dims) > 3 and m.key not in ("first_order", "last_order", "lines"))
    dim = DIMS[rng.choice([key for key in measure.dims if key in (*_TEXT_COLUMNS, "year")])]
    count = rng.choice([2, 2, 2, 3])
    if dim.key == "year":
        first = rng.choice([2022, 2023, 2023, 2024, 2024, 2025])
        chosen = [str(first), str(first + 1)]
        limit = Filter(
            "date", "o", f"strftime('%Y', o.order_date) IN ({', '.join(map(quote, chosen))})", tuple(chosen), "compared"
        )
    else:
        table, column, draw_value = _TEXT_COLUMNS[dim.key]
        chosen = list(dict.fromkeys(draw_value(rng) for _ in range(count)))
        if len(chosen) < 2:
            return compare(rng)
        limit = Filter(dim.key, table, f"{column} IN ({', '.join(map(quote, chosen))})", tuple(chosen), "compared")
    filters = draw_filters(rng, [kind for kind in kinds_beside(measure, dim) if kind != limit.kind], (62, 34, 4))
    return Query("compare", grouped_statement(measure, [dim], [*filters, limit], _ordering(measure, dim, None)), filters,
                 {"measure": measure, "dim": dim, "compared": chosen})  # fmt: skip


def share(rng: random.Random) -> Query:
    measure = MEASURES[rng.choice(["orders", "orders", "revenue", "customers", "products", "units"])]
    kinds = {"orders": ("status", "status", "channel", "country", "city", "segment"),
             "revenue": ("category", "product", "country", "segment", "channel", "city", "status"),
             "units": ("category", "product", "channel", "country"),
             "customers": _PEOPLE, "products": ("category",)}[measure.key]  # fmt: skip
    table, column, draw_value = _TEXT_COLUMNS[kind := rng.choice(kinds)]
    part = Filter(kind, table, f"{column} = {quote(value := draw_value(rng))}", value)
    filters = draw_filters(
        rng, [k for k in measure.filters if k in ("date", "country", "category", "channel") and k != kind], (66, 30, 4)
    )
    dims = [
        key
        for key in measure.dims
        if key in (*_PEOPLE, "category", "channel", "year", "month", "status") and key != kind
    ]
    dim = DIMS[rng.choice(dims)] if dims and measure.key in ("orders", "revenue") and rng.random() < 0.25 else None
    if dim and measure.key == "orders" and dim.table == "p":
        dim = None
    if measure.key == "orders":
        filters = [f for f in filters if f.table != "p"]
    if dim:
        filters = [f for f in filters if f.kind not in (dim.key, "date" if dim.in_time else "")]
    percent = rng.random() < 0.85
    amount = {"revenue": "oi.quantity * oi.unit_price", "units": "oi.quantity"}.get(measure.key, "1")
    whole = measure.sql
    factor = "100.0" if percent else "1.0"
    ratio = f"{factor} * SUM(CASE WHEN {part.sql} THEN {amount} ELSE 0 END) / {whole} AS share"
    tables = measure.tables | {table} | ({dim.table} if dim else set())
    columns = f"{dim.select}, {ratio}" if dim else ratio
    tail = f" GROUP BY {dim.group} ORDER BY {dim.group if dim.in_time else 'share DESC'}" if dim else ""
    return Query("share_by" if dim else "share", statement(columns, tables, filters, tail), filters,
                 {"measure": measure, "part": part, "dim": dim, "percent": percent})  # fmt: skip


def shares(rng: random.Random) -> Query:
    """What each group makes up of the whole, of all there is or of what the filters leave."""
    measure = MEASURES[rng.choice(["revenue", "revenue", "orders", "customers", "units", "products"])]
    dim = draw_dim(rng, [key for key in measure.dims if key in _TEXT_COLUMNS and key not in ("customer", "product")])
    if measure.key == "orders" and dim.table == "p":
        dim = DIMS["status"]
    whole = {"revenue": "SELECT SUM(quantity * unit_price) FROM order_items", "units": "SELECT SUM(quantity) FROM order_items",
             "orders": "SELECT COUNT(*) FROM orders", "customers": "SELECT COUNT(*) FROM customers",
             "products": "SELECT COUNT(*) FROM products"}[measure.key]  # fmt: skip
    kinds = [
        kind for kind in kinds_beside(measure, dim) if kind in ("date", "country", "segment", "channel", "category")
    ]
    filters = draw_filters(rng, [k for k in kinds if measure.key != "orders" or k != "category"], (60, 38, 2))
    whole = f"SUM({measure.sql}) OVER ()" if filters else f"({whole})"
    columns = f"{dim.select}, 100.0 * {measure.sql} / {whole} AS share"
    return Query("shares", statement(columns, measure.tables | {dim.table}, filters, f" GROUP BY {dim.group} ORDER BY share DESC"), filters,
                 {"measure": measure, "dim": dim})  # fmt: skip


ENTITIES: dict[str, tuple[str, str, dict[str, str]]] = {
    "customer": ("c", "customer_id", {"name": "c.name", "city": "c.city", "country": "c.country", "segment": "c.segment",
                                      "signup_date": "c.signup_date", "customer_id": "c.customer_id"}),
    "product": ("p", "product_id", {"name": "p.product_name", "category": "p.category", "price": "p.price",
                                    "product_id": "p.product_id"}),
    "order": ("o", "order_id", {"order_id": "o.order_id", "date": "o.order_date", "status": "o.status", "channel": "o.channel",
                                "customer": "c.name"}),
}  # fmt: skip
_OWN_FILTERS = {"customer": (*_PEOPLE, "signup"), "product": ("category", "price"), "order": _ALL}
_FAR_FILTERS = {
    "customer": ("category", "product", *_SALE, "product", "date"),
    "product": (*_PEOPLE, "customer", *_SALE),
    "order": (),
}


def draw_columns(rng: random.Random, entity: str) -> list[str]:
    """The columns asked for by name; none said means the name (of an order: its id)."""
    names = list(ENTITIES[entity][2])
    draw_one = rng.random()
    if draw_one < 0.35:
        return []
    if draw_one < 0.55:
        return names[:1]
    others = rng.sample(names[1:-1] if entity != "order" else names[1:], rng.choice([1, 1, 1, 2]))
    return names[:1] + others if rng.random() < 0.93 else rng.sample(names, 2)


def listed(rng: random.Random) -> Query:
    entity = rng.choices(["customer", "product", "order"], weights=[5, 3.5, 2.5])[0]
    table, _, names = ENTITIES[entity]
    filters = draw_filters(rng, _OWN_FILTERS[entity], (12, 55, 27, 5))
    if _FAR_FILTERS[entity] and rng.random() < 0.42:
        filters = draw_filters(rng, _OWN_FILTERS[entity], (65, 35)) + draw_filters(
            rng, _FAR_FILTERS[entity], (0, 75, 25)
        )
    columns = draw_columns(rng, entity)
    chosen = [names[key] for key in columns or list(names)[:1]]
    order, tail = _row_order(rng, entity, columns)
    tables = {table, *(column.split(".")[0] for column in chosen)}
    multiplied = joined({*tables, *(f.table for f in filters)}) - {table, *({"c"} if entity == "order" else ())}
    if multiplied:
        tail, order = "", None
    return Query("listed", statement(", ".join(chosen), tables, filters, tail, bool(multiplied)), filters,
                 {"entity": entity, "columns": columns, "order": order, "far": bool(multiplied)})  # fmt: skip


def _row_order(rng: random.Random, entity: str, columns: list[str]) -> tuple[tuple[str, str] | None, str]:
    if rng.random() > 0.3:
        return None, ""
    keys = {"customer": ["name", "name", "signup_date", *columns], "product": ["price", "price", "name", *columns],
            "order": ["date", "date", *columns]}[entity]  # fmt: skip
    key = rng.choice(keys)
    down = rng.random() < (0.6 if key in ("price", "date", "signup_date") else 0.12)
    return (key, "desc" if down else "asc"), f" ORDER BY {ENTITIES[entity][2][key]}{' DESC' if down else ''}"


def extreme(rng: random.Random) -> Query:
    """The cheapest, the dearest, the newest, the first: one or several rows by one column."""
    entity, key = rng.choice([("product", "price")] * 3 + [("customer", "signup_date"), ("order", "date")])
    table, _, names = ENTITIES[entity]
    filters = draw_filters(
        rng, _OWN_FILTERS[entity] if entity != "order" else (*_PEOPLE, "customer", *_SALE), (45, 45, 10)
    )
    filters = [f for f in filters if f.kind not in ("price", "signup")]
    down = rng.random() < 0.55
    count = rng.choice([1, 1, 1, 2, 3, 3, 4, 5, 5, 6, 8, 10, 10, 20])
    said = rng.choices(["nothing", "only", "both"], weights=[45, 25, 30])[0]
    columns = [next(iter(names))] + (
        [key] if said == "both" or (said == "nothing" and count > 1 and entity != "order") else []
    )
    if count == 1 and entity == "order":
        columns = ["order_id", *(["date"] if said == "both" else [])]
    tail = f" ORDER BY {names[key]}{' DESC' if down else ''} LIMIT {count}"
    return Query("extreme", statement(", ".join(names[column] for column in columns), {table}, filters, tail), filters,
                 {"entity": entity, "key": key, "down": down, "n": count, "said": said})  # fmt: skip


def big_orders(rng: random.Random) -> Query:
    """Orders by their value or size: ranked, above a limit, counted, or the figure alone."""
    value, alias = (REVENUE, "value") if rng.random() < 0.8 else ("SUM(oi.quantity)", "units")
    filters = draw_filters(rng, (*_PEOPLE, "customer", *_SALE), (60, 34, 6))
    how = rng.choice(["top", "top", "limit", "limit", "count", "figure"])
    slots: dict[str, Any] = {"of": alias, "lowest": rng.random() < 0.25}
    group = " GROUP BY oi.order_id"
    if how == "top":
        slots |= {"n": rng.choice([1, 1, 1, 3, 5, 5, 10, 20, 2, 4]), "said": rng.choice(["nothing", "only", "both"])}
        only = slots["said"] == "only" or (slots["said"] == "nothing" and slots["n"] == 1)
        columns = "oi.order_id" if only else f"oi.order_id, {value} AS {alias}"
        tail = f"{group} ORDER BY {value if only else alias}{'' if slots['lowest'] else ' DESC'} LIMIT {slots['n']}"
        return Query("top_orders", statement(columns, _OI, filters, tail), filters, slots)
    if how == "figure":
        inner = statement(f"{value} AS {alias}", _OI, filters, group)
        return Query(
            "order_figure", f"SELECT {'MIN' if slots['lowest'] else 'MAX'}({alias}) FROM ({inner})", filters, slots
        )
    slots["threshold"] = rng.randint(1, 60) * 50 if alias == "value" else rng.randint(2, 20)
    slots["said"] = rng.choice(["nothing", "only", "both"])
    limit = f"{group} HAVING {value} {'<' if slots['lowest'] else '>'} {slots['threshold']}"
    if how == "count":
        return Query(
            "orders_over_count",
            f"SELECT COUNT(*) FROM ({statement('oi.order_id', _OI, filters, limit)})",
            filters,
            slots,
        )
    columns = "oi.order_id" + (f", {value} AS {alias}" if slots["said"] == "both" else "")
    return Query("orders_over", statement(columns, _OI, filters, limit), filters, slots)


def absent(rng: random.Random) -> Query:
    """Customers who never ordered (this, then), products that never sold (there, then)."""
    entity = rng.choices(["customer", "product"], weights=[3, 2])[0]
    table, key, names = ENTITIES[entity]
    own = draw_filters(rng, _OWN_FILTERS[entity], (68, 30, 2))
    far = draw_filters(rng, _FAR_FILTERS[entity], (50, 46, 4))
    far = [
        f
        for f in far
        if f.how in ("is", "year", "month", "quarter", "since", "after", "half", "since_month", "since_day")
    ]
    inner = statement(f"{'o' if entity == 'customer' else 'oi'}.{key}", _O if entity == "customer" else _OI, far)
    columns = draw_columns(rng, entity)
    counted = rng.random() < 0.25
    select = "COUNT(*)" if counted else ", ".join(names[column] for column in columns or list(names)[:1])
    where = conditions(own)
    sql = f"SELECT {select}{FROM[table]} WHERE {where + ' AND ' if where else ''}{table}.{key} NOT IN ({inner})"
    return Query("absent_count" if counted else "absent", sql, own, {"entity": entity, "far": far, "columns": columns})


def both(rng: random.Random) -> Query:
    """Customers who did one thing and also, or not, another."""
    kind = rng.choice(["product", "product", "category", "channel", "year", "year"])
    if kind == "year":
        first = rng.choice([2022, 2023, 2023, 2024, 2024])
        done = [_year_filter(year) for year in rng.sample([first, first + 1], 2)]
    else:
        done = [draw_filter(rng, kind) for _ in range(2)]
        if done[0].value == done[1].value or any(f.how != "is" for f in done):
            return both(rng)
    negated = rng.random() < 0.55
    parts = [statement("o.customer_id", _O, [f]) for f in done]
    counted = rng.random() < 0.25
    own = draw_filters(rng, _PEOPLE, (80, 20))
    where = conditions(own)
    sql = (
        f"SELECT {'COUNT(*)' if counted else 'c.name'}{FROM['c']} WHERE {where + ' AND ' if where else ''}"
        f"c.customer_id IN ({parts[0]}) AND c.customer_id {'NOT IN' if negated else 'IN'} ({parts[1]})"
    )
    return Query("both_count" if counted else "both", sql, own, {"kind": kind, "done": done, "negated": negated})


def _year_filter(year: int) -> Filter:
    return Filter("date", "o", f"o.order_date >= '{year}-01-01' AND o.order_date < '{year + 1}-01-01'", (year,), "year")


def beside_average(rng: random.Random) -> Query:
    above = rng.random() < 0.7
    filters = draw_filters(rng, ("category",), (70, 30))
    filters = [f for f in filters if f.how == "is"]
    columns = draw_columns(rng, "product")
    names = ENTITIES["product"][2]
    counted = rng.random() < 0.2
    select = "COUNT(*)" if counted else ", ".join(names[column] for column in columns or ["name"])
    where = conditions(filters)
    sign = ">" if above else "<"
    sql = f"SELECT {select} FROM products p WHERE {where + ' AND ' if where else ''}p.price {sign} (SELECT AVG(price) FROM products)"
    return Query(
        "beside_average_count" if counted else "beside_average", sql, filters, {"above": above, "columns": columns}
    )


def distinct(rng: random.Random) -> Query:
    key = rng.choice(["city", "country", "segment", "category", "status", "channel"])
    table = _TEXT_COLUMNS[key][0]
    kinds = {
        "c": [k for k in ("country", "segment") if k != key],
        "p": ["price"],
        "o": ["date", "country", "customer"],
    }[table]
    if key == "country":
        kinds = ["segment"]
    filters = draw_filters(rng, kinds, (62, 38))
    ordered = rng.random() < 0.2
    sql = statement(DIMS[key].select, {table}, filters, f" ORDER BY {DIMS[key].select}" if ordered else "", True)
    return Query("distinct", sql, filters, {"dim": DIMS[key], "ordered": ordered})


def lookup(rng: random.Random) -> Query:
    """One fact about one named thing."""
    person, product, number = (
        values.person(rng),
        values.product(rng),
        str(rng.choice([rng.randint(1, 120), rng.randint(1, 900)])),
    )
    order_total = "order_items oi WHERE oi.order_id ="
    facts = {
        "price_of": (f"SELECT p.price FROM products p WHERE p.product_name = {quote(product)}", product),
        "category_of": (f"SELECT p.category FROM products p WHERE p.product_name = {quote(product)}", product),
        "price_category_of": (f"SELECT p.price, p.category FROM products p WHERE p.product_name = {quote(product)}", product),
        "city_country_of": (f"SELECT c.city, c.country FROM customers c WHERE c.name = {quote(person)}", person),
        "order_status_date_of": (f"SELECT o.status, o.order_date FROM orders o WHERE o.order_id = {number}", number),
        "city_of": (f"SELECT c.city FROM customers c WHERE c.name = {quote(person)}", person),
        "country_of": (f"SELECT c.country FROM customers c WHERE c.name = {quote(person)}", person),
        "segment_of": (f"SELECT c.segment FROM customers c WHERE c.name = {quote(person)}", person),
        "signup_of": (f"SELECT c.signup_date FROM customers c WHERE c.name = {quote(person)}", person),
        "order_value_of": (f"SELECT {REVENUE} AS value FROM {order_total} {number}", number),
        "order_units_of": (f"SELECT SUM(oi.quantity) AS units FROM {order_total} {number}", number),
        "order_status_of": (f"SELECT o.status FROM orders o WHERE o.order_id = {number}", number),
        "order_date_of": (f"SELECT o.order_date FROM orders o WHERE o.order_id = {number}", number),
        "order_channel_of": (f"SELECT o.channel FROM orders o WHERE o.order_id = {number}", number),
        "order_customer_of": ("SELECT c.name FROM orders o JOIN customers c ON c.customer_id = o.customer_id"
                              f" WHERE o.order_id = {number}", number),
        "order_products_of": (statement("p.product_name", {"oi", "p"}) + f" WHERE oi.order_id = {number}", number),
        "order_lines_of": (statement("p.product_name, oi.quantity", {"oi", "p"}) + f" WHERE oi.order_id = {number}", number),
        "order_lines_price_of": (statement("p.product_name, oi.quantity, oi.unit_price", {"oi", "p"})
                                 + f" WHERE oi.order_id = {number}", number),
        "orders_of_number": (f"SELECT o.order_id FROM orders o WHERE o.customer_id = {number}", number),
        "order_count_of_number": (f"SELECT COUNT(*) FROM orders o WHERE o.customer_id = {number}", number),
        "name_of_number": (f"SELECT c.name FROM customers c WHERE c.customer_id = {number}", number),
        "spent_of_number": (statement(f"{REVENUE} AS revenue", {"oi", "o"}) + f" WHERE o.customer_id = {number}", number),
        "product_of_number": (f"SELECT p.product_name FROM products p WHERE p.product_id = {number}", number),
    }  # fmt: skip
    key = rng.choice(list(facts))
    return Query(key, facts[key][0], [], {"value": facts[key][1]})


SHAPES: dict[str, tuple[float, Callable[[random.Random], Query]]] = {
    "scalar": (22, scalar),
    "grouped": (20, grouped),
    "two_dims": (3, two_dims),
    "two_measures": (3, two_measures),
    "ranked": (15, ranked),
    "having": (7, having),
    "compare": (3.5, compare),
    "share": (4, share),
    "shares": (2, shares),
    "listed": (12, listed),
    "extreme": (5, extreme),
    "big_orders": (3, big_orders),
    "absent": (4, absent),
    "both": (2, both),
    "beside_average": (1, beside_average),
    "distinct": (2, distinct),
    "lookup": (4.5, lookup),
}
