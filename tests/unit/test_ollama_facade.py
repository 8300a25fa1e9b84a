"""The Ollama facade without sockets: names, translation both ways, and what clients get when things go wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import string
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biai_xinf.extension.asgi import Message, Scope
from biai_xinf.extension.ollama import OllamaFacade
from biai_xinf.extension.ollama_answers import StreamedAnswer, refused, split_thinking
from biai_xinf.extension.ollama_models import shown
from biai_xinf.extension.ollama_names import Call, NamedModel, canonical, listing, route
from biai_xinf.extension.ollama_requests import ANY_JSON, Asked, from_chat, from_generate
from tests.ollama_stand_in import MODELS, TAG, FixedNames, StandIn

SQL, NARRATOR = MODELS[0], MODELS[1]


def ask(
    app: OllamaFacade, path: str, body: Any = None, method: str = "POST", headers: dict[str, str] | None = None
) -> tuple[int, dict[bytes, bytes], bytes]:
    """One request to an ASGI application: status, headers and body of its answer."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    sent: list[Message] = []
    pending = [{"type": "http.request", "body": raw, "more_body": False}]

    async def receive() -> Message:
        if pending:
            return pending.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    encoded = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope: Scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": encoded}
    asyncio.run(app(scope, receive, send))
    assert [m["type"] for m in sent] == ["http.response.start"] + ["http.response.body"] * (len(sent) - 1)
    assert [bool(m.get("more_body")) for m in sent[1:]] == [True] * (len(sent) - 2) + [False]
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(m["body"] for m in sent[1:])


def ask_json(stand_in: StandIn, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
    status, _, answer = ask(OllamaFacade(stand_in, FixedNames()), path, body, method)
    return status, json.loads(answer)


def ask_lines(stand_in: StandIn, path: str, body: Any) -> list[dict[str, Any]]:
    _, headers, answer = ask(OllamaFacade(stand_in, FixedNames()), path, body)
    assert headers[b"content-type"] == b"application/x-ndjson"
    return [without_figures(json.loads(line)) for line in answer.splitlines()]


def without_figures(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in answer.items() if name != "created_at" and not name.endswith("_duration")}


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("HEAD", "/", True),
        ("GET", "/", False),
        ("GET", "/api/tags", True),
        ("POST", "/api/embeddings", True),
        ("GET", "/api/generate", True),
        ("OPTIONS", "/api/chat", False),
        ("POST", "/api/create", False),
        ("GET", "/ollama", True),
        ("POST", "/ollama/k/secret/api/chat", True),
        ("GET", "/ollamas", False),
        ("POST", "/v1/chat/completions", False),
    ],
)
def test_only_ollamas_requests_are_the_facades(method: str, path: str, wanted: bool) -> None:
    assert OllamaFacade.wants(method, path) is wanted


@pytest.mark.parametrize(
    ("name", "call", "uid"),
    [
        ("sql-coder", "generate", "sql-coder"),
        ("sql-coder:latest", "generate", "sql-coder"),
        ("SQL-Coder:LATEST", "chat", "sql-coder"),
        ("library/sql-coder", "chat", "sql-coder"),
        (TAG, "chat", "sql-coder"),
        (TAG.upper(), "generate", "narrator"),
        (TAG, "embed", "embedder"),
        ("biai", "chat", "sql-coder"),
        ("biai:latest", "generate", "narrator"),
        ("sql", "generate", "narrator"),
        ("narrator", "chat", "narrator"),
        ("nomic-embed-text", "embed", "embedder"),
        ("nomic-embed-text:latest", "chat", "embedder"),
        ("qwen2.5-coder", "chat", None),
        ("", "chat", None),
    ],
)
def test_a_name_is_routed_by_the_shape_of_the_call(name: str, call: Call, uid: str | None) -> None:
    assert route(MODELS, name, call) == uid


def test_one_model_serves_both_shapes_where_there_is_only_one() -> None:
    calls: tuple[Call, ...] = ("chat", "generate", "embed")

    assert [route([SQL], "narrator", call) for call in calls] == ["sql-coder", "sql-coder", None]


