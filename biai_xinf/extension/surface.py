"""What Xinference is asked for on a client's behalf: what its engine honours, or a 400 where it would ignore a wish.

Pure translation of requests that `checking` let pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from biai_xinf.extension.checking import MAX_TOKENS, Route
from biai_xinf.extension.constraints import FIELDS, constrain, constrain_response
from biai_xinf.extension.engines import LLAMA_CPP, TRANSFORMERS, NativeModel
from biai_xinf.extension.errors import ApiError, bad_request

__all__ = ["NativeModel", "Request", "translate"]

_MODEL_TYPES: Mapping[Route, str] = {"embeddings": "embedding", "rerank": "rerank"}
_SERVED_BY = {"LLM": "/v1/chat/completions", "embedding": "/v1/embeddings", "rerank": "/v1/rerank"}
# Transformers wants this many tokens of the context for itself.
_TRANSFORMERS_ROOM = 8


@dataclass(frozen=True)
class Request:
    """What to send: `body`, as often as `copies` says, the answers making one. `remarks` are for the log.

    `structured`: the answer must be JSON. `dimensions`: its vectors must be that long.
    """

    body: dict[str, Any]
    copies: int = 1
    structured: bool = False
    dimensions: int | None = None
    remarks: tuple[str, ...] = ()


def translate(route: Route, body: Mapping[str, Any], model: NativeModel) -> Request:
    """What to ask Xinference for; 400 for a wish it would ignore. `body` must have passed `check`."""
    if model.model_type in _SERVED_BY and model.model_type != _MODEL_TYPES.get(route, "LLM"):
        raise wrong_route(str(body.get("model")), model.model_type)
    sent = {name: value for name, value in body.items() if value is not None}
    sent["model"] = model.uid
    return _TRANSLATIONS[route](route, sent, model)


def wrong_route(name: str, model_type: str) -> ApiError:
    """400: the model is of another kind than the route."""
    kind = {"LLM": "a language model", "embedding": "an embedding model", "rerank": "a rerank model"}[model_type]
    message = f"`{name}` is {kind}; `POST {_SERVED_BY[model_type]}` is its route"
    return bad_request(message, param="model", code="wrong_route")


def _generation(route: Route, body: dict[str, Any], model: NativeModel) -> Request:
    _refuse_ignored(body)
    copies = _copies(body)
    remarks = [*_limit_tokens(body, model, "max_tokens"), *_unheard(body, model)]
    _apply_defaults(body, model)
    structured = constrain(route, body, model)
    _choose_tools(body, model, structured)
    _respell(body, model)
    if route == "chat":
        body["messages"] = [_message(message) for message in body["messages"]]
    elif type(body["prompt"]) is list:
        body["prompt"] = body["prompt"][0]
    return Request(body, copies, structured, remarks=tuple(remarks))


def _refuse_ignored(body: dict[str, Any]) -> None:
    """Wishes without which the answer is not the one that was asked for. Their do-nothing values pass."""
    if body.pop("logit_bias", None):
        raise bad_request("`logit_bias` is not supported by Xinference", param="logit_bias")
    for name in ("functions", "function_call"):
        if body.pop(name, None):
            raise bad_request(f"`{name}` is ignored by Xinference; use `tools`", param=name)
    if body.pop("suffix", ""):
        message = "`suffix` is ignored by Xinference; put the model's own fill-in-the-middle tokens into `prompt`"
        raise bad_request(message, param="suffix")
    if body.pop("echo", False):
        raise bad_request("`echo` is ignored by Xinference; the answer never repeats the prompt", param="echo")
    if body.pop("best_of", 1) > body.get("n", 1):
        raise bad_request("`best_of` is ignored by Xinference; ask for `n` answers and choose", param="best_of")


def _copies(body: dict[str, Any]) -> int:
    copies: int = body.pop("n", 1)
    if copies > 1:
        if body.get("stream"):
            raise bad_request(f"`n` is {copies}; it must be 1 when `stream` is true", param="n")
        # Every copy is a request of its own.
        body.pop("request_id", None)
    return copies


def _limit_tokens(body: dict[str, Any], model: NativeModel, name: str) -> list[str]:
    sent = [body.pop(spelling, None) for spelling in ("max_completion_tokens", name)]
    defaults = [model.defaults.get(spelling) for spelling in ("max_completion_tokens", "max_tokens")]
    asked = next((count for count in (*sent, *defaults) if count is not None), None)
    if asked is None:
        return []
    limit = model.context or MAX_TOKENS
    if model.runs_on == TRANSFORMERS and asked > limit - _TRANSFORMERS_ROOM:
        # Xinference would cut the prompt to make room; asked for no number it uses what the prompt leaves.
        return [f"`{name}` {asked} was left out: the context has {limit} tokens"]
    body[name] = min(asked, limit)
    return [f"`{name}` {asked} was lowered to the context, {limit} tokens"] if asked > limit else []


# Sampling that an answer is not wrong without; Xinference 4.1.0 drops it for every engine.
_DROPPED = ("min_p", "repeat_penalty", "typical_p", "mirostat", "dry_multiplier", "xtc_probability")


def _unheard(body: dict[str, Any], model: NativeModel) -> list[str]:
    remarks = [f"`{name}` is ignored by Xinference" for name in _DROPPED if name in body]
    if "repetition_penalty" in body and not model.honours.repetition_penalty:
        remarks.append(f"`repetition_penalty` is ignored by {model.engine}; `frequency_penalty` is not")
    return remarks


def _apply_defaults(body: dict[str, Any], model: NativeModel) -> None:
    constrained = not FIELDS.isdisjoint(body) or "tools" in body or "extra_body" in body
    for name, value in model.defaults.items():
        if name in ("max_tokens", "max_completion_tokens") or (name in FIELDS and constrained):
            continue
        if value is not None:
            body.setdefault(name, value)


def _choose_tools(body: dict[str, Any], model: NativeModel, structured: bool) -> None:
    tools, choice = body.pop("tools", None), body.pop("tool_choice", "auto")
    if not tools or choice == "none":
        body.pop("parallel_tool_calls", None)
        return
    if model.tool_calls is False:
        raise bad_request(f"`{model.uid}` cannot call tools", param="tools", code="unsupported_parameter")
    if structured and not model.honours.tools_and_schema:
        raise bad_request(f"{model.engine} takes `tools` or a form for the answer, not both", param="tools")
    if choice != "auto":
        if not model.honours.forced_tools:
            raise model.ignores("tool_choice", ", unless it is `auto` or `none`")
        body["tool_choice"] = choice
    body["tools"] = tools


def _respell(body: dict[str, Any], model: NativeModel) -> None:
    """Values that mean something to clients and upset Xinference or an engine."""
    if body.get("top_k") == -1:
        # vLLM's word for no limit, its default, and below what Xinference lets pass; llama.cpp's is 0.
        del body["top_k"]
        if model.runs_on == LLAMA_CPP:
            body["top_k"] = 0
    if not body.get("stream"):
        body.pop("stream_options", None)
    if body.get("logprobs") is not True:
        body.pop("top_logprobs", None)
    # Xinference refuses all but two of its values, and every engine ignores those.
    body.pop("service_tier", None)


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's newer role is unknown to chat templates, and so is an assistant that said nothing."""
    if message["role"] == "developer":
        return {**message, "role": "system"}
    if message["role"] == "assistant" and message.get("content") is None and not message.get("tool_calls"):
        return {**message, "content": ""}
    return message


