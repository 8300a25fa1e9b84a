"""Chroma collections whose vectors the endpoint makes, and which remember what made them.

from biai_xinf.adapters.chroma import XinferenceEmbeddingFunction, open_collection

embedder = XinferenceEmbeddingFunction()
documentation = open_collection(client, "documentation", embedder)

For chromadb 0.6, which Vanna 0.7 wants, and from 1.1 on, which Vanna 2 wants. Vanna 0.7's own store opens its
collections by itself: `retrieval` has what goes before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from biai_xinf.adapters.embedder import Embedder, keep
from biai_xinf.adapters.source import BATCH, ROLE, TIMEOUT_S, Source
from biai_xinf.errors import BadFile, MissingExtra, OtherVectors
from biai_xinf.pins import SAME_VECTOR, EmbedderPin, Pinned, redo_command
from biai_xinf.strict import Strict
from biai_xinf.upstreams import EnvironmentName
from biai_xinf.vectors import cosine


def extra() -> str:
    """The extra that brings chromadb in the generation that this environment's Vanna wants."""
    try:
        generation = version("vanna").partition(".")[0]
    except PackageNotFoundError:
        return "pip install 'biai-xinf[vanna]', or 'biai-xinf[vanna2]' for Vanna 2"
    return f"pip install 'biai-xinf[{'vanna' if generation == '0' else 'vanna2'}]'"


try:
    import chromadb
    from chromadb.utils import embedding_functions
except ImportError as error:
    raise MissingExtra("`chromadb` is not installed", hint=extra()) from error

# Before 1.0, Chroma keeps no embedding function with a collection, and asks for queries as it does for documents.
BEFORE_1 = int(chromadb.__version__.partition(".")[0]) < 1
# Under these keys a collection's metadata holds what its vectors were made by.
MODEL_KEY, PIN_KEY, SAMPLE_KEY = "biai_xinf:model", "biai_xinf:embedder", "biai_xinf:sample"
# How an index orders; Chroma 1 keeps it in its configuration too. It is told when a collection is made, never again.
SPACE_KEY = "hnsw:space"
_OURS = (MODEL_KEY, PIN_KEY, SAMPLE_KEY, SPACE_KEY)


class _Config(Strict):
    """What Chroma keeps of an embedding function: everything but the key."""

    model: str = ROLE
    endpoint: str | None = None
    api_key_env: EnvironmentName | None = None
    spec: str | None = None
    batch: int = Field(BATCH, ge=1, le=1000)
    timeout: float = Field(TIMEOUT_S, gt=0)
    pin: EmbedderPin | None = None
    sample: str | None = None


