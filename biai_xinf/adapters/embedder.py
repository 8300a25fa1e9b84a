"""Vectors from the endpoint for an application's texts, and the watch over which model makes them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from biai_xinf import wire
from biai_xinf.adapters.served import find_served
from biai_xinf.catalogue import find, load_catalogue
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, load_credentials
from biai_xinf.errors import (
    AuthFailed,
    NotFound,
    NotReady,
    OtherVectors,
    Rejected,
    ServerFailed,
    UnknownName,
    Unreachable,
    XinferenceError,
)
from biai_xinf.pins import (
    SAME_VECTOR,
    SAMPLE_TEXT,
    EmbedderPin,
    Pinned,
    how_to_redo,
    keep_pin,
    pin_of_served,
    read_pins,
)
from biai_xinf.reach import endpoint_of
from biai_xinf.specs import EmbeddingSpec, EngineRecipe, ModelSpec
from biai_xinf.vectors import cosine, decoded, encoded

log = logging.getLogger(__name__)

T = TypeVar("T")

# Stands for whichever embedder the endpoint has; the spec that has it as an alias is bge-m3.
ROLE = "embedding"
# Xinference makes one batch of 32 texts at most of what comes together (XINFERENCE_BATCH_SIZE, 4.1.0).
BATCH = 32
# The descriptions of 32 tables may take a processor half a minute.
TIMEOUT_S = 120.0
# Before each further try, while a model loads or a replica is replaced.
WAITS_S = (0.5, 1.0, 2.0, 4.0)
# What runs under a uid may be replaced at any time; a look is a listing and one short vector.
LOOK_AGAIN_S = 300.0


@dataclass(frozen=True)
class Source:
    """Which model of which endpoint, as an application says it; nothing here is a secret.

    `model` is a uid, a spec's name or the role `embedding`. `endpoint` None is BIAI_XINF_ENDPOINT, else this machine's
    Xinference. `api_key_env` names the variable that holds the key; None: BIAI_XINF_API_KEY, or a saved login. `spec`
    tells the prefixes of a model whose name does not lead to one. `timeout` is for one batch, in seconds.
    """

    model: str = ROLE
    endpoint: str | None = None
    api_key_env: str | None = None
    spec: str | None = None
    batch: int = BATCH
    timeout: float = TIMEOUT_S

    @property
    def address(self) -> str:
        """The endpoint that is meant now."""
        return endpoint_of(self.endpoint or os.environ.get("BIAI_XINF_ENDPOINT"))

    def settled(self) -> Source:
        """With the endpoint that is meant now."""
        return replace(self, endpoint=self.address)

    def client(self) -> Client:
        """A connection for one request: applications ask from several threads."""
        endpoint = self.address
        return Client(endpoint, self._credentials(endpoint), self.timeout)

    def _credentials(self, endpoint: str) -> Credentials | None:
        if self.api_key_env is None:
            return load_credentials(endpoint)
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise AuthFailed(f"not set in the environment: `{self.api_key_env}`, which should hold the API key")
        return Credentials(api_key=key)


@dataclass(frozen=True)
class Seen:
    """What a running model was seen to be: the pin of the vectors it makes, and its vector of the sample."""

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


@dataclass(frozen=True)
class Embedder:
    """Vectors of documents and of queries, each marked as the model was trained to read it.

    With a pin (and the vector of its sample) no other model is used, and the prefixes are the pin's: they are in the
    vectors already. Without one, a model must be what it was when this user's applications first used it.
    """

    source: Source = Source()
    pin: EmbedderPin | None = None
    sample: str | None = None

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text that is to be found."""
        return self._embed(lambda pin: pin.document_prefix, texts)

    def queries(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text that is to be answered."""
        return self._embed(lambda pin: pin.query_prefix, texts)

    def model(self) -> Seen:
        """What runs, with the prefixes it is asked with; OtherVectors where it may not be asked."""
        served = look(self.source)
        known = [one for one in read_pins(served.endpoint) if one.model_uid == served.uid]
        if self.pin is not None:
            served.refuse_if_unlike(
                Pinned(endpoint=served.endpoint, model_uid=served.uid, pin=self.pin, sample=self.sample)
            )
            prefixes = self.pin.model_dump(include={"query_prefix", "document_prefix"})
            served = replace(served, pin=served.pin.model_copy(update=prefixes))
        else:
            for pinned in known:
                served.refuse_if_unlike(pinned)
        if not known:
            keep(served.pinned())
        return served

    def _embed(self, prefix: Callable[[EmbedderPin], str], texts: Sequence[str]) -> list[list[float]]:
        served = self.model()
        marked = [prefix(served.pin) + text for text in texts]
        for number, text in enumerate(marked, 1):
            if not text.strip():
                # Xinference 4.1 answers 500 to it.
                raise Rejected(f"text {number} of {len(marked)} is empty, and has no vector")
        size = self.source.batch
        batches = [marked[start : start + size] for start in range(0, len(marked), size)]
        vectors = [vector for batch in batches for vector in _ask(self.source, served.uid, batch)]
        if any(len(vector) != served.pin.dimensions for vector in vectors):
            _forget(self.source)
            self.model()
            raise OtherVectors(f"`{served.uid}` was replaced while it was asked", hint="ask again")
        return vectors


def keep(pinned: Pinned) -> None:
    """Keep a pin in our home, where that can be written."""
    try:
        keep_pin(pinned)
    except OSError as error:
        # An application's container may have a home that cannot be written.
        log.warning("`biai-xinf plan` will not know what `%s` is used for: %s", pinned.model_uid, error)


_SEEN: dict[Source, tuple[float, Seen]] = {}


def look(source: Source) -> Seen:
    """What the model is, as it was seen a few minutes ago at most."""
    key = source.settled()
    seen = _SEEN.get(key)
    if seen is None or time.monotonic() - seen[0] > LOOK_AGAIN_S:
        seen = _SEEN[key] = time.monotonic(), _see(key)
    return seen[1]


def _forget(source: Source) -> None:
    _SEEN.pop(source.settled(), None)


def _see(source: Source) -> Seen:
    with source.client() as client:
        endpoint = client.endpoint
        found = _patiently(lambda: find_served(client, source.model), source.timeout)
        model = client.model(found.uid)
    if model.model_type != "embedding":
        raise NotFound(f"`{model.id}` makes no vectors: Xinference runs it as {model.model_type}")
    spec = _spec(model, found.spec, source.spec)
    (sample,) = _ask(source, model.id, [SAMPLE_TEXT])
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


def _ask(source: Source, uid: str, batch: Sequence[str]) -> list[list[float]]:
    def ask() -> list[list[float]]:
        with source.client() as client:
            return client.embed(uid, batch, source.timeout)

    vectors = _patiently(ask, source.timeout)
    if len(vectors) != len(batch):
        raise ServerFailed(f"`{uid}` gave {len(vectors)} vectors of {len(batch)} texts")
    return vectors


def _patiently(ask: Callable[[], T], patience: float) -> T:
    """The answer; what passes by itself is tried again while `patience` lasts. The same text gets the same vector."""
    ends = time.monotonic() + patience
    for wait in WAITS_S:
        try:
            return ask()
        except XinferenceError as error:
            if not _passes(error) or time.monotonic() + wait > ends:
                raise
            time.sleep(wait)
    return ask()


def _passes(error: XinferenceError) -> bool:
    return isinstance(error, (NotReady, Unreachable)) or error.status in (429, 502, 503, 504)
