"""Puts requests to a server as fast as it answers, at a small fraction of what answering costs.

A process of its own: `python bench/load.py` reads one task per line of stdin, as JSON, and prints one line for each;
`Load` is the other end of that. Its reader of answers knows no more of HTTP than well-formed answers need, for what
it costs is taken from the servers measured beside it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from measure import fast_loop

_HEAD_END = b"\r\n\r\n"
_STREAM_END = b"\r\n0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# The text of a chunk of the mock: when it was sent.
_SENT = re.compile(rb'"content": ?"(\d{9,})"')


@dataclass(frozen=True)
class Task:
    """Requests with `body` to `url` over `connections` kept ones, one at a time on each.

    For `seconds`, or until there were `requests`; before that, `warm_ups` on each connection that do not count.
    """

    url: str
    body: Mapping[str, Any]
    connections: int = 1
    seconds: float | None = None
    requests: int | None = None
    warm_ups: int = 2


@dataclass
class Streamed:
    """One streamed answer: when its first event came, and how late each did after the mock had sent it.

    `frames` are the chunks of HTTP's chunked encoding, which carry one event each when nothing merged or split them.
    """

    first_ms: float
    late_ms: list[float]
    events: int
    frames: int


@dataclass
class Found:
    """How a task went; latencies in milliseconds, until the last byte of an answer."""

    latencies_ms: list[float] = field(default_factory=list)
    streams: list[Streamed] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return len(self.latencies_ms) / self.wall_s


class Load:
    """The load generator, started and kept; `put` blocks until a task is done."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def put(self, task: Task) -> Found:
        """Run one task; raises RuntimeError where any of its requests failed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asdict(task)) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        found = Found(**{**answer, "streams": [Streamed(**one) for one in answer["streams"]]})
        if found.failures:
            raise RuntimeError(f"{len(found.failures)} requests to {task.url} failed, first: {found.failures[0]}")
        return found

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


async def _tasks() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        gc.collect()
        gc.disable()
        found = await _run(Task(**json.loads(line)))
        gc.enable()
        print(json.dumps(asdict(found)), flush=True)


async def _run(task: Task) -> Found:
    address = urlsplit(task.url)
    assert address.hostname
    assert address.port
    body = json.dumps(task.body).encode()
    head = (
        f"POST {address.path} HTTP/1.1\r\nhost: {address.netloc}\r\naccept: */*\r\nuser-agent: bench\r\n"
        f"content-type: application/json\r\nauthorization: Bearer none\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    run = _Run(task, head.encode() + body)
    loop = asyncio.get_running_loop()
    for _ in range(task.connections):
        await loop.create_connection(lambda: _Connection(run), address.hostname, address.port)
    await run.finished
    return run.found


class _Run:
    """What the connections of one task share; what is answered while some still warm up does not count."""

    def __init__(self, task: Task, request: bytes) -> None:
        self.request = request
        self.warm_ups = task.warm_ups
        self.found = Found(wall_s=task.seconds or 0.0)
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open = self._warming = task.connections
        self._seconds = task.seconds
        self._left = task.requests
        self._begun: float | None = None
        self._end = float("inf")
        if not task.warm_ups:
            self._begin()

    def _begin(self) -> None:
        self._begun = time.perf_counter()
        if self._seconds is not None:
            self._end = self._begun + self._seconds

    def warm(self) -> None:
        """A connection has done its warm-ups; the clock starts with the last that has."""
        self._warming -= 1
        if not self._warming:
            self._begin()

    def counts(self) -> bool:
        """Whether an answer that is complete now lies within the time measured."""
        return self._begun is not None and time.perf_counter() <= self._end

    def may_send(self) -> bool:
        """Whether another request is due."""
        if self._begun is None or self._left is None:
            return self._begun is None or time.perf_counter() < self._end
        self._left -= 1
        return self._left >= 0

    def abandon(self) -> None:
        """Send nothing more: the task has failed, and others may wait for a connection to be warm that never will."""
        self._begun, self._left = self._begun or 0.0, 0

    def leave(self) -> None:
        """A connection is done; with the last one, so is the task."""
        self._open -= 1
        if not self._open:
            if self._seconds is None:
                self.found.wall_s = time.perf_counter() - (self._begun or 0.0)
            self.finished.set_result(None)


class _Connection(asyncio.Protocol):
    """One request after the other, the next as soon as an answer is complete."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._answered = 0
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._parts: list[bytes] = []
        self._arrivals: list[int] = []
        self._size = 0
        self._whole_size: int | None = None
        self._sent = time.monotonic_ns()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        self._arrivals.append(time.monotonic_ns())
        self._parts.append(data)
        self._size += len(data)
        if self._whole_size is None:
            self._read_head()
        if self._whole_size == 0:
            tail = data if len(data) >= len(_STREAM_END) else b"".join(self._parts[-8:])
            complete = tail.endswith(_STREAM_END)
        else:
            complete = self._whole_size is not None and self._size >= self._whole_size
        if complete:
            self._answer_is_complete()

    def _read_head(self) -> None:
        # 0 stands for an answer in chunks, whose size its end will show.
        received = b"".join(self._parts)
        end = received.find(_HEAD_END)
        if end >= 0:
            announced = _LENGTH.search(received, 0, end)
            self._whole_size = end + len(_HEAD_END) + int(announced[1]) if announced else 0

    def _answer_is_complete(self) -> None:
        found = self._run.found
        answer = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if not answer.startswith(b"HTTP/1.1 200"):
            found.failures.append(answer[:500].decode(errors="replace"))
            self._run.abandon()
        elif self._run.counts():
            found.latencies_ms.append((self._arrivals[-1] - self._sent) / 1e6)
            if self._whole_size == 0:
                found.streams.append(self._streamed(answer))
        self._answered += 1
        if self._answered == self._run.warm_ups:
            self._run.warm()
        if self._run.may_send():
            self._send()
        else:
            self._leave()

    def _streamed(self, answer: bytes) -> Streamed:
        """Which event arrived with which read, found afterwards so that reading stays cheap."""
        ends, size = [], 0
        for part in self._parts:
            size += len(part)
            ends.append(size)
        body, places = _unframed(answer)
        late = []
        for event in _SENT.finditer(body):
            frame = bisect_left([start for start, _ in places], event.end()) - 1
            position = places[frame][1] + event.end() - places[frame][0]
            late.append((self._arrivals[bisect_left(ends, position)] - int(event[1])) / 1e6)
        first = answer.find(b"data: ")
        first_ms = (self._arrivals[bisect_left(ends, first + 1)] - self._sent) / 1e6
        return Streamed(first_ms, late, body.count(b"data: "), len(places))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done:
            self._run.abandon()
            self._run.found.failures.append(f"the server closed the connection: {error}")
            self._leave()

    def _leave(self) -> None:
        self._done = True
        self._transport.close()
        self._run.leave()


def _unframed(answer: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """The body of a chunked answer, and where each frame begins: in the body, and in the answer."""
    at, body = answer.find(_HEAD_END) + len(_HEAD_END), bytearray()
    places: list[tuple[int, int]] = []
    while True:
        line_end = answer.find(b"\r\n", at)
        size = int(answer[at:line_end], 16)
        if not size:
            return bytes(body), places
        places.append((len(body), line_end + 2))
        body += answer[line_end + 2 : line_end + 2 + size]
        at = line_end + 2 + size + 2


if __name__ == "__main__":
    fast_loop(_tasks())