class XinferenceEmbeddingFunction(chromadb.EmbeddingFunction):  # type: ignore[misc]  # chromadb is not there for mypy
    """Chroma's embedding function by an embedder of the endpoint.

    `model` is a uid, a spec's name, or the role `embedding`, which bge-m3 serves where nobody chose otherwise: it is
    multilingual and takes queries and documents alike. `api_key_env` names the environment variable that holds the
    key, which is never stored. The other arguments are those of Source and Embedder.
    """

    def __init__(
        self,
        model: str = ROLE,
        *,
        endpoint: str | None = None,
        api_key_env: str | None = None,
        spec: str | None = None,
        batch: int = BATCH,
        timeout: float = TIMEOUT_S,
        pin: EmbedderPin | None = None,
        sample: str | None = None,
    ) -> None:
        self.embedder = Embedder(Source(model, endpoint, api_key_env, spec, batch, timeout), pin, sample)
        self.validate_config(self._config())

    def __call__(self, input: chromadb.Documents) -> chromadb.Embeddings:
        """Vectors of documents; on chromadb 0.6 of queries too, so it is refused where these want another prefix."""
        if BEFORE_1:
            self._refuse_if_queries_differ()
        return self.embed_documents(input)

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors of what is to be found."""
        return self.embedder.documents(texts)

    def embed_query(self, input: chromadb.Documents) -> chromadb.Embeddings:
        """Vectors of questions."""
        return self.embedder.queries(input)

    @staticmethod
    def name() -> str:
        """What Chroma finds this class by."""
        return "biai_xinf"

    def get_config(self) -> dict[str, Any]:
        """What Chroma keeps with a collection, the pin included: the model is looked at where there is none yet."""
        return (self if self.embedder.pin else self.held_to(self.embedder.model().pinned()))._config()

    @staticmethod
    def build_from_config(config: Mapping[str, Any]) -> XinferenceEmbeddingFunction:
        """The embedding function of a collection, as it was kept with it."""
        kept = _Config.model_validate(dict(config))
        return XinferenceEmbeddingFunction(**{name: getattr(kept, name) for name in _Config.model_fields})

    @staticmethod
    def validate_config(config: Mapping[str, Any]) -> None:
        """ValueError where a person wrote it wrong."""
        _Config.model_validate(dict(config))

    def validate_config_update(self, old_config: Mapping[str, Any], new_config: Mapping[str, Any]) -> None:
        """OtherVectors where a collection would be given to another model than made its vectors."""
        old, new = _Config.model_validate(dict(old_config)), _Config.model_validate(dict(new_config))
        if old.pin and new.pin and (found := old.pin.differences(new.pin)):
            hint = f"`{redo_command(new.model)}` makes them anew"
            raise OtherVectors(f"the vectors want {' and '.join(found)}", hint=hint)

    def default_space(self) -> str:
        """By their angle: what the embedders of our catalogue were trained for."""
        return "cosine"

    def supported_spaces(self) -> list[str]:
        """All of them: the engines give vectors of length 1, which all three order alike."""
        return ["cosine", "l2", "ip"]

    def held_to(self, pinned: Pinned) -> XinferenceEmbeddingFunction:
        """The same, held to what a collection was built with."""
        held = {"model": pinned.model_uid, "pin": pinned.pin, "sample": pinned.sample}
        return XinferenceEmbeddingFunction(**{**self._settings(), **held})

    def _settings(self) -> dict[str, Any]:
        return {**asdict(self.embedder.source), "pin": self.embedder.pin, "sample": self.embedder.sample}

    def _config(self) -> dict[str, Any]:
        pin = self.embedder.pin
        return {**self._settings(), "pin": pin.model_dump() if pin else None}

    def _refuse_if_queries_differ(self) -> None:
        seen = self.embedder.model()
        if seen.pin.query_prefix != seen.pin.document_prefix:
            raise OtherVectors(
                f"chromadb {chromadb.__version__} embeds queries as it does documents, and `{seen.uid}` wants them "
                "marked apart: it would find worse without a word",
                hint="XinferenceRetrieval before Vanna's store marks them (docs/embeddings.md); bge-m3 wants none",
            )


if not BEFORE_1:
    embedding_functions.register_embedding_function(XinferenceEmbeddingFunction)


def open_store(path: str | Path) -> chromadb.ClientAPI:
    """A client of the collections in a folder; Chroma is not told who uses it."""
    # Chroma knows what it has open by the path as it was given, wherever the process has moved since.
    return chromadb.PersistentClient(str(Path(path).absolute()), chromadb.Settings(anonymized_telemetry=False))


def in_memory() -> chromadb.ClientAPI:
    """A client of collections that end with the process; Chroma is not told who uses it."""
    return chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))


def open_collection(
    client: chromadb.ClientAPI,
    name: str,
    embedder: XinferenceEmbeddingFunction,
    metadata: Mapping[str, Any] | None = None,
) -> chromadb.Collection:
    """The collection, made if there is none; OtherVectors where it holds vectors of another model.

    What made its vectors is kept in its metadata, and in `pins.json` for `biai-xinf plan` and `doctor`.
    """
    made = embedder.embedder.model()
    pinned = made.pinned(store_of(client), [name])
    collection = _found(client, name)
    kept = pin_with(client, collection) if collection is not None else None
    if collection is not None and collection.count() == 0 and (kept is None or kept.pin != made.pin):
        # Nothing in it binds it to any model.
        metadata = {**theirs(collection), **(metadata or {})}
        client.delete_collection(name)
        collection = None
    if collection is None:
        create_collection(client, name, embedder.held_to(pinned), pinned, metadata)
    elif kept is not None:
        made.refuse_if_unlike(kept)
        pinned = kept.model_copy(update={"endpoint": made.endpoint, "model_uid": made.uid})
    else:
        _refuse_if_made_otherwise(collection, embedder, pinned)
        collection.modify(metadata={**theirs(collection), **metadata_of(pinned)})
    if pinned.store is not None:
        keep(pinned)
    return client.get_collection(name, embedding_function=embedder.held_to(pinned))


def create_collection(
    client: chromadb.ClientAPI,
    name: str,
    embedder: XinferenceEmbeddingFunction,
    pinned: Pinned,
    metadata: Mapping[str, Any] | None = None,
) -> chromadb.Collection:
    """A new collection that remembers its pin."""
    told = {SPACE_KEY: embedder.default_space(), **(metadata or {}), **metadata_of(pinned)}
    return client.create_collection(name, metadata=told, embedding_function=embedder)


def metadata_of(pinned: Pinned) -> dict[str, str]:
    """A pin as the metadata of a collection."""
    told = {MODEL_KEY: pinned.model_uid, PIN_KEY: pinned.pin.model_dump_json()}
    return told if pinned.sample is None else {**told, SAMPLE_KEY: pinned.sample}


def theirs(collection: chromadb.Collection) -> dict[str, Any]:
    """The metadata that others gave it, without the order of its index."""
    return {key: value for key, value in (collection.metadata or {}).items() if key not in _OURS}


def pin_with(client: chromadb.ClientAPI, collection: chromadb.Collection) -> Pinned | None:
    """What a collection was built with, by its metadata, else by the embedding function that Chroma keeps with it."""
    told = dict(collection.metadata or {})
    try:
        if PIN_KEY in told:
            pin = EmbedderPin.model_validate_json(told[PIN_KEY])
            kept = _Config(model=told[MODEL_KEY], pin=pin, sample=told.get(SAMPLE_KEY))
        elif (config := config_of(collection)) is not None:
            kept = _Config.model_validate(config)
        else:
            return None
    except (ValidationError, KeyError) as error:
        hint = f"`{redo_command('UID', store_of(client))}` makes its vectors anew"
        raise BadFile(f"what `{collection.name}` says that it was built with cannot be read", hint=hint) from error
    if kept.pin is None:
        return None
    return Pinned(
        endpoint=kept.endpoint or "",
        model_uid=kept.model,
        pin=kept.pin,
        sample=kept.sample,
        store=store_of(client),
        collections=[collection.name],
    )


def config_of(collection: chromadb.Collection) -> dict[str, Any] | None:
    """What Chroma keeps of our embedding function with a collection, where it keeps any."""
    kept = {} if BEFORE_1 else (collection.configuration_json.get("embedding_function") or {})
    return dict(kept["config"]) if kept.get("name") == XinferenceEmbeddingFunction.name() else None


def names(client: chromadb.ClientAPI) -> list[str]:
    """The names of its collections."""
    found = client.list_collections()
    return sorted(str(one) if BEFORE_1 else one.name for one in found)


def store_of(client: chromadb.ClientAPI) -> str | None:
    """Where a client keeps its collections; None for those that end with the process."""
    settings = client.get_settings()
    if settings.is_persistent:
        return str(Path(settings.persist_directory).absolute())
    if settings.chroma_server_host:
        return f"{settings.chroma_server_host}:{settings.chroma_server_http_port}"
    return None


def _found(client: chromadb.ClientAPI, name: str) -> chromadb.Collection | None:
    # Its exception for a name that is not there changed between 0.6 and 1.
    return client.get_collection(name, embedding_function=None) if name in names(client) else None


def _refuse_if_made_otherwise(
    collection: chromadb.Collection, embedder: XinferenceEmbeddingFunction, pinned: Pinned
) -> None:
    """Nobody wrote down what made its vectors: so one of its documents is embedded again, and must lie where it lay."""
    entry = collection.get(limit=1, include=["documents", "embeddings"])
    text, stored = (entry["documents"] or [None])[0], list(entry["embeddings"][0])
    hint = f"`{redo_command(pinned.model_uid, pinned.store)}` makes them anew"
    if len(stored) != pinned.pin.dimensions:
        found = f"they have {len(stored)} dimensions, those of `{pinned.model_uid}` have {pinned.pin.dimensions}"
        raise OtherVectors(f"the vectors of `{collection.name}` were made by another model: {found}", hint=hint)
    near = cosine(embedder.embed_documents([text])[0], stored) if text else 0.0
    if near < SAME_VECTOR:
        found = f"a document's vector is at cosine {near:.4f} of the stored one" if text else "it has no document"
        raise OtherVectors(
            f"nothing says what made the vectors of `{collection.name}`, and it was not `{pinned.model_uid}`: {found}",
            hint=hint,
        )
