"""What stands behind the Ollama facade in tests: a small OpenAI application, its models, and uvicorn around both."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from biai_xinf.extension.asgi import App, Receive, Scope, Send, header, read_body, send_json, send_start
from biai_xinf.extension.ollama_names import Call, NamedModel, route

TAG = "qwen2.5-coder:7b-instruct-q4_K_M"
MODELS = (
    NamedModel(
        "sql-coder",
        "sql",
        tags=(TAG,),
        abilities=("chat", "tools"),
        context=16384,
        family="qwen2.5-coder-instruct",
        model_format="ggufv2",
        quantization="q4_k_m",
        size_in_billions=7,
        size=4_680_000_000,
        ready_since="2026-11-22T10:00:00Z",
    ),
    NamedModel("narrator", "narrator", abilities=("chat", "vision")),
    NamedModel("embedder", "embedding", tags=("nomic-embed-text",), abilities=("embed",), dimensions=3),
    NamedModel("reranker", abilities=("rerank",)),
)
SAYS = {"sql-coder": "SELECT 1 AS one", "narrator": "Orders rose."}
USAGE = {"prompt_tokens": 32, "completion_tokens": 6, "total_tokens": 38}


class FixedNames:
    """Names of models that never change."""

    def __init__(self, models: tuple[NamedModel, ...] = MODELS) -> None:
        self._models = models

    async def served(self) -> tuple[NamedModel, ...]:
        return self._models

    async def route(self, name: str, call: Call) -> str | None:
        return route(self._models, name, call)


@dataclass
class StandIn:
    """An OpenAI application that says `SAYS`, word by word when streaming, and remembers what it was asked.

    `message` replaces what it says (with `tool_calls`, `reasoning_content`), `pieces` how that is cut into deltas.
    `delay_s` passes before each answer begins, `pause_s` before each piece. `refuses` answers everything with a
    status and a body, `breaks` ends streams after the first piece with an error event or (`""`) without a word.
    """

    token: str | None = None
    message: dict[str, Any] | None = None
    pieces: list[str] | None = None
    delay_s: float = 0.0
    pause_s: float = 0.0
    refuses: tuple[int, Any] | None = None
    breaks: str | None = None
    raises: Exception | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body = json.loads(await read_body(receive) or b"{}")
        self.asked.append((scope["path"], body))
        await asyncio.sleep(self.delay_s)
        if self.raises:
            raise self.raises
        if self.token and header(scope, b"authorization") != f"Bearer {self.token}".encode():
            return await send_json(send, 401, {"detail": "Not authenticated"})
        if self.refuses:
            return await send_json(send, *self.refuses, headers=[(b"retry-after", b"7")])
        if scope["path"] == "/v1/models":
            return await send_json(send, 200, {"data": [{"id": model.uid} for model in MODELS]})
        if scope["path"] == "/v1/embeddings":
            data = [{"index": i, "embedding": [3.0, 4.0, 0.0]} for i, _ in enumerate(body["input"])]
            return await send_json(send, 200, {"data": data, "usage": {"prompt_tokens": 8, "total_tokens": 8}})
        if not (self.message or body["model"] in SAYS):
            return await send_json(send, 400, {"error": {"message": f"{body['model']} writes no text"}})
        text = scope["path"] == "/v1/completions"
        message = self.message or {"content": SAYS[body["model"]]}
        finish = "tool_calls" if message.get("tool_calls") else "length" if body.get("max_tokens") == 1 else "stop"
        if body.get("stream"):
            return await self._stream(send, text, message, finish)
        choice = {"text": message["content"]} if text else {"message": {"role": "assistant", **message}}
        await send_json(send, 200, {"choices": [{"index": 0, **choice, "finish_reason": finish}], "usage": USAGE})

    async def _stream(self, send: Send, text: bool, message: dict[str, Any], finish: str) -> None:
        await send_start(send, 200, [(b"content-type", b"text/event-stream")])
        pieces = self.pieces or (message.get("content") or "").split(" ")
        deltas = [{"content": piece if i == 0 or self.pieces else f" {piece}"} for i, piece in enumerate(pieces)]
        extra = {name: value for name, value in message.items() if name != "content"}
        events: list[Any] = [
            {"choices": [{"text": delta["content"]} if text else {"delta": delta}], "usage": None}
            for delta in ([extra] if extra else []) + deltas
        ]
        if self.breaks is not None:
            events = events[:1] + ([{"error": self.breaks}] if self.breaks else [])
        else:
            events.append({"choices": [{"delta": {}, "finish_reason": finish}]})
            events += [{"choices": [], "usage": USAGE}, "[DONE]"]
        for event in events:
            await asyncio.sleep(self.pause_s)
            data = event if isinstance(event, str) else json.dumps(event)
            await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextmanager
def served(app: App) -> Iterator[str]:
    """An application on a socket of this machine; the value is its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "uvicorn did not start"
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
