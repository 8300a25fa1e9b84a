"""A tiny phrase grammar: `[a|b|]` is a choice, `{slot}` a hole; one frame in five is kept from training."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable

HELD_OUT_IN = 5
_INNERMOST = re.compile(r"\[([^\[\]]*)\]")


def expand(pattern: str, rng: random.Random) -> str:
    """One reading of `pattern`: every choice made, the slots left open."""
    while match := _INNERMOST.search(pattern):
        pattern = pattern[: match.start()] + rng.choice(match[1].split("|")) + pattern[match.end() :]
    return pattern


def fill(frame: str, slots: dict[str, Callable[[], str]]) -> str:
    """`frame` with its slots filled from left to right, spaces tidied."""
    text = re.sub(r"\{(\w+)\}", lambda match: slots[match[1]](), frame)
    return re.sub(r"\s+([,.?!:])", r"\1", re.sub(r"\s+", " ", text)).strip()


def draw_frame(patterns: list[str], rng: random.Random, held_out: bool) -> str | None:
    """A frame of the wanted split, or None where twenty draws met none."""
    for _ in range(20):
        frame = " ".join(expand(rng.choice(patterns), rng).split())
        if is_held_out(frame) == held_out:
            return frame
    return None


def is_held_out(frame: str) -> bool:
    # `{ad}` only makes room for an adjective; with it or without, the phrasing is the same.
    return int(hashlib.md5(frame.replace("{ad} ", "").encode()).hexdigest(), 16) % HELD_OUT_IN == 0
