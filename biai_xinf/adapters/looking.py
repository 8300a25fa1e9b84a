"""What the embedder is that an application asks: looked at when it is first used, and every few minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from biai_xinf import wire
from biai_xinf.adapters.served import find_served
from biai_xinf.adapters.source import Source
from biai_xinf.catalogue import find, load_catalogue
from biai_xinf.errors import (
    NotFound,
    NotReady,
    OtherVectors,
    ServerFailed,
    UnknownName,
    Unreachable,
    XinferenceError,
)
from biai_xinf.pins import SAME_VECTOR, SAMPLE_TEXT, EmbedderPin, Pinned, how_to_redo, pin_of_served
from biai_xinf.specs import EmbeddingSpec, EngineRecipe, ModelSpec
from biai_xinf.vectors import cosine, decoded, encoded

T = TypeVar("T")

# Before each further try, while a model loads or a replica is replaced.
WAITS_S = (0.5, 1.0, 2.0, 4.0)
# What runs under a uid may be replaced at any time; a look is a listing and one short vector.
LOOK_AGAIN_S = 300.0


@dataclass(frozen=True, eq=False)
class Seen:
    """What a running model was seen to be: the pin of the vectors it makes, and its vector of the sample.

    No look is equal to another, whatever they saw.
    """

    endpoint: str
    uid: str
    pin: EmbedderPin
    sample: tuple[float, ...]

    def pinned(self, store: str | None = None, collections: Sequence[str] = ()) -> Pinned:
        """As it is kept, for these collections."""
        return Pinned(
            endpoint=self.endpoint,
            model_uid=self.uid,
            pin=self.pin,
            sample=encoded(self.sample),
            store=store,
            collections=list(collections),
        )

    def unlike(self, pinned: Pinned) -> list[str]:
        """What tells it from the model that made the vectors that were pinned; empty where it makes the same."""
        found = pinned.pin.differences(self.pin)
        if not found and pinned.sample is not None:
            near = cosine(decoded(pinned.sample), self.sample)
            found = [f"a sample's vector as it was, not at cosine {near:.4f} of it"] if near < SAME_VECTOR else []
        return found

    def refuse_if_unlike(self, pinned: Pinned) -> None:
        """OtherVectors where what it makes does not belong with what was pinned."""
        if found := self.unlike(pinned):
            raise OtherVectors(
                f"{pinned.whose} want {' and '.join(found)}: `{self.uid}` makes others",
                hint=f"launch what made them, or {how_to_redo(self.uid, [pinned])}",
            )


def look(source: Source) -> Seen:
    """What the model is, as it was seen LOOK_AGAIN_S ago at most."""
    key = source.as_told()
    looked = _SEEN.get(key)
    if looked is None or time.monotonic() - looked[0] > LOOK_AGAIN_S:
        looked = _SEEN[key] = time.monotonic(), _see(source.settled())
    return looked[1]


def forget(source: Source) -> None:
    """Let the next look be a new one."""
    _SEEN.pop(source.as_told(), None)


# When a source was looked at.
_SEEN: dict[Source, tuple[float, Seen]] = {}


def _see(source: Source) -> Seen:
    with source.client() as client:
        endpoint = client.endpoint
        found = _patiently(lambda: find_served(client, source.model), source.timeout)
        model = client.model(found.uid)
    if model.model_type != "embedding":
        raise NotFound(f"`{model.id}` makes no vectors: Xinference runs it as {model.model_type}")
    spec = _spec(model, found.spec, source.spec)
    (sample,) = ask(source, model.id, [SAMPLE_TEXT])
    # Xinference itself calls an upstream by its uid.
    name = model.upstream.servers[0].model if model.upstream else model.model_name or model.id
    pin = pin_of_served(name, model.model_format, model.quantization, len(sample), spec)
    return Seen(endpoint, model.id, pin, tuple(sample))


def _spec(model: wire.RunningModel, found: ModelSpec | None, named: str | None) -> EmbeddingSpec:
    """The spec whose prefixes the model wants: the one named, the one found for its uid, or one of its weights."""
    catalogue = load_catalogue()
    spec = find(catalogue, named).spec if named is not None else found
    if spec is None:
        embedders = (entry.spec for entry in catalogue.values() if isinstance(entry.spec, EmbeddingSpec))
        spec = next((one for one in embedders if _names(model) & _names_of(one)), None)
    if spec is None:
        raise UnknownName(
            f"no model spec tells the prefixes that `{model.id}` ({model.model_name}) wants",
            hint="name one with `spec=`, or write one into ~/.biai-xinf/specs (docs/quickstart.md)",
        )
    if not isinstance(spec, EmbeddingSpec):
        raise UnknownName(f"`{spec.name}` is for {spec.role}, an embedder's spec is needed")
    return spec


def _names(model: wire.RunningModel) -> set[str | None]:
    if model.upstream:
        return {server.model.removesuffix(":latest") for server in model.upstream.servers}
    return {model.model_name}


def _names_of(spec: EmbeddingSpec) -> set[str]:
    engine_recipes = (recipe for recipe in spec.recipes if isinstance(recipe, EngineRecipe))
    return {spec.name, *spec.ollama_tags, *(recipe.model.model_name for recipe in engine_recipes)}


def ask(source: Source, uid: str, batch: Sequence[str]) -> list[list[float]]:
    """One vector per text, as they stand."""

    def once() -> list[list[float]]:
        with source.client() as client:
            return client.embed(uid, batch, source.timeout)

    vectors = _patiently(once, source.timeout)
    if len(vectors) != len(batch):
        raise ServerFailed(f"`{uid}` gave {len(vectors)} vectors of {len(batch)} texts")
    return vectors


def _patiently(request: Callable[[], T], patience: float) -> T:
    """The answer; what passes by itself is tried again while `patience` lasts. The same text gets the same vector."""
    ends = time.monotonic() + patience
    for wait in WAITS_S:
        try:
            return request()
        except XinferenceError as error:
            if not _passes(error) or time.monotonic() + wait > ends:
                raise
            time.sleep(wait)
    return request()


def _passes(error: XinferenceError) -> bool:
    return isinstance(error, (NotReady, Unreachable)) or error.status in (429, 502, 503, 504)
