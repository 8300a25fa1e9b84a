"""The Ollama facade under the clients it is for: the `ollama` package, Vanna 0.7.9, and httpx as BIAI uses it.

Everything that takes `ollama_endpoint` is the contract, and asks nothing of what a model says; the rest needs the
stand-in, which says what it is told to.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import ollama
import pytest
from vanna.base import VannaBase
from vanna.ollama import Ollama

from biai_xinf.extension.asgi import Receive, Scope, Send, read_body, send_start
from biai_xinf.extension.ollama import OllamaFacade
from tests import guarded_endpoint as guarded_models
from tests.ollama_stand_in import TAG, FixedNames, StandIn, served
from tests.xinference_fixtures import needs_xinference

TOKEN = "s3cret-canary"


@dataclass(frozen=True)
class OllamaEndpoint:
    """Where the facade answers. `tag` is an Ollama name that is routed by call shape; with a token, auth is on."""

    url: str
    token: str | None
    tag: str
    sql: str
    embedder: str

    @property
    def host(self) -> str:
        """What `OLLAMA_HOST` is set to."""
        return f"{self.url}/ollama/k/{self.token}" if self.token else self.url

    def client(self) -> ollama.Client:
        return ollama.Client(self.host, timeout=60)


@contextmanager
def facade_on(stand_in: Any, quiet_s: float = 10.0) -> Iterator[OllamaEndpoint]:
    with served(OllamaFacade(stand_in, FixedNames(), quiet_s=quiet_s)) as url:
        yield OllamaEndpoint(url, TOKEN, TAG, "sql-coder", "embedder")


REAL = pytest.param("xinference", marks=[pytest.mark.real, pytest.mark.slow, needs_xinference])


@pytest.fixture(scope="module", params=["stand-in", REAL])
def ollama_endpoint(request: pytest.FixtureRequest) -> Iterator[OllamaEndpoint]:
    if request.param == "xinference":
        guarded = request.getfixturevalue("guarded_endpoint")
        yield OllamaEndpoint(guarded.url, guarded.key, TAG, guarded_models.SQL, guarded_models.EMBEDDER)
        return
    with facade_on(StandIn(token=TOKEN)) as endpoint:
        yield endpoint


class MemoryVectors(VannaBase):
    """Vanna's vector store, as small as it can be."""

    def __init__(self, config: Any = None) -> None:
        VannaBase.__init__(self, config=config)
        self._ddl: list[str] = []

    def add_ddl(self, ddl: str, **kwargs: Any) -> str:
        self._ddl.append(ddl)
        return str(len(self._ddl))

    def get_related_ddl(self, question: str, **kwargs: Any) -> list[str]:
        return self._ddl

    def get_similar_question_sql(self, question: str, **kwargs: Any) -> list[Any]:
        return []

    def get_related_documentation(self, question: str, **kwargs: Any) -> list[str]:
        return []

    def add_documentation(self, *args: Any, **kwargs: Any) -> Any: ...
    def add_question_sql(self, *args: Any, **kwargs: Any) -> Any: ...
    def generate_embedding(self, *args: Any, **kwargs: Any) -> Any: ...
    def get_training_data(self, *args: Any, **kwargs: Any) -> Any: ...
    def remove_training_data(self, *args: Any, **kwargs: Any) -> Any: ...


class MyVanna(MemoryVectors, Ollama):
    def __init__(self, config: dict[str, Any]) -> None:
        MemoryVectors.__init__(self, config=config)
        Ollama.__init__(self, config=config)


@pytest.mark.parametrize("model", ["tag", "sql"])
def test_vanna_asks_for_sql_as_biai_does(ollama_endpoint: OllamaEndpoint, model: str) -> None:
    vanna = MyVanna({"model": getattr(ollama_endpoint, model), "ollama_host": ollama_endpoint.host})
    vanna.train(ddl="CREATE TABLE orders (id INTEGER, placed_on DATE)")

    sql = vanna.generate_sql("How many orders are there?")

    assert isinstance(sql, str)
    assert sql


