"""Ollama's requests as OpenAI's: pure translation, and a clear refusal of what cannot be translated.

Field names and refusals follow Ollama 0.32 (`docs/api.md`, `api/types.go` and `server/routes.go` of ollama/ollama).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from biai_xinf.extension.errors import ApiError, bad_request
from biai_xinf.extension.ollama_names import NamedModel
from biai_xinf.providers.dialect import ANY_JSON

_NUMBERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "min_p": "min_p",
    "repeat_penalty": "repetition_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_INTEGERS = {"top_k": "top_k", "seed": "seed", "num_predict": "max_tokens"}
# Thinking costs BIAI its answers: it waits 60 s for prose and allows a story 500 tokens.
_UNTHINKING = ("sql", "narrator")
# Base64 of the first bytes of each format.
_IMAGES = {"iVBOR": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp"}


@dataclass(frozen=True)
class Asked:
    """A chat or generate request, translated: `body` goes to `path`, the rest says how its answer is to look.

    `loads` is a request without a prompt, by which Ollama clients see that a model is there. `splits_thinking` moves
    a leading `<think>` out of the text, `shows_thinking` hands it over beside it. `num_ctx` is the context the
    client counts on, which only a launch can change.
    """

    name: str
    call: Literal["chat", "generate"]
    stream: bool
    path: str
    body: dict[str, Any]
    loads: bool
    splits_thinking: bool
    shows_thinking: bool
    num_ctx: int | None


def read_request(body: bytes) -> dict[str, Any]:
    """The JSON object of a request."""
    if not body.strip():
        raise bad_request("missing request body")
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the request is no JSON that can be read: {error}") from None
    if not isinstance(request, dict):
        raise bad_request("the request must be a JSON object")
    return request


def model_name(request: Mapping[str, Any]) -> str:
    """The name asked for; `name` is its old spelling in pull and show."""
    name = _text(request, "model") or _text(request, "name")
    if not name.strip():
        raise bad_request("model is required")
    return name


def wants_stream(request: Mapping[str, Any]) -> bool:
    """Ollama streams unless told otherwise."""
    return _flag(request, "stream") is not False


def from_chat(request: Mapping[str, Any], model: NamedModel) -> Asked:
    """`/api/chat`."""
    messages = _Messages(model)
    for message in _objects(request, "messages"):
        messages.add(message)
    body: dict[str, Any] = {"messages": messages.translated, **_thinking(request, model), **_answer_format(request)}
    if tools := _objects(request, "tools"):
        body["tools"] = [{"type": "function", **tool} for tool in tools]
    return _asked(request, model, "chat", "/v1/chat/completions", body, loads=not messages.translated)


def from_generate(request: Mapping[str, Any], model: NamedModel) -> Asked:
    """`/api/generate`: one prompt, put as a chat; with `raw` it goes to the model as it is."""
    prompt, system = _text(request, "prompt"), _text(request, "system")
    _refuse_generate(request, system)
    if _flag(request, "raw"):
        if request.get("format"):
            raise bad_request("raw mode does not support format", param="format")
        return _asked(request, model, "generate", "/v1/completions", {"prompt": prompt}, loads=not prompt)
    messages = _Messages(model)
    if system:
        messages.add({"role": "system", "content": system})
    messages.add({"role": "user", "content": prompt, "images": request.get("images")})
    body = {"messages": messages.translated, **_thinking(request, model), **_answer_format(request)}
    return _asked(request, model, "generate", "/v1/chat/completions", body, loads=not prompt)


def _refuse_generate(request: Mapping[str, Any], system: str) -> None:
    overrides = [name for name in ("template", "context") if request.get(name)]
    if _flag(request, "raw"):
        if system or overrides:
            raise bad_request("raw mode does not support template, system, or context", param="raw")
        if request.get("images"):
            raise bad_request("raw mode does not support images", param="images")
    if overrides:
        raise bad_request(
            f"`{overrides[0]}` is not supported: models run with their own template and remember nothing",
            param=overrides[0],
        )
    if _text(request, "suffix"):
        raise bad_request(f'"{model_name(request)}" does not support insert', param="suffix")


def _asked(
    request: Mapping[str, Any],
    model: NamedModel,
    call: Literal["chat", "generate"],
    path: str,
    body: dict[str, Any],
    *,
    loads: bool,
) -> Asked:
    stream = wants_stream(request)
    body = {"model": model.uid, **body, **_options(request), **_logprobs(request, path), "stream": stream}
    if stream:
        body["stream_options"] = {"include_usage": True}
    think = request.get("think")
    return Asked(
        name=model_name(request),
        call=call,
        stream=stream,
        path=path,
        body=body,
        loads=loads,
        splits_thinking=path == "/v1/chat/completions",
        shows_thinking=bool(think) if think is not None else model.role not in _UNTHINKING,
        num_ctx=_integer(_mapping(request, "options"), "num_ctx"),
    )


def from_embed(request: Mapping[str, Any], model: NamedModel) -> dict[str, Any] | None:
    """`/api/embed`; None where there is nothing to embed."""
    texts = request.get("input")
    texts = [texts] if isinstance(texts, str) and texts else texts or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise bad_request("invalid input type", param="input")
    body: dict[str, Any] = {"model": model.uid, "input": texts}
    if dimensions := _integer(request, "dimensions"):
        body["dimensions"] = dimensions
    return body if texts else None


def from_embeddings(request: Mapping[str, Any], model: NamedModel) -> dict[str, Any] | None:
    """`/api/embeddings`, the older form: one text; None where it is empty."""
    prompt = _text(request, "prompt")
    return {"model": model.uid, "input": [prompt]} if prompt else None


class _Messages:
    """Ollama's messages as OpenAI's, one after the other: a tool's answer names the call it belongs to."""

    def __init__(self, model: NamedModel) -> None:
        self.translated: list[dict[str, Any]] = []
        self._model = model
        self._unanswered: list[tuple[str, str]] = []
        self._calls = 0

    def add(self, message: Mapping[str, Any]) -> None:
        role = _text(message, "role").lower()
        result: dict[str, Any] = {"role": role, "content": self._content(message)}
        if calls := _objects(message, "tool_calls"):
            result["tool_calls"] = [self._call(call) for call in calls]
        if role == "tool":
            result["tool_call_id"] = _text(message, "tool_call_id") or self._answered(_text(message, "tool_name"))
        self.translated.append(result)

    def _content(self, message: Mapping[str, Any]) -> str | list[dict[str, Any]]:
        text, images = _text(message, "content"), message.get("images") or []
        if not images:
            return text
        if "vision" not in self._model.abilities:
            raise bad_request(f"`{self._model.uid}` does not support images", param="images")
        if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
            raise bad_request("`images` must be a list of base64 strings", param="images")
        return [{"type": "text", "text": text}, *({"type": "image_url", "image_url": _image(it)} for it in images)]

    def _call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        function = _mapping(call, "function")
        name, self._calls = _text(function, "name"), self._calls + 1
        identity = _text(call, "id") or f"call_{self._calls}"
        self._unanswered.append((identity, name))
        arguments = json.dumps(_mapping(function, "arguments"))
        return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}

    def _answered(self, name: str) -> str:
        """The first call that waits for an answer, of this tool if it is named; Ollama needs no ids for it."""
        fitting = [call for call in self._unanswered if name in ("", call[1])] or self._unanswered
        if not fitting:
            raise bad_request("a message of role `tool` answers no tool call before it", param="messages")
        self._unanswered.remove(fitting[0])
        return fitting[0][0]


