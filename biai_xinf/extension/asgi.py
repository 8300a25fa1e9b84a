"""ASGI in small pieces: read a request, send an answer, and put a request to the application we stand in front of."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from biai_xinf.extension.errors import ApiError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

# A prompt of a million tokens is about 5 MB of JSON; images travel as base64.
MAX_BODY = 64 * 1024 * 1024


class ClientLeft(Exception):
    """The client closed its connection before its answer was complete."""


async def read_body(receive: Receive, limit: int = MAX_BODY) -> bytes:
    """The whole body of a request; 413 above `limit` bytes, ClientLeft if the client goes away."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return bytes(_bounded(message.get("body", b""), limit))
    body = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        _bounded(body, limit)
        if not message.get("more_body"):
            return bytes(body)
        message = await receive()


def _bounded(body: bytes | bytearray, limit: int) -> bytes | bytearray:
    if len(body) > limit:
        raise ApiError(413, f"the request has more than {limit} bytes", code="request_too_large")
    return body


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body already read, then whatever the client does next."""
    pending = True

    async def again() -> Message:
        nonlocal pending
        if pending:
            pending = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


async def send_json(send: Send, status: int, content: Any, headers: Headers = ()) -> None:
    """A whole answer of JSON."""
    await send_whole(send, status, json.dumps(content).encode(), b"application/json", headers)


async def send_whole(send: Send, status: int, body: bytes, content_type: bytes, headers: Headers = ()) -> None:
    """A whole answer of bytes."""
    await send_start(send, status, [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers])
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_start(send: Send, status: int, headers: Headers) -> None:
    """The head of an answer whose body follows."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def send_error(send: Send, error: ApiError) -> None:
    """A failed request, in OpenAI's shape."""
    await send_json(send, error.status, error.body(), error.headers())


def header(scope: Scope, name: bytes) -> bytes | None:
    """One request header, by its lower-case name."""
    return next((value for key, value in scope["headers"] if key == name), None)


class Answer:
    """What an application answered: `status` and `headers` at once, its body chunk by chunk as it is sent.

    Always `aclose()` it (or use `async with`): that tells the application that nobody listens any more.
    """

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], exchange: _Exchange) -> None:
        self.status = status
        self.headers = headers
        self._exchange = exchange

    def header(self, name: bytes) -> bytes | None:
        """One answer header, by its lower-case name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; raises what the application raised."""
        while (chunk := await self._exchange.next_chunk()) is not None:
            if chunk:
                yield chunk

    async def read(self) -> bytes:
        """The rest of the body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def aclose(self) -> None:
        """Let go: the application sees its client leave, if it has not finished."""
        await self._exchange.close()

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def call(
    app: App, scope: Scope, path: str, body: bytes, *, method: str = "POST", receive: Receive | None = None
) -> Answer:
    """Put a request to `app` in this process, as the client of `scope` (its headers, its address); its answer.

    The answer streams: it is returned as soon as its head is known. `receive` is the real client's, watched so
    that its leaving reaches the application. Raises what the application raises before it answers.
    """
    exchange = _Exchange(app, _rewritten(scope, path, body, method), body, receive)
    return await exchange.start()


def _rewritten(scope: Scope, path: str, body: bytes, method: str) -> Scope:
    kept = [(key, value) for key, value in scope["headers"] if key not in (b"content-length", b"content-type")]
    headers = [*kept, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    request = {key: value for key, value in scope.items() if key not in ("state", "path_params", "route", "endpoint")}
    request |= {"method": method, "headers": headers}
    if path != scope["path"]:
        request |= {"path": path, "raw_path": path.encode(), "query_string": b""}
    # Starlette keeps per-request values here; those of the outer request are not ours to share.
    request["state"] = dict(scope.get("state") or {})
    return request


class _Exchange:
    """One request put to an application, which runs in a task of its own and is never further ahead than a chunk."""

    def __init__(self, app: App, scope: Scope, body: bytes, receive: Receive | None) -> None:
        self._app, self._scope, self._body, self._receive = app, scope, body, receive
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(maxsize=2)
        self._left = asyncio.Event()
        self._sent_body = False
        self._ended = False
        self._failure: BaseException | None = None

    async def start(self) -> Answer:
        self._task = asyncio.create_task(self._run())
        try:
            message = await self._messages.get()
        except BaseException:
            await self.close()
            raise
        if message is None:
            self._ended = True
            await self._task
            raise self._failure or RuntimeError(f"nothing answered {self._scope['path']}")
        return Answer(message["status"], list(message.get("headers", [])), self)

    async def next_chunk(self) -> bytes | None:
        if self._ended:
            return None
        message = await self._messages.get()
        if message is None:
            self._ended = True
            if self._failure is not None:
                raise self._failure
            return None
        if not message.get("more_body"):
            self._ended = True
        return bytes(message.get("body", b""))

    async def close(self) -> None:
        self._left.set()
        self._ended = True
        if not self._task.done():
            while not self._messages.empty():
                self._messages.get_nowait()
            # An application that finished its body may still have work of its own to do; one that has not is told.
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._task), 0.5)
            self._task.cancel()
        with contextlib.suppress(BaseException):
            await self._task

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive_once, self._send)
        except Exception as error:  # noqa: BLE001  an application's failure is its answer, told to who waits for it
            self._failure = error
        await self._put(None)

    async def _send(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "http.response.body"):
            await self._put(message)

    async def _put(self, message: Message | None) -> None:
        if self._left.is_set():
            return
        try:
            self._messages.put_nowait(message)
        except asyncio.QueueFull:
            putting = asyncio.ensure_future(self._messages.put(message))
            leaving = asyncio.ensure_future(self._left.wait())
            await asyncio.wait({putting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            putting.cancel()
            leaving.cancel()

    async def _receive_once(self) -> Message:
        if not self._sent_body:
            self._sent_body = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        if self._receive is None:
            await self._left.wait()
            return {"type": "http.disconnect"}
        client = asyncio.ensure_future(self._receive())
        leaving = asyncio.ensure_future(self._left.wait())
        try:
            await asyncio.wait({client, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return client.result() if client.done() else {"type": "http.disconnect"}
        finally:
            client.cancel()
            leaving.cancel()
