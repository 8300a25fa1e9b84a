"""JSON schemas an engine would quietly ignore: a wrong or unsupported one leaves the answer unconstrained, with a 200.

Seen with xllamacpp 2026.10, whose llama.cpp compiles schemas with llguidance and logs what it cannot compile; vLLM
through Xinference 4.1.0 falls back to free text likewise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from biai_xinf.extension.references import Schema, at, resolves, together
from biai_xinf.extension.satisfiable import contradiction

ANY_OBJECT: Schema = {"type": "object"}
_ANYTHING: Schema = {"type": ["object", "array", "string", "number", "boolean", "null"]}

_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_NESTED = frozenset(
    {
        *("items", "additionalItems", "additionalProperties", "propertyNames", "contains"),
        *("not", "if", "then", "else"),
    }
)
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTED = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_COUNTS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
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
# It takes 0.4 s for 10,000 items, cannot compile 66,000, and for 2**40 takes all memory there is until it is killed.
_ITEMS_OF_LLAMA_CPP = 10_000
_LENGTH_OF_LLAMA_CPP = 2**32 - 1
# Another one it would try to fetch.
_DIALECTS = ("http://json-schema.org/", "https://json-schema.org/")
_NOT_IN_LLAMA_CPP_PATTERNS = re.compile(r"\(\?[=!<]|\\[bB1-9]")


def fault(schema: Schema) -> str | None:
    """What is wrong with a schema, as the rest of a sentence that starts with its name; None if nothing is."""
    followed: set[str] = set()
    for path, part in _walk(schema):
        found = _fault(part, path)
        if found:
            return found
        reference = None if isinstance(part, bool) else part.get("$ref")
        if reference is not None and reference not in followed:
            if not resolves(reference, schema):
                return _wrong(f"{path}/$ref", "a reference to another schema within it, such as `#/$defs/name`")
            followed.add(reference)
    why = contradiction(schema)
    return f"can never be met: {why}" if why else None


def _walk(schema: Schema) -> Iterator[tuple[str, Any]]:
    """Every schema within a schema, with its path; itself first. Broken ones are among them, not looked into."""
    left: list[tuple[str, Any]] = [("", schema)]
    seen: set[int] = set()
    while left:
        path, part = left.pop()
        if isinstance(part, Mapping) and id(part) in seen:
            continue
        yield path, part
        if isinstance(part, Mapping):
            seen.add(id(part))
            left += reversed([*_parts(part, schema, path)])


def _parts(schema: Schema, root: Schema, path: str) -> Iterator[tuple[str, Any]]:
    for name, value in schema.items():
        if name in _NAMED:
            yield from ((f"{path}/{name}/{key}", each) for key, each in value.items())
        elif name in _LISTED or (name in _NESTED and isinstance(value, list)):
            yield from ((f"{path}/{name}/{i}", each) for i, each in enumerate(value))
        elif name in _NESTED:
            yield f"{path}/{name}", value
        elif name == "$ref":
            # Whatever it is called where it stands, it is a schema then.
            yield value.removeprefix("#"), at(value, root)


def _fault(schema: Any, path: str) -> str | None:
    if isinstance(schema, bool):
        return None
    if not isinstance(schema, Mapping):
        return _wrong(path, "a schema: an object, true or false")
    for name, value in schema.items():
        found = _fault_of(name, value, f"{path}/{name}")
        if found:
            return found
    return None


def _fault_of(name: str, value: Any, path: str) -> str | None:
    if name in _NAMED and not isinstance(value, Mapping):
        return _wrong(path, "an object of schemas")
    if name in _LISTED and (not isinstance(value, list) or not value):
        return _wrong(path, "a list of schemas, at least one")
    if name in _COUNTS:
        return None if type(value) is int and value >= 0 else _wrong(path, "a whole number, at least 0")
    need = _NEEDS.get(name)
    if need is not None and not need[0](value):
        return _wrong(path, need[1])
    return None


def _wrong(path: str, what: str) -> str:
    return f"is wrong at `{path or '/'}`: there must be {what}"


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
    "exclusiveMinimum": (lambda value: _is_number(value) or type(value) is bool, "a number"),
    "exclusiveMaximum": (lambda value: _is_number(value) or type(value) is bool, "a number"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "$ref": (lambda value: isinstance(value, str), "a reference"),
}


def fault_in_llama_cpp(schema: Schema) -> str | None:
    """What llama.cpp could not enforce in an otherwise right schema; None if it can enforce it all."""
    items = 0
    for path, part in _walk(schema):
        if not isinstance(part, Mapping):
            continue
        for name, value in part.items():
            found = _fault_of_llama_cpp(name, value)
            if found:
                return f"has {found.format(f'`{path}/{name}`')}, which llama.cpp cannot enforce"
        items += max(part.get("minItems", 0), part.get("maxItems", 0))
        if items > _ITEMS_OF_LLAMA_CPP:
            return f"counts up to {items} items by `{path or '/'}`; llama.cpp takes at most {_ITEMS_OF_LLAMA_CPP}"
        if _counts_optional(part, schema):
            return f"counts at `{path or '/'}` properties that are not all required, which llama.cpp cannot enforce"
    return None


def _fault_of_llama_cpp(name: str, value: Any) -> str | None:
    if name in _NOT_IN_LLAMA_CPP:
        return "{}"
    if name == "pattern" and _NOT_IN_LLAMA_CPP_PATTERNS.search(value):
        return "at {} a look-around, word boundary or back reference"
    if name in ("minLength", "maxLength") and value > _LENGTH_OF_LLAMA_CPP:
        return "at {} a length of more than 32 bits"
    if name == "multipleOf" and _is_long(value):
        return "at {} a number of too many digits"
    return None


def _is_long(number: float) -> bool:
    """Whether llguidance, which multiplies by ten until nothing is left behind the point, ends above 32 bits."""
    number = float(number)
    while not number.is_integer():
        number *= 10
    return number > 2**32 - 1


def _counts_optional(schema: Schema, root: Schema) -> bool:
    """Whether properties are counted in a way llguidance has not built: of optional ones it counts one at most."""
    parts = [*together(schema, root)]
    required = {name for part in parts for name in part.get("required", ())}
    if all(required.issuperset(part.get("properties", ())) for part in parts):
        return False
    least = max(0, *(part.get("minProperties", 0) - len(required) for part in parts))
    most = [part["maxProperties"] - len(required) for part in parts if "maxProperties" in part]
    if least == 0 and not most:
        return False
    closed = any(part.get("additionalProperties") is False for part in parts)
    patterns = any(part.get("patternProperties") for part in parts)
    return patterns or not closed or least > 1 or (bool(most) and min(most) != 1)


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
    if "oneOf" in taken:
        taken["allOf"] = [*taken.get("allOf", ()), {"anyOf": taken.pop("oneOf")}]
    return taken
