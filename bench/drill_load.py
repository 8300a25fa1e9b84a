"""Clients that ask one question after the other while machines die, and what they got."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp


@dataclass
class Tally:
    """What the clients got: answers by status, what the rest said, and streams that broke after they had begun.

    `failed_at` are the moments of failures on the monotonic clock.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    broken_streams: int = 0
    failed_at: list[float] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Requests without a good answer; a stream that had begun cannot be replayed, and counts."""
        return self.asked - self.statuses["good"]

    def failures_over_s(self, since: float) -> float:
        """Seconds from a moment to the last failure after it; 0 where there was none."""
        return max((moment - since for moment in self.failed_at if moment >= since), default=0.0)


class Load:
    """Clients in a thread of their own, from `start` to `stop`; every other one streams.

    `pause_s` lies between a client's answer and its next question: 0 is all that the machine can bear.
    """

    def __init__(self, endpoint: str, uid: str, clients: int = 4, pause_s: float = 0.0) -> None:
        self.tally = Tally()
        self._url, self._uid = f"{endpoint}/v1/chat/completions", uid
        self._clients, self._pause_s = clients, pause_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> Load:
        self._thread.start()
        return self

    def stop(self) -> Tally:
        self._over.set()
        self._thread.join(120)
        return self.tally

    async def _run(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            await asyncio.gather(*(self._client(session, stream=number % 2 == 1) for number in range(self._clients)))

    async def _client(self, session: aiohttp.ClientSession, *, stream: bool) -> None:
        body = {"model": self._uid, "messages": [{"role": "user", "content": "How many orders are there?"}]}
        body |= {"max_tokens": 24, "temperature": 0, "stream": stream}
        while not self._over.is_set():
            begun = False
            try:
                async with session.post(self._url, json=body) as response:
                    raw = b""
                    async for chunk in response.content.iter_any():
                        begun = begun or (stream and b'"content"' in chunk)
                        raw += chunk
                reason = _reason(response.status, raw, stream)
            except (aiohttp.ClientError, asyncio.TimeoutError) as error:
                reason = type(error).__name__
            self.tally.statuses["failed" if reason else "good"] += 1
            if reason:
                self.tally.errors[reason] += 1
                self.tally.broken_streams += begun
                self.tally.failed_at.append(time.monotonic())
            # A client that was refused waits a little before it asks again.
            await asyncio.sleep(max(self._pause_s, 0.05 if reason else 0.0))


def _reason(status: int, raw: bytes, stream: bool) -> str | None:
    """Why an answer is none; None for a good one."""
    if status != 200:
        return f"{status} {raw[:120].decode(errors='replace')}"
    if stream:
        return None if b"[DONE]" in raw and b'"error"' not in raw else f"200 {raw[-120:].decode(errors='replace')}"
    with contextlib.suppress(ValueError, LookupError):
        if json.loads(raw)["choices"][0]["message"]["content"] is not None:
            return None
    return f"200 {raw[:120].decode(errors='replace')}"
