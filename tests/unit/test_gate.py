"""The door of the endpoint: who is let in, who answers, and what becomes of Xinference's own lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from biai_xinf.extension.access import Access, Grant
from biai_xinf.extension.asgi import Receive, Scope, Send, read_body, send_json
from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.gate import Gate, Services
from biai_xinf.extension.names import Names, NativeModels
from biai_xinf.extension.native import Native
from biai_xinf.extension.recorder import Recorder
from biai_xinf.extension.registry import Registry
from biai_xinf.extension.relay import Relay
from biai_xinf.extension.replicas import Replicas
from biai_xinf.upstreams import ServedModel, Upstream, UpstreamServer
from tests.standins import StandIn

ENTRY = {"model_type": "LLM", "model_name": "qwen3", "model_engine": "vLLM", "context_length": 2048}
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}


class Xinference:
    """The application behind the gate, as far as these tests need it; `asked` are the bodies of its chats."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.paths: list[str] = []
        self.status = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(f"{scope['method']} {scope['path']}")
        body = await read_body(receive)
        if scope["path"] == "/v1/chat/completions":
            asked = json.loads(body)
            self.asked.append(asked)
            if self.status != 200:
                await send_json(send, self.status, {"detail": "Model not found in the model list, uid: x"})
                return
            message = {"role": "assistant", "content": "native"}
            await send_json(send, 200, {"model": "/srv/m.gguf", "choices": [{"index": 0, "message": message}]})
        elif (scope["method"], scope["path"]) == ("GET", "/v1/models"):
            await send_json(send, 200, {"object": "list", "data": [{"id": "native", **ENTRY}]})
        elif scope["path"] == "/v1/models/instances":
            await send_json(send, 200, [{"model_uid": "native"}])
        else:
            await send_json(send, 418, {"path": scope["path"], "query": scope["query_string"].decode()})

    # The supervisor's part of it.

    async def list_models(self) -> dict[str, Any]:
        return {"native": ENTRY}

    async def get_instance_info(self, *_: Any) -> list[Any]:
        return []


class FakeAccess(Access):
    """Lets in who carries a token, and notes what it was told of answers."""

    def __init__(self, *tokens: str) -> None:
        super().__init__(None, None)
        self.tokens = tokens
        self.recorded: list[tuple[str, int]] = []
        self.forbidden: set[str] = set()

    async def admit(self, scope: Scope, body: bytes = b"", scopes: Any = ()) -> Grant:
        if self.tokens and dict(scope["headers"]).get(b"authorization") not in [
            b"Bearer " + t.encode() for t in self.tokens
        ]:
            raise ApiError(401, "Could not validate credentials")
        return Grant()

    def check_model(self, grant: Grant, model: str, model_type: str) -> None:
        if model in self.forbidden:
            raise ApiError(403, f"this API key may not use `{model}`", param="model")

    def record(self, scope: Scope, grant: Grant, model: str, model_type: str, status: int, duration_s: float) -> None:
        self.recorded.append((model, status))