def _image(encoded: str) -> dict[str, str]:
    kind = next((kind for start, kind in _IMAGES.items() if encoded.startswith(start)), "png")
    return {"url": f"data:image/{kind};base64,{encoded}"}


def _thinking(request: Mapping[str, Any], model: NamedModel) -> dict[str, Any]:
    think = request.get("think")
    if think is None:
        return {"chat_template_kwargs": {"enable_thinking": False}} if model.role in _UNTHINKING else {}
    if isinstance(think, bool):
        return {"chat_template_kwargs": {"enable_thinking": think}}
    if think not in ("low", "medium", "high", "max"):
        raise bad_request("`think` must be true, false, or one of low, medium, high, max", param="think")
    effort = "high" if think == "max" else think
    return {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": effort}


def _answer_format(request: Mapping[str, Any]) -> dict[str, Any]:
    wanted = request.get("format")
    if wanted is None or wanted == "":
        return {}
    if wanted != "json" and not isinstance(wanted, dict):
        raise bad_request('invalid format; expected "json" or a JSON schema', param="format")
    # JSON schema is the one form every engine honours: llama.cpp drops OpenAI's `json_object` (Xinference 4.1).
    schema = dict(ANY_JSON) if wanted == "json" else wanted
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}


def _options(request: Mapping[str, Any]) -> dict[str, Any]:
    """What of `options` concerns one request. As in Ollama, those nobody knows are left out."""
    options = _mapping(request, "options")
    mapped: dict[str, Any] = {theirs: _number(options, ours) for ours, theirs in _NUMBERS.items()}
    mapped |= {theirs: _integer(options, ours) for ours, theirs in _INTEGERS.items()}
    # Ollama's own defaults, which clients send on: no limit (-1, -2) and a random seed (-1).
    for name, least in (("max_tokens", 1), ("seed", 0)):
        if mapped[name] is not None and mapped[name] < least:
            mapped[name] = None
    stop = options.get("stop")
    if stop is not None and not (isinstance(stop, list) and all(isinstance(it, str) for it in stop)):
        raise bad_request('option "stop" must be of an array of strings', param="options")
    return {name: value for name, value in {**mapped, "stop": stop or None}.items() if value is not None}


def _logprobs(request: Mapping[str, Any], path: str) -> dict[str, Any]:
    top = _integer(request, "top_logprobs") or 0
    if not 0 <= top <= 20:
        raise bad_request("top_logprobs must be between 0 and 20", param="top_logprobs")
    if not _flag(request, "logprobs"):
        return {}
    if path == "/v1/completions":
        raise bad_request("raw mode does not support logprobs", param="logprobs")
    return {"logprobs": True, "top_logprobs": top}


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"`{name}` must be a string", param=name)
    return value or ""


def _flag(values: Mapping[str, Any], name: str) -> bool | None:
    value = values.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"`{name}` must be true or false", param=name)
    return value


def _number(options: Mapping[str, Any], name: str) -> float | None:
    value = options.get(name)
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and _is_finite(value)):
        return value
    raise _wrong_option(name, "float32")


def _integer(options: Mapping[str, Any], name: str) -> int | None:
    value = options.get(name)
    if isinstance(value, bool) or not (value is None or (isinstance(value, (int, float)) and _is_finite(value))):
        raise _wrong_option(name, "integer")
    return None if value is None else int(value)


def _is_finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _wrong_option(name: str, kind: str) -> ApiError:
    return bad_request(f'option "{name}" must be of type {kind}', param="options")


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"`{name}` must be an object", param=name)
    return value or {}


def _objects(values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = values.get(name)
    if value is not None and not (isinstance(value, list) and all(isinstance(it, dict) for it in value)):
        raise bad_request(f"`{name}` must be a list of objects", param=name)
    return value or []