def _response(_route: Route, body: dict[str, Any], model: NativeModel) -> Request:
    remarks = _limit_tokens(body, model, "max_output_tokens")
    for name in ("temperature", "top_p"):
        if model.defaults.get(name) is not None:
            body.setdefault(name, model.defaults[name])
    hosted = {str(tool.get("type")) for tool in body.get("tools", ())} - {"function", "custom", "namespace"}
    if hosted:
        remarks.append(f"the model does not see the tools {', '.join(sorted(hosted))}")
    structured = constrain_response(body, model)
    _choose_tools(body, model, structured)
    return Request(body, structured=structured, remarks=tuple(remarks))


# Everything else becomes an argument of the engine's Python function, which fails on what it does not know.
_EMBEDDING_FIELDS = frozenset(
    [
        "model",
        "input",
        "user",
        "encoding_format",
        "dimensions",
        "truncate_prompt_tokens",
        "normalize_embedding",
        "return_sparse",
        "task",
    ]
)
_RERANK_FIELDS = frozenset(["model", "query", "documents", "top_n", "return_documents", "return_len", "kwargs"])


def _embedding(_route: Route, body: dict[str, Any], model: NativeModel) -> Request:
    remarks = _keep_only(_EMBEDDING_FIELDS, body, model)
    several = type(body["input"]) is list
    texts = [_text(item, "input", model) for item in (body["input"] if several else [body["input"]])]
    body["input"] = texts if several else texts[0]
    dimensions = body.get("dimensions")
    if model.runs_on == LLAMA_CPP and dimensions is not None:
        del body["dimensions"]
        if model.dimensions not in (None, dimensions):
            message = f"`dimensions` is {dimensions}; {model.engine} gives vectors of {model.dimensions} only"
            raise bad_request(message, param="dimensions", code="unsupported_parameter")
    return Request(body, dimensions=dimensions, remarks=remarks)


def _reranking(_route: Route, body: dict[str, Any], model: NativeModel) -> Request:
    if body.pop("max_chunks_per_doc", None):
        raise bad_request("`max_chunks_per_doc` is not supported by Xinference", param="max_chunks_per_doc")
    remarks = _keep_only(_RERANK_FIELDS, body, model)
    body["query"] = _text(body["query"], "query", model)
    body["documents"] = [_text(document, "documents", model) for document in body["documents"]]
    options = json.loads(body.get("kwargs", "{}"))
    refused = [name for name in options if name in _RERANK_FIELDS or model.runs_on != "sentence_transformers"]
    if refused:
        raise bad_request(f"`kwargs` has `{refused[0]}`, which the engine does not take", param="kwargs")
    return Request(body, remarks=remarks)


def _keep_only(known: frozenset[str], body: dict[str, Any], model: NativeModel) -> tuple[str, ...]:
    dropped = sorted(set(body) - known)
    for name in dropped:
        del body[name]
    for name, value in model.defaults.items():
        if name in known and value is not None:
            body.setdefault(name, value)
    return tuple(f"`{name}` is not passed on" for name in dropped)


def _text(item: Any, param: str, model: NativeModel) -> Any:
    """A text as engines take it: some clients wrap it in an object."""
    if type(item) is not dict:
        return item
    if set(item) == {"text"}:
        return item["text"]
    if model.runs_on == LLAMA_CPP:
        raise bad_request(f"`{param}` has `{min(item)}`; {model.engine} takes text only", param=param)
    return item


_TRANSLATIONS: Mapping[Route, Callable[[Route, dict[str, Any], NativeModel], Request]] = {
    "chat": _generation,
    "completions": _generation,
    "embeddings": _embedding,
    "rerank": _reranking,
    "responses": _response,
}