def test_a_model_that_carries_the_tag_comes_before_others_of_its_role() -> None:
    models = [NamedModel("a", "sql"), NamedModel("b", "sql", tags=("qwen3-coder:30b",))]

    assert route(models, "qwen3-coder:30b", "chat") == "b"
    assert route(models, "biai", "chat") == "a"


@pytest.mark.parametrize("name", ["qwen3-coder:30b", "qwen2.5-coder:7b-instruct-q4_K_M"], ids=["code", "settings"])
def test_the_names_biai_asks_for_mean_what_serves_even_if_no_spec_carries_them(name: str) -> None:
    upstreams = [NamedModel("prose", "narrator"), NamedModel("coder", "sql")]
    calls: tuple[Call, ...] = ("chat", "generate")

    assert [route(upstreams, name, call) for call in calls] == ["coder", "prose"]
    assert route([], name, "chat") is None


def test_uids_that_differ_in_case_stay_apart() -> None:
    assert [route([NamedModel("SQL-a"), NamedModel("sql-A")], name, "chat") for name in ("sql-A", "SQL-a")] == [
        "sql-A",
        "SQL-a",
    ]


def test_every_listed_name_is_one_a_client_can_ask_for() -> None:
    names = [name for name, _ in listing(MODELS)]

    assert names == [
        "sql-coder:latest",
        TAG,
        "narrator:latest",
        "embedder:latest",
        "nomic-embed-text:latest",
        "biai:latest",
    ]
    assert all(any(route(MODELS, name, call) for call in ("chat", "generate", "embed")) for name in names)


@given(
    models=st.lists(st.builds(NamedModel, st.text(), st.sampled_from([None, "sql", "chat", "embedding"])), max_size=5),
    name=st.text(),
    call=st.sampled_from(["chat", "generate", "embed"]),
)
def test_a_route_leads_to_a_served_model_and_a_uid_to_itself(
    models: Sequence[NamedModel], name: str, call: Call
) -> None:
    uids = [model.uid for model in models]

    assert route(models, name, call) in [*uids, None]
    assert all(canonical(route(models, uid, call) or "") == canonical(uid) for uid in uids)


OPTIONS = {
    "temperature": 0,
    "top_p": 0.9,
    "min_p": 0.05,
    "top_k": 20,
    "seed": 42,
    "stop": [";"],
    "num_predict": 500,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.25,
    "num_ctx": 4096,
    "mirostat": 1,
    "of_tomorrow": True,
}


def test_options_become_openai_parameters() -> None:
    asked = from_generate({"model": "m", "prompt": "Hi", "options": OPTIONS, "stream": False}, NamedModel("m", "chat"))

    assert asked == Asked(
        name="m",
        call="generate",
        stream=False,
        path="/v1/chat/completions",
        body={
            "model": "m",
            "messages": [{"role": "user", "content": "Hi"}],
            "temperature": 0,
            "top_p": 0.9,
            "min_p": 0.05,
            "repetition_penalty": 1.1,
            "presence_penalty": 0.5,
            "frequency_penalty": 0.25,
            "top_k": 20,
            "seed": 42,
            "max_tokens": 500,
            "stop": [";"],
            "stream": False,
        },
        loads=False,
        splits_thinking=True,
        shows_thinking=True,
        num_ctx=4096,
    )


def test_ollamas_words_for_no_limit_and_any_seed_are_left_out() -> None:
    asked = from_chat({"model": "m", "messages": [], "options": {"num_predict": -1, "seed": -1}}, NamedModel("m"))

    assert asked.body == {"model": "m", "messages": [], "stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("role", "think", "body", "shows"),
    [
        ("sql", None, {"chat_template_kwargs": {"enable_thinking": False}}, False),
        ("narrator", None, {"chat_template_kwargs": {"enable_thinking": False}}, False),
        ("chat", None, {}, True),
        ("sql", True, {"chat_template_kwargs": {"enable_thinking": True}}, True),
        ("chat", False, {"chat_template_kwargs": {"enable_thinking": False}}, False),
        ("chat", "max", {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "high"}, True),
    ],
)
def test_thinking_is_off_for_sql_unless_asked_for(role: Any, think: Any, body: Any, shows: bool) -> None:
    asked = from_generate({"model": "m", "prompt": "Hi", "think": think}, NamedModel("m", role))

    told = {name: asked.body[name] for name in ("chat_template_kwargs", "reasoning_effort") if name in asked.body}
    assert (told, asked.shows_thinking) == (body, shows)


