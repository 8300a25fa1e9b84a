"""Vectors of texts: how near two of them are, and how one is kept in a line of text."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Cosine similarity of two vectors; 0 where they cannot be compared."""
    if len(one) != len(other):
        return 0.0
    norm = math.hypot(*one) * math.hypot(*other)
    value = sum(a * b for a, b in zip(one, other, strict=True)) / norm if norm else 0.0
    return value if math.isfinite(value) else 0.0


def encoded(vector: Sequence[float]) -> str:
    """A vector as text: 16 bits a number, base64; 2.7 KB for 1024 of them."""
    longest = max(map(abs, vector), default=0) or 1
    # Half floats end at 65504; only the direction counts.
    return base64.b64encode(struct.pack(f"<{len(vector)}e", *(value / longest for value in vector))).decode("ascii")


def decoded(text: str) -> tuple[float, ...]:
    """The direction that `encoded` kept; ValueError where it is none."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) % 2:
        raise ValueError("half a number is missing")
    return struct.unpack(f"<{len(raw) // 2}e", raw)