def test_vanna_stops_at_a_model_that_nobody_serves(ollama_endpoint: OllamaEndpoint) -> None:
    with pytest.raises(ollama.ResponseError, match="nothing is downloaded on request") as refusal:
        MyVanna({"model": "qwen3-coder:480b", "ollama_host": ollama_endpoint.host})

    assert refusal.value.status_code == 404


def test_the_list_of_models_has_a_name_for_every_client(ollama_endpoint: OllamaEndpoint) -> None:
    listed = ollama_endpoint.client().list().models
    raw = httpx.get(f"{ollama_endpoint.host}/api/tags", timeout=10).json()["models"]

    assert [model.model for model in listed] == [model["name"] for model in raw]
    assert {ollama_endpoint.tag, f"{ollama_endpoint.sql}:latest", "biai:latest"} <= {model["name"] for model in raw}
    assert all(":" in model["name"] and len(model["digest"]) >= 12 for model in raw)


def test_a_chat_is_answered_whole_and_in_a_stream(ollama_endpoint: OllamaEndpoint) -> None:
    client, messages = ollama_endpoint.client(), [{"role": "user", "content": "One row, please."}]

    whole = client.chat(model=ollama_endpoint.tag, messages=messages, options={"num_predict": 8}, keep_alive=None)
    parts = list(client.chat(model=ollama_endpoint.tag, messages=messages, options={"num_predict": 8}, stream=True))

    assert whole.message.role == "assistant"
    assert whole.message.content
    assert "".join(part.message.content or "" for part in parts)
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    for last in (whole, parts[-1]):
        assert last.model == ollama_endpoint.tag
        assert last.done_reason in ("stop", "length")
        assert min(last.total_duration, last.prompt_eval_count, last.eval_count, last.eval_duration) > 0


def test_a_prompt_is_answered_whole_and_in_a_stream(ollama_endpoint: OllamaEndpoint) -> None:
    client = ollama_endpoint.client()

    whole = client.generate(ollama_endpoint.tag, "Say something.", system="Be brief.", options={"num_predict": 8})
    parts = list(client.generate(ollama_endpoint.tag, "Say something.", options={"num_predict": 8}, stream=True))

    assert whole.response
    assert "".join(part.response or "" for part in parts)
    assert parts[-1].done
    assert parts[-1].eval_count


def test_an_empty_prompt_sees_that_a_model_is_there(ollama_endpoint: OllamaEndpoint) -> None:
    answer = ollama_endpoint.client().generate(ollama_endpoint.tag)

    assert (answer.done, answer.done_reason, answer.response) == (True, "load", "")


def test_a_schema_binds_the_answer(ollama_endpoint: OllamaEndpoint) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

    answer = ollama_endpoint.client().generate(
        ollama_endpoint.sql, "How many?", format=schema, options={"num_predict": 64}
    )

    assert answer.response


def test_texts_become_vectors(ollama_endpoint: OllamaEndpoint) -> None:
    client = ollama_endpoint.client()

    new = client.embed(model=ollama_endpoint.embedder, input=["orders", "customers"])
    old = client.embeddings(model=ollama_endpoint.embedder, prompt="orders")

    assert [len(vector) for vector in new.embeddings] == [len(old.embedding)] * 2
    assert sum(value * value for value in new.embeddings[0]) == pytest.approx(1, abs=1e-4)


def test_models_are_shown_and_run(ollama_endpoint: OllamaEndpoint) -> None:
    client = ollama_endpoint.client()

    details = client.show(ollama_endpoint.tag)
    running = client.ps().models

    assert "completion" in (details.capabilities or [])
    assert f"{ollama_endpoint.sql}:latest" in [model.name for model in running]
    assert all(model.expires_at and model.expires_at.year == 9999 for model in running)


