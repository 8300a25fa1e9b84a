"""Why Xinference failed on a request, from what it answered or raised to an error a client can act on.

Xinference 4.1.0 answers `{"detail": ...}`, plain text, or a general sentence in place of the engine's; so the
engine's own words, where the caller saw them, decide. Words that no rule knows are never repeated: they may hold
paths, addresses and other people's data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from biai_xinf.extension.errors import ApiError, bad_request, no_such_model

_SHOWN = 300
_RETRY_LOADING_S = 30
_RETRY_GONE_S = 5
_RETRY_BUSY_S = 1


def as_api_error(
    status: int, content_type: str, body: bytes, exception: BaseException | None, engine_error: str | None
) -> ApiError:
    """The failure of Xinference's application: what it answered (`body`) or raised, and what the engine had raised."""
    answer = _answered(content_type, body)
    said = _sentence(answer) or (str(exception) if exception else "")
    for text in (engine_error, said):
        error = _known(text) if text else None
        if error is not None:
            return error
    return _by_status(status, _presentable(said), answer if isinstance(answer, dict) else {})


def honest_event(line: bytes, engine_error: str | None = None) -> bytes:
    """One line of a stream; where it tells of a failure, in a sentence a client can act on.

    Xinference writes `data: {"error": "..."}`, and in the Responses API an error within `response.failed`; both
    hold what the engine said, with the address of its process.
    """
    event = _failed_event(line)
    if event is None:
        return line
    response = event.get("response")
    found = event.get("error") or (response.get("error") if isinstance(response, dict) else None)
    if not found:
        return line
    error = as_api_error(500, "application/json", json.dumps({"error": found}).encode(), None, engine_error)
    if event.get("error"):
        event = error.body()
    else:
        event["response"] = {**event["response"], "error": {"code": error.code, "message": error.message}}
    end = line[len(line.rstrip(b"\r\n")) :]
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + end


def _failed_event(line: bytes) -> dict[str, Any] | None:
    if b'"error"' not in line or not line.startswith(b"data:"):
        return None
    try:
        event = json.loads(line[len(b"data:") :])
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _answered(content_type: str, body: bytes) -> Any:
    """What an error's answer says: a text, or the object that OpenAI's shape has for it."""
    text = body.decode("utf-8", "replace").strip()
    if "json" not in content_type:
        return text
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    if isinstance(answer, dict):
        return answer.get("error") or answer.get("detail") or answer.get("message") or ""
    return answer


def _sentence(value: Any) -> str:
    if isinstance(value, dict):
        return _sentence(value.get("message") or value.get("msg") or value.get("detail") or "")
    if isinstance(value, list):
        return _sentence(value[0]) if value else ""
    return str(value)


def _by_status(status: int, said: str, given: Mapping[str, Any]) -> ApiError:
    if status == 429:
        return ApiError(429, said or "too many requests", code="rate_limit_exceeded", retry_after=_RETRY_BUSY_S)
    if status == 501:
        return bad_request("Xinference does not support what the request asks for", code="unsupported_parameter")
    if 400 <= status < 500:
        # 422 is FastAPI's own word for a request of the wrong shape.
        return ApiError(
            400 if status == 422 else status,
            said or "Xinference refused the request",
            param=given.get("param"),
            code=given.get("code"),
        )
    if status in (502, 503, 504):
        return ApiError(status, "the model cannot answer now", code="model_unavailable", retry_after=_RETRY_GONE_S)
    return ApiError(500, "the model's engine failed; Xinference's log says why", code="engine_failed")


_LOCAL = re.compile(
    r"\[address=[^\]]*\]\s*"  # which process failed, in front of every error from one
    r"|\bfile://\S+"
    r"|(?<![\w/.:])/(?!v1/)[\w.@+-]+(?:/[\w.@+-]+)+/?"
    r"|\b[A-Za-z]:\\[^\s'\"]+"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}:\d+\b"
)


