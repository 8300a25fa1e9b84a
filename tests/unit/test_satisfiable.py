"""Schemas that no value can meet, told with what excludes what; and never one that some value meets."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biai_xinf.extension.satisfiable import contradiction
from tests.json_schemas import VALUES, met_by

STRING, NULL = {"type": "string"}, {"type": "null"}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "name": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"allOf": [STRING, NULL]}, "`/allOf/0` and `/allOf/1` ask for different types"),
        ({"type": "null", "$ref": "#/$defs/a", "$defs": {"a": STRING}}, "`/` and `/$defs/a` ask for different types"),
        ({"type": "string", "anyOf": [NULL, {"enum": [1]}]}, "`/` and `/anyOf/0` ask for different types"),
        ({"type": "string", "enum": [1, None]}, "`/` and `/enum/0` ask for different types"),
        ({"enum": [1, 2], "const": 3}, "`/enum/0` and `/const` are different values"),
        ({"const": {"a": [1]}, "allOf": [{"const": {"a": [2]}}]}, None),
        ({"anyOf": [False, {"allOf": [True, False]}]}, "`/anyOf/0` allows no value"),
        ({"const": "abc", "maxLength": 2}, "`/const` asks for more than `/maxLength` allows"),
        (
            {"type": "string", "allOf": [{"minLength": 3}, {"maxLength": 2}]},
            "`/allOf/0/minLength` asks for more than `/allOf/1/maxLength` allows",
        ),
        (
            {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
            "no whole number is between `/exclusiveMinimum` and `/exclusiveMaximum`",
        ),
        ({"type": "number", "minimum": 1, "exclusiveMaximum": 1}, "no number is between `/minimum` and `/exclus"),
        (
            {"type": "number", "multipleOf": 0.4, "allOf": [{"multipleOf": 0.6}], "minimum": 0.1, "maximum": 1.1},
            "no multiple of 6/5 is between `/minimum` and `/maximum`",
        ),
        (
            {"type": "number", "maximum": 3, "minimum": 3, "exclusiveMinimum": True},
            "no number is between `/minimum` an",
        ),
        (
            {"type": "array", "minItems": 3, "prefixItems": [NULL], "items": False},
            "`/minItems` asks for item 1, but `/items` allows no value",
        ),
        (
            {"type": "array", "minItems": 2, "items": [NULL], "additionalItems": {"allOf": [STRING, NULL]}},
            "`/additionalItems/allOf/0` and `/additionalItems/allOf/1` ask for different types",
        ),
        (
            {"type": "object", "required": ["b"], "properties": {"a": NULL}, "additionalProperties": False},
            "`b` is required, but `/additionalProperties` allows no value",
        ),
        (
            {"type": "object", "required": ["a", "b"], "maxProperties": 1},
            "more properties are required than `/maxProperties` allows",
        ),
        (
            {
                "type": "object",
                "properties": {"a": NULL, "b": False},
                "additionalProperties": False,
                "minProperties": 2,
            },
            "`/minProperties` asks for more properties than there can be",
        ),
        (
            {"$ref": "#/$defs/node", "$defs": {"node": {**NODE, "required": ["next"]}}},
            "`/$defs/node/properties/next` asks for itself without end",
        ),
    ],
)
def test_what_excludes_what(schema: dict[str, Any], why: str | None) -> None:
    found = contradiction(schema)

    assert found is not None
    assert why is None or found.startswith(why)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"anyOf": [{"allOf": [STRING, NULL]}, NULL]},
        {"properties": {"a": False}},
        {"type": "object", "properties": {"a": False}},
        {"required": ["a"], "properties": {"a": False}},
        {"minLength": 3, "maxLength": 2},
        {"type": "array", "items": False},
        {"type": "number", "multipleOf": 0.1, "minimum": 0.3, "maximum": 0.3},
        {"type": ["integer", "null"], "enum": [1.5, None]},
        {"type": "object", "required": ["ab"], "patternProperties": {"^a": NULL}, "additionalProperties": False},
        {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}},
        {
            "$ref": "#/$defs/list",
            "$defs": {
                "list": {
                    "type": "object",
                    "properties": {"rest": {"anyOf": [{"$ref": "#/$defs/list"}, NULL]}},
                    "required": ["rest"],
                }
            },
        },
    ],
)
def test_what_can_be_met(schema: dict[str, Any]) -> None:
    assert contradiction(schema) is None


@settings(max_examples=200)
@given(VALUES.flatmap(lambda value: st.tuples(st.just(value), met_by(value))))
def test_no_fault_is_found_in_a_schema_that_some_value_meets(made: tuple[Any, dict[str, Any]]) -> None:
    _value, schema = made

    assert contradiction(schema) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"enum": [*range(i * 100, i * 100 + 100)]} for i in range(50)]},
        {"allOf": [{"anyOf": [{"minimum": i}, {"maximum": -i}]} for i in range(900)], "type": "null", "enum": [0]},
        {"type": "object", "required": [str(i) for i in range(3000)], "allOf": [{"minProperties": 1}] * 900},
        {"$ref": "#/$defs/0", "$defs": {str(i): {**NODE, "allOf": [{"$ref": f"#/$defs/{i + 1}"}]} for i in range(900)}},
    ],
    ids=["constants", "choices", "properties", "references"],
)
def test_a_schema_made_to_take_long_is_not_searched_to_the_end(schema: dict[str, Any]) -> None:
    schema = {**schema, "$defs": {**schema.get("$defs", {}), "900": {}}}
    begun = time.process_time()

    contradiction(schema)

    assert time.process_time() - begun < 5
