"""One answer to an Ollama client, which hears from us while it waits: BIAI gives up after 30 s without a byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

from biai_xinf.extension.asgi import Send, send_start, send_whole
from biai_xinf.extension.errors import ApiError

JSON, LINES = b"application/json; charset=utf-8", b"application/x-ndjson"
# A space before a JSON value is valid everywhere. A blank line is not: the `ollama` package 0.6.3 parses every line.
_STILL_HERE = b" "


class Reply:
    """Sends an answer whole or line by line; inside `async with`, a byte whenever nothing was sent for `quiet_s`.

    Such a byte commits status 200: whatever fails later is told in the body, as `{"error": ...}`. `streams` says
    which content type that is; `secret` is blotted out of error texts.
    """

    def __init__(self, send: Send, quiet_s: float) -> None:
        self._send = send
        self._quiet_s = quiet_s
        self._sending = asyncio.Lock()
        self._started = False
        self._ended = False
        self._last_sent = 0.0
        self.streams = False
        self.secret: str | None = None

    async def __aenter__(self) -> Reply:
        self._last_sent = asyncio.get_running_loop().time()
        self._ticker = asyncio.create_task(self._keep_alive())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ticker.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await self._ticker

    async def whole(self, content: Any) -> None:
        """The whole answer."""
        await self._finish(200, encoded(content), ())

    async def lines(self, contents: Sequence[Any], *, last: bool = False) -> None:
        """Some lines of a stream."""
        await self._write(b"".join(encoded(content) + b"\n" for content in contents), last=last)

    async def fail(self, error: ApiError) -> None:
        """The request failed: by its status while there is one to choose, else in the body."""
        message = error.message.replace(self.secret, "***") if self.secret else error.message
        await self._finish(error.status, encoded({"error": message}), error.headers())

    async def _finish(self, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        async with self._sending:
            if self._started:
                await self._body(body + (b"\n" if self.streams else b""), last=True)
            elif not self._ended:
                self._started = self._ended = True
                await send_whole(self._send, status, body, JSON, headers)

    async def _write(self, body: bytes, *, last: bool = False) -> None:
        async with self._sending:
            if not self._started:
                self._started = True
                await send_start(self._send, 200, [(b"content-type", LINES if self.streams else JSON)])
            await self._body(body, last=last)

    async def _body(self, body: bytes, *, last: bool) -> None:
        if not self._ended:
            self._ended = last
            self._last_sent = asyncio.get_running_loop().time()
            await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def _keep_alive(self) -> None:
        while not self._ended:
            quiet = asyncio.get_running_loop().time() - self._last_sent
            if quiet < self._quiet_s:
                await asyncio.sleep(self._quiet_s - quiet)
            else:
                await self._write(_STILL_HERE)


def encoded(content: Any) -> bytes:
    """JSON in UTF-8. Half a surrogate pair, which JSON can spell and UTF-8 cannot, becomes a question mark."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
