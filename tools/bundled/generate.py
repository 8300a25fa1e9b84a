"""Questions with their SQL for training and scoring the bundled model: an endless, seeded stream."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import english
import intents
import polish


@dataclass(frozen=True)
class Example:
    question: str
    sql: str
    lang: str
    shape: str


def examples(seed: int, held_out: bool = False, polish_share: float = 0.0) -> Iterator[Example]:
    """Endless examples whose frames are all of the trained, or all of the held-out, phrasings."""
    rng = random.Random(f"{seed}{'held out' if held_out else ''}")
    while True:
        query = intents.draw(rng)
        language = "pl" if rng.random() < polish_share else "en"
        if text := (polish if language == "pl" else english).phrase(query, rng, held_out):
            yield Example(text, query.sql, language, query.shape)
