"""Rarer questions, each kind with its SQL and its English frames side by side; Polish has words for few of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import values
from intents import (
    DIMS,
    ENTITIES,
    FROM,
    MEASURES,
    REVENUE,
    SHAPES,
    Query,
    conditions,
    draw_filters,
    grouped_statement,
    joined,
    kinds_beside,
    quote,
    statement,
)

Frames = list[str]
_GIVE = "[|show |show me |list |give me |i need |find |get me |can i see ][the |all |]"
_OI = frozenset(["oi"])
_PLACES = ("country", "city", "segment")


def side_by_side(rng: random.Random) -> Query:
    """One row per group with two years as columns."""
    measure = MEASURES[rng.choice(["revenue", "revenue", "revenue", "orders", "units"])]
    keys = [*_PLACES, "channel", "status"] + (
        [] if measure.key == "orders" else ["category", "product", "category", "category"]
    )
    dim = DIMS[rng.choice(keys)]
    kinds = [kind for kind in kinds_beside(measure, dim) if kind != "date"]
    if measure.key == "orders":
        kinds = [kind for kind in kinds if kind not in ("category", "product")]
    filters = draw_filters(rng, kinds, (72, 26, 2))
    first = rng.choice([2022, 2023, 2023, 2023, 2024, 2024])
    second = first + rng.choice([1, 1, 1, 2])
    amount = {"revenue": "oi.quantity * oi.unit_price", "units": "oi.quantity"}.get(measure.key, "1")
    parts = [
        f"SUM(CASE WHEN strftime('%Y', o.order_date) = '{year}' THEN {amount} ELSE 0 END)" for year in (first, second)
    ]
    sql = statement(
        f"{dim.select}, {parts[0]}, {parts[1]}", measure.tables | {"o", dim.table}, filters, f" GROUP BY {dim.group}"
    )
    return Query("side_by_side", sql, filters,
                 {"measure": measure, "dim": dim, "say": {"y1": str(first), "y2": str(second)}})  # fmt: skip


_COLUMNS_TAIL = "[, |- |][side by side|both years side by side|one row per {dim}|one row per {dim} with both years|one column per year|in two columns|in separate columns|each year in its own column|with a column for each year|as two columns|years as columns]"
_TWO_VALUES = "[:|-|, show|? i want|, give me|, columns] {dim} , {m} {y1} , {m} {y2}"
SIDE_BY_SIDE = [
    f"compare [the|] {{y1}} and {{y2}} {{m}} [for every|for each|by|per] {{dim}} {{f}} {_COLUMNS_TAIL}",
    f"{_GIVE}{{m}} [by|per|for each] {{dim}} {{f}} [in|for] {{y1}} and {{y2}} {_COLUMNS_TAIL}",
    f"compare {{y1}} [with|to|against|and|vs] {{y2}} [for every|for each|by|per] {{dim}} {{f}} {_TWO_VALUES}",
    f"{{m}} [of|in] {{y1}} [versus|vs|and|against|next to] {{y2}} [for every|for each|by|per] {{dim}} {{f}} {_COLUMNS_TAIL}",
    "for [each|every] {dim} [show|give me|i want|list|:|,] [the|] {m} [in|of|for] {y1} and [the|] {m} [in|of|for] {y2} {f}",
    "{dim} , {m} {y1} , {m} {y2} {f}",
    "how did {m} [change|develop|move] from {y1} to {y2} [per|by|for each|in each] {dim} {f} ? [show|give me|i want] both [years|figures|numbers]",
    "[per|for each] {dim} : {m} [in|] {y1} and [in|] {y2} {f} [, two columns|, side by side|]",
]


def alike(rng: random.Random) -> Query:
    """Names that contain, start or end with something."""
    entity = rng.choice(["product", "product", "product", "customer"])
    table, _, names = ENTITIES[entity]
    name = values.product(rng) if entity == "product" else values.person(rng)
    word = rng.choice(name.split())
    how = rng.choices(["contains", "starts", "ends"], weights=[60, 30, 10])[0]
    if how == "starts":
        word = rng.choice([name.split()[0], name[0], name[:2], name[:3], name[0]])
    pattern = {"contains": f"%{word}%", "starts": f"{word}%", "ends": f"%{word}"}[how]
    filters = draw_filters(rng, ("category", "price") if entity == "product" else _PLACES, (78, 22))
    own = conditions(filters)
    where = f"{own + ' AND ' if own else ''}{names['name']} LIKE {quote(pattern)}"
    columns = rng.choice(
        [[], [], ["name"], ["name", "price" if entity == "product" else "city"], ["name", list(names)[1]]]
    )
    counted = rng.random() < 0.25
    select = "COUNT(*)" if counted else ", ".join(names[column] for column in columns or ["name"])
    sql = f"SELECT {select}{FROM[table]} WHERE {where}"
    said = (
        f"[{word}|{word}|'{word}'|\"{word}\"|the word {word}]"
        if how != "starts"
        else f"[{word}|{word}|'{word}'|\"{word}\"|the letter {word}]"
    )
    return Query("alike_count" if counted else "alike", sql, filters,
                 {"entity": entity, "columns": columns, "say": {"piece": said}, "how_alike": how})  # fmt: skip


_LIKE = {
    "contains": "[with|with|having|containing|that have|whose name contains|whose name includes|that contain|called something with|where the name contains|matching] {piece} [in the name|in their name|in it|somewhere in the name|]",
    "starts": "[whose name starts with|whose names start with|starting with|that start with|beginning with|whose name begins with|where the name starts with|with a name starting with] {piece}",
    "ends": "[whose name ends with|ending with|ending in|that end with|whose names end in] {piece}",
}


def _alike(s: dict[str, Any]) -> Frames:
    like = _LIKE[s["how_alike"]]
    rows = [
        f"[which|what] {{a}} {{things1}} [do we have|are there|] {like} {{f}}",
        f"{_GIVE}{{a}} {{things1}} {like} {{f}}",
        f"[do we have|are there|do we sell|have we got] [any|] {{a}} {{things1}} {like} {{f}}",
        f"{{things1}} {like} {{f}}",
        f"[search for|look up|find|find me] [all|every|the|] {{things1}} {like} {{f}}",
    ]
    if s["entity"] == "product":
        rows.append(f"[do we have|is there|do we sell] anything {like} {{f}}")
    if not s["columns"]:
        return rows
    return [r + t for r in rows for t in ("[ ,| -| ?|.] {cols}", "? give me the {cols}", " ({cols})", ", {cols} only", ". show [the|] {cols}")] + [
        f"[show |list |give me |][the |]{{cols}} of [all|the|] {{things1}} {like} {{f}}"]  # fmt: skip


def _alike_count(s: dict[str, Any]) -> Frames:
    like = _LIKE[s["how_alike"]]
    return [
        f"how many {{a}} {{things1}} [do we have|are there|have we got|] {like} {{f}}",
        f"[number|count] of {{a}} {{things1}} {like} {{f}}",
        "how many {a} {things1} [have|contain] {piece} in [the|their] name {f}"
        if s["how_alike"] == "contains"
        else f"how many {{a}} {{things1}} {like} {{f}}",
    ]


def beside_mean(rng: random.Random) -> Query:
    """Orders, customers or products above or below the average of their kind."""
    entity = rng.choice(["order", "order", "customer", "product"])
    above = rng.random() < 0.75
    sign = ">" if above else "<"
    counted = rng.random() < 0.4
    mean = {
        "order": f"(SELECT {REVENUE} / COUNT(DISTINCT oi.order_id) FROM order_items oi)",
        "customer": f"(SELECT {REVENUE} / COUNT(DISTINCT o.customer_id){FROM['oi']} JOIN orders o ON o.order_id = oi.order_id)",
        "product": "(SELECT 1.0 * SUM(oi.quantity) / COUNT(DISTINCT oi.product_id) FROM order_items oi)",
    }[entity]
    value = "SUM(oi.quantity)" if entity == "product" else REVENUE
    column, group, table = {
        "order": ("oi.order_id", "oi.order_id", "oi"),
        "customer": ("c.name", "c.customer_id", "c"),
        "product": ("p.product_name", "p.product_name", "p"),
    }[entity]
    both = not counted and rng.random() < 0.3
    alias = "units" if entity == "product" else "revenue"
    columns = column + (f", {value} AS {alias}" if both else "")
    filters = draw_filters(rng, ("country", "segment", "date") if entity == "order" else (), (80, 20))
    sql = statement(columns, _OI | {table}, filters, f" GROUP BY {group} HAVING {value} {sign} {mean}")
    return Query("beside_mean", f"SELECT COUNT(*) FROM ({sql})" if counted else sql, filters,
                 {"kind": entity, "above": above, "counted": counted, "both": both, "say": {}})  # fmt: skip


def _beside_mean(s: dict[str, Any]) -> Frames:
    beside = "[above|more than|over|higher than|greater than]" if s["above"] else "[below|less than|under|lower than]"
    ask = "how many" if s["counted"] else "[which|what|list|show|list the|find|give me the]"
    if s["kind"] == "order":
        frames = [
            f"{ask} orders [were|are] [worth|valued] {beside} [the|] average [order|order value|value|] {{f}}",
            f"{ask} orders [have|had] a [value|total|total value] {beside} [the|] average [order value|order|one|value|] {{f}}",
            f"{ask} orders [were|are] {beside} [the|our] average order [value|] {{f}}",
            f"{ask} orders [cost|brought in] {beside} the average order {{f}}",
        ]
        if not s["counted"]:
            frames += [
                f"orders {{f}} [worth|with a value|with a total] {beside} [the|] average",
                f"{beside} average orders {{f}}",
            ]
    elif s["kind"] == "customer":
        frames = [
            f"{ask} customers [spent|have spent|spend] {beside} [the|] average [customer|spend|]",
            f"{ask} customers [spent|have spent] {beside} [the|an] average customer [did|does|]",
            f"{ask} customers [have|had] {beside}[-| ]average [spending|revenue|spend]",
            f"{ask} customers [brought in|generated] {beside} [revenue than |] the average customer",
        ]
    else:
        frames = [
            f"{ask} products sold {beside} [units than|] [the|] average [product|]",
            f"{ask} products [sold|have sold] {beside} [the|] average [number of units|product|units]",
        ]
    if s["both"]:
        what = (
            "[units|the units|number of units]"
            if s["kind"] == "product"
            else "[value|amount|total]"
            if s["kind"] == "order"
            else "[amount|total|total spend|spend]"
        )
        who = "[order id|id]" if s["kind"] == "order" else "[name|names]"
        return [f + t for f in frames for t in (f"[, |? |. |- ]{who} and {what}", f" [with|and] their {what}")]
    if not s["counted"]:
        who = "order ids" if s["kind"] == "order" else "names"
        return [f + t for f in frames for t in ("", "", f"[, |? |. ][just|only|] {who} [only|please|]")]
    return frames


def per_period_mean(rng: random.Random) -> Query:
    """An average over months, days, years, countries ... of a figure."""
    key, dims = rng.choice([
        ("revenue", ("month", "month", "year", "day")), ("orders", ("month", "month", "year", "day", "country", "city")),
        ("units", ("month", "year", "day", "product")), ("customers", ("city", "country", "segment")), ("products", ("category",)),
        ("revenue", ("country", "product", "category")),
    ])  # fmt: skip
    measure = MEASURES[key]
    dim = DIMS[rng.choice(dims)]
    kinds = [
        k for k in kinds_beside(measure, dim) if k in ("category", "country", "segment", "channel", "status", "date")
    ]
    filters = draw_filters(rng, kinds, (52, 42, 6))
    inner = grouped_statement(measure, [dim], filters, "")
    return Query(
        "per_period_mean", f"SELECT AVG({measure.alias}) FROM ({inner})", filters, {"measure": measure, "dim": dim}
    )


PER_PERIOD_MEAN = [
    "[average|mean|avg] {m} per {dim} {f}",
    "[what is|what's|what was|show|give me] [the|our] [average|mean|avg] {m} per {dim} {f}",
    "[on average , |]{q} per {dim} [on average|on average|in the mean] {f}",
    "how many {m3} per {dim} on average {f}",
    "{m} per {dim} on average {f}",
    "average [number|amount] of {m3} [per|in a] {dim} {f}",
    "what [is|was] [the|our] {m} of an average {dim} {f}",
    "{q} in an average {dim} {f}",
]
_MONTHLY = {"month": "monthly", "year": "[yearly|annual]", "day": "daily"}


def _per_period_mean(s: dict[str, Any]) -> Frames:
    frames = [
        f
        for f in PER_PERIOD_MEAN
        if not ("many {m3}" in f or "number|amount" in f) or s["measure"].key not in ("revenue",)
    ]
    if adverb := _MONTHLY.get(s["dim"].key):
        frames += [
            f"[average|mean|avg] {adverb} {{m}} {{f}}",
            f"[what is|what was|what's] [our|the] average {adverb} {{m}} {{f}}",
        ] * 2
    return frames


_EACH = [("product", "category"), ("product", "category"), ("customer", "country"), ("customer", "city"), ("customer", "segment"),
         ("product", "country"), ("product", "segment"), ("product", "channel"), ("product", "year"), ("category", "country"),
         ("category", "year"), ("category", "segment"), ("channel", "country"), ("country", "year"), ("city", "country"), ("month", "year")]  # fmt: skip


def best_in_each(rng: random.Random) -> Query:
    first, second = (DIMS[key] for key in rng.choice(_EACH))
    keys = ["revenue", "revenue", "units"] + (["orders"] * 2 if "p" not in (first.table, second.table) else [])
    if (first.key, second.key) == ("city", "country"):
        keys += ["customers"]
    measure = MEASURES[rng.choice(keys)]
    both, lowest = rng.random() < 0.35, rng.random() < 0.15
    filters = draw_filters(rng, ("date",) if not second.in_time and measure.key != "customers" else (), (75, 25))
    inner = grouped_statement(measure, [second, first], filters, "")
    name = {"customer": "name", "product": "product_name"}.get(first.key, first.key)
    outer = f"{second.key}, {name}" + (f", {measure.alias}" if both else "")
    sql = f"SELECT {outer} FROM ({inner}) GROUP BY {second.key} HAVING {'MIN' if lowest else 'MAX'}({measure.alias})"
    return Query("best_in_each", sql, filters,
                 {"measure": measure, "dim": first, "dim2": second, "lowest": lowest, "both": both, "say": {}})  # fmt: skip


def _best_in_each(s: dict[str, Any]) -> Frames:
    frames = [
        "[which|what] {dim} [has|had|got] the {best} in [each|every] {dim2} {f}",
        "[|show |give me |list ][the |]{dim} with the {best} [in|for|per|of] [each|every] {dim2} {f}",
        "for [each|every] {dim2} [,|show|give me|list|:] [the|] {dim} with the {best} {f}",
        "{dim} with the {best} per {dim2} {f}",
        "[the |]" + ("[worst|weakest]" if s["lowest"] else "[best|top]") + " {dim} [per|in each|by|for each|of each|of every] {dim2} by {m} {f}",
        ("worst" if s["lowest"] else "[best|top|number one]") + " {dim} [in|of] [each|every] {dim2} [by|in terms of] {m} {f}",
    ]  # fmt: skip
    if s["dim"].key == "product" and s["measure"].key == "units" and not s["lowest"]:
        frames += ["[what is |show |][the |][best-selling|best selling|most popular|most sold|top selling] product [in|of|for|per] [each|every] {dim2} {f}",
                   "bestseller [in|of|per|for] [each|every] {dim2} {f}", "[which|what] product [sells best|sold best|sold the most|sold the most units] in [each|every] {dim2} {f}"] * 2  # fmt: skip
    if s["dim"].key == "customer" and s["measure"].key == "revenue" and not s["lowest"]:
        frames += ["[who is |][our |the |][best|top|biggest] customer [in|of|per|for] [each|every] {dim2} [by revenue|by spend|] {f}",
                   "who spent the most in [each|every] {dim2} {f}", "[top|biggest] spender [in|of|per] each {dim2} {f}"] * 2  # fmt: skip
    if s["both"]:
        return [f + t for f in frames for t in (" [with|and] [the|] {m2}", "[, |? |- |. ]{dim2} , {dim} and {m2}", "[, |? ]show [the|] {m2} too")]  # fmt: skip
    return [f + t for f in frames for t in ("", "", "", "[, |? |- |. ]{dim2} and {dim} [only|]", ", just the names")]


def extreme_in_each(rng: random.Random) -> Query:
    down = rng.random() < 0.65
    both = rng.random() < 0.45
    sql = f"SELECT p.category, p.product_name{', p.price' if both else ''} FROM products p GROUP BY p.category HAVING {'MAX' if down else 'MIN'}(p.price)"
    return Query("extreme_in_each", sql, [], {"entity": "product", "down": down, "both": both, "say": {}})


def _extreme_in_each(s: dict[str, Any]) -> Frames:
    frames = [
        "[what is |show |show me |list |find |give me |][the |]{most} {thing1} [in|of|per|for|from] [each|every] [category|product category|category]",
        "{most} {thing1} [per|by] category",
        "for [each|every] category [,|show|give me|list|:] [the|] {most} {thing1}",
        "[which|what] {thing1} is the {most} in [each|every] category",
    ]
    tails = ("[, |? |- |. ][with|and] [its|the] price", "[, |? |- |. ]category , [name|product|product name] and price") if s["both"] else ("", "", "[, |- |. ]category and [product|product name|name]")  # fmt: skip
    return [f"{f} {t}" for f in frames for t in tails]


_ORDINALS = {2: "[second|2nd]", 3: "[third|3rd]", 4: "[fourth|4th]", 5: "[fifth|5th]"}


def nth(rng: random.Random) -> Query:
    """The second, third ... of a ranking."""
    place = rng.choice([2, 2, 2, 3, 3, 4, 5])
    tail = f" LIMIT 1 OFFSET {place - 1}"
    if rng.random() < 0.4:
        down, both = rng.random() < 0.7, rng.random() < 0.35
        filters = draw_filters(rng, ("category",), (70, 30))
        sql = statement(
            "p.product_name" + (", p.price" if both else ""),
            {"p"},
            filters,
            f" ORDER BY p.price{' DESC' if down else ''}{tail}",
        )
        return Query("nth_price", sql, filters,
                     {"entity": "product", "down": down, "both": both, "say": {"nth": _ORDINALS[place]}})  # fmt: skip
    key, dim_key = rng.choice([("revenue", "customer"), ("revenue", "product"), ("units", "product"), ("orders", "customer"), ("revenue", "category"),
                               ("revenue", "country"), ("orders", "country"), ("revenue", "city"), ("customers", "city"), ("revenue", "month")])  # fmt: skip
    measure, dim, both = MEASURES[key], DIMS[dim_key], rng.random() < 0.3
    filters = draw_filters(
        rng, [k for k in kinds_beside(measure, dim) if k in ("date", "category", "country", "channel")], (70, 30)
    )
    if key == "orders":
        filters = [f for f in filters if f.table != "p"]
    order = f" ORDER BY {measure.alias} DESC{tail}"
    return Query("nth", grouped_statement(measure, [dim], filters, order, only=not both), filters,
                 {"measure": measure, "dim": dim, "lowest": False, "both": both, "say": {"nth": _ORDINALS[place]}})  # fmt: skip


def _nth(s: dict[str, Any]) -> Frames:
    frames = [
        "[which|what] {dim} [has|had] the {nth} {best} {f}",
        "[what is|which is|show|find|] [the|our] {nth} [best|biggest|largest|top] {dim} [by|in terms of] {m} {f}",
        "[the|] {dim} with the {nth} {best} {f}",
    ]
    if (s["measure"].key, s["dim"].key) == ("units", "product"):
        frames += [
            "[what is|which is|] [the|our] {nth} [best-selling|best selling|most popular|most sold] product {f}"
        ] * 2
    if (s["measure"].key, s["dim"].key) == ("revenue", "customer"):
        frames += ["who [spent|spends] the {nth} most {f}", "who is our {nth} [best|biggest] customer {f}"] * 2
    return [f + t for f in frames for t in ((" [with|and] [the|] {m2}", "[, |? |- ]{dimn} and {m2}") if s["both"] else ("", "", "[, |? ]only the {dim}", ", name only"))]  # fmt: skip


def _nth_price(s: dict[str, Any]) -> Frames:
    frames = ["[what is|what's|which is|show|find|] [the|our] {nth} {most} {thing1} {f}", "{nth} {most} {thing1} {f}",
              "[which|what] {thing1} is the {nth} {most} {f}"]  # fmt: skip
    return [f + t for f in frames for t in (("[, |? |- ]name and price", " and its price") if s["both"] else ("", "", "[, |? ]just the name", ", name only"))]  # fmt: skip


def order_totals(rng: random.Random) -> Query:
    """Orders as rows with what each was worth."""
    filters = draw_filters(
        rng, ("customer", "customer", "city", "country", "segment", "status", "channel", "date"), (8, 60, 28, 4)
    )
    extra = rng.choice([[], [], ["date"], ["date"], ["status"], ["customer"], ["date", "status"]])
    names = ENTITIES["order"][2]
    units = rng.random() < 0.15
    value, alias = ("SUM(oi.quantity)", "units") if units else (REVENUE, "value")
    columns = ", ".join(["oi.order_id", *(names[c] for c in extra), f"{value} AS {alias}"])
    order = rng.choice(["", "", "", f" ORDER BY {alias} DESC", " ORDER BY o.order_date"])
    tables = _OI | {names[c].split(".")[0] for c in extra} | ({"o"} if "order_date" in order else set())
    return Query("order_totals", statement(columns, tables, filters, f" GROUP BY oi.order_id{order}"), filters,
                 {"entity": "order", "columns": ["order_id", *extra], "of": alias, "sorted": order, "say": {}})  # fmt: skip


def _order_totals(s: dict[str, Any]) -> Frames:
    worth = (
        "[number of items|number of units|units|quantity|item count]"
        if s["of"] == "units"
        else "[value|total|total value|amount|total amount|order value|worth]"
    )
    frames = [
        f"[|show |list |give me |show me |i need ][the |all |all the |]orders {{f}} [with|, with|and|along with|together with] [the|their|its|each one's] {{cols2}} and {worth}",
        f"[|show |list |give me |i need ][the |]{{cols}} and [the |]{worth} of [all|each|every|the|] [order|orders] {{f}}",
        f"orders {{f}} [:|-|,|?|.] {{cols}} and [the|] {worth}",
        f"[which|what] orders did {{who}} [place|make] {{f}} ? [show|give me|i need|] {{cols}} and {worth}",
        f"{{who}} : all orders {{f}} with {{cols}} and {worth}",
    ]
    if len(s["columns"]) == 1:
        frames = [
            f"[|show |list |give me |show me |i need ][the |all |all the |]orders {{f}} [with|, with|and|along with|together with] [the|their|its] {worth}",
            f"[order ids and {worth} of|{worth} of [each|every] order of|{worth} of [each|every] order by] {{who}} {{f}}",
            "how much was each order of {who} worth {f}",
            f"{worth} of each order {{f}}",
            f"{worth} per order {{f}} [, order id and {worth}|(order id, {worth})]",
            f"orders {{f}} [:|-|,|?|.] order id and [the|] {worth}",
        ]
        if s["of"] == "value":
            frames.append(
                "[what was|how much was] each {a} order {f} worth [? order id and value|, with the order id|]"
            )
    if s["sorted"].endswith("DESC"):
        return [f + t for f in frames for t in (", [biggest|largest|highest|most valuable] first", " sorted by [value|total|amount|size] descending", ", from the biggest to the smallest")]  # fmt: skip
    if s["sorted"]:
        return [f + t for f in frames for t in (" sorted by date", ", oldest first", " in chronological order", " ordered by [order|] date")]  # fmt: skip
    return frames


def distinct_far(rng: random.Random) -> Query:
    """Which countries, channels, categories ... something happened in."""
    dim = DIMS[rng.choice(["city", "country", "country", "category", "channel", "segment", "status"])]
    kinds = [
        k
        for k in ("customer", "product", "category", "channel", "status", "date", "country", "segment", "product")
        if k != dim.key
    ]
    if dim.key in _PLACES:
        kinds = [k for k in kinds if k not in ("customer", "country", "segment")]
    if dim.key == "category":
        kinds = [k for k in kinds if k != "product"]
    filters = draw_filters(rng, kinds, (0, 72, 28))
    tables = {dim.table} if dim.key != "category" else {"p", "oi"}
    if not (joined({*tables, *(f.table for f in filters)}) - {dim.table}):
        return distinct_far(rng)
    ordered = rng.random() < 0.15
    sql = statement(dim.select, tables, filters, f" ORDER BY {dim.select}" if ordered else "", True)
    return Query("distinct_far", sql, filters, {"dim": dim, "ordered": ordered, "say": {}})


def _distinct_far(s: dict[str, Any]) -> Frames:
    key = s["dim"].key
    frames = [
        "[list|show|give me|name|] [all|the|all the|] [different|distinct|unique|] {dims} [with|that had|having] [any|] orders {f}"
    ]
    if key in ("city", "country"):
        frames += ["in [which|what] {dims} [did we sell|have we sold|did people buy|were] {things} [sold|] {f}", "[which|what] {dims} [bought|ordered] {things} {f}",
                   "[which|what|from which|from what] {dims} did [orders|we get orders|our orders] [come from|] {f}", "where [did we sell|have we sold] {things} , [list the|] {dims} {f}",
                   "[which|what] {dims} did we [sell to|ship to|deliver to|get orders from] {f}", "{dims} [where|in which] {things} [was|were] [sold|bought] {f}",
                   "{dims} of [the|] [customers|people|buyers] who bought {things} {f}"]  # fmt: skip
    if key == "segment":
        frames += [
            "[which|what] [customer|] segments [bought|ordered|have bought] {things} {f}",
            "[which|what] segments [placed|made|had] orders {f}",
        ]
    if key == "category":
        frames += ["[which|what|from which|from what] [product|] categories [did|has] {who} [buy|order|bought|ordered] [from|] {f}", "[which|what] categories [were|did we] [sold|sell|bought|ordered] {f}",
                   "categories [bought|ordered] by {who} {f}", "[list|show] [the|] categories of products [bought|ordered] by {who} {f}"]  # fmt: skip
    if key == "channel":
        frames += ["[which|what] [sales|order|] channels [did|does|has] {who} [use|used|order through|buy through] {f}", "[which|what|through which|via which] channels [did|were] {things} [sold|sell] {f}",
                   "through [which|what] channels did {who} [order|buy] {f}", "channels used [by {who}|] {f}"]  # fmt: skip
    if key == "status":
        frames += [
            "[which|what] statuses do [the|] orders [have|] {f}",
            "[which|what] statuses [do|did] {who}'s orders have {f}",
        ]
    tails = (
        (" sorted alphabetically", ", in alphabetical order", " alphabetically")
        if s["ordered"]
        else ("", "", "", " [, each once|, no duplicates|, without duplicates|(unique)]")
    )
    return [f + t for f in frames for t in tails]


def repeat(rng: random.Random) -> Query:
    """Customers who came back, or only once."""
    once = rng.random() < 0.35
    filters = draw_filters(rng, (*_PLACES, "date", "channel"), (58, 36, 6))
    inner = statement(
        "c.name", {"o", "c"}, filters, f" GROUP BY c.customer_id HAVING COUNT(*) {'= 1' if once else '> 1'}"
    )
    counted = rng.random() < 0.45
    if counted:
        inner = statement(
            "o.customer_id", {"o"}, filters, f" GROUP BY o.customer_id HAVING COUNT(*) {'= 1' if once else '> 1'}"
        )
    return Query("repeat", f"SELECT COUNT(*) FROM ({inner})" if counted else inner, filters,
                 {"entity": "customer", "columns": [], "once": once, "counted": counted, "say": {}})  # fmt: skip


def _repeat(s: dict[str, Any]) -> Frames:
    who = "[customers|clients|buyers|people]"
    if s["once"]:
        did = "[ordered|bought|bought from us|placed an order] [only once|just once|exactly once|a single time|one time only]"
        noun = ["one-time {a} [buyers|customers]", "{a} customers with [only one|a single|exactly one|just one] order"]
    else:
        did = "[ordered|bought|bought from us|came back and ordered] [more than once|at least twice|several times|repeatedly|again|two or more times]"
        noun = [
            "[repeat|returning|recurring] {a} [buyers|customers|clients]",
            "{a} customers with [more than one order|at least two orders|two or more orders|multiple orders]",
        ]
    if s["counted"]:
        return [f"how many {{a}} {who} {{pf}} [have|] {did} {{f}}", f"how many {{a}} {who} {did} {{f}}"] + [
            f
            for n in noun
            for f in (
                f"how many {n} [do we have|are there|did we have] {{f}}",
                f"[number|count] of {n} {{f}}",
                f"{n} {{f}} - how many",
            )
        ]
    return [f"[which|what|list the|show|names of] {{a}} {who} {{pf}} [who |that |have |]{did} {{f}} {{names}}", f"who {did} {{f}} {{names}}"] + [
        f for n in noun for f in (f"[list |show |show me |give me |names of |][our |all |the |]{n} {{f}} {{names}}", f"[which|who are] our {n} {{f}} {{names}}")]  # fmt: skip


SHAPES_HERE: dict[str, tuple[float, Callable[[random.Random], Query]]] = {
    "side_by_side": (2.2, side_by_side),
    "alike": (2.2, alike),
    "beside_mean": (2.2, beside_mean),
    "per_period_mean": (3, per_period_mean),
    "best_in_each": (2.6, best_in_each),
    "extreme_in_each": (0.9, extreme_in_each),
    "nth": (1.8, nth),
    "order_totals": (2.4, order_totals),
    "distinct_far": (2.6, distinct_far),
    "repeat": (1.6, repeat),
}
SHAPES.update(SHAPES_HERE)
FRAMES: dict[str, Callable[[dict[str, Any]], Frames]] = {
    "side_by_side": lambda s: SIDE_BY_SIDE,
    "alike": _alike,
    "alike_count": _alike_count,
    "beside_mean": _beside_mean,
    "per_period_mean": _per_period_mean,
    "best_in_each": _best_in_each,
    "extreme_in_each": _extreme_in_each,
    "nth": _nth,
    "nth_price": _nth_price,
    "order_totals": _order_totals,
    "distinct_far": _distinct_far,
    "repeat": _repeat,
}