@pytest.mark.parametrize(
    ("wanted", "schema"), [("json", ANY_JSON), ({"type": "object"}, {"type": "object"})], ids=["json", "schema"]
)
def test_a_format_is_asked_for_as_a_json_schema(wanted: Any, schema: Any) -> None:
    asked = from_generate({"model": "m", "prompt": "Hi", "format": wanted}, SQL)

    expected = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert asked.body["response_format"] == expected


def test_tool_calls_get_the_ids_that_openai_wants() -> None:
    call = {"function": {"name": "rows", "arguments": {"table": "orders"}}}
    messages = [
        {"role": "User", "content": "How many rows?"},
        {"role": "assistant", "content": "", "tool_calls": [call, {"id": "mine", **call}]},
        {"role": "tool", "content": "5", "tool_call_id": "mine"},
        {"role": "tool", "content": "4", "tool_name": "rows"},
    ]

    asked = from_chat({"model": "m", "messages": messages}, SQL)

    function = {"name": "rows", "arguments": '{"table": "orders"}'}
    assert asked.body["messages"] == [
        {"role": "user", "content": "How many rows?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": function},
                {"id": "mine", "type": "function", "function": function},
            ],
        },
        {"role": "tool", "content": "5", "tool_call_id": "mine"},
        {"role": "tool", "content": "4", "tool_call_id": "call_1"},
    ]


