"""Upstreams on real servers: what the relay makes of their answers, refusals and deaths, and what their files say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from biai_xinf.capability import Target, check
from biai_xinf.extension.balance import FAILURES_UNTIL_AVOIDED
from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.inquiry import Inquiry
from biai_xinf.server_request import Server
from tests.real_servers import (
    CHAT,
    EMBEDDING,
    LiteLlm,
    LlamaCpp,
    LlamaCppEmbedding,
    LlamaCppPython,
    LlamaCppPythonEmbedding,
    RealServer,
    Vllm,
    VllmEmbedding,
    Xinference,
)
from tests.tiny_models import WIDTH
from tests.unit.test_capability import promised
from tests.unit.test_relay import Bench, Client

pytestmark = pytest.mark.slow

# Cold, as models of random weights end when they like otherwise.
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 24, "temperature": 0}
# About as long as the models can go on: there is time to end the server meanwhile.
LONG = {**HELLO, "max_tokens": 1900, "stream": True}
LOCAL = ("Traceback", "site-packages", ".gguf")


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One of the servers, running; a test that kills it starts it again."""
    kind: type[RealServer] = request.param
    if reason := kind.missing():
        pytest.skip(reason)
    with kind(tmp_path_factory.mktemp(kind.__name__)) as running:
        yield running


