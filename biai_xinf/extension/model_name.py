"""The name a client asked for, written over the `model` of answers: llama.cpp, for one, puts a local path there."""

from __future__ import annotations

import json
import re

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_MODEL = re.compile(rb'"model"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*"|null)', re.DOTALL)
_KEY = b'"model"'


def renamed(text: bytes, name: str, deepest: int = 1) -> bytes:
    """The text of a JSON object with `name` as its `model`, that of a key at most `deepest` objects down.

    Nothing is parsed, nothing else is touched, text that quotes such a field least of all.
    """
    span = _span(text, deepest) if _KEY in text else None
    return text if span is None else b"".join((text[: span[0]], json.dumps(name).encode(), text[span[1] :]))


def _span(text: bytes, deepest: int) -> tuple[int, int] | None:
    """Where the value stands."""
    for match in _MODEL.finditer(text):
        before = _STRING.sub(b"", text[: match.start()])
        # A quote left over has opened a string that the match lies in.
        if b'"' not in before and _depth(before) <= deepest:
            return match.span(1)
    return None


def _depth(outside_strings: bytes) -> int:
    count = outside_strings.count
    return count(b"{") + count(b"[") - count(b"}") - count(b"]")
