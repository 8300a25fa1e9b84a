"""The language model of Vanna 2, with the real package: whole answers, streams, tools, and its agent."""

from __future__ import annotations

import asyncio
import importlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("uvicorn")
pytest.importorskip("vanna.core.llm", exc_type=ImportError)

from vanna.core.errors import LlmServiceError
from vanna.core.llm import LlmMessage, LlmRequest, LlmResponse, LlmStreamChunk
from vanna.core.tool import ToolCall, ToolSchema
from vanna.core.user import User

from biai_xinf.adapters.vanna2 import XinferenceLlmService
from biai_xinf.errors import MissingExtra
from tests.fake_xinference import FakeXinference, refused
from tests.ollama_stand_in import SAYS, USAGE, StandIn, served

USER = User(id="1", group_memberships=["user"])
RUN_SQL = ToolSchema(
    name="run_sql",
    description="Runs a query.",
    parameters={"type": "object", "properties": {"sql": {"type": "string"}}, "required": ["sql"]},
)
WANTED = {"id": "call_1", "type": "function", "function": {"name": "run_sql", "arguments": '{"sql": "SELECT 1"}'}}


def request(*messages: LlmMessage, **more: Any) -> LlmRequest:
    asked = messages or (LlmMessage(role="user", content="How many customers are there?"),)
    return LlmRequest(messages=list(asked), user=USER, **more)


def send(stand_in: StandIn, asked: LlmRequest | None = None, **options: Any) -> LlmResponse:
    """The whole answer of the stand-in."""
    with served(stand_in) as url:
        service = XinferenceLlmService("sql-coder", endpoint=url, max_retries=0, **options)
        return asyncio.run(service.send_request(asked or request()))


def stream(stand_in: StandIn, asked: LlmRequest | None = None, **options: Any) -> list[LlmStreamChunk]:
    """Its answer piece by piece."""

    async def collect(service: XinferenceLlmService) -> list[LlmStreamChunk]:
        return [chunk async for chunk in service.stream_request(asked or request())]

    with served(stand_in) as url:
        return asyncio.run(collect(XinferenceLlmService("sql-coder", endpoint=url, max_retries=0, **options)))


def body(stand_in: StandIn) -> dict[str, Any]:
    """What the model was asked."""
    return [body for path, body in stand_in.asked if path == "/v1/chat/completions"][-1]


# Answers


def test_a_whole_answer_comes_without_reasoning() -> None:
    answer = send(StandIn(message={"content": "<think>Two?</think>\nThere are two.", "reasoning_content": "Hm."}))

    assert answer == LlmResponse(
        content="There are two.", finish_reason="stop", usage=USAGE, metadata={"model": "sql-coder"}
    )


def test_a_stream_comes_without_reasoning_wherever_it_is_cut() -> None:
    pieces = ["<th", "ink>Two", "?</", "think>", "\nThere ", "are", " two."]

    chunks = stream(StandIn(pieces=pieces, message={"content": "".join(pieces), "reasoning_content": "Hm."}))

    assert [chunk.content for chunk in chunks] == ["There ", "are", " two.", None]
    assert [chunk.finish_reason for chunk in chunks] == [None, None, None, "stop"]


def test_pieces_are_handed_on_as_they_come() -> None:
    async def first(service: XinferenceLlmService) -> str | None:
        answer = service.stream_request(request())
        try:
            return (await anext(answer)).content
        finally:
            await answer.aclose()

    # The next piece comes once the client has left.
    stand_in = StandIn(pause_s=0.5)
    with served(stand_in) as url:
        service = XinferenceLlmService("sql-coder", endpoint=url)
        assert asyncio.run(asyncio.wait_for(first(service), 5)) == SAYS["sql-coder"].split(" ")[0]


def test_tools_that_the_model_wants_called_are_told() -> None:
    stand_in = StandIn(message={"content": None, "tool_calls": [WANTED]})

    answer = send(stand_in, request(tools=[RUN_SQL]))

    assert answer.tool_calls == [ToolCall(id="call_1", name="run_sql", arguments={"sql": "SELECT 1"})]
    assert (answer.content, answer.finish_reason, answer.is_tool_call()) == (None, "tool_calls", True)
    assert body(stand_in)["tools"] == [{"type": "function", "function": RUN_SQL.model_dump(exclude={"access_groups"})}]


