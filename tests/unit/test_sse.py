"""Streams on their way through: nothing is changed but the model's name, wherever the network cuts them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.extension.model_name import renamed
from biai_xinf.extension.sse import BadChunk, EventStream

CONTENT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ['"model":"x"', '{"model": "y"}', "\\", '"', "data: [DONE]", "\u2028", "zażółć"]
)


def event(content: str, **fields: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": content}}], "model": "/srv/model.gguf", **fields}


def sse(*events: dict[str, Any], end: str = "\n") -> bytes:
    lines = [f"data: {json.dumps(one, ensure_ascii=False)}{end}{end}" for one in events]
    return "".join([*lines, f"data: [DONE]{end}{end}"]).encode()


def passed(stream: bytes, cuts: list[int], **options: Any) -> tuple[bytes, EventStream]:
    events = EventStream("sql", **options)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    out = [events.feed(stream[a:b]) for a, b in itertools.pairwise(edges)]
    return b"".join([*out, events.end()]), events


def read(stream: bytes) -> list[Any]:
    lines = [line[5:].strip() for line in stream.splitlines() if line.startswith(b"data:")]
    return [line if line == b"[DONE]" else json.loads(line) for line in lines]


@given(st.lists(CONTENT, max_size=6), st.lists(st.integers(0, 5000), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_only_the_models_name_changes_wherever_the_stream_is_cut(texts: list[str], cuts: list[int], end: str) -> None:
    sent = [event(text) for text in texts]

    out, events = passed(sse(*sent, end=end), cuts)

    assert read(out) == [*({**one, "model": "sql"} for one in sent), b"[DONE]"]
    assert events.finished
    assert events.done


@given(CONTENT, st.sampled_from(["sql", 'a"b', "ż"]))
def test_a_whole_answer_keeps_everything_but_the_models_name(text: str, name: str) -> None:
    answer = {"choices": [{"message": {"content": text}}], "model": "/srv/model.gguf", "usage": {"total_tokens": 1}}

    out = renamed(json.dumps(answer).encode(), name)

    assert json.loads(out) == {**answer, "model": name}


def test_a_chunk_is_passed_on_as_one_chunk() -> None:
    events = EventStream("sql")
    chunk = sse(event("a"), event("b"))

    assert events.feed(chunk) == chunk.replace(b'"/srv/model.gguf"', b'"sql"')


def test_usage_is_seen_and_hidden_from_a_client_that_did_not_ask() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    stream = sse(event("a"), {"choices": [], "usage": usage})

    shown, _ = passed(stream, [])
    hidden, events = passed(stream, [], hide_usage=True)

    assert {"choices": [], "usage": usage} in read(shown)
    assert [one for one in read(hidden) if one != b"[DONE]"] == [event("a", model="sql")]
    assert events.usage == usage


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("data: {broken\n\n", "it sent an event that is not JSON"),
        ("data: [1]\n\n", "it sent an event that is not a JSON object"),
        ('data: {"error": {"message": "CUDA out of memory"}}\n\n', "CUDA out of memory"),
        ('data: {"error": "gone"}\n\n', "gone"),
    ],
)
def test_an_event_that_is_none_is_a_bad_chunk(line: str, reason: str) -> None:
    with pytest.raises(BadChunk, match=reason):
        EventStream("sql").feed(line.encode())


def test_comments_pass_and_are_no_answer() -> None:
    events = EventStream("sql")

    assert events.feed(b": ping\n\n") == b": ping\n\n"
    assert (events.events, events.done) == (0, False)


def test_a_stream_of_the_responses_api_ends_with_its_own_event() -> None:
    response = {"id": "r", "metadata": {"model": "theirs"}, "model": "/srv/model.gguf", "usage": {"input_tokens": 3}}
    stream = f"event: x\ndata: {json.dumps({'type': 'response.completed', 'response': response})}\n\n"

    out, events = passed(stream.encode(), [])

    assert read(out) == [{"type": "response.completed", "response": {**response, "model": "sql"}}]
    assert (events.finished, events.usage) == (True, {"input_tokens": 3})
