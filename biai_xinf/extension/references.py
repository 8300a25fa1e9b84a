"""References within a JSON schema: what they lead to, and whether they lead anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

Schema = Mapping[str, Any]
# So many schemas of one value are looked at; a circle beyond them passes.
_FAR = 200


def at(reference: str, root: Schema) -> Any:
    """What stands where `#/a/b` points to; None where nothing does, or the reference leaves the schema."""
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


def resolves(reference: str, root: Schema) -> bool:
    """Whether a reference leads to a schema, and that one, as far as it is about the same value, not back to itself."""
    target = at(reference, root)
    if isinstance(target, bool):
        return True
    if not isinstance(target, Mapping):
        return False
    seen: set[int] = set()
    left = [*islice(_of_the_same_value(target, root), _FAR)]
    while left and len(seen) < _FAR:
        schema = left.pop()
        if schema is target:
            return False
        if isinstance(schema, Mapping) and id(schema) not in seen:
            seen.add(id(schema))
            left += islice(_of_the_same_value(schema, root), _FAR)
    return True


def together(schema: Schema, root: Schema) -> Iterator[Schema]:
    """A schema and all those that its `$ref` and `allOf` ask of the same value as well."""
    seen: set[int] = set()
    left: list[Any] = [schema]
    while left and len(seen) < _FAR:
        part = left.pop()
        if isinstance(part, Mapping) and id(part) not in seen:
            seen.add(id(part))
            yield part
            left += part.get("allOf", ())[:_FAR]
            if "$ref" in part:
                left.append(at(part["$ref"], root))


def _of_the_same_value(schema: Schema, root: Schema) -> Iterator[Any]:
    if isinstance(schema.get("$ref"), str):
        yield at(schema["$ref"], root)
    for name in ("allOf", "anyOf", "oneOf"):
        if isinstance(schema.get(name), list):
            yield from schema[name]
