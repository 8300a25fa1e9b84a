"""One request on its way through the endpoint: what the client asked for, and what it has been sent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from biai_xinf.extension.asgi import Send, send_json, send_start, send_whole
from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.stats import Served

Kind = Literal["chat", "completions", "responses", "embeddings", "rerank"]

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Asks proxies in between not to collect the stream.
    (b"x-accel-buffering", b"no"),
]


@dataclass
class Inquiry:
    """What a client asked for, and the one answer it gets: whole, or begun, passed on and ended."""

    kind: Kind
    body: dict[str, Any]
    model: str
    send: Send
    headers: list[tuple[bytes, bytes]]
    begun: float = field(default_factory=time.monotonic)
    deadline: float = float("inf")
    # Set once a byte went to the client: from then on there is no second try.
    answered: bool = False
    # Set with the last byte: what the client does then is no longer of interest.
    complete: bool = False
    # Set where Xinference itself puts it into its audit log.
    audited: bool = False

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def age_s(self) -> float:
        """Seconds since it came in."""
        return time.monotonic() - self.begun

    async def answer(self, body: bytes) -> None:
        """A whole answer of JSON."""
        self.answered = self.complete = True
        await send_whole(self.send, 200, body, b"application/json", self.headers)

    async def refuse(self, error: ApiError) -> None:
        """An error in place of an answer."""
        self.answered = self.complete = True
        await send_json(self.send, error.status, error.body(), [*error.headers(), *self.headers])

    async def begin(self) -> None:
        """The head of a stream, unless it has begun."""
        if not self.answered:
            self.answered = True
            await send_start(self.send, 200, [*_STREAM_HEADERS, *self.headers])

    async def pass_on(self, data: bytes) -> None:
        """Some bytes of a stream."""
        await self.begin()
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, tail: bytes) -> None:
        """The last bytes of a stream."""
        await self.begin()
        self.complete = True
        await self.send({"type": "http.response.body", "body": tail, "more_body": False})


def counted(served: Served, usage: Any) -> Served:
    """With the tokens of a `usage` object, as far as it tells them."""
    if not isinstance(usage, dict):
        return served
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    completion = usage.get("completion_tokens", usage.get("output_tokens"))
    return replace(
        served,
        prompt_tokens=prompt if isinstance(prompt, int) else None,
        completion_tokens=completion if isinstance(completion, int) else None,
    )
