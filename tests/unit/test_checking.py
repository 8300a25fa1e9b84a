"""What is refused before Xinference sees it, in which words, and that nothing else comes out of a check."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from biai_xinf.extension.checking import MAX_DEPTH, Route, check, parse
from biai_xinf.extension.errors import ApiError
from tests.request_bodies import ANYTHING, TOOL, good, requests, routes

ASSISTANT = {"role": "assistant", "content": None}


def outcome(action: Callable[[], Any]) -> Any:
    """What an action returns, or the ApiError it raises; anything else it raises is a failure."""
    try:
        return action()
    except ApiError as error:
        return error


def refusal(route: Route, body: Any) -> tuple[int, str, str | None]:
    with pytest.raises(ApiError) as caught:
        check(route, body)
    return caught.value.status, caught.value.message, caught.value.param


@given(routes)
def test_a_good_body_passes(route: Route) -> None:
    check(route, good(route))


@settings(max_examples=300)
@given(requests())
def test_any_body_passes_or_is_refused_with_one_sentence(request: tuple[Route, Any]) -> None:
    error = outcome(lambda: check(*request))

    if error is not None:
        assert error.status == 400
        assert "\n" not in error.message
        json.dumps(error.body(), ensure_ascii=False).encode()


@settings(max_examples=300)
@given(ANYTHING)
def test_what_is_parsed_is_an_object_or_refused(value: Any) -> None:
    parsed = outcome(lambda: parse(json.dumps(value).encode()))

    if isinstance(parsed, ApiError):
        assert (parsed.status, parsed.code) == (400, "invalid_json")
    else:
        assert parsed == value


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the request body is not JSON: Expecting value at character 0"),
        (b"[]", "the request body is an empty list; it must be a JSON object"),
        (b'{"a": NaN}', "the request body is not JSON: it has the number NaN"),
        (b'{"a": "\xff"}', "the request body is not JSON: it is not UTF-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "the request body is not JSON: it has a number of thousands of digits"),
        (b"[" * 200_000, "the request nests more than 64 levels deep"),
    ],
    ids=["empty", "a list", "NaN", "latin-1", "a huge number", "deep"],
)
def test_what_is_not_a_json_object(raw: bytes, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(raw)

    assert (caught.value.status, caught.value.message) == (400, message)


@pytest.mark.parametrize(
    ("route", "change", "message"),
    [
        ("chat", {"model": ""}, '`model` is ""; it must be a string that is not empty'),
        ("chat", {"model": None}, "`model` is missing; it must be a string that is not empty"),
        ("chat", {"messages": []}, "`messages` is an empty list; it must be a list of messages, at least one"),
        ("chat", {"temperature": True}, "`temperature` is true; it must be a number from 0 to 2"),
        ("chat", {"temperature": "0.5"}, '`temperature` is "0.5"; it must be a number from 0 to 2'),
        ("chat", {"top_p": 1.01}, "`top_p` is 1.01; it must be a number from 0 to 1"),
        ("chat", {"n": 17}, "`n` is 17; it must be a whole number from 1 to 16"),
        ("chat", {"max_tokens": 0}, "`max_tokens` is 0; it must be a whole number, at least 1"),
        ("chat", {"seed": 2**64}, "`seed` has a number of more than 64 bits"),
        ("chat", {"presence_penalty": float("inf")}, "`presence_penalty` has a number that is not finite"),
        ("chat", {"tools": [3]}, "`tools` is a list; it must be a list of objects"),
        ("chat", {"top_logprobs": 2}, "`top_logprobs` needs `logprobs` to be true"),
        ("chat", {"stream_options": []}, "`stream_options` is an empty list; it must be an object"),
        ("chat", {"tool_choice": "required"}, "`tool_choice` is `required`, but there are no `tools`"),
        ("completions", {"prompt": ["a", "b"]}, "`prompt` is a list; Xinference takes one string per request"),
        ("completions", {"prompt": [1, 2]}, "`prompt` is a list; Xinference takes one string per request"),
        ("completions", {"logprobs": True}, "`logprobs` is true; it must be a whole number from 0 to 20"),
        (
            "embeddings",
            {"input": [1, 2]},
            "`input` has token numbers, which Xinference would read as texts; send the text itself",
        ),
        (
            "embeddings",
            {"input": [[1], [2]]},
            "`input` has token numbers, which Xinference would read as texts; send the text itself",
        ),
        ("embeddings", {"input": ["a", ""]}, '`input[1]` is ""; it must be a string that is not empty'),
        ("embeddings", {"encoding_format": "hex"}, '`encoding_format` is "hex"; it must be one of `float`, `base64`'),
        ("rerank", {"documents": []}, "`documents` is an empty list; it must be a list of strings, at least one"),
        ("rerank", {"top_n": 0}, "`top_n` is 0; it must be a whole number from 1 to 2147483647"),
        ("rerank", {"kwargs": "[]"}, '`kwargs` is "[]"; it must be the JSON text of an object'),
        ("responses", {"input": []}, "`input` is an empty list; it must be a string or a list of items, not empty"),
        (
            "responses",
            {"text": {"format": {"type": "json_schema"}}},
            "`text.format` of type `json_schema` needs an object `json_schema.schema`",
        ),
    ],
)
def test_the_value_found_and_the_value_needed(route: Route, change: dict[str, Any], message: str) -> None:
    status, said, param = refusal(route, {**good(route), **change})

    assert (status, said) == (400, message)
    assert param == next(iter(change)) or (param or "").startswith(("input[", "text."))


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (3, "messages[0]"),
        ({"role": "wizard", "content": "hi"}, "messages[0].role"),
        ({"role": ["user"], "content": "hi"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": []}, "messages[0].content"),
        ({"role": "user", "content": ["hi"]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "messages[0].content[0].image_url"),
        (
            {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
            "messages[0].content[0].type",
        ),
        ({**ASSISTANT, "tool_calls": [{}]}, "messages[0].tool_calls[0].function"),
        (
            {**ASSISTANT, "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
            "messages[0].tool_calls[0].function",
        ),
        ({"role": "tool", "content": "x", "tool_call_id": 1}, "messages[0].tool_call_id"),
    ],
)
def test_a_wrong_message_is_named(message: Any, param: str) -> None:
    assert refusal("chat", {**good("chat"), "messages": [message]})[2] == param


@pytest.mark.parametrize(
    "message",
    [
        {"role": "developer", "content": "be brief"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "data:,"}}],
        },
        ASSISTANT,
        {**ASSISTANT, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{"}}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ],
)
def test_what_clients_send_passes(message: dict[str, Any]) -> None:
    check("chat", {**good("chat"), "messages": [message]})


def test_fields_nobody_knows_and_nulls_pass() -> None:
    check("chat", {**good("chat"), "any field": {"a": [1]}, "temperature": None, "tools": None, "stop": []})


def test_a_named_tool_must_be_there() -> None:
    choice = {"type": "function", "function": {"name": "look_up"}}
    check("chat", {**good("chat"), "tools": [TOOL], "tool_choice": choice})

    missing = {"type": "function", "function": {"name": "other"}}
    body = {**good("chat"), "tools": [TOOL], "tool_choice": missing}
    assert refusal("chat", body)[1] == "`tool_choice` names `other`, which is not among `tools`"


def test_depth_is_limited() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]

    assert refusal("chat", {**good("chat"), "metadata": {"a": deep}})[1] == "the request nests more than 64 levels deep"


def test_half_a_surrogate_pair_is_no_text_anywhere() -> None:
    assert refusal("chat", {**good("chat"), "user": "\ud800"})[1] == (
        "`user` has half of a surrogate pair, which is no text"
    )
    assert refusal("chat", {**good("chat"), "\ud800": 1})[1] == (
        "the name of a field has half of a surrogate pair, which is no text"
    )


def test_the_conversation_cannot_be_replaced_in_the_template() -> None:
    status, message, param = refusal("chat", {**good("chat"), "chat_template_kwargs": '{"messages": []}'})

    assert (status, param) == (400, "chat_template_kwargs")
    assert message.endswith("without the conversation's own `messages` and `tools`")