def test_images_go_to_models_that_see() -> None:
    asked = from_generate({"model": "m", "prompt": "What is it?", "images": ["iVBORw0K"]}, NARRATOR)

    assert asked.body["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}},
    ]


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/chat", b"", 400, "missing request body"),
        ("/api/chat", b"[]", 400, "the request must be a JSON object"),
        ("/api/chat", {}, 400, "model is required"),
        ("/api/chat", {"model": "gone"}, 404, "model 'gone' not found; `GET /api/tags` lists what is served"),
        ("/api/chat", {"model": "sql", "messages": "Hi"}, 400, "`messages` must be a list of objects"),
        ("/api/chat", {"model": "sql", "stream": 1}, 400, "`stream` must be true or false"),
        ("/api/chat", {"model": "sql", "think": "hard"}, 400, "`think` must be true, false, or one of low, medium, high, max"),
        ("/api/chat", {"model": "sql", "options": {"top_k": "5"}}, 400, 'option "top_k" must be of type integer'),
        ("/api/chat", {"model": "sql", "options": {"stop": ";"}}, 400, 'option "stop" must be of an array of strings'),
        ("/api/chat", {"model": "sql", "top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
        (
            "/api/chat",
            {"model": "sql", "messages": [{"role": "user", "images": ["iVBORw0K"]}]},
            400,
            "`sql-coder` does not support images",
        ),
        (
            "/api/chat",
            {"model": "sql", "messages": [{"role": "tool", "content": "5"}]},
            400,
            "a message of role `tool` answers no tool call before it",
        ),
        ("/api/generate", {"model": "sql", "suffix": "x"}, 400, '"sql" does not support insert'),
        (
            "/api/generate",
            {"model": "sql", "prompt": "x", "template": "{{ .Prompt }}"},
            400,
            "`template` is not supported: models run with their own template and remember nothing",
        ),
        (
            "/api/generate",
            {"model": "sql", "prompt": "x", "raw": True, "system": "y"},
            400,
            "raw mode does not support template, system, or context",
        ),
        ("/api/generate", {"model": "sql", "prompt": "x", "format": "yaml"}, 400, 'invalid format; expected "json" or a JSON schema'),
        ("/api/embed", {"model": "embedder", "input": [1]}, 400, "invalid input type"),
        (
            "/api/pull",
            {"name": "gone"},
            404,
            "model 'gone' not found, and nothing is downloaded on request: an operator starts models with"
            " `biai-xinf up` and `biai-xinf launch`",
        ),
        ("/api/show", {"model": "gone"}, 404, "model 'gone' not found; `GET /api/tags` lists what is served"),
        ("/ollama/api/create", {"model": "new"}, 404, "`/api/create` is no call that is served here; models are managed with `biai-xinf`"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_sentence_in_ollamas_shape(path: str, body: Any, status: int, error: str) -> None:
    assert ask_json(StandIn(), path, body) == (status, {"error": error})


def test_the_wrong_method_is_told_the_right_one() -> None:
    assert ask_json(StandIn(), "/api/chat", method="GET") == (
        405,
        {"error": "`/api/chat` is called with POST, not GET"},
    )


def test_a_heartbeat_and_the_version_need_no_login() -> None:
    facade = OllamaFacade(StandIn(token="s3cret"), FixedNames())

    assert [ask(facade, path, method="HEAD")[0] for path in ("/", "/ollama", "/ollama/k/any/", "/api/version")] == [
        200
    ] * 4
    assert ask(facade, "/ollama", method="GET")[2] == b"Ollama is running"


def test_a_stream_is_lines_with_figures_in_the_last() -> None:
    _, _, answer = ask(OllamaFacade(StandIn(), FixedNames()), "/api/chat", {"model": "biai", "messages": [{"role": "user"}]})  # fmt: skip

    lines = [json.loads(line) for line in answer.splitlines()]
    said = [(line["message"], line["done"]) for line in lines]
    assert said == [
        ({"role": "assistant", "content": "SELECT"}, False),
        ({"role": "assistant", "content": " 1"}, False),
        ({"role": "assistant", "content": " AS"}, False),
        ({"role": "assistant", "content": " one"}, False),
        ({"role": "assistant", "content": ""}, True),
    ]
    last = lines[-1]
    assert {line["model"] for line in lines} == {"biai"}
    assert (last["done_reason"], last["prompt_eval_count"], last["eval_count"]) == ("stop", 32, 6)
    assert last["total_duration"] == last["prompt_eval_duration"] + last["eval_duration"] > 0
    assert last["load_duration"] == 0


def test_a_whole_answer_is_one_object() -> None:
    body = {"model": "biai", "prompt": "Tell", "stream": False, "options": {"num_predict": 1}}

    status, answer = ask_json(StandIn(), "/api/generate", body)

    assert status == 200
    assert without_figures(answer) == {
        "model": "biai",
        "response": "Orders rose.",
        "done": True,
        "done_reason": "length",
        "prompt_eval_count": 32,
        "eval_count": 6,
    }


def test_raw_prompts_go_to_the_model_as_they_are() -> None:
    stand_in = StandIn(message={"content": "<think>kept</think>"})

    _, answer = ask_json(stand_in, "/api/generate", {"model": "sql-coder", "prompt": "[INST]", "raw": True, "stream": False})  # fmt: skip
    lines = ask_lines(stand_in, "/api/generate", {"model": "sql-coder", "prompt": "[INST]", "raw": True})

    assert answer["response"] == lines[0]["response"] == "<think>kept</think>"
    assert stand_in.asked[0] == ("/v1/completions", {"model": "sql-coder", "prompt": "[INST]", "stream": False})


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
def test_without_a_prompt_a_model_is_only_looked_for(path: str) -> None:
    stand_in = StandIn()

    status, answer = ask_json(stand_in, path, {"model": "biai", "keep_alive": 0})

    nothing = {"message": {"role": "assistant", "content": ""}} if path == "/api/chat" else {"response": ""}
    assert (status, without_figures(answer)) == (
        200,
        {"model": "biai", **nothing, "done": True, "done_reason": "load"},
    )
    assert stand_in.asked == [("/v1/models", {})]


TOOL_CALL = {"id": "call_x", "type": "function", "function": {"name": "rows", "arguments": '{"table": "orders"}'}}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_tool_call_has_its_arguments_as_an_object(stream: bool) -> None:
    stand_in = StandIn(message={"content": None, "tool_calls": [TOOL_CALL]})
    body = {"model": "sql", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}

    _, _, answer = ask(OllamaFacade(stand_in, FixedNames()), "/api/chat", body)

    calls = [json.loads(line)["message"].get("tool_calls") for line in answer.splitlines()]
    expected = [{"id": "call_x", "function": {"index": 0, "name": "rows", "arguments": {"table": "orders"}}}]
    assert calls == ([expected, None] if stream else [expected])


def test_tool_calls_in_pieces_are_put_together() -> None:
    streamed = StreamedAnswer(from_chat({"model": "m", "messages": []}, SQL))
    pieces = [
        {"index": 0, "id": "a", "function": {"name": "rows", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"n":'}},
        {"index": 1, "id": "b", "function": {"name": "stop"}},
        {"index": 0, "function": {"arguments": " 1}"}},
    ]
    for piece in pieces:
        event = {"choices": [{"delta": {"tool_calls": [piece]}}]}
        assert list(streamed.feed(f"data: {json.dumps(event)}\n\n".encode())) == []
    assert list(streamed.feed(b"data: [DONE]\n\n")) == []

    (line,) = streamed.end()

    assert line["message"]["tool_calls"] == [
        {"id": "a", "function": {"index": 0, "name": "rows", "arguments": {"n": 1}}},
        {"id": "b", "function": {"index": 1, "name": "stop", "arguments": {}}},
    ]


def test_broken_arguments_of_a_tool_call_are_an_error() -> None:
    call = {**TOOL_CALL, "function": {"name": "rows", "arguments": "{"}}
    stand_in = StandIn(message={"content": None, "tool_calls": [call]})

    answer = ask_json(stand_in, "/api/chat", {"model": "sql", "messages": [{"role": "user"}], "stream": False})

    assert answer == (502, {"error": "the model called `rows` with arguments that are no JSON object"})


@pytest.mark.parametrize("model", ["sql-coder", "narrator"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_thoughts_are_taken_out_of_what_is_said(model: str, stream: bool) -> None:
    stand_in = StandIn(message={"content": "<think>\nOne.\n</think>\n\nSELECT 1"}, pieces=["<th", "ink>\nOne.\n</thi", "nk>\n", "\nSELECT 1"])  # fmt: skip
    body = {"model": model, "messages": [{"role": "user"}], "stream": stream}

    _, _, answer = ask(OllamaFacade(stand_in, FixedNames()), "/api/chat", body)

    messages = [json.loads(line)["message"] for line in answer.splitlines()]
    assert "".join(message["content"] for message in messages) == "SELECT 1"
    assert not any("thinking" in message for message in messages)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_thoughts_asked_for_come_beside_what_is_said(stream: bool) -> None:
    stand_in = StandIn(message={"content": "<think>One.</think>SELECT 1", "reasoning_content": "Zero. "})
    body = {"model": "sql", "messages": [{"role": "user"}], "stream": stream, "think": True}

    _, _, answer = ask(OllamaFacade(stand_in, FixedNames()), "/api/chat", body)

    messages = [json.loads(line)["message"] for line in answer.splitlines()]
    assert "".join(message.get("thinking", "") for message in messages) == "Zero. One."
    assert "".join(message["content"] for message in messages) == "SELECT 1"


@given(
    st.text("<>/think SELECT\n", max_size=30).flatmap(
        lambda thought: st.tuples(st.just(thought), st.text("<think/> a", max_size=30), st.randoms())
    )
)
def test_however_a_stream_is_cut_it_says_the_same(case: Any) -> None:
    thought, said, random = case
    thought = thought.replace("</think>", "")
    text = f"<think>{thought}</think>{said}"
    events = b""
    while text:
        size = random.randint(1, len(text))
        events += f"data: {json.dumps({'choices': [{'delta': {'content': text[:size]}}]})}\n\n".encode()
        text = text[size:]
    events += b"data: [DONE]\n\n"
    streamed = StreamedAnswer(from_chat({"model": "m", "messages": []}, SQL))
    lines = []
    while events:
        size = random.randint(1, len(events))
        lines += list(streamed.feed(events[:size]))
        events = events[size:]

    lines += list(streamed.end())

    # A thought may end in what looks like the beginning of the tag; the first whole tag ends it.
    expected = f"{thought}</think>{said}".partition("</think>")[2].lstrip()
    assert "".join(line["message"]["content"] for line in lines).lstrip() == expected


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("SELECT 1", ("", "SELECT 1")),
        ("<think>a</think>b", ("a", "b")),
        ("a\n</think>\n\nb", ("a", "b")),
        ("<think>never ends", ("never ends", "")),
    ],
)
def test_a_template_may_have_opened_the_thinking(text: str, split: tuple[str, str]) -> None:
    assert split_thinking(text) == split


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": {"message": "too long: 9 of 8 tokens", "code": "x"}}', "too long: 9 of 8 tokens"),
        (b'{"detail": "Not authenticated"}', "Not authenticated"),
        (b'{"error": "plain"}', "plain"),
        (b"Internal Server Error", "Internal Server Error"),
        (b"", "the server answered with status 400 and no reason"),
    ],
)
def test_every_shape_of_error_is_one_sentence(body: bytes, text: str) -> None:
    assert refused(400, body, None).message == text


def test_a_refusal_from_behind_keeps_its_status_and_when_to_come_back() -> None:
    stand_in = StandIn(refuses=(503, {"error": {"message": "a replica is being restarted"}}))

    status, headers, answer = ask(OllamaFacade(stand_in, FixedNames()), "/api/generate", {"model": "sql", "prompt": "x"})  # fmt: skip

    assert (status, headers[b"retry-after"], json.loads(answer)) == (
        503,
        b"7",
        {"error": "a replica is being restarted"},
    )


@pytest.mark.parametrize(
    ("breaks", "error"),
    [("the engine died", "the engine died"), ("", "the answer broke off before it was complete")],
    ids=["told", "silent"],
)
def test_an_error_in_a_stream_is_its_last_line(breaks: str, error: str) -> None:
    lines = ask_lines(StandIn(breaks=breaks), "/api/generate", {"model": "sql-coder", "prompt": "x"})

    assert lines == [{"model": "sql-coder", "response": "SELECT", "done": False}, {"error": error}]


def test_a_failure_of_ours_is_told_without_its_insides(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask_json(StandIn(raises=RuntimeError("/etc/secret")), "/api/generate", {"model": "sql", "prompt": "x"})

    assert answer == (500, {"error": "the server failed on this request; its log says why"})
    assert "an Ollama request to /api/generate failed" in caplog.text


def test_embeddings_come_in_both_forms() -> None:
    stand_in = StandIn()

    _, new = ask_json(stand_in, "/api/embed", {"model": "nomic-embed-text", "input": ["a", "b"], "dimensions": 3})
    _, old = ask_json(stand_in, "/api/embeddings", {"model": "biai", "prompt": "a"})

    assert (new["embeddings"], new["prompt_eval_count"]) == ([[0.6, 0.8, 0.0]] * 2, 8)
    assert old == {"embedding": [3.0, 4.0, 0.0]}
    assert stand_in.asked == [
        ("/v1/embeddings", {"model": "embedder", "input": ["a", "b"], "dimensions": 3}),
        ("/v1/embeddings", {"model": "embedder", "input": ["a"]}),
    ]


def test_nothing_to_embed_is_no_error() -> None:
    assert ask_json(StandIn(), "/api/embed", {"model": "embedder"})[1]["embeddings"] == []
    assert ask_json(StandIn(), "/api/embeddings", {"model": "embedder", "prompt": ""}) == (200, {"embedding": []})


def test_a_listed_model_has_all_that_ollama_clients_read() -> None:
    _, answer = ask_json(StandIn(), "/api/tags", method="GET")

    first = answer["models"][0]
    digest = first.pop("digest")
    assert len(digest) == 64
    assert set(digest) <= set(string.hexdigits)
    assert first == {
        "name": "sql-coder:latest",
        "model": "sql-coder:latest",
        "modified_at": "2026-11-22T10:00:00Z",
        "size": 4_680_000_000,
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "qwen2.5-coder-instruct",
            "families": ["qwen2.5-coder-instruct"],
            "parameter_size": "7B",
            "quantization_level": "q4_k_m",
        },
    }


def test_what_is_shown_of_a_model_is_what_is_known() -> None:
    assert shown(SQL)["model_info"] == {
        "general.architecture": "qwen2.5-coder-instruct",
        "general.basename": "sql-coder",
        "qwen2.5-coder-instruct.context_length": 16384,
    }
    capabilities = {model.uid: shown(model)["capabilities"] for model in MODELS}
    assert capabilities == {
        "sql-coder": ["completion", "tools"],
        "narrator": ["completion", "vision"],
        "embedder": ["embedding"],
        "reranker": [],
    }


def test_models_a_client_may_not_use_are_not_named() -> None:
    narrow = StandIn(refuses=(200, {"data": [{"id": "narrator"}]}))

    _, tags = ask_json(narrow, "/api/tags", method="GET")
    hidden = ask_json(narrow, "/api/show", {"model": "sql-coder"})

    assert [model["name"] for model in tags["models"]] == ["narrator:latest", "biai:latest"]
    assert hidden == (404, {"error": "model 'sql-coder' not found; `GET /api/tags` lists what is served"})


@pytest.mark.parametrize("body", [{"model": "sql", "prompt": "x"}, {"model": "gone"}, {"model": "sql"}])
@pytest.mark.parametrize("path", ["/api/generate", "/api/embed", "/api/show", "/api/pull"])
def test_who_may_not_ask_learns_nothing(path: str, body: Any) -> None:
    assert ask_json(StandIn(token="s3cret"), path, body) == (401, {"error": "Not authenticated"})


@pytest.mark.parametrize(
    ("prefix", "headers"),
    [
        ("/ollama/k/s3cret", {}),
        ("/ollama/k/s3cret", {"authorization": "Bearer another"}),
        ("", {"authorization": "Basic " + base64.b64encode(b"biai:s3cret").decode()}),
        ("/ollama", {"authorization": "Bearer s3cret"}),
    ],
    ids=["path", "path before header", "basic", "bearer"],
)
def test_a_token_is_taken_from_wherever_clients_can_put_it(prefix: str, headers: dict[str, str]) -> None:
    stand_in = StandIn(token="s3cret")

    status, _, _ = ask(OllamaFacade(stand_in, FixedNames()), f"{prefix}/api/tags", method="GET", headers=headers)

    assert status == 200
    assert dict(stand_in.scopes[0]["headers"])[b"authorization"] == b"Bearer s3cret"
    assert "s3cret" not in str({**stand_in.scopes[0], "headers": []})


@pytest.mark.parametrize("credentials", ["Basic", "Basic !!", "Basic " + base64.b64encode(b"\xff:\xff").decode()])
def test_credentials_that_are_none_are_left_to_the_application(credentials: str) -> None:
    headers = {"authorization": credentials}

    status, _, _ = ask(OllamaFacade(StandIn(token="s3cret"), FixedNames()), "/api/tags", method="GET", headers=headers)

    assert status == 401


def test_a_token_is_never_echoed() -> None:
    stand_in = StandIn(refuses=(400, {"detail": "no such key s3cret-canary"}))

    _, _, answer = ask(OllamaFacade(stand_in, FixedNames()), "/ollama/k/s3cret-canary/api/tags", method="GET")

    assert json.loads(answer) == {"error": "no such key ***"}


def test_a_waiting_client_hears_from_us_and_errors_come_in_the_body() -> None:
    facade = OllamaFacade(StandIn(delay_s=0.05, refuses=(500, {"detail": "no"})), FixedNames(), quiet_s=0.01)

    whole = ask(facade, "/api/generate", {"model": "sql", "prompt": "x", "stream": False})
    stream = ask(facade, "/api/generate", {"model": "sql", "prompt": "x"})

    assert [(status, headers[b"content-type"]) for status, headers, _ in (whole, stream)] == [
        (200, b"application/json; charset=utf-8"),
        (200, b"application/x-ndjson"),
    ]
    for _, _, answer in (whole, stream):
        assert answer.startswith(b"  ")
        assert b"\n" not in answer.rstrip(b"\n")
        assert json.loads(answer) == {"error": "no"}


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "tool", "assistant", "system", ""]) | JSONS,
            "content": st.text(max_size=8) | JSONS,
            "images": JSONS,
            "tool_name": JSONS,
            "tool_calls": st.lists(st.fixed_dictionaries({"function": JSONS}), max_size=2) | JSONS,
        },
    ),
    max_size=3,
)
BODIES = st.fixed_dictionaries(
    {"model": st.sampled_from(["biai", "sql-coder", "narrator", "embedder", TAG, "gone"]) | JSONS},
    optional={
        "messages": MESSAGES | JSONS,
        "prompt": st.text(max_size=8) | JSONS,
        "system": JSONS,
        "input": JSONS,
        "options": st.dictionaries(st.sampled_from(list(OPTIONS)), JSONS, max_size=3) | JSONS,
        **dict.fromkeys(("stream", "format", "think", "raw", "tools", "suffix", "dimensions", "logprobs"), JSONS),
    },
)


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from(["generate", "chat", "embed", "embeddings", "show", "pull"]),
    body=(BODIES | JSONS).map(lambda body: json.dumps(body).encode()) | st.binary(max_size=20),
)
def test_whatever_is_sent_the_answer_has_ollamas_shape(path: str, body: bytes) -> None:
    status, headers, answer = ask(OllamaFacade(StandIn(), FixedNames()), f"/api/{path}", body)

    lines = [json.loads(line) for line in answer.splitlines()]
    keys = {"generate": "response", "chat": "message", "embed": "embeddings", "embeddings": "embedding", "show": "details", "pull": "status"}  # fmt: skip
    assert status in (200, 400, 404)
    assert headers[b"content-type"] in (b"application/json; charset=utf-8", b"application/x-ndjson")
    assert lines
    assert all(("error" if status != 200 else keys[path]) in line for line in lines)