def test_a_pull_says_yes_or_no_at_once(ollama_endpoint: OllamaEndpoint) -> None:
    client = ollama_endpoint.client()

    assert client.pull(ollama_endpoint.tag).status == "success"
    assert [part.status for part in client.pull(ollama_endpoint.tag, stream=True)] == ["success"]
    for stream in (False, True):
        with pytest.raises(ollama.ResponseError, match="biai-xinf launch") as refusal:
            list(client.pull("llama9:1t", stream=stream))
        assert refusal.value.status_code == 404


def test_the_heartbeat_of_ollamas_command_line_is_heard(ollama_endpoint: OllamaEndpoint) -> None:
    beats = [httpx.head(f"{url}/", timeout=10) for url in (ollama_endpoint.url, ollama_endpoint.host)]
    version = httpx.get(f"{ollama_endpoint.host}/api/version", timeout=10)

    assert [beat.status_code for beat in beats] == [200, 200]
    assert set(version.json()) == {"version"}


def test_a_key_can_come_as_each_client_is_able_to_send_it(ollama_endpoint: OllamaEndpoint) -> None:
    if ollama_endpoint.token is None:
        pytest.skip("authentication is off")
    basic = ollama_endpoint.url.replace("http://", f"http://biai:{ollama_endpoint.token}@")
    bearer = ollama.Client(ollama_endpoint.url, headers={"Authorization": f"Bearer {ollama_endpoint.token}"})

    assert httpx.get(f"{basic}/api/tags", timeout=10).status_code == 200
    assert bearer.list().models
    with pytest.raises(ollama.ResponseError) as refusal:
        ollama.Client(ollama_endpoint.url).list()
    assert refusal.value.status_code in (401, 403)


def biai_stream(host: str, prompt: str, timeout: float = 60.0) -> str:
    """As BIAI's `generate_description`: lines, blank ones skipped."""
    said = ""
    body = {"model": TAG, "prompt": prompt, "stream": True}
    with httpx.stream("POST", f"{host}/api/generate", json=body, timeout=timeout) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line:
                part = json.loads(line)
                said += part.get("response", "")
                if part.get("done"):
                    break
    return said


def test_biai_streams_a_description(ollama_endpoint: OllamaEndpoint) -> None:
    assert biai_stream(ollama_endpoint.host, "Describe the result.")


@pytest.mark.parametrize(
    "extra",
    [
        {"options": {"temperature": 0.2}},
        {"options": {"temperature": 0.3}},
        {"format": "json", "options": {"num_predict": 64}},
        {"options": {"temperature": 0.7, "num_predict": 500}},
    ],
    ids=["planner", "glossary", "discovery", "story"],
)
def test_biai_asks_for_prose_and_json(ollama_endpoint: OllamaEndpoint, extra: dict[str, Any]) -> None:
    body = {"model": ollama_endpoint.tag, "prompt": "Answer in short.", "stream": False, **extra}

    answer = httpx.post(f"{ollama_endpoint.host}/api/generate", json=body, timeout=60)

    assert answer.status_code == 200
    assert isinstance(answer.json()["response"], str)


def test_biai_gets_two_models_under_one_name() -> None:
    with facade_on(StandIn(token=TOKEN)) as endpoint:
        vanna = MyVanna({"model": TAG, "ollama_host": endpoint.host})
        sql, story = vanna.generate_sql("One?"), biai_stream(endpoint.host, "Tell me.")

    assert (sql, story) == ("SELECT 1 AS one", "Orders rose.")


def rows(table: str) -> int:
    """Count rows.

    Args:
        table: The table's name
    """
    return len(table)


def test_a_tool_is_called_and_its_answer_understood() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "rows", "arguments": '{"table": "orders"}'}}
    stand_in = StandIn(token=TOKEN, message={"content": "", "tool_calls": [call]})
    with facade_on(stand_in) as endpoint:
        client = endpoint.client()
        messages: list[Any] = [{"role": "user", "content": "How many orders?"}]
        message = client.chat("sql", messages, tools=[rows]).message
        (wanted,) = message.tool_calls or []
        stand_in.message = {"content": "6 orders."}
        messages += [message, {"role": "tool", "tool_name": "rows", "content": str(rows(**wanted.function.arguments))}]

        last = client.chat("sql", messages, tools=[rows]).message

    assert (wanted.function.name, wanted.function.arguments) == ("rows", {"table": "orders"})
    assert last.content == "6 orders."
    # The `ollama` package keeps no ids, so they are made up again from the order of the calls.
    assert [m.get("tool_call_id") for m in stand_in.asked[-1][1]["messages"]] == [None, None, "call_1"]
    assert stand_in.asked[-1][1]["tools"][0]["function"]["name"] == "rows"


