"""Server-sent events of an OpenAI stream, read on their way through without changing where one chunk ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from biai_xinf.extension.model_name import renamed

_DATA = b"data:"
# How a stream of the Responses API ends; its events hold the model's name one object further down.
_LAST = ("response.completed", "response.incomplete", "response.failed")


class BadChunk(Exception):
    """A server sent an event that is not JSON, or an error in place of one; the text says which."""


class EventStream:
    """Passes a stream on, chunk by chunk, with the model's name as the client asked for it.

    An event that ends within a later chunk is passed on with that chunk; nothing else is held back. What it saw:
    `usage` (the last one), `done` (`[DONE]`), `finished` (that or a finish reason), `events` (how many had data).
    `hide_usage` keeps from the client the closing usage event that only we asked for. `honest` may put a line that
    tells of an error in other words.
    """

    def __init__(self, model: str, *, hide_usage: bool = False, honest: Callable[[bytes], bytes] | None = None) -> None:
        self._model = model
        self._hide_usage = hide_usage
        self._honest = honest
        self._rest = b""
        self.usage: dict[str, Any] | None = None
        self.done = False
        self.finished = False
        self.events = 0

    def feed(self, chunk: bytes) -> bytes:
        """What of `chunk` and of what was held back can go to the client; BadChunk for an event that is none."""
        chunk = self._rest + chunk
        end = chunk.rfind(b"\n") + 1
        self._rest = chunk[end:]
        return b"".join([self._line(line) for line in chunk[:end].splitlines(keepends=True)])

    def end(self) -> bytes:
        """What is left when the server has closed its stream."""
        rest, self._rest = self._rest, b""
        return self._line(rest) if rest else b""

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(_DATA):
            return line
        data = line[len(_DATA) :].strip()
        if data == b"[DONE]":
            self.done = self.finished = True
            return line
        event = _parsed(data)
        self.events += 1
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.usage = usage
            if self._hide_usage and not event.get("choices"):
                return b""
        choices = event.get("choices")
        if isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices):
            self.finished = True
        kind = str(event.get("type", ""))
        if not kind.startswith("response."):
            return renamed(line, self._model)
        if kind in _LAST:
            self.finished = True
            self.usage = (event.get("response") or {}).get("usage") or self.usage
        if self._honest is not None and b'"error"' in line:
            line = self._honest(line)
        return renamed(line, self._model, deepest=2)


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError:
        raise BadChunk("it sent an event that is not JSON") from None
    if not isinstance(event, dict):
        raise BadChunk("it sent an event that is not a JSON object")
    if event.get("error"):
        raise BadChunk(error_text(event["error"]))
    return event


def error_text(error: Any) -> str:
    """The sentence in an error as servers write it: a text, or an object with a `message`.

    Its first paragraph: after that, some tell where in their own files it happened.
    """
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    first = str(error).strip().split("\n\n")[0]
    return " ".join(first.split())[:500]
