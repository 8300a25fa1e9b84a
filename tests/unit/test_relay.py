"""Upstream models: every way a server can fail ends in one typed error, or in another server's whole answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from biai_xinf.extension import relay as module
from biai_xinf.extension.balance import FAILURES_UNTIL_AVOIDED
from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.inquiry import Inquiry, Kind
from biai_xinf.extension.recorder import Recorder
from biai_xinf.extension.registry import Registry
from biai_xinf.extension.relay import Relay
from biai_xinf.extension.stats import Served
from biai_xinf.upstreams import Upstream, UpstreamServer
from tests.standins import Fault, StandIn

CHAT = {"messages": [{"role": "user", "content": "hi"}]}


class Client:
    """What a client of the endpoint receives."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[bytes, bytes] = {}
        self.chunks: list[bytes] = []
        self.complete = False

    async def send(self, message: Any) -> None:
        assert not self.complete, "something was sent after the end"
        if message["type"] == "http.response.start":
            assert self.status is None, "two answers were begun"
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            assert self.status is not None
            self.chunks.append(message["body"])
            self.complete = not message.get("more_body")

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def events(self) -> list[Any]:
        lines = [line[5:].strip() for line in self.body.splitlines() if line.startswith(b"data:")]
        return [line.decode() if line == b"[DONE]" else json.loads(line) for line in lines]

    @property
    def text(self) -> str:
        choices = [event["choices"] for event in self.events if isinstance(event, dict) and event.get("choices")]
        return "".join(choice[0]["delta"].get("content") or "" for choice in choices)


class Bench:
    """A relay, the servers behind it, and what it recorded."""

    def __init__(self) -> None:
        self.served: list[Served] = []
        recorder = Recorder(Registry(Path("nothing is kept")))
        recorder.record = self.served.append  # type: ignore[method-assign]
        self.relay = Relay(recorder)

    async def ask(
        self, upstream: Upstream, body: dict[str, Any] | None = None, kind: Kind = "chat"
    ) -> tuple[Client, ApiError | None]:
        client = Client()
        inquiry = Inquiry(kind, {"model": upstream.name, **(body or CHAT)}, upstream.name, client.send, [])
        try:
            await self.relay.serve(upstream, inquiry)
        except ApiError as error:
            assert client.status is None, "an answer was begun, and then an error raised"
            return client, error
        assert client.complete
        return client, None


@pytest.fixture
def servers() -> Iterator[Callable[..., StandIn]]:
    with ExitStack() as stack:
        yield lambda provider="vllm", **knobs: stack.enter_context(StandIn(provider, **knobs))


def of(*servers: StandIn, **fields: Any) -> Upstream:
    listed = [UpstreamServer(provider=one.provider, url=one.url, model=one.model) for one in servers]
    return Upstream.model_validate({"name": "sql", "servers": listed, "patience_s": 0.7, "deadline_s": 5, **fields})


