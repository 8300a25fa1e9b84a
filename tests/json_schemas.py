"""JSON schemas as hypothesis makes them: any at all, many of them contradictory, and ones that a given value meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from biai_xinf.extension.satisfiable import contradiction

_NAMES = st.sampled_from(["a", "b"])
_NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 0.5, 2.5])
_COUNTS = st.integers(0, 3)
_PROPERTY_COUNTS = ("minProperties", "maxProperties")
VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.sampled_from(["", "x", "abc"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=4,
)
_TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def _of_some_keywords(inner: st.SearchStrategy[Any], leave_out: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    branches = st.lists(inner, min_size=1, max_size=3)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": _TYPES | st.lists(_TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), branches),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", *_PROPERTY_COUNTS), _COUNTS),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBERS),
        "multipleOf": st.sampled_from([1, 2, 0.5, 0.7]),
        **dict.fromkeys(("items", "additionalProperties"), inner),
        "properties": st.dictionaries(_NAMES, inner, max_size=2),
        "required": st.lists(_NAMES, max_size=2, unique=True),
        "$ref": st.just("#/$defs/it"),
    }
    # With all of them at once a schema is nearly always one that nothing meets.
    chosen = st.lists(st.sampled_from(sorted({*keywords} - {*leave_out})), max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))


def _nested(*leave_out: str) -> st.SearchStrategy[Any]:
    def one(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return _of_some_keywords(inner, leave_out)

    return st.recursive(st.booleans() | one(st.booleans()), one, max_leaves=8)


_PARTS = _nested()
# Not with what llama.cpp cannot compile and nobody is told of: counts of properties in one branch that are named in
# another, circles with keywords beside them, and a reference to what nothing meets, even where it is optional.
_REFERRED_TO = _of_some_keywords(st.booleans(), ("$ref", *_PROPERTY_COUNTS)).filter(lambda it: not contradiction(it))
ANY = st.tuples(_of_some_keywords(_nested(*_PROPERTY_COUNTS), _PROPERTY_COUNTS), _REFERRED_TO).map(
    lambda pair: {**pair[0], "$defs": {"it": pair[1]}}
)


def met_by(value: Any) -> st.SearchStrategy[dict[str, Any]]:
    """A schema that the value meets."""
    return st.tuples(_met_by(value, 3), _PARTS).map(lambda pair: {**pair[0], "$defs": {"it": pair[1]}})


@st.composite
def _met_by(draw: st.DrawFn, value: Any, depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for keyword in draw(st.lists(st.sampled_from(sorted(_WAYS)), max_size=3, unique=True)):
        schema |= _WAYS[keyword](draw, value)
    if depth:
        deeper = _met_by(value, depth - 1)
        for keyword in draw(st.lists(st.sampled_from(["allOf", "anyOf", "inside"]), max_size=2, unique=True)):
            if keyword == "allOf":
                schema["allOf"] = draw(st.lists(deeper, min_size=1, max_size=3))
            elif keyword == "anyOf":
                schema["anyOf"] = [draw(_PARTS), draw(deeper)]
            elif isinstance(value, dict):
                schema["properties"] = {name: draw(_met_by(each, depth - 1)) for name, each in value.items()}
                schema["required"] = [*value]
            elif isinstance(value, list):
                schema["prefixItems"] = [draw(_met_by(each, depth - 1)) for each in value]
    return schema


def _sizes(draw: st.DrawFn, value: Any) -> dict[str, Any]:
    kinds = {str: ("minLength", "maxLength"), list: ("minItems", "maxItems"), dict: ("minProperties", "maxProperties")}
    if type(value) in kinds:
        low, high = kinds[type(value)]
        return {low: draw(st.integers(0, len(value))), high: len(value) + draw(_COUNTS)}
    if type(value) in (int, float):
        return {"minimum": value - draw(_COUNTS), "exclusiveMaximum": value + draw(st.integers(1, 3))}
    return {}


_NAMES_OF_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null", float: "number"}
_WAYS: dict[str, Callable[[st.DrawFn, Any], dict[str, Any]]] = {
    "type": lambda draw, value: {"type": _NAMES_OF_TYPES.get(type(value), "integer")},
    "types": lambda draw, value: {"type": [draw(_TYPES), _NAMES_OF_TYPES.get(type(value), "number")]},
    "const": lambda draw, value: {"const": value},
    "enum": lambda draw, value: {"enum": [draw(VALUES), value]},
    "sizes": _sizes,
    "multipleOf": lambda draw, value: {"multipleOf": 0.5},
    "closed": lambda draw, value: (
        {"properties": dict.fromkeys(value, True), "additionalProperties": False} if isinstance(value, dict) else {}
    ),
}