def _presentable(text: str) -> str:
    """The first line of a text, without what is nobody else's business."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return _LOCAL.sub("", line).strip()[:_SHOWN]


def _known(text: str) -> ApiError | None:
    for pattern, build in _RULES:
        match = pattern.search(text)
        if match:
            return build(match)
    return None


def _too_long(match: re.Match[str]) -> ApiError:
    numbers = match.groupdict()
    asked, limit = numbers.get("asked"), numbers.get("limit")
    if asked and limit:
        message = f"the input has {asked} tokens; the model takes {limit}, answer included"
    elif limit:
        message = f"the input and its answer exceed the model's context of {limit} tokens"
    else:
        message = "the input and its answer exceed the model's context"
    return bad_request(message, code="context_length_exceeded")


def _text_too_long(match: re.Match[str]) -> ApiError:
    message = f"a text of the input has {match['asked']} tokens; the model takes {match['limit']}"
    return bad_request(message, code="context_length_exceeded")


def _refused(message: str, *, param: str | None = None, code: str | None = None) -> Callable[[Any], ApiError]:
    return lambda _: bad_request(message, param=param, code=code)


def _unavailable(message: str, code: str, retry_after: int) -> Callable[[Any], ApiError]:
    return lambda _: ApiError(503, message, code=code, retry_after=retry_after)


def _invalid(match: re.Match[str]) -> ApiError:
    """Xinference's own validation: `N validation errors for X`, then a field on one line and its fault on the next."""
    param = match["field"].replace(" -> ", ".")
    fault = re.sub(r"\s*\(type=.*", "", match["fault"])
    return bad_request(f"`{param}` is wrong: {_presentable(fault)}", param=param)


def _field_refused(match: re.Match[str]) -> ApiError:
    return bad_request(_presentable(match[0]), param=match["field"])


def _limited(match: re.Match[str]) -> ApiError:
    return ApiError(
        429, "the model has as many requests as it may", code="rate_limit_exceeded", retry_after=_RETRY_BUSY_S
    )


_SAMPLING = (
    "temperature|top_p|top_k|min_p|[a-z]+_penalty|max_tokens|min_tokens|logprobs|top_logprobs|seed|stop|n|best_of"
)

