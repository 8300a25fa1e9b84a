"""Failures a client can act on, the model's name as it was asked for, and one answer of several."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biai_xinf.extension import model_name
from biai_xinf.extension.answers import (
    as_api_error,
    check_dimensions,
    check_structured,
    honest_event,
    merged,
)
from biai_xinf.extension.errors import ApiError

ADDRESS = "[address=127.0.0.1:35927, pid=9429] "
GENERAL = "The chat completion request failed. Check the server logs for details."


def failure(detail: Any, status: int = 500, engine_error: str | None = None) -> ApiError:
    return as_api_error(status, "application/json", json.dumps({"detail": detail}).encode(), None, engine_error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "request (3018 tokens) exceeds the available context size (512 tokens), try increasing it",
            "the input has 3018 tokens; the model takes 512, answer included",
        ),
        (
            "input (2002 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
            "a text of the input has 2002 tokens; the model takes 512",
        ),
        (
            "input (600 tokens) is larger than the max context size (512 tokens). skipping",
            "a text of the input has 600 tokens; the model takes 512",
        ),
        (
            "The decoder prompt (length 9000) is longer than the maximum model length of 8192. Make sure that "
            "`max_model_len` is no smaller than the number of text tokens.",
            "the input has 9000 tokens; the model takes 8192, answer included",
        ),
        (
            "The decoder prompt (length 8192) plus the number of requested output tokens (at least 1) is longer than "
            "the maximum model length of 8192.",
            "the input has 8192 tokens; the model takes 8192, answer included",
        ),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 100 output tokens and your "
            "prompt contains at least 4097 input tokens, for a total of at least 4197 tokens.",
            "the input has 4097 tokens; the model takes 4096, answer included",
        ),
        (
            "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
            "the input has 5000 tokens; the model takes 4096, answer included",
        ),
        (
            "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total "
            "of 5000 tokens: 4900 tokens from the input messages and 100 tokens for the completion.",
            "the input has 5000 tokens; the model takes 4096, answer included",
        ),
        (
            "Prompt has 5000 tokens, but context_length is 4096; at least one output token is required.",
            "the input has 5000 tokens; the model takes 4096, answer included",
        ),
        (
            "Prompt length 5000 reaches or exceeds context_length 4096, leaving no output capacity.",
            "the input has 5000 tokens; the model takes 4096, answer included",
        ),
        ("Max tokens exceeds model's max length", "`max_tokens` exceeds the model's context"),
        ("Context size has been exceeded.", "the input and its answer exceed the model's context"),
    ],
    ids=[
        "llama.cpp",
        "llama.cpp embedding",
        "llama.cpp context",
        "vLLM",
        "vLLM brim-full",
        "vLLM server",
        "SGLang",
        "SGLang total",
        "MLX",
        "Transformers media",
        "Transformers",
        "llama.cpp while answering",
    ],
)
def test_what_is_too_long_is_told_with_the_numbers(text: str, message: str) -> None:
    for error in (failure(ADDRESS + text), failure(GENERAL, engine_error=ADDRESS + text)):
        assert (error.status, error.code, error.message) == (400, "context_length_exceeded", message)


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        (
            404,
            f"{ADDRESS}Model not found in the model list, uid: nope. Available model uids: ['secret']",
            (404, "model_not_found", "no model `nope` is served here; `GET /v1/models` lists what is served"),
        ),
        (
            404,
            "Model not found in the model list, uid: nope (cached, retry after 10.0s)",
            (404, "model_not_found", "no model `nope` is served here; `GET /v1/models` lists what is served"),
        ),
        (
            503,
            "Model is loading, please retry later: [address=1.2.3.4:5, pid=1] Model is reloading",
            (503, "model_loading", "the model is being loaded"),
        ),
        (429, "Rate limit reached", (429, "rate_limit_exceeded", "the model has as many requests as it may")),
        (401, "Could not validate credentials", (401, None, "Could not validate credentials")),
        (403, "API key does not have access to model: x", (403, None, "API key does not have access to model: x")),
        (
            400,
            "Only {'qwen3', 'qwen2.5-instruct'} support tool calls",
            (400, "unsupported_parameter", "the model cannot call tools"),
        ),
        (
            500,
            f"{ADDRESS}Model model_id='tiny' model_file='/root/x.gguf' is not for creating embedding.",
            (400, "wrong_route", "the model is not of the kind this route serves"),
        ),
        (
            500,
            "'XllamaCppEmbeddingModel' object has no attribute 'model_spec'",
            (400, "wrong_route", "the model is not of the kind this route serves"),
        ),
        (
            501,
            "Not implemented",
            (400, "unsupported_parameter", "Xinference does not support what the request asks for"),
        ),
        (
            500,
            "[Errno 111] Connection refused",
            (503, "model_unavailable", "the model's process has gone; it is being started again"),
        ),
        (500, GENERAL, (500, "engine_failed", "the model's engine failed; Xinference's log says why")),
        (500, "secret of /root/.cache", (500, "engine_failed", "the model's engine failed; Xinference's log says why")),
        (422, [{"loc": ["body"], "msg": "field required"}], (400, None, "field required")),
        (400, "see /root/models/x.gguf on 10.0.0.1:8000", (400, None, "see  on")),
    ],
)
def test_each_failure_has_its_status(status: int, detail: Any, expected: tuple[int, str | None, str]) -> None:
    error = failure(detail, status)

    assert (error.status, error.code, error.message) == expected
    assert (error.retry_after is not None) == (error.status in (429, 503))


def test_plain_text_of_validation_becomes_a_field_and_its_fault() -> None:
    body = (
        b"Internal Server Error: 1 validation error for CreateChatCompletion\nresponse_format -> type\n"
        b"  ensure this value is less than or equal to 2.0 (type=value_error.number.not_le; limit_value=2.0)"
    )

    error = as_api_error(500, "text/plain; charset=utf-8", body, None, None)

    assert (error.status, error.param) == (400, "response_format.type")
    assert error.message == "`response_format.type` is wrong: ensure this value is less than or equal to 2.0"


def test_what_is_raised_counts_like_what_is_answered() -> None:
    raised = ValueError(
        "1 validation error for CreateCompletionRequest\nprompt\n  str type expected (type=type_error.str)"
    )

    error = as_api_error(500, "", b"", raised, None)

    assert (error.status, error.param, error.message) == (400, "prompt", "`prompt` is wrong: str type expected")


def test_openais_shape_keeps_what_it_says() -> None:
    given = {
        "message": "background responses are not supported",
        "param": "background",
        "code": "unsupported_parameter",
    }

    error = as_api_error(400, "application/json", json.dumps({"error": given}).encode(), None, None)

    assert {key: value for key, value in error.body()["error"].items() if key != "type"} == given


@settings(max_examples=300)
@given(st.integers(400, 599), st.sampled_from(["application/json", "text/plain"]), st.binary(max_size=60))
def test_whatever_is_answered_there_is_an_error_for_it(status: int, content_type: str, body: bytes) -> None:
    error = as_api_error(status, content_type, body, None, None)

    assert 400 <= error.status < 600
    json.dumps(error.body(), ensure_ascii=False).encode()


@given(
    st.sampled_from(["[address=127.0.0.1:1, pid=2]", "/root/.xinference/cache/x.gguf", "file:///etc/passwd"]), st.text()
)
def test_nothing_local_is_told(local: str, around: str) -> None:
    told = failure(f"{around} {local} {around}", 400).message

    assert local not in told


def test_errors_in_a_stream() -> None:
    line = (
        b'data: {"error": "'
        + ADDRESS.encode()
        + b'request (9 tokens) exceeds the available context size (8 tokens)"}\r\n'
    )

    assert honest_event(line) == (
        b'data: {"error": {"message": "the input has 9 tokens; the model takes 8, answer included", '
        b'"type": "invalid_request_error", "param": null, "code": "context_length_exceeded"}}\r\n'
    )
    general = f'data: {{"error": "{GENERAL}"}}\n'.encode()
    assert b"the input has 9 tokens" in honest_event(
        general, "request (9 tokens) exceeds the available context size (8 tokens)"
    )


def test_a_failed_response_keeps_its_event() -> None:
    message = f"{ADDRESS}request (9 tokens) exceeds the available context size (8 tokens)"
    event = {"type": "response.failed", "response": {"id": "r", "error": {"code": "server_error", "message": message}}}

    told = honest_event(b"data: " + json.dumps(event).encode() + b"\n")

    assert json.loads(told[len(b"data: ") :]) == {
        "type": "response.failed",
        "response": {
            "id": "r",
            "error": {
                "code": "context_length_exceeded",
                "message": "the input has 9 tokens; the model takes 8, answer included",
            },
        },
    }


@pytest.mark.parametrize(
    "line",
    [
        b"data: [DONE]\n",
        b": ping\n",
        b'data: {"choices": [{"delta": {"content": "\\"error\\": 1"}}]}\n',
        b'data: {"response": {"error": null}}\n',
        b'data: {"error": nonsense\n',
    ],
)
def test_other_lines_are_left_alone(line: bytes) -> None:
    assert honest_event(line) is line


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["model", '"model": "x"', '\\"model', '"model"']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.sampled_from(["model", '"model', 'x"model']), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    fields = draw(
        st.dictionaries(st.text(max_size=4) | st.sampled_from(["model", "choices", 'a"model']), JSON, max_size=5)
    )
    if draw(st.booleans()):
        fields["model"] = draw(st.text() | st.none())
    return dict(draw(st.permutations(list(fields.items()))))


def renamed(value: dict[str, Any], name: str) -> dict[str, Any]:
    has_name = isinstance(value.get("model"), str) or ("model" in value and value["model"] is None)
    return {**value, "model": name} if has_name else value


@settings(max_examples=400)
@given(objects(), NAMES, st.booleans(), st.sampled_from([None, 1]))
def test_only_the_top_level_model_is_renamed(
    value: dict[str, Any], name: str, ascii_only: bool, indent: int | None
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")

    told = model_name.renamed(body, name)

    assert json.loads(told.decode("utf-8", "surrogatepass")) == renamed(value, name)


def test_text_that_quotes_the_field_is_left_alone() -> None:
    event = {"choices": [{"delta": {"content": '{"model": "theirs"}', "model": "nested"}}], "model": "/root/x.gguf"}

    told = model_name.renamed(json.dumps(event).encode(), "sql-coder")

    assert json.loads(told) == {**event, "model": "sql-coder"}


def test_copies_make_one_answer() -> None:
    def copy(text: str, tokens: int) -> dict[str, Any]:
        usage = {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens}
        details = {
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": tokens},
        }
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {"id": text, "model": "sql", "choices": [choice], "usage": {**usage, **details}, "timings": {"ms": 1}}

    assert merged([copy("a", 2), copy("b", 3)]) == {
        "id": "a",
        "model": "sql",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": "b"}, "finish_reason": "stop"},
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 5,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
    }


def test_copies_without_usage_have_none() -> None:
    assert merged([{"choices": [{"index": 0}]}, {"choices": [{"index": 0}]}]) == {
        "choices": [{"index": 0}, {"index": 1}]
    }


def answer(content: str | None, finish_reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": finish_reason}]}


def test_an_answer_that_had_to_be_json() -> None:
    check_structured(answer('{"a": 1}'))
    check_structured(answer('{"a"', "length"))
    check_structured({"choices": [{"text": "[]", "finish_reason": "stop"}]})

    with pytest.raises(ApiError) as caught:
        check_structured(answer("certainly!"))
    assert (caught.value.status, caught.value.code) == (502, "schema_not_enforced")


def test_vectors_are_as_long_as_was_asked() -> None:
    check_dimensions({"data": [{"embedding": [0.0, 1.0]}]}, 2)
    check_dimensions({"data": [{"embedding": "AAAAAAAAgD8="}]}, 2)
    check_dimensions({"data": [{"embedding": [0.0]}]}, None)

    with pytest.raises(ApiError) as caught:
        check_dimensions({"data": [{"embedding": [0.0, 1.0]}]}, 8)
    assert caught.value.message == "`dimensions` is 8; the model gives vectors of 2 only"


def test_a_conversation_that_ends_with_a_call_of_tools_is_refused_as_such() -> None:
    # xllamacpp 2026.10; two of ten thousand random requests found it.
    error = failure(GENERAL, engine_error="Cannot continue an assistant message that contains tool calls.")

    assert (error.status, error.param) == (400, "messages")
    assert error.message == "the last of `messages` calls tools; their results must follow it"
