"""Says what is wrong with a request before Xinference sees it: 4.1.0 answers most wrong ones with a 500.

What is checked here is what its handlers and the engines behind them choke on, or silently misread. Fields that
nobody knows pass.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, get_args

from biai_xinf.extension.errors import ApiError, bad_request

Route = Literal["chat", "completions", "embeddings", "rerank", "responses"]
ROUTES: tuple[Route, ...] = get_args(Route)

# A JSON schema nests two levels per nested object; engines and pickles recurse.
MAX_DEPTH = 64
MAX_COPIES = 16
# Beyond this llama.cpp wraps around: asked for 2**40 tokens, it answers one (xllamacpp 2026.10).
MAX_TOKENS = 2**31 - 1
_MAX_INTEGER = 2**63 - 1
_SHOWN = 40
# They would replace the conversation in the template, unchecked.
_CONVERSATION = frozenset(["messages", "tools"])
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request body; 400 for anything else."""
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise _no_json(f"{error.msg} at character {error.pos}") from None
    except UnicodeDecodeError:
        raise _no_json("it is not UTF-8") from None
    except ValueError:
        raise _no_json("it has a number of thousands of digits") from None
    return _object(body)


def _no_constant(name: str) -> Any:
    raise _no_json(f"it has the number {name}")


def _no_json(reason: str) -> ApiError:
    return bad_request(f"the request body is not JSON: {reason}", code="invalid_json")


def check(route: Route, body: Any) -> None:
    """400, with the value found and what is needed, for a body that Xinference or its engines could not serve."""
    body = _object(body)
    check_encodable(body)
    needs = _FIELDS[route]
    for name, value in body.items():
        need = needs.get(name)
        if need is not None and value is not None and not need.met(value):
            raise _wrong(name, value, need.what)
    for name in _REQUIRED[route]:
        if body.get(name) is None:
            raise bad_request(f"`{name}` is missing; it must be {needs[name].what}", param=name)
    _FURTHER[route](body)


def _object(body: Any) -> dict[str, Any]:
    if type(body) is not dict:
        raise bad_request(f"the request body is {_kind(body)}; it must be a JSON object", code="invalid_json")
    return body


def _wrong(param: str, value: Any, what: str) -> ApiError:
    return bad_request(f"`{param}` is {_shown(value)}; it must be {what}", param=param)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return _kind(value)
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    names = {dict: "an object", str: "a string", bool: "true or false"}
    return names.get(type(value), "a number")


def _too_deep() -> ApiError:
    return bad_request(f"the request nests more than {MAX_DEPTH} levels deep")


def check_encodable(body: dict[str, Any]) -> None:
    """No engine can take half a surrogate pair, a number beyond 64 bits, or what is nested without end."""
    fault = _fault(body)
    if fault is None:
        return
    if fault == "":
        raise _too_deep()
    param = next((name for name, value in body.items() if _fault([value])), None)
    where = f"`{param}`" if param else "the name of a field"
    raise bad_request(f"{where} {fault}", param=param)


