"""Embedders for tests: vectors made of the letters of a text, so that texts of the same letters lie together."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

from biai_xinf.adapters import looking
from tests.fake_xinference import FakeXinference

DIMENSIONS = 64

BGE_Q8 = {"model_name": "bge-m3", "model_format": "ggufv2", "quantization": "Q8_0"}
BGE_F16 = {**BGE_Q8, "quantization": "F16"}
NOMIC = {"model_name": "nomic-embed-text-v1.5", "model_format": "ggufv2", "quantization": "Q8_0"}


def serve(fake: FakeXinference, uid: str = "bge-m3", *, seed: int = 0, **weights: object) -> None:
    """Serve an embedder, in place of what served the uid before; those of one seed make the same vectors."""
    fake.run(uid, model_type="embedding", model_engine="llama.cpp", **(weights or BGE_Q8))
    fake.embed[uid] = vectors(seed)
    forget_what_was_seen()


def vectors(seed: int = 0, dimensions: int = DIMENSIONS) -> Callable[[str], list[float]]:
    """Vectors of length 1 that count the words of a text."""

    def vector(text: str) -> list[float]:
        counts = [1e-3] * dimensions
        for word in text.lower().split():
            counts[zlib.crc32(f"{seed} {word}".encode()) % dimensions] += 1
        length = math.hypot(*counts)
        return [count / length for count in counts]

    return vector


def forget_what_was_seen() -> None:
    """As in a new process of the application."""
    looking._SEEN.clear()