class Reply:
    """One answer of the gate."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message.get("body", b"")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def content(self) -> Any:
        return self.json["choices"][0]["message"]["content"]


class Door:
    """A gate with everything behind it."""

    def __init__(self, folder: Path, access: FakeAccess | None = None, own_cors: bool = True) -> None:
        self.xinference = Xinference()
        self.access = access or FakeAccess()
        self.registry = Registry(folder / "endpoint.json")
        self.recorder = Recorder(self.registry)
        self.relay = Relay(self.recorder)
        natives = NativeModels(self._supervisor)
        native = Native(self.xinference, Replicas(self._supervisor), natives, self.registry, self.recorder)
        names = Names(self.registry, natives)
        services = Services(self.access, self.registry, names, self.relay, native, self.recorder)
        self.gate = Gate(self.xinference, services, own_cors)

    async def _supervisor(self) -> Xinference:
        return self.xinference

    async def ask(
        self,
        body: Any = None,
        path: str = "/v1/chat/completions",
        method: str = "POST",
        headers: Mapping[str, str] = {},
        query: str = "",
    ) -> Reply:
        reply, sent = Reply(), False
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
        }

        async def receive() -> Any:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": raw, "more_body": False}
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        await self.gate(scope, receive, reply.send)
        return reply


@pytest.fixture
def servers() -> Iterator[Callable[..., StandIn]]:
    with ExitStack() as stack:
        yield lambda provider="vllm", **knobs: stack.enter_context(StandIn(provider, **knobs))


def upstream(name: str, *servers: StandIn, **fields: Any) -> Upstream:
    listed = [UpstreamServer(provider=one.provider, url=one.url, model=one.model) for one in servers]
    return Upstream(name=name, servers=listed, patience_s=1, deadline_s=3, **fields)


def run(door: Door, scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        try:
            await asyncio.wait_for(scenario(), 30)
        finally:
            await door.relay.close()

    asyncio.run(main())


def test_a_native_model_answers_under_the_name_that_was_asked_for(tmp_path: Path) -> None:
    door = Door(tmp_path)

    async def scenario() -> None:
        reply = await door.ask({"model": "native", **CHAT}, headers={"x-request-id": "r-1"})
        assert (reply.status, reply.content, reply.json["model"]) == (200, "native", "native")
        assert reply.headers[b"x-request-id"] == b"r-1"
        assert door.access.recorded == [], "Xinference itself does"

    run(door, scenario)


def test_a_name_that_ollama_clients_use_means_the_model_that_has_it(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.registry.put_served(ServedModel(uid="native", spec="coder", recipe="r", role="sql", tags=["qwen3-coder"]))

    async def scenario() -> None:
        for name in ("qwen3-coder", "qwen3-coder:latest", "native:latest"):
            reply = await door.ask({"model": name, **CHAT})
            assert (reply.status, reply.json["model"]) == (200, name)
        assert {asked["model"] for asked in door.xinference.asked} == {"native"}
        assert (await door.ask({"model": "qwen3-coder:30b", **CHAT})).status == 404

    run(door, scenario)


def test_an_alias_means_the_model_it_was_told_for(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.registry.put_served(
        ServedModel(
            uid="native", spec="sql-coder", recipe="r", role="sql", aliases=["sql-coder"], defaults={"temperature": 0}
        )
    )

    async def scenario() -> None:
        for name in ("sql-coder", "sql"):
            reply = await door.ask({"model": name, **CHAT})
            assert (reply.status, reply.json["model"]) == (200, name)
        reply = await door.ask({"model": "native", "temperature": 0.5, **CHAT})
        assert [(asked["model"], asked["temperature"]) for asked in door.xinference.asked] == [
            ("native", 0),
            ("native", 0),
            ("native", 0.5),
        ]

    run(door, scenario)


def test_upstreams_answer_for_each_other_and_then_a_native_model_does(
    tmp_path: Path, servers: Callable[..., StandIn]
) -> None:
    door = Door(tmp_path)
    first, second = servers(fault="refuse"), servers(answer="second")
    door.registry.put_upstream(upstream("first", first, fallback=["second", "native"]))
    door.registry.put_upstream(upstream("second", second, fallback=["first"]))

    async def scenario() -> None:
        reply = await door.ask({"model": "first", **CHAT})
        assert (reply.status, reply.content, reply.json["model"]) == (200, "second", "first")
        second.fault = "refuse"
        reply = await door.ask({"model": "first", **CHAT})
        assert (reply.status, reply.content, reply.json["model"]) == (200, "native", "first")

    run(door, scenario)


def test_no_answer_anywhere_is_one_typed_error(tmp_path: Path, servers: Callable[..., StandIn]) -> None:
    door = Door(tmp_path)
    door.registry.put_upstream(upstream("first", servers(fault="refuse"), fallback=["unknown"]))
    door.xinference.status = 404

    async def scenario() -> None:
        reply = await door.ask({"model": "first", **CHAT})
        assert reply.status == 503
        assert reply.headers[b"retry-after"] == b"2"
        assert reply.json["error"]["code"] == "upstream_unavailable"

    run(door, scenario)


def test_a_wrong_request_is_not_given_to_the_fallback(tmp_path: Path, servers: Callable[..., StandIn]) -> None:
    door = Door(tmp_path)
    door.registry.put_upstream(upstream("first", servers(), fallback=["native"]))

    async def scenario() -> None:
        for body in (b"{", b"[1]", b'{"messages": []}', b'{"model": 7}', b"\xff\xfe"):
            reply = await door.ask(body)
            assert (reply.status, reply.json["error"]["type"]) == (400, "invalid_request_error"), body
        assert door.xinference.asked == []

    run(door, scenario)


def test_who_is_not_let_in_learns_nothing(tmp_path: Path, servers: Callable[..., StandIn]) -> None:
    door = Door(tmp_path, FakeAccess("good"))
    server = servers()
    door.registry.put_upstream(upstream("first", server))

    async def scenario() -> None:
        for name in ("first", "native", "unknown"):
            reply = await door.ask({"model": name, **CHAT})
            assert (reply.status, reply.json["error"]["type"]) == (401, "authentication_error")
        assert (server.requests, door.xinference.asked) == ([], [])
        good = {"authorization": "Bearer good"}
        assert (await door.ask({"model": "first", **CHAT}, headers=good)).status == 200
        assert door.access.recorded == [("", 401), ("", 401), ("", 401), ("first", 200)]
        assert (await door.ask(path="/v1/models/first", method="GET", headers=good)).status == 200
        assert (await door.ask(path="/v1/models/first", method="GET")).status == 401
        assert (await door.ask(path="/v1/models/first", method="DELETE")).status == 401
        door.access.forbidden = {"first"}
        assert (await door.ask({"model": "first", **CHAT}, headers=good)).status == 403

    run(door, scenario)


def test_a_key_for_one_model_does_not_reach_another_as_its_fallback(
    tmp_path: Path, servers: Callable[..., StandIn]
) -> None:
    door = Door(tmp_path)
    door.access.forbidden = {"native"}
    door.registry.put_upstream(upstream("first", servers(fault="refuse"), fallback=["native"]))

    async def scenario() -> None:
        assert (await door.ask({"model": "first", **CHAT})).status == 503
        assert door.xinference.asked == []

    run(door, scenario)


def test_upstreams_stand_in_xinferences_lists(tmp_path: Path, servers: Callable[..., StandIn]) -> None:
    door = Door(tmp_path)
    door.registry.put_upstream(upstream("first", servers(), context=4096))

    async def scenario() -> None:
        listed = (await door.ask(path="/v1/models", method="GET")).json["data"]
        assert [(one["id"], one["model_engine"]) for one in listed] == [("native", "vLLM"), ("first", "upstream")]
        one = (await door.ask(path="/v1/models/first", method="GET")).json
        assert (one["model_name"], one["context_length"], one["upstream"]["role"]) == ("first", 4096, "chat")
        instances = (await door.ask(path="/v1/models/instances", method="GET")).json
        assert [one["model_uid"] for one in instances] == ["native", "first"]
        (replica,) = (await door.ask(path="/v1/models/first/replicas", method="GET")).json
        assert (replica["replica_model_uid"], replica["status"]) == ("first-0", "READY")
        assert (await door.ask(path="/v1/models/first", method="DELETE")).status == 200
        assert dict(door.registry.upstreams) == {}

    run(door, scenario)


def test_xinferences_lists_tell_what_was_launched_and_not_what_a_family_could(tmp_path: Path) -> None:
    door = Door(tmp_path)

    async def scenario() -> None:
        (told,) = (await door.ask(path="/v1/models", method="GET")).json["data"]
        assert told == {"id": "native", **ENTRY}
        door.registry.put_served(ServedModel(uid="native", spec="coder", recipe="r", role="sql", context=1024))
        (told,) = (await door.ask(path="/v1/models", method="GET")).json["data"]
        assert told == {"id": "native", **ENTRY, "context_length": 1024}
        one = await door.ask(path="/v1/models/native", method="GET")
        # This one's Xinference knows no such path, and what it says of that is passed on.
        assert (one.status, one.json["path"]) == (418, "/v1/models/native")

    run(door, scenario)


def test_what_is_not_ours_reaches_xinference_untouched(tmp_path: Path, servers: Callable[..., StandIn]) -> None:
    door = Door(tmp_path)
    door.registry.put_upstream(upstream("first", servers()))

    async def scenario() -> None:
        for method, path in [
            ("GET", "/v1/models/native"),
            ("DELETE", "/v1/models/first/replicas"),
            ("POST", "/v1/models"),
            ("GET", "/"),
            ("GET", "/status"),
        ]:
            reply = await door.ask(path=path, method=method, query="a=b")
            assert (reply.status, reply.json) == (418, {"path": path, "query": "a=b"}), (method, path)

    run(door, scenario)


def test_a_fault_of_the_endpoint_itself_is_an_answer_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(tmp_path)

    async def broken(self: Names, name: str) -> str:
        raise KeyError(name)

    monkeypatch.setattr(Names, "resolve", broken)

    async def scenario() -> None:
        reply = await door.ask({"model": "native", **CHAT})
        assert (reply.status, reply.json["error"]["type"]) == (500, "server_error")
        assert "KeyError" not in reply.body.decode()

    run(door, scenario)


def test_browsers_of_other_origins_may_ask(tmp_path: Path, servers: Callable[..., StandIn]) -> None:
    door, inside = Door(tmp_path), Door(tmp_path / "inside", own_cors=False)
    door.registry.put_upstream(upstream("first", servers()))

    async def scenario() -> None:
        origin = {"origin": "https://bi.example.org"}
        reply = await door.ask({"model": "first", **CHAT}, headers=origin)
        assert reply.headers[b"access-control-allow-origin"] == b"https://bi.example.org"
        assert b"access-control-allow-origin" not in (await door.ask({"model": "first", **CHAT})).headers
        reply = await inside.ask({"model": "native", **CHAT}, headers=origin)
        assert b"access-control-allow-origin" not in reply.headers

    run(door, scenario)


def test_an_ollama_client_comes_through_the_same_door(tmp_path: Path, servers: Callable[..., StandIn]) -> None:
    door = Door(tmp_path, FakeAccess("good"))
    door.registry.put_upstream(upstream("first", servers(answer="hello")))

    async def scenario() -> None:
        asked = {"model": "first", "stream": False, **CHAT}
        assert (await door.ask(asked, path="/api/chat")).status == 401
        reply = await door.ask(asked, path="/ollama/k/good/api/chat")
        assert (reply.status, reply.json["message"]["content"]) == (200, "hello")
        assert (await door.ask(path="/", method="HEAD")).status == 200

    run(door, scenario)