def test_an_error_in_the_middle_of_a_stream_is_raised_by_the_client() -> None:
    with facade_on(StandIn(token=TOKEN, breaks="the engine died")) as endpoint:
        parts = endpoint.client().generate("sql-coder", "x", stream=True)

        assert next(parts).response == "SELECT"
        with pytest.raises(ollama.ResponseError, match="the engine died"):
            list(parts)


def test_a_slow_model_does_not_run_into_a_clients_timeout() -> None:
    stand_in = StandIn(token=TOKEN, delay_s=0.7, pause_s=0.6)
    with facade_on(stand_in, quiet_s=0.1) as endpoint:
        client = ollama.Client(endpoint.host, timeout=0.5)
        vanna = MyVanna({"model": "sql", "ollama_host": endpoint.host, "ollama_timeout": 30})
        vanna.ollama_client = client

        assert biai_stream(endpoint.host, "Tell me.", timeout=0.5) == "Orders rose."
        stand_in.pause_s = 0.0
        assert "".join(part.response or "" for part in client.generate(TAG, "x", stream=True)) == "Orders rose."
        assert client.generate(TAG, "x").response == "Orders rose."
        assert vanna.generate_sql("One?") == "SELECT 1 AS one"


def test_without_a_byte_the_same_model_does() -> None:
    with facade_on(StandIn(token=TOKEN, delay_s=0.7), quiet_s=60) as endpoint, pytest.raises(httpx.ReadTimeout):
        biai_stream(endpoint.host, "Tell me.", timeout=0.5)


def test_a_token_in_the_path_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "uvicorn")
    with facade_on(StandIn(token=TOKEN)) as endpoint:
        endpoint.client().generate("sql", "x")
        httpx.get(f"{endpoint.url}/ollama/k/{TOKEN}-wrong/api/tags")
        httpx.get(f"{endpoint.url}/ollama/k/{TOKEN}/api/nothing")

    lines = [record.getMessage() for record in caplog.records if record.name == "uvicorn.access"]
    assert [line.partition('"')[2] for line in lines] == [
        'POST /ollama/api/generate HTTP/1.1" 200',
        'GET /ollama/api/tags HTTP/1.1" 401',
        'GET /ollama/api/nothing HTTP/1.1" 404',
    ]


class Endless:
    """A model that talks until nobody listens; `ended` is how it learnt of that."""

    ended: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive)
        await send_start(send, 200, [(b"content-type", b"text/event-stream")])
        event = json.dumps({"choices": [{"delta": {"content": "more "}}]}).encode()
        await send({"type": "http.response.body", "body": b"data: " + event + b"\n\n", "more_body": True})
        self.ended = (await receive())["type"]


def test_a_client_that_leaves_takes_its_request_with_it() -> None:
    endless, body = Endless(), {"model": "sql", "prompt": "x"}
    with facade_on(endless) as endpoint, httpx.stream("POST", f"{endpoint.host}/api/generate", json=body) as answer:
        assert json.loads(next(answer.iter_lines()))["response"] == "more "

    assert endless.ended == "http.disconnect"


def test_the_asynchronous_client_works_as_well() -> None:
    async def ask(endpoint: OllamaEndpoint) -> str:
        parts = await ollama.AsyncClient(endpoint.host).chat("sql", [{"role": "user", "content": "x"}], stream=True)
        return "".join([part.message.content or "" async for part in parts])

    with facade_on(StandIn(token=TOKEN)) as endpoint:
        assert asyncio.run(ask(endpoint)) == "SELECT 1 AS one"