# In this order: the numbers before the general words. Texts of llama.cpp as in xllamacpp 2026.10, of vLLM as of 0.6
# to 0.25, of SGLang, MLX and Transformers as in Xinference 4.1.0's source.
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], ApiError]], ...] = tuple(
    (re.compile(pattern), build)
    for pattern, build in (
        # llama.cpp
        (r"request \((?P<asked>\d+) tokens\) exceeds the available context size \((?P<limit>\d+) tokens\)", _too_long),
        (
            r"input \((?P<asked>\d+) tokens\) is too large to process.*\(current batch size: (?P<limit>\d+)\)",
            _text_too_long,
        ),
        (
            r"input \((?P<asked>\d+) tokens\) is larger than the max context size \((?P<limit>\d+) tokens\)",
            _text_too_long,
        ),
        (r"exceeds the available context size|Context size has been exceeded", _too_long),
        # vLLM
        (r"coder prompt \(length (?P<asked>\d+)\)[^.]* the maximum model length of (?P<limit>\d+)", _too_long),
        (
            r"maximum context length is (?P<limit>\d+)(?: tokens)?"
            r"(?:.*(?:contains|resulted in|passed)(?: at least)? (?P<asked>\d+))?",
            _too_long,
        ),
        # SGLang
        (
            r"input \((?P<asked>\d+) tokens\) is longer than the model's context length \((?P<limit>\d+) tokens\)",
            _too_long,
        ),
        (r"maximum context length of (?P<limit>\d+) tokens(?:.* total of (?P<asked>\d+) tokens)?", _too_long),
        # MLX
        (r"Prompt has (?P<asked>\d+) tokens, but context_length is (?P<limit>\d+)", _too_long),
        # Transformers
        (r"Prompt length (?P<asked>\d+) reaches or exceeds context_length (?P<limit>\d+)", _too_long),
        (
            r"Max tokens exceeds model's max length",
            _refused("`max_tokens` exceeds the model's context", param="max_tokens", code="context_length_exceeded"),
        ),
        # Xinference in an engine's place
        (r"exceeds the model's configured context length|leaves no room for output tokens", _too_long),
        (
            r"Model not found in the model list, uid: (?P<uid>.*?)(?:\. Available model|\s\(cached|$)",
            lambda m: no_such_model(m["uid"]),
        ),
        (
            r"Model is loading|Model is reloading|[Mm]odel .*is not ready",
            _unavailable("the model is being loaded", "model_loading", _RETRY_LOADING_S),
        ),
        (r"Rate limit reached", _limited),
        (
            r"is not for (?:chat|generate|creating embedding|reranking)|object has no attribute 'model_spec'",
            _refused("the model is not of the kind this route serves", param="model", code="wrong_route"),
        ),
        (
            r"Only \{.*\} support tool (?:calls|messages)",
            _refused("the model cannot call tools", param="tools", code="unsupported_parameter"),
        ),
        (r"validation errors? for \w+\s*\n(?P<field>[^\n]+)\n\s*(?P<fault>[^\n]+)", _invalid),
        # What engines say of requests they do not understand
        (
            r"Cannot continue an assistant message that contains tool calls",
            _refused("the last of `messages` calls tools; their results must follow it", param="messages"),
        ),
        (
            r"(?:image|audio|video) input is not supported|does not support (?:image|audio|video|multimodal)",
            _refused("the model takes text only", param="messages", code="unsupported_media"),
        ),
        (
            r"(?:images|uri|audio) must be |[Ii]nvalid (?:base64 )?(?:media )?(?:data )?(?:URI|url)|Empty data URI"
            r"|[Ff]ailed to (?:load|decode|download|fetch|open) (?:image|audio|video)|cannot identify image file",
            _refused("the media in the messages could not be read", param="messages", code="invalid_media"),
        ),
        (
            r"unsupported content\[\]\.type",
            _refused("a message has content the engine does not take", param="messages"),
        ),
        (
            r"Cannot have 2 or more assistant messages at the end",
            _refused("the last two messages are both the assistant's", param="messages"),
        ),
        (
            r"Failed to parse messages|must contain 'content'|Expected 'content'",
            _refused("a message has no content the engine takes", param="messages"),
        ),
        (
            r"Failed to parse tool call arguments",
            _refused("a tool call's `arguments` are not JSON", param="messages"),
        ),
        (r"Failed to parse tools", _refused("the engine does not understand the tools", param="tools")),
        (
            r"Jinja Exception: (?P<said>[^\n]+)|(?P<other>(?:Conversation roles|System (?:message|role))[^\n]+)",
            lambda m: bad_request(
                f"the model's chat template refuses the messages: {_presentable(m['said'] or m['other'])}",
                param="messages",
            ),
        ),
        (
            r"While executing \w+ at line|Unable to (?:apply|generate parser for) this template",
            _refused("the model's chat template cannot be filled with these messages", param="messages"),
        ),
        (
            r"[Ff]ailed to (?:parse|compile|initialize) (?:the )?(?:grammar|samplers|json.?schema)"
            r"|grammar constraints with tools",
            _refused("the engine cannot enforce the form asked for", param="response_format", code="invalid_schema"),
        ),
        (
            r"Field '(?P<field>\w+)': \[json\.",
            lambda m: bad_request(f"`{m['field']}` has the wrong type", param=m["field"]),
        ),
        (rf"\b(?P<field>{_SAMPLING}) must be [^\n]+", _field_refused),
        (
            r"not valid UTF-8|surrogates not allowed|exceeds 64-bit",
            _refused("the request has text or numbers that engines cannot take"),
        ),
        (
            r"\"input\" must not be empty|\"prompt\" elements must be|check the input data|Unsupported input type",
            _refused("the engine does not take such an input", param="input"),
        ),
        (
            r"cache_salt (?:is not supported|on legacy)|not support cache_salt",
            _refused("the model's engine does not take `cache_salt`", param="cache_salt"),
        ),
        # Nothing the client can change
        (
            r"ServerClosed|[Rr]emote server .*closed|Connect(?:ion)? ?(?:refused|reset|call failed)"
            r"|ActorNotExist|No ready |every replica of",
            _unavailable("the model's process has gone; it is being started again", "model_unavailable", _RETRY_GONE_S),
        ),
        (
            r"[Oo]ut of memory|OutOfMemory|failed to allocate",
            _unavailable("the machine ran out of memory for this request", "out_of_memory", _RETRY_LOADING_S),
        ),
    )
)