def run(scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench()
        try:
            await asyncio.wait_for(scenario(bench), 30)
        finally:
            await bench.relay.close()

    asyncio.run(main())


def test_a_whole_answer_comes_under_the_name_that_was_asked_for(servers: Callable[..., StandIn]) -> None:
    server = servers(model="Qwen/Qwen2.5-Coder-7B", answer="SELECT 1")

    async def scenario(bench: Bench) -> None:
        client, error = await bench.ask(of(server))
        assert error is None
        answer = json.loads(client.body)
        assert (answer["model"], answer["choices"][0]["message"]["content"]) == ("sql", "SELECT 1")
        assert server.requests == [{"model": "Qwen/Qwen2.5-Coder-7B", **CHAT}]
        (served,) = bench.served
        assert (served.model, served.target, served.status, served.error) == ("sql", server.url, 200, None)
        assert served.completion_tokens == answer["usage"]["completion_tokens"]

    run(scenario)


def test_a_stream_is_passed_on_event_by_event(servers: Callable[..., StandIn]) -> None:
    server = servers(answer="SELECT a FROM b", chunks=5, delay=0.05)

    async def scenario(bench: Bench) -> None:
        client, error = await bench.ask(of(server), {**CHAT, "stream": True})
        assert error is None
        assert client.text == "SELECT a FROM b"
        assert client.events[-1] == "[DONE]"
        assert {event["model"] for event in client.events[:-1]} == {"sql"}
        assert len([chunk for chunk in client.chunks if b'"content"' in chunk]) >= 5
        assert client.headers[b"content-type"].startswith(b"text/event-stream")
        (served,) = bench.served
        assert served.stream
        assert served.first_byte_s is not None
        assert served.completion_tokens is not None, "usage was asked of the server"
        assert not any(event.get("usage") for event in client.events[:-1]), "and kept from a client that did not ask"

    run(scenario)


def test_a_client_that_asks_for_usage_gets_it(servers: Callable[..., StandIn]) -> None:
    server = servers()

    async def scenario(bench: Bench) -> None:
        body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
        client, _ = await bench.ask(of(server), body)
        assert any(event.get("usage") for event in client.events[:-1])

    run(scenario)


WHOLE_FAULTS: dict[Fault, tuple[int, str]] = {
    "refuse": (503, "it cannot be reached"),
    "hang": (504, "it said nothing for 0.7 s"),
    "close": (503, "it broke the connection"),
    "die-mid-stream": (503, "it broke the connection"),
    "hang-mid-stream": (504, "it said nothing for 0.7 s"),
    "429": (429, "too many requests"),
    "503": (503, "it answered 503"),
    "500": (503, "it answered 500"),
    "500-text": (503, "RuntimeError: boom"),
    "401": (503, "it asks for a key, and none is set"),
    "404": (503, "it does not know `m` or this route"),
    "200-error": (503, "the model runner has stopped"),
    "empty": (503, "that is not JSON"),
    "not-json": (503, "that is not JSON"),
    "slow-first-token": (504, "it said nothing for 0.7 s"),
    "wrong-type": (503, "text/html"),
}


@pytest.mark.parametrize("fault", WHOLE_FAULTS)
def test_a_fault_is_one_typed_error(servers: Callable[..., StandIn], fault: Fault) -> None:
    status, reason = WHOLE_FAULTS[fault]
    server = servers(fault=fault, slow=3.0)

    async def scenario(bench: Bench) -> None:
        _, error = await bench.ask(of(server))
        assert error is not None
        assert error.status == status
        assert reason in error.message
        assert "Traceback" not in error.message
        assert bench.relay.health(of(server).servers[0]).in_flight == 0

    run(scenario)


@pytest.mark.parametrize("fault", [*WHOLE_FAULTS, "bad-chunk", "error-event"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_fault_before_the_first_byte_is_made_good_by_another_server(
    servers: Callable[..., StandIn], fault: Fault, stream: bool
) -> None:
    broken = servers(fault=fault, slow=3.0, answer="from the broken one", chunks=1)
    well = servers(answer="from the other one")
    begun = stream and fault in ("die-mid-stream", "hang-mid-stream", "bad-chunk", "error-event")

    async def scenario(bench: Bench) -> None:
        client, error = await bench.ask(of(broken, well), {**CHAT, "stream": stream})
        assert error is None
        if begun and client.text != "from the other one":
            # Its first bytes were out: the client gets the error, and nothing of a second answer.
            assert "from the other one" not in client.text
            assert client.events[-1]["error"]["type"] == "upstream_error"
        elif stream:
            assert client.text == "from the other one"
        elif fault not in ("bad-chunk", "error-event"):
            assert json.loads(client.body)["choices"][0]["message"]["content"] == "from the other one"

    run(scenario)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("die-mid-stream", "it broke off its stream"),
        ("hang-mid-stream", "it broke off its stream"),
        ("bad-chunk", "it sent an event that is not JSON"),
        ("error-event", "the model runner has stopped"),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_and_never_with_done(
    servers: Callable[..., StandIn], fault: Fault, reason: str
) -> None:
    server = servers(fault=fault, chunks=6, delay=0.02)

    async def scenario(bench: Bench) -> None:
        client, _ = await bench.ask(of(server), {**CHAT, "stream": True})
        assert "[DONE]" not in client.events
        assert reason in client.events[-1]["error"]["message"]
        assert bench.served[-1].error is not None

    run(scenario)


def test_an_answer_beyond_the_limit_is_refused_and_not_kept(
    servers: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BODY", 100_000)
    server = servers(fault="huge-body", huge=1_000_000)

    async def scenario(bench: Bench) -> None:
        _, error = await bench.ask(of(server))
        assert error is not None
        assert (error.status, "more than 100000 bytes" in error.message) == (503, True)

    run(scenario)


def test_a_wrong_request_is_the_clients_error_and_is_not_tried_elsewhere(servers: Callable[..., StandIn]) -> None:
    strict = servers("openai")
    other = servers("openai")
    strict.fault = other.fault = None

    async def scenario(bench: Bench) -> None:
        _, error = await bench.ask(of(strict, other), {"messages": "not a list"})
        if error is not None:
            assert error.status == 400
            assert len(strict.requests) + len(other.requests) == 1

    run(scenario)


def test_a_server_that_is_gone_is_not_asked_until_it_is_back(servers: Callable[..., StandIn]) -> None:
    gone, well = servers(), servers()
    gone.fault = "refuse"
    upstream = of(gone, well)

    async def scenario(bench: Bench) -> None:
        for _ in range(5):
            _, error = await bench.ask(upstream)
            assert error is None
        assert len(well.requests) == 5
        gone.fault = None
        keyed = {(one.url, one.model): one for one in upstream.servers}
        bench.relay.health(upstream.servers[0]).probed_at = float("-inf")
        await bench.relay.probe(keyed)
        assert bench.relay.health(upstream.servers[0]).state == "ok"
        for _ in range(6):
            await bench.ask(upstream)
        assert len(gone.requests) >= 3

    run(scenario)


def test_a_connection_that_breaks_once_is_no_failure(servers: Callable[..., StandIn]) -> None:
    server = servers(fault="close", times=1, answer="SELECT 1")

    async def scenario(bench: Bench) -> None:
        client, error = await bench.ask(of(server))
        assert error is None
        assert json.loads(client.body)["choices"][0]["message"]["content"] == "SELECT 1"
        assert bench.relay.health(of(server).servers[0]).state == "ok"

    run(scenario)


def test_connections_that_break_once_do_not_add_up(servers: Callable[..., StandIn]) -> None:
    server = servers(context=0)

    async def scenario(bench: Bench) -> None:
        for _ in range(FAILURES_UNTIL_AVOIDED):
            server.fault, server.times = "close", 1
            _, error = await bench.ask(of(server))
            assert error is not None
            assert error.status == 400
        server.context = 4096
        _, error = await bench.ask(of(server))
        assert error is None

    run(scenario)


@pytest.mark.parametrize(
    "said",
    [
        "1 validation error:\n  {'type': 'list_type', 'loc': ('body', 'messages')}\n\n  File \"/srv/app.py\", line 376",
        "1 validation error for CreateChat\nmessages\n  value is not a valid list (type=type_error.list)",
    ],
    ids=["llama-cpp-python", "xinference"],
)
def test_a_wrong_request_that_is_answered_with_500_is_the_clients_error(said: str) -> None:
    body = json.dumps({"error": {"message": said}}).encode()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async def scenario(bench: Bench) -> None:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            target = UpstreamServer(provider="vllm", url=f"http://127.0.0.1:{port}", model="m")
            _, error = await bench.ask(of(servers=[target]), {"messages": "hi"})

        assert error is not None
        assert error.status == 400
        assert "/srv" not in error.message
        assert bench.relay.health(target).failures == 0

    run(scenario)


def test_429_tells_the_client_when_to_come_back(servers: Callable[..., StandIn]) -> None:
    server = servers(fault="429")

    async def scenario(bench: Bench) -> None:
        _, error = await bench.ask(of(server))
        assert error is not None
        assert (error.status, error.retry_after) == (429, 2)
        assert bench.relay.health(of(server).servers[0]).state != "failing", "a full server is not a broken one"

    run(scenario)


def test_the_key_goes_to_the_server_and_nowhere_else(
    servers: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("UPSTREAM_KEY", "canary-4e7a")
    server, strict = servers(key="canary-4e7a"), servers(key="another-key")

    def keyed(one: StandIn) -> Upstream:
        return of(servers=[UpstreamServer(provider="vllm", url=one.url, model="m", key_env="UPSTREAM_KEY")])

    async def scenario(bench: Bench) -> None:
        _, error = await bench.ask(keyed(server))
        assert error is None
        assert server.calls[-1].headers["authorization"] == "Bearer canary-4e7a"
        _, refused = await bench.ask(keyed(strict))
        assert refused is not None
        assert "it refused the key in `UPSTREAM_KEY`" in refused.message
        monkeypatch.delenv("UPSTREAM_KEY")
        _, unset = await bench.ask(keyed(server))
        assert unset is not None
        assert "`UPSTREAM_KEY` is not set" in unset.message
        assert "canary" not in f"{caplog.text} {bench.served} {refused.message} {unset.message}"

    run(scenario)


@pytest.mark.parametrize("kind", ["completions", "embeddings", "rerank"])
def test_the_other_routes_are_served_as_well(servers: Callable[..., StandIn], kind: Kind) -> None:
    server = servers("vllm")
    bodies: dict[str, dict[str, Any]] = {
        "completions": {"prompt": "SELECT"},
        "embeddings": {"input": ["a", "b"]},
        "rerank": {"query": "a", "documents": ["a", "b"]},
    }

    async def scenario(bench: Bench) -> None:
        client, error = await bench.ask(of(server), bodies[kind], kind)
        assert error is None, error
        assert isinstance(json.loads(client.body), dict)

    run(scenario)


def test_a_client_that_leaves_is_not_written_for(servers: Callable[..., StandIn]) -> None:
    server = servers(chunks=100, delay=0.05)

    async def scenario(bench: Bench) -> None:
        asking = asyncio.create_task(bench.ask(of(server), {**CHAT, "stream": True}))
        await asyncio.sleep(0.5)
        asking.cancel()
        await asyncio.wait([asking])
        for _ in range(100):
            if server.in_flight == 0:
                break
            await asyncio.sleep(0.05)
        assert server.in_flight == 0
        assert server.cut_off == 1
        assert bench.relay.health(of(server).servers[0]).in_flight == 0

    run(scenario)


@pytest.mark.parametrize(
    "said", [b"", b'data: {"choices": [{"delta": {"content": "SELECT"}}]}\n\n'], ids=["first", "later"]
)
def test_comments_are_not_an_answer(said: bytes) -> None:
    async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + said)
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b": ping\n\n")
                await writer.drain()
                await asyncio.sleep(0.1)

    async def scenario(bench: Bench) -> None:
        async with await asyncio.start_server(mumble, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            target = UpstreamServer(provider="vllm", url=f"http://127.0.0.1:{port}", model="m")
            client, error = await bench.ask(of(servers=[target]), {**CHAT, "stream": True})

        told = error.message if error else client.events[-1]["error"]["message"]
        assert (client.text, error is None) == ("SELECT" if said else "", bool(said))
        assert "it kept the connection open and said nothing for 0.7 s" in told

    run(scenario)