def each(*kinds: type[RealServer]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", kinds, ids=[kind.__name__ for kind in kinds], indirect=True)


chats = each(LlamaCpp, Xinference, LiteLlm, LlamaCppPython, Vllm)
embeds = each(LlamaCppEmbedding, Xinference, LiteLlm, LlamaCppPythonEmbedding, VllmEmbedding)


class Striking(Client):
    """A client on whose first piece of text something happens to the server."""

    def __init__(self, strike: Callable[[], None]) -> None:
        super().__init__()
        self._strike: Callable[[], None] | None = strike

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self._strike is not None and self.text:
            # Nothing is read meanwhile, or a quick server would be done.
            self._strike()
            self._strike = None


def run(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        try:
            await scenario(bench)
        finally:
            await bench.relay.close()

    asyncio.run(main())


async def stream_while(bench: Bench, server: RealServer, strike: Callable[[], None]) -> Client:
    """The long stream, with `strike` at its first text."""
    client, upstream = Striking(strike), server.upstream(CHAT)
    body = {"model": upstream.name, **LONG, **server.long}
    await bench.relay.serve(upstream, Inquiry("chat", body, upstream.name, client.send, []))
    assert client.complete
    return client


def readable(error: ApiError | None) -> ApiError:
    """An error that says nothing of the machine the server runs on."""
    assert error is not None
    assert not any(word in error.message for word in LOCAL), error.message
    return error


@chats
def test_a_whole_chat(server: RealServer) -> None:
    async def scenario(bench: Bench) -> None:
        client, error = await bench.ask(server.upstream(CHAT), HELLO)

        assert error is None
        answer = json.loads(client.body)
        assert (client.status, answer["model"], answer["choices"][0]["message"]["role"]) == (200, "sql", "assistant")
        assert answer["choices"][0]["message"]["content"]
        (served,) = bench.served
        assert (served.status, served.error, served.completion_tokens) == (
            200,
            None,
            answer["usage"]["completion_tokens"],
        )

    run(scenario)


@chats
def test_a_streamed_chat(server: RealServer) -> None:
    async def scenario(bench: Bench) -> None:
        client, error = await bench.ask(server.upstream(CHAT), {**HELLO, "stream": True})

        assert error is None
        *events, last = client.events
        assert last == "[DONE]"
        assert client.text
        assert {event["model"] for event in events} == {"sql"}
        assert not any(event.get("usage") for event in events), "usage that the client did not ask for"
        (served,) = bench.served
        assert (served.status, served.error) == (200, None)
        if server.known.stream_usage:
            assert served.completion_tokens == HELLO["max_tokens"]

    run(scenario)


@chats
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_completions(server: RealServer, stream: bool) -> None:
    async def scenario(bench: Bench) -> None:
        body = {"prompt": "SELECT", "max_tokens": 24, "temperature": 0, "stream": stream}
        client, error = await bench.ask(server.upstream(CHAT), body, "completions")

        assert error is None
        answers = client.events[:-1] if stream else [json.loads(client.body)]
        assert "".join(choice.get("text", "") for answer in answers for choice in answer["choices"])
        assert {answer["model"] for answer in answers} == {"sql"}

    run(scenario)


@embeds
def test_embeddings(server: RealServer) -> None:
    async def scenario(bench: Bench) -> None:
        body = {"input": ["orders of last week", "a cat sleeps"]}
        client, error = await bench.ask(server.upstream(EMBEDDING), body, "embeddings")

        assert error is None
        answer = json.loads(client.body)
        first, second = (entry["embedding"] for entry in answer["data"])
        assert answer["model"] == "sql"
        assert first != second
        assert len(first) == len(second) in (WIDTH, 2 * WIDTH)

    run(scenario)


@chats
def test_a_wrong_request_is_one_typed_error_after_which_the_next_is_answered(server: RealServer) -> None:
    async def scenario(bench: Bench) -> None:
        upstream = server.upstream(CHAT)
        for _ in range(FAILURES_UNTIL_AVOIDED):
            _, error = await bench.ask(upstream, {"messages": "hi"})

            assert readable(error).status == 400
        _, error = await bench.ask(upstream, HELLO)
        assert error is None

    run(scenario)


@chats
def test_a_model_that_the_server_does_not_know(server: RealServer) -> None:
    async def scenario(bench: Bench) -> None:
        upstream = server.upstream("no-such-model")
        client, error = await bench.ask(upstream, HELLO)

        if server.checks_model:
            assert "no-such-model" in readable(error).message
        else:
            assert json.loads(client.body)["model"] == "sql"
        assert bench.relay.health(upstream.servers[0]).state != "failing"

    run(scenario)


@chats
def test_it_does_what_its_providers_file_says(server: RealServer) -> None:
    findings = check(Target(Server(server.url), server.known, CHAT, "LLM"))

    found = {finding.capability: finding.verdict for finding in findings}
    says = {name: verdict for name, verdict in promised(server.known).items() if name not in ("embeddings", "rerank")}
    assert {name: found[name] for name in says} == says, findings


@embeds
def test_it_embeds_as_its_providers_file_says(server: RealServer) -> None:
    findings = check(Target(Server(server.url), server.known, EMBEDDING, "embedding"))

    assert next(finding for finding in findings if finding.capability == "embeddings").verdict == "yes"


@chats
def test_one_that_dies_mid_way_is_one_typed_error_and_answers_again_when_it_is_back(server: RealServer) -> None:
    async def scenario(bench: Bench) -> None:
        upstream = server.upstream(CHAT)
        (target,) = upstream.servers

        client = await stream_while(bench, server, server.kill)
        assert client.events[-1]["error"]["type"] == "upstream_error"
        assert "[DONE]" not in client.events

        _, error = await bench.ask(upstream, HELLO)
        assert (readable(error).status, readable(error).kind) == (503, "upstream_error")
        assert bench.relay.health(target).state == "failing"

        await asyncio.to_thread(server.start)
        bench.relay.health(target).probed_at = float("-inf")
        await bench.relay.probe({(target.url, target.model): target})
        assert bench.relay.health(target).state == "ok"
        _, error = await bench.ask(upstream, HELLO)
        assert error is None

    run(scenario)


@each(LiteLlm)
def test_what_dies_behind_a_proxy_is_one_typed_error_as_well(server: RealServer) -> None:
    assert isinstance(server, LiteLlm)

    async def scenario(bench: Bench) -> None:
        upstream = server.upstream(CHAT)

        client = await stream_while(bench, server, server.behind.kill)
        assert client.events[-1]["error"]["type"] == "upstream_error"
        assert "[DONE]" not in client.events

        _, error = await bench.ask(upstream, HELLO)
        assert readable(error).status == 503

        await asyncio.to_thread(server.behind.start)
        _, error = await bench.ask(upstream, HELLO)
        assert error is None

    run(scenario)
