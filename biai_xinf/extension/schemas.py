"""JSON schemas an engine would quietly ignore: a wrong or unsupported one leaves the answer unconstrained, with a 200.

Seen with xllamacpp 2026.10, whose llama.cpp compiles schemas with llguidance and logs what it cannot compile; vLLM
through Xinference 4.1.0 falls back to free text likewise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

ANY_OBJECT: Schema = {"type": "object"}
_ANYTHING: Schema = {"type": ["object", "array", "string", "number", "boolean", "null"]}

_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_NESTED = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTED = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_COUNTS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
_RANGES = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minimum", "maximum"),
)

# What llguidance knows of but has not built; it refuses the whole schema for one of them.
_NOT_IN_LLAMA_CPP = frozenset(
    (
        *("not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems", "propertyNames"),
        *("dependencies", "dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"),
        *("$dynamicRef", "$recursiveRef"),
    )
)
_FORMATS_OF_LLAMA_CPP = frozenset(
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "unknown"]
)
# Another one it would try to fetch.
_DIALECTS = ("http://json-schema.org/", "https://json-schema.org/")
_NOT_IN_LLAMA_CPP_PATTERNS = re.compile(r"\(\?[=!<]|\\[bB1-9]")


def fault(schema: Schema) -> str | None:
    """What is wrong with a schema, as the rest of a sentence that starts with its name; None if nothing is."""
    return _fault(schema, schema, "")


def _fault(schema: Any, root: Schema, path: str) -> str | None:
    if isinstance(schema, bool):
        return None
    if not isinstance(schema, Mapping):
        return _wrong(path, "a schema: an object, true or false")
    for name, value in schema.items():
        found = _fault_of(name, value, root, f"{path}/{name}")
        if found:
            return found
    for low, high in _RANGES:
        if _is_number(schema.get(low)) and _is_number(schema.get(high)) and schema[low] > schema[high]:
            return f"can never be met: at `{path or '/'}` `{low}` is above `{high}`"
    return None


def _fault_of(name: str, value: Any, root: Schema, path: str) -> str | None:
    if name in _NESTED:
        return _first_fault(value, root, path) if isinstance(value, list) else _fault(value, root, path)
    if name in _NAMED:
        if not isinstance(value, Mapping):
            return _wrong(path, "an object of schemas")
        return next((f for key, each in value.items() if (f := _fault(each, root, f"{path}/{key}"))), None)
    if name in _LISTED:
        if not isinstance(value, list) or not value:
            return _wrong(path, "a list of schemas, at least one")
        return _first_fault(value, root, path)
    if name in _COUNTS:
        return None if type(value) is int and value >= 0 else _wrong(path, "a whole number, at least 0")
    need = _NEEDS.get(name)
    if need is not None and not need[0](value):
        return _wrong(path, need[1])
    if name == "$ref" and not _resolves(value, root):
        return _wrong(path, "a reference to another schema within it, such as `#/$defs/name`")
    return None


def _wrong(path: str, what: str) -> str:
    return f"is wrong at `{path or '/'}`: there must be {what}"


def _first_fault(schemas: list[Any], root: Schema, path: str) -> str | None:
    return next((f for i, each in enumerate(schemas) if (f := _fault(each, root, f"{path}/{i}"))), None)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_type(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, str) and item in _TYPES for item in value)
    return isinstance(value, str) and value in _TYPES


def _is_pattern(value: Any) -> bool:
    try:
        re.compile(value)
    except (re.error, TypeError, RecursionError, OverflowError):
        return False
    return True


_NEEDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "type": (_is_type, f"one of the types {', '.join(sorted(_TYPES))}, or a list of them"),
    "enum": (lambda value: isinstance(value, list) and bool(value), "a list of values"),
    "required": (lambda v: isinstance(v, list) and all(isinstance(item, str) for item in v), "a list of names"),
    "pattern": (_is_pattern, "a regular expression"),
    "format": (lambda value: isinstance(value, str), "a format's name"),
    "minimum": (_is_number, "a number"),
    "maximum": (_is_number, "a number"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "$ref": (lambda value: isinstance(value, str), "a reference"),
}


def _resolves(reference: str, root: Schema) -> bool:
    """Whether a reference leads, within the schema itself and not in circles, to something that constrains."""
    seen = set()
    while reference not in seen:
        seen.add(reference)
        found = _at(reference, root)
        if not isinstance(found, Mapping):
            return isinstance(found, bool)
        if not isinstance(found.get("$ref"), str) or found is root:
            return found is not root or reference not in (root.get("$ref"),)
        reference = found["$ref"]
    return False


def _at(reference: str, root: Schema) -> Any:
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    found: Any = root
    for step in reference[2:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def fault_in_llama_cpp(schema: Any, path: str = "") -> str | None:
    """What llama.cpp could not enforce in an otherwise right schema; None if it can enforce it all."""
    if isinstance(schema, list):
        return next((f for i, each in enumerate(schema) if (f := fault_in_llama_cpp(each, f"{path}/{i}"))), None)
    if not isinstance(schema, Mapping):
        return None
    for name, value in schema.items():
        here = f"{path}/{name}"
        if name in _NOT_IN_LLAMA_CPP:
            return f"has `{here}`, which llama.cpp cannot enforce"
        if name == "pattern" and _NOT_IN_LLAMA_CPP_PATTERNS.search(value):
            return f"has at `{here}` a look-around, word boundary or back reference, which llama.cpp cannot enforce"
        nested: Any = value if name in _NESTED or name in _LISTED else None
        if name in _NAMED:
            nested = list(value.values())
        found = fault_in_llama_cpp(nested, here)
        if found:
            return found
    return None


def for_llama_cpp(schema: Schema) -> Schema:
    """The same schema as llama.cpp takes it.

    It takes no empty schema (Xinference drops it), no format or dialect it does not know (JSON Schema makes formats
    mere notes), and no `oneOf` it cannot prove exclusive: `anyOf` stands in, so an answer may match several branches.
    """
    return _for_llama_cpp(schema) if schema else _ANYTHING


def _for_llama_cpp(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_for_llama_cpp(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    taken: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "format" and value not in _FORMATS_OF_LLAMA_CPP:
            continue
        if name == "$schema" and not str(value).startswith(_DIALECTS):
            continue
        if name in _NAMED:
            taken[name] = {key: _for_llama_cpp(each) for key, each in value.items()}
        elif name == "oneOf" and "anyOf" not in schema:
            taken["anyOf"] = _for_llama_cpp(value)
        elif name in _NESTED or name in _LISTED:
            taken[name] = _for_llama_cpp(value)
        else:
            taken[name] = value
    return taken
