"""An OpenAI-compatible server that answers at once and always the same, so that what stands before it is measured.

`python bench/mock_upstream.py PORT`. A prompt of `32 chunks, 10 ms apart` sets the pace of a stream; the text of
every chunk is the time it was sent, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast

from measure import fast_loop

MODEL = "mock"
ANSWER = "SELECT name, count(*) FROM orders GROUP BY name ORDER BY 2 DESC"
_PACE = re.compile(rb"(\d+) chunks, (\d+) ms apart")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


def main() -> None:
    """Serve on loopback until terminated."""
    fast_loop(_serve(int(sys.argv[1])))


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


class Connection(asyncio.Protocol):
    """One client's connection: requests one after the other, each answered whole or as a stream."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._received = b""
        self._streaming: asyncio.Task[None] | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self._streaming is not None:
            self._streaming.cancel()

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        end = received.find(_HEAD_END)
        if end < 0:
            return
        announced = _LENGTH.search(received, 0, end)
        size = end + len(_HEAD_END) + (int(announced[1]) if announced else 0)
        if len(received) < size:
            return
        self._received = received[size:]
        self._answer(received[:end], received[end + len(_HEAD_END) : size])

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET "):
            self._transport.write(_MODELS)
        elif b'"stream":true' in body.replace(b": ", b":"):
            pace = _PACE.search(body)
            chunks, gap_ms = (int(pace[1]), int(pace[2])) if pace else (32, 0)
            self._streaming = asyncio.create_task(self._stream(chunks, gap_ms / 1000))
        else:
            self._transport.write(_COMPLETION)

    async def _stream(self, chunks: int, gap_s: float) -> None:
        self._transport.write(_STREAM_HEAD)
        begun = time.monotonic()
        for number in range(chunks):
            self._transport.write(_framed(_EVENT % time.monotonic_ns()))
            # By the clock, so that delays do not add up.
            await asyncio.sleep(begun + (number + 1) * gap_s - time.monotonic())
        self._transport.write(_framed(_LAST) + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _whole(content: object) -> bytes:
    body = json.dumps(content).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _chunk(delta: object, finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    known = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    return b"data: " + json.dumps({**known, "choices": [choice]}).encode() + b"\n\n"


_MODELS = _whole({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "bench"}]})
_MESSAGE = {"role": "assistant", "content": ANSWER}
_COMPLETION = _whole(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 96, "completion_tokens": 16, "total_tokens": 112},
    }
)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = _chunk({"role": "assistant", "content": "%d"}, None)
_LAST = _chunk({}, "stop")


if __name__ == "__main__":
    main()
