"""A request in the dialect of the server it goes to, and what had to be changed for that."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from biai_xinf.providers.provider import Provider, StructuredOutput

Body = dict[str, Any]

# Without these the answer would be another than the one asked for: where a server takes none, the request is refused.
_ESSENTIAL = ("stream", "tools", "functions", "response_format", "grammar")
_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
# What Ollama's `format: "json"` becomes: engines without a mode for JSON take it as a schema.
ANY_JSON: Mapping[str, Any] = {"anyOf": [{"type": "object"}, {"type": "array"}]}


def for_provider(body: Mapping[str, Any], provider: Provider) -> tuple[Body, list[str]]:
    """The request body as that server wants it, and one line for each thing that was changed or has no effect.

    Raises ValueError with one sentence where the server cannot do what is asked.
    """
    sent = dict(body)
    remarks = [
        *_format(sent, provider),
        *_choices(sent, provider),
        *_leave_out(sent, provider),
        *_rename(sent, provider),
        *_listed(sent, provider),
    ]
    remarks += [f"`{name}` has no effect there" for name in provider.ignores if sent.get(name) is not None]
    return sent, remarks


def _format(sent: Body, provider: Provider) -> list[str]:
    """`response_format` in the form the server honours; untouched where that is not known."""
    wanted = sent.get("response_format")
    if not isinstance(wanted, dict) or provider.structured_output is None:
        return []
    kind = wanted.get("type")
    if kind == "text":
        # What every server does anyway, and several refuse to be told.
        del sent["response_format"]
        return []
    if kind not in ("json_schema", "json_object"):
        return []
    schema = _schema_of(wanted)
    if schema == ANY_JSON and provider.json_object:
        # OpenAI, for one, refuses a schema whose root is not an object.
        sent["response_format"] = {"type": "json_object"}
        return []
    if kind == "json_object" and schema is None and provider.json_object:
        return []
    if provider.structured_output == "none":
        raise ValueError(f"{provider.title} honours no `response_format`, so `{kind}` cannot be had from it")
    if kind == "json_object" and schema is None and provider.json_object is None:
        return []
    written = _WRITERS[provider.structured_output](_ANY_OBJECT if schema is None else schema, wanted)
    if written == wanted:
        return []
    sent["response_format"] = written
    return [f"`response_format` {kind} is sent as {written['type']} with {_where(written)}"]


def _schema_of(wanted: Mapping[str, Any]) -> Any:
    """The schema, wherever the client's dialect put it; ValueError where a json_schema has none."""
    named = wanted.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else None
    for place in ("schema", "value"):
        schema = wanted.get(place) if schema is None else schema
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError as error:
            raise ValueError("`response_format.schema` is a string, but no JSON") from error
    if wanted.get("type") == "json_schema" and not isinstance(schema, dict | bool):
        raise ValueError("`response_format.json_schema.schema` must be a JSON schema")
    return schema


def _openai_schema(schema: Any, wanted: Mapping[str, Any]) -> Body:
    named = wanted.get("json_schema")
    kept = named if isinstance(named, dict) else {}
    return {"type": "json_schema", "json_schema": {"name": "answer", **kept, "schema": schema}}


_WRITERS: Mapping[StructuredOutput, Callable[[Any, Mapping[str, Any]], Body]] = {
    "json_schema": _openai_schema,
    "json_object_schema": lambda schema, _: {"type": "json_object", "schema": schema},
    "json_object_text": lambda schema, _: {"type": "json_object", "schema": json.dumps(schema)},
    "json_object_value": lambda schema, _: {"type": "json_object", "value": schema},
}


def _where(written: Mapping[str, Any]) -> str:
    return "the schema in `" + next(place for place in ("json_schema", "schema", "value") if place in written) + "`"


def _choices(sent: Body, provider: Provider) -> list[str]:
    if provider.supports_n is not False or "n" not in sent:
        return []
    count = sent.pop("n")
    if isinstance(count, int) and count > 1:
        raise ValueError(f"{provider.title} gives one choice per request, not `n` = {count}")
    return []


def _leave_out(sent: Body, provider: Provider) -> list[str]:
    remarks = []
    rejects = [*provider.rejects, *(["stream_options"] if provider.stream_usage is False else [])]
    for name in rejects:
        value = sent.pop(name, None)
        if name in _ESSENTIAL and value:
            raise ValueError(f"{provider.title} takes no `{name}`")
        if value is not None and name not in _ESSENTIAL:
            remarks.append(f"`{name}` is left out")
    return remarks


def _rename(sent: Body, provider: Provider) -> list[str]:
    remarks = []
    for ours, its in provider.renames.items():
        if ours not in sent:
            continue
        value = sent.pop(ours)
        if value is None:
            continue
        into, _, name = its.rpartition(".")
        if not into:
            sent.setdefault(name, value)
        else:
            given = sent.get(into)
            sent[into] = {name: value, **(given if isinstance(given, dict) else {})}
        remarks.append(f"`{ours}` is sent as `{its}`")
    return remarks


def _listed(sent: Body, provider: Provider) -> list[str]:
    remarks = []
    for name in provider.lists:
        if sent.get(name) is not None and not isinstance(sent[name], list):
            sent[name] = [sent[name]]
            remarks.append(f"`{name}` is sent as a list")
    return remarks
