"""The least a proxy can do in Python: an ASGI application that hands every request on and its answer back.

`UPSTREAM=http://127.0.0.1:9000 uvicorn passthrough:app`. No models, no keys, no checks, no health: what it costs is
what any relay in the same server costs.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp

Message = MutableMapping[str, Any]
_UPSTREAM = os.environ.get("UPSTREAM", "")
_OWN_HEADERS = (b"connection", b"keep-alive", b"transfer-encoding")
_session: aiohttp.ClientSession | None = None


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Relay one request."""
    if scope["type"] != "http":
        return
    url, body = _UPSTREAM + scope["path"], await _body(receive)
    async with _client().request(scope["method"], url, data=body, headers=_HEADERS) as answer:
        headers = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() not in _OWN_HEADERS]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        async for chunk in answer.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


_HEADERS = {"content-type": "application/json"}


def _client() -> aiohttp.ClientSession:
    # It belongs to the event loop of the first request.
    global _session
    if _session is None:
        _session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
    return _session
