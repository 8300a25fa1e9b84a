"""Whether any JSON value can meet a schema: of one that none can meet an engine knows no way to begin.

llama.cpp (xllamacpp 2026.10) then drops the schema and answers freely, with a 200. The search is for a value of finite
size, over everything that is asked of one place together. It looks into no regular expression and takes `oneOf` for
`anyOf`, so it finds no fault where there is none, and not every fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from biai_xinf.extension.references import at

# What is not decided by then passes.
_STEPS = 10_000
_TYPES = ("object", "array", "string", "number", "boolean", "null")
# Which value a constant is; no keyword of a schema can have this name.
_IS = "\0is"


class Part(NamedTuple):
    """A schema that a value must meet, and its path within the whole one."""

    schema: Any
    path: str

    def under(self, *steps: str | int, schema: Any) -> Part:
        """A part of this one."""
        return Part(schema, "/".join((self.path, *map(str, steps))))


def contradiction(schema: Mapping[str, Any]) -> str | None:
    """Why no value can meet a schema, as two of its parts that exclude each other; None if one can or might."""
    try:
        return _Search(schema).why_none((Part(schema, ""),), "")
    except (_Undecided, RecursionError):
        return None


class _Undecided(Exception):
    """The search would take too long."""


class _Search:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = _STEPS
        self._open: list[frozenset[int]] = []

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _Undecided

    def why_none(self, parts: Sequence[Part], need: str) -> str | None:
        """Why no value meets all parts at once; `need` says what asks for a value at all."""
        leaves = self._together(parts, ())
        goal = frozenset(id(leaf.schema) for leaf in leaves)
        if goal in self._open:
            return f"`{leaves[0].path or '/'}` asks for itself without end"
        self._open.append(goal)
        why = self._try_each_choice(leaves, _choices(leaves), need)
        self._open.pop()
        return why

    def _together(self, parts: Sequence[Part], known: Sequence[Part]) -> list[Part]:
        """The parts with all that they refer to or consist of, but for what is known."""
        seen = {id(part.schema) for part in known}
        found: list[Part] = []
        left = list(reversed(parts))
        while left:
            part = left.pop()
            self._spend(1)
            if part.schema is True or id(part.schema) in seen:
                continue
            found.append(part)
            if part.schema is False:
                continue
            seen.add(id(part.schema))
            reference = part.schema.get("$ref")
            if reference is not None:
                left.append(Part(at(reference, self._root), reference.removeprefix("#")))
            left += [part.under("allOf", i, schema=each) for i, each in enumerate(part.schema.get("allOf", ()))][::-1]
        return found

    def _try_each_choice(self, leaves: list[Part], choices: list[_Choice], need: str) -> str | None:
        if not choices:
            return self._why_no_type(leaves, need)
        why = None
        for branch in _branches(*choices[0]):
            self._spend(len(leaves) + len(choices))
            more = self._together((branch,), leaves)
            found = self._try_each_choice([*leaves, *more], [*_choices(more), *choices[1:]], need)
            if found is None:
                return None
            why = why or found
        return why

    def _why_no_type(self, leaves: list[Part], need: str) -> str | None:
        self._spend(len(leaves))
        left = set(_TYPES)
        typed: list[tuple[Part, set[str]]] = []
        for leaf in leaves:
            if leaf.schema is False:
                return f"{need}`{leaf.path or '/'}` allows no value"
            types = _types(leaf.schema)
            if not left & types:
                other = next((one for one, its in typed if not its & types), typed[-1][0])
                return f"`{other.path or '/'}` and `{leaf.path or '/'}` ask for different types"
            left &= types
            typed.append((leaf, types))
        if "null" in left:
            return None
        whys = {
            "boolean": _why_no_boolean,
            "number": _why_no_number,
            "string": _why_no_string,
            "array": self._why_no_array,
            "object": self._why_no_object,
        }
        first = None
        for name in sorted(left):
            found = whys[name](leaves)
            if found is None:
                return None
            first = first or found
        return first

    def _why_no_object(self, leaves: list[Part]) -> str | None:
        required = dict.fromkeys(name for leaf in leaves for name in leaf.schema.get("required", ()))
        least, most = _bounds(leaves, "minProperties", "maxProperties")
        if most is not None and len(required) > most[0]:
            return f"more properties are required than `{most[1]}` allows"
        for name in required:
            self._spend(len(leaves))
            why = self.why_none(_property(leaves, name), f"`{name}` is required, but ")
            if why:
                return why
        closed = [leaf for leaf in leaves if _is_closed(leaf.schema)]
        if least is None or not closed or least[0] <= len(required):
            return _crossed(least, most)
        names = {name for name in closed[0].schema.get("properties", ()) if name not in required}
        possible = [name for name in names if self.why_none(_property(leaves, name), "") is None]
        if len(required) + len(possible) < least[0]:
            return f"`{least[1]}` asks for more properties than there can be"
        return _crossed(least, most)

    def _why_no_array(self, leaves: list[Part]) -> str | None:
        least, most = _bounds(leaves, "minItems", "maxItems")
        if least is None or _crossed(least, most):
            return _crossed(least, most)
        listed = max(len(_listed(leaf.schema)[1]) for leaf in leaves)
        for i in range(min(int(least[0]), listed + 1)):
            why = self.why_none([_item(leaf, i) for leaf in leaves], f"`{least[1]}` asks for item {i}, but ")
            if why:
                return why
        return None


# A schema, and its keyword that offers several.
_Choice = tuple[Part, str]


def _choices(leaves: Sequence[Part]) -> list[_Choice]:
    offering = ("anyOf", "oneOf", "enum", "const")
    return [(leaf, name) for leaf in leaves if leaf.schema is not False for name in offering if name in leaf.schema]


def _branches(leaf: Part, name: str) -> Iterator[Part]:
    offered = leaf.schema[name]
    if name == "const":
        yield leaf.under(name, schema=_exactly(offered))
    elif name == "enum":
        yield from (leaf.under(name, i, schema=_exactly(each)) for i, each in enumerate(offered))
    else:
        yield from (leaf.under(name, i, schema=each) for i, each in enumerate(offered))


def _exactly(value: Any) -> Mapping[str, Any]:
    """A schema that only this value meets."""
    if isinstance(value, Mapping):
        properties = {name: {"const": each} for name, each in value.items()}
        return {"type": "object", "properties": properties, "required": [*value], "additionalProperties": False}
    if isinstance(value, list):
        items = [{"const": each} for each in value]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items), _IS: value}
    if value is None:
        return {"type": "null"}
    if isinstance(value, bool):
        return {"type": "boolean", _IS: value}
    if isinstance(value, str):
        return {"type": "string", _IS: value, "minLength": len(value), "maxLength": len(value)}
    return {"type": "number", _IS: value, "minimum": value, "maximum": value}


def _types(schema: Mapping[str, Any]) -> set[str]:
    """The types a schema lets through; an integer is a number."""
    named = schema.get("type", _TYPES)
    return {"number" if name == "integer" else name for name in ([named] if isinstance(named, str) else named)}


def _why_no_boolean(leaves: list[Part]) -> str | None:
    return _different(leaves)


def _why_no_string(leaves: list[Part]) -> str | None:
    return _different(leaves) or _crossed(*_bounds(leaves, "minLength", "maxLength"))


def _different(leaves: list[Part]) -> str | None:
    constants = [leaf for leaf in leaves if _IS in leaf.schema]
    for other in constants[1:]:
        if other.schema[_IS] != constants[0].schema[_IS]:
            return f"`{constants[0].path}` and `{other.path}` are different values"
    return None


_Bound = tuple[Fraction, str]


def _bounds(leaves: list[Part], low: str, high: str) -> tuple[_Bound | None, _Bound | None]:
    """The highest lower and the lowest upper bound, with their paths."""
    lows = [(_exact(leaf.schema[low]), _path(leaf, low)) for leaf in leaves if low in leaf.schema]
    highs = [(_exact(leaf.schema[high]), _path(leaf, high)) for leaf in leaves if high in leaf.schema]
    return max(lows, default=None), min(highs, default=None)


def _path(leaf: Part, keyword: str) -> str:
    return leaf.path if _IS in leaf.schema else f"{leaf.path}/{keyword}"


def _exact(number: float) -> Fraction:
    """What was written: 0.1 is a tenth."""
    return Fraction(str(number))


def _crossed(least: _Bound | None, most: _Bound | None) -> str | None:
    if least is None or most is None or least[0] <= most[0]:
        return None
    return f"`{least[1]}` asks for more than `{most[1]}` allows"


def _why_no_number(leaves: list[Part]) -> str | None:
    least, most = _bounds(leaves, "minimum", "maximum")
    above, below = _bounds([_without_flags(leaf) for leaf in leaves], "exclusiveMinimum", "exclusiveMaximum")
    low, high = max(filter(None, (least, above)), default=None), min(filter(None, (most, below)), default=None)
    if low is None or high is None:
        return None
    if _different(leaves):
        return _different(leaves)
    outside = (above is not None and above[0] == low[0], below is not None and below[0] == high[0])
    steps = [_exact(leaf.schema["multipleOf"]) for leaf in leaves if "multipleOf" in leaf.schema]
    if any(_is_whole(leaf.schema) for leaf in leaves):
        steps.append(Fraction(1))
    if not steps:
        return f"no number is between `{low[1]}` and `{high[1]}`" if _is_empty(low[0], high[0], outside) else None
    step = steps[0]
    for other in steps[1:]:
        step = Fraction(math.lcm(step.numerator, other.numerator), math.gcd(step.denominator, other.denominator))
    first = math.ceil(low[0] / step) * step
    if outside[0] and first == low[0]:
        first += step
    if _is_empty(first, high[0], (False, outside[1])):
        kind = "whole number" if step == 1 else f"multiple of {step}"
        return f"no {kind} is between `{low[1]}` and `{high[1]}`"
    return None


def _without_flags(leaf: Part) -> Part:
    """Numbers where the fourth draft of JSON Schema marks `minimum` and `maximum` as exclusive."""
    schema = {name: value for name, value in leaf.schema.items() if not name.startswith("exclusive")}
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        value = leaf.schema.get(flag)
        value = leaf.schema.get(bound) if value is True else value
        if value is not None and value is not False:
            schema[flag] = value
    return Part(schema, leaf.path)


def _is_whole(schema: Mapping[str, Any]) -> bool:
    named = schema.get("type", ())
    return "integer" in named and "number" not in named if isinstance(named, list) else named == "integer"


def _is_empty(low: Fraction, high: Fraction, outside: tuple[bool, bool]) -> bool:
    return low > high or (low == high and any(outside))


def _property(leaves: list[Part], name: str) -> list[Part]:
    """What is asked of one property of an object."""
    asked = []
    for leaf in leaves:
        schema = leaf.schema
        if name in schema.get("properties", ()):
            asked.append(leaf.under("properties", name, schema=schema["properties"][name]))
        elif "additionalProperties" in schema and not schema.get("patternProperties"):
            asked.append(leaf.under("additionalProperties", schema=schema["additionalProperties"]))
    return asked


def _is_closed(schema: Mapping[str, Any]) -> bool:
    return schema.get("additionalProperties") is False and not schema.get("patternProperties")


def _listed(schema: Mapping[str, Any]) -> tuple[str, list[Any], str]:
    """The schemas of an array's first items with the keyword they stand under, and that of the others."""
    if isinstance(schema.get("items"), list):
        return "items", schema["items"], "additionalItems"
    return "prefixItems", schema.get("prefixItems", []), "items"


def _item(leaf: Part, index: int) -> Part:
    name, first, others = _listed(leaf.schema)
    if index < len(first):
        return leaf.under(name, index, schema=first[index])
    return leaf.under(others, schema=leaf.schema.get(others, True))