def test_tool_calls_of_a_stream_come_whole_at_its_end() -> None:
    parts = [
        [{"index": 0, "id": "call_1", "function": {"name": "run_sql", "arguments": '{"sql": '}}],
        [{"index": 1, "id": "call_2", "function": {"name": "run_sql", "arguments": "{}"}}],
        [{"index": 0, "function": {"arguments": '"SELECT 1"}'}}],
    ]

    (chunk,) = stream(_Deltas([{"tool_calls": part} for part in parts]), request(tools=[RUN_SQL]))

    assert chunk.tool_calls == [
        ToolCall(id="call_1", name="run_sql", arguments={"sql": "SELECT 1"}),
        ToolCall(id="call_2", name="run_sql", arguments={}),
    ]
    assert chunk.finish_reason == "tool_calls"


@pytest.mark.parametrize("arguments", ["{no json", "[1]", '"SELECT 1"'])
def test_arguments_that_are_no_object_are_handed_on_as_vanna_does(arguments: str) -> None:
    wanted = {**WANTED, "function": {"name": "run_sql", "arguments": arguments}}

    answer = send(StandIn(message={"content": None, "tool_calls": [wanted]}), request(tools=[RUN_SQL]))

    assert answer.tool_calls == [ToolCall(id="call_1", name="run_sql", arguments={"_raw": arguments})]


# Requests


def test_a_conversation_with_tools_goes_to_the_model_as_it_was() -> None:
    stand_in = StandIn()
    call = ToolCall(id="call_1", name="run_sql", arguments={"sql": "SELECT 'ż'"})

    send(
        stand_in,
        request(
            LlmMessage(role="user", content="How many?"),
            LlmMessage(role="assistant", content="", tool_calls=[call]),
            LlmMessage(role="tool", content="2", tool_call_id="call_1"),
            system_prompt="You know the shop.",
        ),
    )

    called = {"name": "run_sql", "arguments": '{"sql": "SELECT \'ż\'"}'}
    assert body(stand_in)["messages"] == [
        {"role": "system", "content": "You know the shop."},
        {"role": "user", "content": "How many?"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function", "function": called}]},
        {"role": "tool", "content": "2", "tool_call_id": "call_1"},
    ]
    assert "tools" not in body(stand_in)


@pytest.mark.parametrize(
    ("options", "asked", "sent"),
    [
        ({}, {}, (0, 512)),
        ({"temperature": 0.3, "answer_tokens": 50}, {"temperature": 0.9}, (0.3, 50)),
        ({"temperature": None, "answer_tokens": 50}, {"temperature": 0.9, "max_tokens": 60}, (0.9, 60)),
    ],
    ids=["ours", "the service's", "the request's"],
)
def test_sampling_is_as_the_service_was_told(
    options: dict[str, Any], asked: dict[str, Any], sent: tuple[float, int]
) -> None:
    stand_in = StandIn()

    send(stand_in, request(**asked), **options)

    assert (body(stand_in)["temperature"], body(stand_in)["max_tokens"]) == sent


def test_wrong_tools_are_told_in_a_sentence_each() -> None:
    wrong = ToolSchema(name="run sql", description="", parameters={})

    errors = asyncio.run(XinferenceLlmService().validate_tools([RUN_SQL, wrong, RUN_SQL]))

    assert errors == [
        "the tool `run_sql` is there 2 times",
        "the tool `run sql` needs a name of 1 to 64 letters, digits, `_` and `-`",
        "the parameters of the tool `run sql` need a JSON schema of the type `object`",
    ]


# Failures


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """An endpoint with two models, of which the first fails."""
    with FakeXinference() as fake:
        fake.run("sql-coder")
        fake.run("narrator")
        fake.chat = {"sql-coder": lambda body: fail(503), "narrator": lambda body: "There are two."}
        yield fake


def fail(status: int) -> str:
    raise refused(status, "[address=127.0.0.1:1, pid=1] it went wrong")


def test_where_a_model_fails_the_next_one_is_asked(fake: FakeXinference) -> None:
    service = XinferenceLlmService("sql", fallback_models=["narrator"], endpoint=fake.endpoint, max_retries=0)

    answer = asyncio.run(service.send_request(request()))

    assert (answer.content, answer.metadata) == ("There are two.", {"model": "narrator"})


def test_a_wrong_request_is_nobody_elses(fake: FakeXinference) -> None:
    fake.chat["sql-coder"] = lambda body: fail(400)
    service = XinferenceLlmService("sql", fallback_models=["narrator"], endpoint=fake.endpoint, max_retries=0)

    with pytest.raises(LlmServiceError, match="400"):
        asyncio.run(service.send_request(request()))


def test_what_is_not_served_is_an_error_of_vannas(fake: FakeXinference) -> None:
    with pytest.raises(LlmServiceError, match=r"^nothing serves `chat` .* it serves `sql-coder`, `narrator`"):
        asyncio.run(XinferenceLlmService("chat", endpoint=fake.endpoint).send_request(request()))


@pytest.mark.parametrize("way", [send, stream])
def test_an_answer_that_never_began_says_what_to_do(way: Any) -> None:
    with pytest.raises(LlmServiceError, match=r"cut off at 1 tokens.*\n\nhint: `answer_tokens` allows more"):
        way(StandIn(message={"content": "<think>First"}), request(max_tokens=1))


def test_a_stream_that_breaks_is_an_error_and_not_begun_again() -> None:
    # As the endpoint tells it.
    stand_in = StandIn(breaks={"message": "the replica died"})  # type: ignore[arg-type]

    with pytest.raises(LlmServiceError, match="the replica died"):
        stream(stand_in)

    assert [path for path, _ in stand_in.asked].count("/v1/chat/completions") == 1


def test_each_event_loop_may_ask_anew() -> None:
    with served(StandIn()) as url:
        service = XinferenceLlmService("sql-coder", endpoint=url)

        answers = [asyncio.run(service.send_request(request())).content for _ in range(2)]

    assert answers == [SAYS["sql-coder"]] * 2


def test_without_vanna_2_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "vanna"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "vanna", None)
    monkeypatch.delitem(sys.modules, "biai_xinf.adapters.vanna2")

    with pytest.raises(MissingExtra) as raised:
        importlib.import_module("biai_xinf.adapters.vanna2")

    assert raised.value.hint == "pip install 'biai-xinf[vanna2]'"