def _fault(value: Any) -> str | None:
    """What is wrong somewhere in a JSON value; "" if it is nested too deep, None if nothing is."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                if not item.isascii() and not _is_text(item):
                    return "has half of a surrogate pair, which is no text"
            elif kind is int:
                if not -_MAX_INTEGER <= item <= _MAX_INTEGER:
                    return "has a number of more than 64 bits"
            elif kind is float:
                if not math.isfinite(item):
                    return "has a number that is not finite"
            elif kind is dict:
                below.extend(item)
                below.extend(item.values())
            elif kind is list:
                below.extend(item)
        if not below:
            return None
        level = below
    return ""


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Need(NamedTuple):
    """What a field must be: the test, and the same in words."""

    met: Callable[[Any], bool]
    what: str


def _number(low: float, high: float) -> _Need:
    return _Need(lambda value: type(value) in (int, float) and low <= value <= high, f"a number from {low} to {high}")


def _integer(low: int, high: int | None = None) -> _Need:
    if high is None:
        return _Need(lambda value: type(value) is int and value >= low, f"a whole number, at least {low}")
    return _Need(lambda value: type(value) is int and low <= value <= high, f"a whole number from {low} to {high}")


def _one_of(*words: str) -> _Need:
    listed = ", ".join(f"`{word}`" for word in words)
    return _Need(lambda value: type(value) is str and value in words, f"one of {listed}")


def _is_strings(value: Any) -> bool:
    return type(value) is list and all(type(item) is str and item for item in value)


def _is_json_object(value: Any) -> bool:
    if type(value) is dict:
        return True
    if type(value) is not str:
        return False
    try:
        return type(json.loads(value)) is dict
    except (ValueError, RecursionError):
        return False


_ANY_INTEGER = _Need(lambda value: type(value) is int, "a whole number")
_BOOLEAN = _Need(lambda value: type(value) is bool, "true or false")
_STRING = _Need(lambda value: type(value) is str, "a string")
_TEXT = _Need(lambda value: type(value) is str and value != "", "a string that is not empty")
_OBJECT = _Need(lambda value: type(value) is dict, "an object")
_OBJECTS = _Need(lambda value: type(value) is list and all(type(item) is dict for item in value), "a list of objects")
_TEMPLATE_KWARGS = _Need(
    lambda value: (
        _is_json_object(value) and _CONVERSATION.isdisjoint(json.loads(value) if type(value) is str else value)
    ),
    "an object, or the JSON text of one, without the conversation's own `messages` and `tools`",
)
_JSON_OBJECT = _Need(_is_json_object, "an object, or the JSON text of one")
_STRINGS = _Need(_is_strings, "a list of strings that are not empty")
_STOP = _Need(
    lambda value: (type(value) is str and value != "") or _is_strings(value),
    "a string or a list of strings, none of them empty (an empty one stops every answer at once)",
)
_TOKEN_IDS = _Need(
    lambda value: type(value) is int or (type(value) is list and all(type(item) is int for item in value)),
    "a token's number or a list of them",
)

_MODEL: Mapping[str, _Need] = {"model": _TEXT, "user": _STRING}
_SAMPLING: Mapping[str, _Need] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "stream": _BOOLEAN,
    "parallel_tool_calls": _BOOLEAN,
    "metadata": _OBJECT,
    "store": _BOOLEAN,
}
_GENERATION: Mapping[str, _Need] = {
    **_MODEL,
    **_SAMPLING,
    "top_k": _integer(-1, MAX_TOKENS),
    "min_p": _number(0, 1),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "repetition_penalty": _Need(lambda value: type(value) in (int, float) and value > 0, "a number above 0"),
    "seed": _ANY_INTEGER,
    "max_tokens": _integer(1),
    "max_completion_tokens": _integer(1),
    "n": _integer(1, MAX_COPIES),
    "best_of": _integer(1),
    "stop": _STOP,
    "stop_token_ids": _TOKEN_IDS,
    "stream_options": _OBJECT,
    "stream_interval": _integer(1),
    "logit_bias": _OBJECT,
    "response_format": _OBJECT,
    "guided_json": _JSON_OBJECT,
    "guided_json_object": _BOOLEAN,
    "guided_regex": _TEXT,
    "guided_choice": _STRINGS,
    "guided_grammar": _TEXT,
    "guided_decoding_backend": _STRING,
    "guided_whitespace_pattern": _STRING,
    "structured_outputs": _OBJECT,
    "json_schema": _JSON_OBJECT,
    "grammar": _TEXT,
    "echo": _BOOLEAN,
    "ignore_eos": _BOOLEAN,
    "skip_special_tokens": _BOOLEAN,
    "lora_name": _TEXT,
    "request_id": _TEXT,
    "cache_salt": _TEXT,
    "chat_template_kwargs": _TEMPLATE_KWARGS,
    "enable_thinking": _BOOLEAN,
    "extra_body": _OBJECT,
    "mm_processor_kwargs": _OBJECT,
}
_EMBEDDABLE = "a string or a list of strings, none of them empty"
_FIELDS: Mapping[Route, Mapping[str, _Need]] = {
    "chat": {
        **_GENERATION,
        "messages": _Need(lambda value: type(value) is list and bool(value), "a list of messages, at least one"),
        "logprobs": _BOOLEAN,
        "top_logprobs": _integer(0, 20),
        "tools": _OBJECTS,
        "reasoning_effort": _STRING,
    },
    "completions": {
        **_GENERATION,
        "prompt": _Need(lambda value: bool(value) and type(value) in (str, list), "a string that is not empty"),
        "logprobs": _integer(0, 20),
        "suffix": _STRING,
    },
    "embeddings": {
        **_MODEL,
        "input": _Need(lambda value: bool(value) and type(value) in (str, list, dict), _EMBEDDABLE),
        "encoding_format": _one_of("float", "base64"),
        "dimensions": _integer(1, MAX_TOKENS),
        "truncate_prompt_tokens": _integer(-1, MAX_TOKENS),
        "normalize_embedding": _BOOLEAN,
        "return_sparse": _BOOLEAN,
        "task": _STRING,
    },
    "rerank": {
        **_MODEL,
        "query": _Need(lambda value: bool(value) and type(value) in (str, dict), "a string that is not empty"),
        "documents": _Need(
            lambda value: type(value) is list and bool(value) and all(type(item) in (str, dict) for item in value),
            "a list of strings, at least one",
        ),
        "top_n": _integer(1, MAX_TOKENS),
        "max_chunks_per_doc": _integer(1),
        "return_documents": _BOOLEAN,
        "return_len": _BOOLEAN,
        "kwargs": _Need(lambda value: type(value) is str and _is_json_object(value), "the JSON text of an object"),
    },
    "responses": {
        **_MODEL,
        **_SAMPLING,
        "input": _Need(
            lambda value: bool(value) and (type(value) is str or _OBJECTS.met(value)),
            "a string or a list of items, not empty",
        ),
        "instructions": _STRING,
        "max_output_tokens": _integer(1),
        "text": _OBJECT,
        "tools": _OBJECTS,
    },
}
_REQUIRED: Mapping[Route, Iterable[str]] = {
    "chat": ("model", "messages"),
    "completions": ("model", "prompt"),
    "embeddings": ("model", "input"),
    "rerank": ("model", "query", "documents"),
    "responses": ("model", "input"),
}


def _check_chat(body: Mapping[str, Any]) -> None:
    for index, message in enumerate(body["messages"]):
        _check_message(f"messages[{index}]", message)
    _check_tools(body)
    _check_response_format(body.get("response_format"), "response_format")
    if body.get("top_logprobs") and body.get("logprobs") is not True:
        raise bad_request("`top_logprobs` needs `logprobs` to be true", param="top_logprobs")


# What each role may say. Media reach the engine only from those who may show it something.
_MEDIA = ("image_url", "video_url", "audio_url", "input_audio", "image", "video", "audio")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "system": ("text",),
    "developer": ("text",),
    "assistant": ("text", "refusal"),
    "user": ("text", *_MEDIA),
    "tool": ("text", *_MEDIA),
}


def _check_message(where: str, message: Any) -> None:
    if type(message) is not dict:
        raise _wrong(where, message, "an object with `role` and `content`")
    role, content = message.get("role"), message.get("content")
    if type(role) is not str or role not in _PARTS:
        raise _wrong(f"{where}.role", role, _one_of(*_PARTS).what)
    _check_calls(f"{where}.tool_calls", message.get("tool_calls"))
    for name in ("name", "tool_call_id", "reasoning_content"):
        value = message.get(name)
        if value is not None and type(value) is not str:
            raise _wrong(f"{where}.{name}", value, _STRING.what)
    if type(content) is str or (content is None and role == "assistant"):
        return
    if type(content) is not list or not content:
        raise _wrong(f"{where}.content", content, "a string or a list of parts that is not empty")
    for index, part in enumerate(content):
        _check_part(f"{where}.content[{index}]", part, _PARTS[role])


def _check_part(where: str, part: Any, known: tuple[str, ...]) -> None:
    if type(part) is not dict:
        raise _wrong(where, part, "an object with `type`")
    kind = part.get("type")
    if type(kind) is not str or kind not in known:
        raise _wrong(f"{where}.type", kind, _one_of(*known).what)
    value = part.get(kind)
    if kind in ("text", "refusal"):
        if type(value) is not str:
            raise _wrong(f"{where}.{kind}", value, _STRING.what)
    elif type(value) is not str and not (
        type(value) is dict and any(_TEXT.met(value.get(key)) for key in ("url", "data"))
    ):
        raise _wrong(f"{where}.{kind}", value, "an object with a `url` or `data`")


def _check_calls(where: str, calls: Any) -> None:
    if calls is None:
        return
    if not _OBJECTS.met(calls):
        raise _wrong(where, calls, _OBJECTS.what)
    for index, call in enumerate(calls):
        function = call.get("function")
        if (
            type(function) is not dict
            or not _TEXT.met(function.get("name"))
            or type(function.get("arguments")) is not str
        ):
            what = "an object with `name` and, as JSON text, `arguments`"
            raise _wrong(f"{where}[{index}].function", function, what)
        if call.get("id") is not None and type(call["id"]) is not str:
            raise _wrong(f"{where}[{index}].id", call["id"], _STRING.what)


def _check_tools(body: Mapping[str, Any]) -> None:
    names = []
    for index, tool in enumerate(body.get("tools") or ()):
        where = f"tools[{index}]"
        if tool.get("type") != "function":
            raise _wrong(f"{where}.type", tool.get("type"), "`function`")
        function = tool.get("function")
        if type(function) is not dict:
            raise _wrong(f"{where}.function", function, "an object with a `name`")
        _check_function(f"{where}.function", function)
        names.append(function["name"])
    _check_tool_choice(body.get("tool_choice"), names)


def _check_function(where: str, function: Mapping[str, Any]) -> None:
    name = function.get("name")
    if type(name) is not str or not _TOOL_NAME.fullmatch(name):
        raise _wrong(f"{where}.name", name, "a name of letters, digits, `_` and `-`")
    for key, need in (("description", _STRING), ("parameters", _OBJECT), ("strict", _BOOLEAN)):
        value = function.get(key)
        if value is not None and not need.met(value):
            raise _wrong(f"{where}.{key}", value, need.what)


def _check_tool_choice(choice: Any, names: list[str]) -> None:
    if choice is None or choice in ("none", "auto"):
        return
    if choice == "required":
        if not names:
            raise bad_request("`tool_choice` is `required`, but there are no `tools`", param="tool_choice")
        return
    function = choice.get("function") if type(choice) is dict else None
    name = function.get("name") if type(function) is dict else None
    if type(name) is not str:
        raise _wrong("tool_choice", choice, "`none`, `auto`, `required` or the name of a function")
    if name not in names:
        raise bad_request(f"`tool_choice` names `{name[:_SHOWN]}`, which is not among `tools`", param="tool_choice")


_FORMATS = _one_of("text", "json_object", "json_schema")


def _check_response_format(wanted: Any, where: str) -> None:
    if wanted is None:
        return
    kind = wanted.get("type")
    if not _FORMATS.met(kind):
        raise _wrong(f"{where}.type", kind, _FORMATS.what)
    if kind != "json_schema":
        return
    # OpenAI nests the schema in `json_schema`; its own Responses API, and several servers, do not.
    block = wanted.get("json_schema", wanted)
    if type(block) is not dict or type(block.get("schema")) is not dict:
        raise bad_request(f"`{where}` of type `json_schema` needs an object `json_schema.schema`", param=where)
    if block.get("name") is not None and type(block["name"]) is not str:
        raise _wrong(f"{where}.json_schema.name", block["name"], _STRING.what)


def _check_completion(body: Mapping[str, Any]) -> None:
    prompt = body["prompt"]
    if type(prompt) is list and not (len(prompt) == 1 and _TEXT.met(prompt[0])):
        raise bad_request("`prompt` is a list; Xinference takes one string per request", param="prompt")
    _check_response_format(body.get("response_format"), "response_format")


def _check_embeddings(body: Mapping[str, Any]) -> None:
    value = body["input"]
    items = value if type(value) is list else [value]
    for index, item in enumerate(items):
        if type(item) is str and item:
            continue
        if type(item) is int or (type(item) is list and all(type(token) is int for token in item)):
            # Xinference 4.1.0 turns each number into its digits and embeds those.
            message = "`input` has token numbers, which Xinference would read as texts; send the text itself"
            raise bad_request(message, param="input")
        where = f"input[{index}]" if type(value) is list else "input"
        if type(item) is not dict or not item or not all(_TEXT.met(part) for part in item.values()):
            raise _wrong(where, item, "a string that is not empty")


def _check_rerank(body: Mapping[str, Any]) -> None:
    for where, item in (("query", body["query"]), *((f"documents[{i}]", d) for i, d in enumerate(body["documents"]))):
        if type(item) is dict and not (item and all(_TEXT.met(part) for part in item.values())):
            raise _wrong(where, item, "a string, or an object of strings that are not empty")


def _check_response(body: Mapping[str, Any]) -> None:
    wanted = (body.get("text") or {}).get("format")
    if wanted is not None and type(wanted) is not dict:
        raise _wrong("text.format", wanted, _OBJECT.what)
    if wanted and wanted.get("type") is not None:
        _check_response_format(wanted, "text.format")
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") == "function":
            _check_function(f"tools[{index}]", tool)


_FURTHER: Mapping[Route, Callable[[Mapping[str, Any]], None]] = {
    "chat": _check_chat,
    "completions": _check_completion,
    "embeddings": _check_embeddings,
    "rerank": _check_rerank,
    "responses": _check_response,
}
