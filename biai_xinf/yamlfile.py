"""YAML files that people write, read strictly: every error names `file:line: field: what is wrong`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from biai_xinf.errors import BadFile

T = TypeVar("T")

# libyaml's parser is several times faster, and not in every build of PyYAML.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """YAML 1.2's core types: only `true` and `false` are booleans, so `on` is a word, and dates are text."""


_OTHER_SCALARS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHER_SCALARS]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), ["t", "f"])


def load(path: Path, adapter: TypeAdapter[T]) -> T:
    """The file's content as `adapter` validates it; BadFile where it is missing, no YAML, or not valid."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise _not_yaml(path, text, error) from error
    if node is None:
        raise BadFile(f"{path}: is empty")
    _refuse_tricks(path, node)
    try:
        return adapter.validate_python(yaml.load(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise _not_yaml(path, text, error) from error
    except ValidationError as error:
        raise _not_valid(path, node, error) from error


def where(path: Path, loc: tuple[int | str, ...]) -> str:
    """`file:line: field` of a place in a file that was loaded before, for what only others can find wrong with it."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    fields, line = _locate(node, loc) if node else ([], 1)
    return f"{path}:{line}: {'.'.join(fields)}"


def _not_yaml(path: Path, text: str, error: yaml.YAMLError) -> BadFile:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return BadFile(f"{path}:{line}: is not YAML: holds the control character #x{error.character:04x}")
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return BadFile(f"{path}:{error.problem_mark.line + 1}: is not YAML: {error.problem}")
    return BadFile(f"{path}: is not YAML: {' '.join(str(error).split())}")


def _not_valid(path: Path, node: yaml.Node, error: ValidationError) -> BadFile:
    # What is missing comes last: a misspelt field explains it.
    found = sorted((dict(one) for one in error.errors()), key=lambda one: one["type"] == "missing")
    problems = [_problem(path, node, one) for one in found]
    return BadFile(problems[0], details=[f"also {problem}" for problem in problems[1:]])


def _problem(path: Path, node: yaml.Node, found: dict[str, Any]) -> str:
    loc = found["loc"]
    if found["type"].startswith("union_tag"):
        loc = (*loc, found["ctx"]["discriminator"].strip("'"))
    fields, line = _locate(node, loc)
    if found["type"] in ("missing", "union_tag_not_found"):
        fields.append(str(loc[-1]))
    field = ".".join(fields)
    return f"{path}:{line}: {field}: {_what(found)}" if field else f"{path}:{line}: {_what(found)}"


def _what(found: dict[str, Any]) -> str:
    given = found["input"]
    match found["type"]:
        case "extra_forbidden":
            return "unknown field"
        case "missing" | "union_tag_not_found":
            return "missing"
        case "union_tag_invalid":
            return f"`{found['ctx']['tag']}` is none of {found['ctx']['expected_tags']}"
        case "literal_error":
            return f"`{given}` is none of {found['ctx']['expected']}"
        case "value_error":
            return str(found["ctx"]["error"])
    message = found["msg"][0].lower() + found["msg"][1:]
    return f"{message}, found `{given}`" if isinstance(given, (str, int, float)) else message


def _locate(node: yaml.Node, loc: tuple[int | str, ...]) -> tuple[list[str], int]:
    """The field's path as people write it, and its line: the nearest one that is in the file."""
    fields: list[str] = []
    line = node.start_mark.line + 1
    inside: yaml.Node | None = node
    for part in loc:
        if isinstance(inside, yaml.SequenceNode) and isinstance(part, int) and part < len(inside.value):
            inside = inside.value[part]
            fields[-1:] = [f"{fields[-1]}[{part}]"] if fields else [f"[{part}]"]
        elif isinstance(inside, yaml.MappingNode) and (pair := _pair(inside, part)) is not None:
            fields.append(str(part))
            line = pair[0].start_mark.line + 1
            inside = pair[1]
            continue
        else:
            # What is missing, or pydantic's name of a branch of a union: no such key is in the file.
            continue
        if inside is not None:
            line = inside.start_mark.line + 1
    return fields, line


def _pair(node: yaml.MappingNode, key: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    return next(((k, v) for k, v in node.value if k.value == str(key)), None)


def _refuse_tricks(path: Path, root: yaml.Node) -> None:
    """What YAML allows and hides a mistake: a key twice, one that is no word, a part that stands elsewhere."""
    met: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        line = f"{path}:{node.start_mark.line + 1}"
        if id(node) in met:
            raise BadFile(f"{line}: is used again by `*`; write it out in both places")
        met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_odd_keys(path, [key for key, _ in node.value])
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _refuse_odd_keys(path: Path, keys: list[yaml.Node]) -> None:
    seen: set[str] = set()
    for key in keys:
        line = f"{path}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            raise BadFile(f"{line}: a key must be a word")
        if key.value in seen:
            raise BadFile(f"{line}: {key.value}: written twice")
        seen.add(key.value)