# The agent


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_an_agent_runs_the_sql_that_its_model_wants_run(streamed: bool, tmp_path: Path) -> None:
    from vanna import Agent, AgentConfig, ToolRegistry
    from vanna.core.user import RequestContext, UserResolver
    from vanna.integrations.local import LocalFileSystem
    from vanna.integrations.local.agent_memory import DemoAgentMemory
    from vanna.integrations.sqlite import SqliteRunner
    from vanna.tools import RunSqlTool

    database = tmp_path / "shop.db"
    with sqlite3.connect(database) as shop:
        shop.executescript("CREATE TABLE customers (name TEXT); INSERT INTO customers VALUES ('Anna'), ('Jan');")
    sql = "SELECT COUNT(*) AS customers FROM customers"
    call = {"id": "call_1", "type": "function", "function": {"name": "run_sql", "arguments": json.dumps({"sql": sql})}}
    stand_in = _Turns({"content": None, "tool_calls": [call]}, {"content": "There are two."})

    class Resolver(UserResolver):  # type: ignore[misc]
        async def resolve_user(self, request_context: RequestContext) -> User:
            return USER

    tools = ToolRegistry()
    run_sql = RunSqlTool(SqliteRunner(str(database)), LocalFileSystem(str(tmp_path)))
    tools.register_local_tool(run_sql, access_groups=["user"])

    async def ask(url: str) -> list[Any]:
        agent = Agent(
            llm_service=XinferenceLlmService("sql-coder", endpoint=url),
            tool_registry=tools,
            user_resolver=Resolver(),
            agent_memory=DemoAgentMemory(),
            config=AgentConfig(stream_responses=streamed),
        )
        return [part async for part in agent.send_message(RequestContext(), "How many customers are there?")]

    with served(stand_in) as url:
        parts = asyncio.run(ask(url))

    said = [part.simple_component.text for part in parts if part.simple_component]
    assert "There are two." in said
    told = stand_in.asked[-1][1]["messages"][-1]
    assert (told["role"], told["tool_call_id"]) == ("tool", "call_1")
    assert "customers\n2" in told["content"]


class _Turns(StandIn):
    """Says one message after another."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        super().__init__()
        self._messages = list(messages)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/v1/chat/completions":
            self.message = self._messages.pop(0)
            if wanted := self.message.get("tool_calls"):
                # In a stream each has its place.
                self.message["tool_calls"] = [{"index": at, **call} for at, call in enumerate(wanted)]
        await super().__call__(scope, receive, send)


class _Deltas(StandIn):
    """Streams these deltas."""

    def __init__(self, deltas: list[dict[str, Any]]) -> None:
        super().__init__()
        self._deltas = deltas

    async def _stream(self, send: Any, text: bool, message: dict[str, Any], finish: str) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        choices = [{"index": 0, "delta": delta} for delta in self._deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
        events = [json.dumps({"choices": [choice]}) for choice in choices]
        data = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])
        await send({"type": "http.response.body", "body": data.encode()})
