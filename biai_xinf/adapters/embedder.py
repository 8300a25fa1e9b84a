"""Vectors from the endpoint for an application's texts, and the watch over which model makes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from biai_xinf.adapters.looking import Seen, ask, forget, look
from biai_xinf.adapters.source import Source
from biai_xinf.errors import NotFound, OtherVectors, Rejected, Unreachable
from biai_xinf.pins import EmbedderPin, Pinned, keep_pin, read_pins

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embedder:
    """Vectors of documents and of queries, each marked as the model was trained to read it.

    With a pin (and the vector of its sample) no other model is used, and the prefixes are the pin's: they are in the
    vectors already. Without one, a model must be what it was when this user's applications first used it.
    """

    source: Source = field(default_factory=Source)
    pin: EmbedderPin | None = None
    sample: str | None = None

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text that is to be found."""
        return self._embed(lambda pin: pin.document_prefix, texts)

    def queries(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text that is to be answered."""
        return self._embed(lambda pin: pin.query_prefix, texts)

    def model(self) -> Seen:
        """What runs, with the prefixes it is asked with; OtherVectors where it may not be asked.

        A look at it is held against the pins once: one that another process keeps counts from the next look on,
        LOOK_AGAIN_S later at most.
        """
        return _allowed(self, look(self.source))

    def _embed(self, prefix: Callable[[EmbedderPin], str], texts: Sequence[str]) -> list[list[float]]:
        served = self.model()
        marked = [prefix(served.pin) + text for text in texts]
        for number, text in enumerate(marked, 1):
            if not text.strip():
                # Xinference 4.1 answers 500 to it.
                raise Rejected(f"text {number} of {len(marked)} is empty, and has no vector")
        size, there = self.source.batch, replace(self.source, endpoint=served.endpoint)
        batches = [marked[start : start + size] for start in range(0, len(marked), size)]
        try:
            vectors = [vector for batch in batches for vector in ask(there, served.uid, batch)]
        except (NotFound, Unreachable):
            forget(self.source)
            raise
        if any(len(vector) != served.pin.dimensions for vector in vectors):
            forget(self.source)
            self.model()
            raise OtherVectors(f"`{served.uid}` was replaced while it was asked", hint="ask again")
        return vectors


@lru_cache(maxsize=32)
def _allowed(embedder: Embedder, served: Seen) -> Seen:
    """What was seen, as the embedder may ask it; a refusal is judged again."""
    known = [one for one in read_pins(served.endpoint) if one.model_uid == served.uid]
    if embedder.pin is not None:
        held = Pinned(endpoint=served.endpoint, model_uid=served.uid, pin=embedder.pin, sample=embedder.sample)
        served.refuse_if_unlike(held)
        prefixes = embedder.pin.model_dump(include={"query_prefix", "document_prefix"})
        served = replace(served, pin=served.pin.model_copy(update=prefixes))
    else:
        for pinned in known:
            served.refuse_if_unlike(pinned)
    if not known:
        keep(served.pinned())
    return served


def keep(pinned: Pinned) -> None:
    """Keep a pin in our home, where that can be written."""
    try:
        keep_pin(pinned)
    except OSError as error:
        # An application's container may have a home that cannot be written.
        log.warning("`biai-xinf plan` will not know what `%s` is used for: %s", pinned.model_uid, error)
