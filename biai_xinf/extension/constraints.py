"""The wish that an answer have a certain form, from the many fields clients put it in to the one an engine honours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from biai_xinf.extension.checking import Route, check_encodable
from biai_xinf.extension.engines import LLAMA_CPP, NativeModel
from biai_xinf.extension.errors import ApiError, bad_request
from biai_xinf.extension.references import Schema
from biai_xinf.extension.schemas import ANY_OBJECT, fault, fault_in_llama_cpp, for_llama_cpp


class _Constraint(NamedTuple):
    """A JSON `schema`, any `object`, the text of a `regex` or `grammar`, or a list for `choice`; and where it stood."""

    kind: str
    value: Any
    field: str
    name: str = "answer"


_GUIDES: Mapping[str, str] = {
    "guided_json": "schema",
    "json_schema": "schema",
    "guided_json_object": "object",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
    "grammar": "grammar",
}
# vLLM's newer spelling of the same.
_STRUCTURED: Mapping[str, str] = {
    "json": "schema",
    "json_object": "object",
    "regex": "regex",
    "choice": "choice",
    "grammar": "grammar",
}
FIELDS = frozenset(["response_format", "structured_outputs", *_GUIDES])


def constrain(route: Route, body: dict[str, Any], model: NativeModel) -> bool:
    """Put the constraint of a chat or completion in words its engine honours; whether the answer will be JSON.

    400 for more than one, for one the engine would ignore, and for a schema that is wrong: those leave the answer free.
    """
    found = _taken_from(body)
    if not found:
        return False
    if len(found) > 1:
        fields = " and ".join(f"`{constraint.field}`" for constraint in found)
        raise bad_request(f"{fields} both constrain the answer; send one of them", param=found[1].field)
    constraint = found[0]
    if constraint.kind not in ("schema", "object"):
        if not model.honours.guided:
            raise _ignored(constraint, model)
        body[f"guided_{constraint.kind}"] = constraint.value
        return False
    if route == "chat":
        body["response_format"] = _response_format(constraint, model)
    elif constraint.field == "response_format" or not model.honours.guided:
        message = f"`{constraint.field}` is ignored on `/v1/completions`; `/v1/chat/completions` honours it"
        raise bad_request(message, param=constraint.field, code="unsupported_parameter")
    else:
        body["guided_json"] = constraint.value
    return True


def constrain_response(body: dict[str, Any], model: NativeModel) -> bool:
    """The same for the Responses API, which has one field for it."""
    wanted = body.get("text", {}).get("format")
    if not wanted or wanted.get("type") in (None, "text"):
        return False
    taken = _response_format(_understood(_of_format(wanted, "text.format")), model)
    body["text"] = {**body["text"], "format": {"type": taken["type"], **taken.get("json_schema", {})}}
    return True


def _taken_from(body: dict[str, Any]) -> list[_Constraint]:
    found = [_of_format(body.pop("response_format", None), "response_format")]
    extra = dict(body.pop("extra_body", {}))
    for source in (body, extra):
        found += [_Constraint(kind, source.pop(name, None), name) for name, kind in _GUIDES.items()]
        wished = source.pop("structured_outputs", None)
        if type(wished) is dict:
            found += [_Constraint(kind, wished.get(name), "structured_outputs") for name, kind in _STRUCTURED.items()]
    if extra:
        body["extra_body"] = extra
    return [_understood(constraint) for constraint in found if constraint.value not in (None, False, "", [])]


def _of_format(wanted: Mapping[str, Any] | None, where: str) -> _Constraint:
    if wanted is None or wanted["type"] == "text":
        return _Constraint("schema", None, where)
    if wanted["type"] == "json_object":
        # llama.cpp's own server takes a schema here too.
        schema = wanted.get("schema")
        return _Constraint("schema", schema, where) if type(schema) is dict else _Constraint("object", True, where)
    block = wanted.get("json_schema", wanted)
    return _Constraint("schema", block["schema"], where, block.get("name") or "answer")


def _understood(constraint: _Constraint) -> _Constraint:
    """With its schema, which may have come as JSON text, as an object; 400 for a wrong one."""
    where = constraint.field
    if constraint.kind == "object":
        return constraint._replace(value=ANY_OBJECT)
    if constraint.kind == "choice":
        if type(constraint.value) is not list or not all(type(choice) is str for choice in constraint.value):
            raise bad_request(f"`{where}` must be a list of strings to choose from", param=where)
        return constraint
    if constraint.kind != "schema":
        if type(constraint.value) is not str:
            raise bad_request(f"`{where}` must be a string: a {constraint.kind}", param=where)
        return constraint
    schema = _parsed(constraint.value)
    if type(schema) is not dict:
        raise bad_request(f"`{where}` must be a JSON schema: an object", param=where)
    # As text it has passed unread.
    check_encodable({where: schema})
    wrong = fault(schema)
    if wrong:
        raise _bad_schema(constraint, wrong)
    return constraint._replace(value=schema)


def _parsed(schema: Any) -> Any:
    if type(schema) is not str:
        return schema
    try:
        return json.loads(schema)
    except (ValueError, RecursionError):
        return None


def _response_format(constraint: _Constraint, model: NativeModel) -> dict[str, Any]:
    if not model.honours.schema:
        raise _ignored(constraint, model)
    if constraint.kind == "object" and model.honours.any_object:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": constraint.name, "schema": _schema(constraint, model)}}


def _schema(constraint: _Constraint, model: NativeModel) -> Schema:
    if model.runs_on != LLAMA_CPP:
        return dict(constraint.value)
    wrong = fault_in_llama_cpp(constraint.value)
    if wrong:
        raise _bad_schema(constraint, wrong)
    return for_llama_cpp(constraint.value)


def _ignored(constraint: _Constraint, model: NativeModel) -> ApiError:
    hint = "; `response_format` of type `json_schema` works" if model.honours.schema else ""
    return model.ignores(constraint.field, hint)


def _bad_schema(constraint: _Constraint, wrong: str) -> ApiError:
    return bad_request(f"the schema of `{constraint.field}` {wrong}", param=constraint.field, code="invalid_schema")