NONSENSE = st.dictionaries(st.sampled_from(["choices", "data", "usage", "error"]), JSONS, max_size=3) | JSONS


@settings(max_examples=200, deadline=None)
@given(
    path=st.sampled_from(["/api/chat", "/api/embed", "/api/tags"]),
    answer=NONSENSE
    | st.builds(lambda choice: {"choices": [{"message": choice, "delta": choice}]}, JSONS)
    | st.builds(
        lambda values: {"data": [{"id": it, "index": it, "embedding": [it]} for it in values]}, st.lists(JSONS)
    ),
    stream=st.booleans(),
)
def test_whatever_stands_behind_answers_ours_has_ollamas_shape(path: str, answer: Any, stream: bool) -> None:
    body = {"model": "biai", "input": "x", "messages": [{"role": "user"}], "stream": stream}
    content = f"data: {json.dumps(answer)}\n\ndata: [DONE]\n\n" if stream else json.dumps(answer)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": content.encode(), "more_body": False})

    status, _, told = ask(OllamaFacade(app, FixedNames()), path, body, "GET" if path == "/api/tags" else "POST")

    lines = [json.loads(line) for line in told.splitlines()]
    assert status in (200, 502)
    assert all({"error", "message", "embeddings", "models"} & set(line) for line in lines)


def test_a_request_that_cannot_be_read_says_so() -> None:
    deep = b"[" * 100_000

    status, answer = ask_json(StandIn(), "/api/chat", deep)

    assert status == 400
    assert answer["error"].startswith("the request is no JSON that can be read: ")
