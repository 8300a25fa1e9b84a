"""Chroma stores on disk: what their collections were built with, and how their vectors are made anew."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biai_xinf.adapters.chroma import (
    BEFORE_1,
    SPACE_KEY,
    XinferenceEmbeddingFunction,
    config_of,
    create_collection,
    names,
    open_store,
    pin_with,
    theirs,
)
from biai_xinf.adapters.embedder import Embedder, keep
from biai_xinf.adapters.looking import Seen, look
from biai_xinf.adapters.source import Source
from biai_xinf.errors import BadFile, UnknownName
from biai_xinf.pins import Pinned
from biai_xinf.progress import Report, silent

if TYPE_CHECKING:
    import chromadb

# In the metadata of a collection that is being made: the one whose place it will take.
IN_PLACE_OF = "biai_xinf:in_place_of"
# Documents that are read, embedded and written at once: what an interrupt loses at most.
PAGE = 128


@dataclass(frozen=True)
class Described:
    """A collection: how much it holds, and what it was built with where that is known."""

    name: str
    entries: int
    dimensions: int | None
    pinned: Pinned | None


@dataclass(frozen=True)
class Redone:
    """A collection whose vectors are those of the model now; `embedded` counts those that were made for it."""

    name: str
    entries: int
    embedded: int


def describe(path: Path) -> list[Described]:
    """The collections of a store; BadFile where there is none."""
    client = _open(path)
    return [_described(client, name) for name in names(client)]


def redo(path: Path, source: Source, only: Sequence[str] = (), report: Report = silent) -> Iterator[Redone]:
    """Make the vectors of a store anew, collection by collection, with a model that runs.

    A collection is embedded into a new one, which takes its place once it is whole; until then it stays as it is.
    Interrupted, it goes on where it stopped. No application may use the store meanwhile. The pin is moved last.
    """
    client = _open(path)
    made = look(source)
    there = [name for name in names(client) if not _BESIDE.search(name)]
    wanted = sorted({*there, *_interrupted(client)})
    if unknown := [name for name in only if name not in wanted]:
        held = ", ".join(f"`{name}`" for name in wanted) or "none"
        raise UnknownName(f"the store has no collection `{unknown[0]}`", hint=f"it has {held}")
    for name in only or wanted:
        yield _redo(client, name, source, made, report)
        keep(made.pinned(str(path.absolute()), [name]))


def _open(path: Path) -> chromadb.ClientAPI:
    # Chroma would make a store of any folder.
    if not (path / "chroma.sqlite3").is_file():
        hint = "name the folder that Chroma keeps its collections in, `path` in Vanna's config"
        raise BadFile(f"{path}: holds no Chroma store", hint=hint)
    return open_store(path)


def _described(client: chromadb.ClientAPI, name: str) -> Described:
    collection = client.get_collection(name, embedding_function=None)
    entry = collection.get(limit=1, include=["embeddings"])["embeddings"]
    dimensions = len(entry[0]) if entry is not None and len(entry) else None
    return Described(name, collection.count(), dimensions, pin_with(client, collection))


def _redo(client: chromadb.ClientAPI, name: str, source: Source, made: Seen, report: Report) -> Redone:
    _recover(client, name)
    old = client.get_collection(name, embedding_function=None)
    if _is_of(client, old, made):
        return Redone(name, old.count(), 0)
    new = _begun(client, old, made)
    embedded = _fill(old, new, Embedder(source, made.pin, made.pinned().sample), report)
    old.modify(name=_beside(name, "before"))
    _put_in_place(client, new, name)
    return Redone(name, new.count(), embedded)


def _recover(client: chromadb.ClientAPI, name: str) -> None:
    """Finish what an interrupt left between the two renames, or after them."""
    there, before, anew = names(client), _beside(name, "before"), _beside(name, "anew")
    if before not in there:
        return
    if anew not in there:
        client.delete_collection(before)
        return
    if name in there:
        if client.get_collection(name, embedding_function=None).count():
            hint = f"`{before}` has what was there before, `{anew}` the same with new vectors: delete one, and `{name}`"
            raise BadFile(f"an application has filled `{name}` again while its vectors were being made anew", hint=hint)
        client.delete_collection(name)
    _put_in_place(client, client.get_collection(anew, embedding_function=None), name)


def _put_in_place(client: chromadb.ClientAPI, new: chromadb.Collection, name: str) -> None:
    """The new collection under the old one's name, which is then deleted."""
    kept = {key: value for key, value in new.metadata.items() if key not in (IN_PLACE_OF, SPACE_KEY)}
    new.modify(name=name, metadata=kept)
    client.delete_collection(_beside(name, "before"))


def _begun(client: chromadb.ClientAPI, old: chromadb.Collection, made: Seen) -> chromadb.Collection:
    """The new collection as an interrupt left it, if it is of the same model, else an empty one."""
    name = _beside(old.name, "anew")
    if name in names(client):
        begun = client.get_collection(name, embedding_function=None)
        if _is_of(client, begun, made):
            return begun
        client.delete_collection(name)
    config = config_of(old) or {}
    settings = {key: config[key] for key in ("endpoint", "api_key_env", "spec", "batch", "timeout") if key in config}
    function = XinferenceEmbeddingFunction(made.uid, **settings).held_to(made.pinned())
    told = {**theirs(old), SPACE_KEY: _space(old), IN_PLACE_OF: old.name}
    return create_collection(client, name, function, made.pinned(), told)


def _is_of(client: chromadb.ClientAPI, collection: chromadb.Collection, made: Seen) -> bool:
    """Whether it was built with that very model and its prefixes."""
    kept = pin_with(client, collection)
    return kept is not None and kept.pin == made.pin and not made.unlike(kept)


def _space(collection: chromadb.Collection) -> str:
    """How its index orders."""
    told = None if BEFORE_1 else (collection.configuration_json.get("hnsw") or {}).get("space")
    return str(told or (collection.metadata or {}).get(SPACE_KEY) or "cosine")


def _fill(old: chromadb.Collection, new: chromadb.Collection, embedder: Embedder, report: Report) -> int:
    """Embed what the new collection lacks of the old one; how many texts that were."""
    ids, embedded = old.get(include=[])["ids"], 0
    for start in range(0, len(ids), PAGE):
        report(start / len(ids), f"embedding `{old.name}`", f"{start} of {len(ids)}")
        page = ids[start : start + PAGE]
        wanted, there = _entries(old, page), _entries(new, page)
        missing = {id: entry for id, entry in wanted.items() if there.get(id) != entry}
        if without := [id for id, (text, _) in missing.items() if not text]:
            hint = "only what has its text beside it can be embedded again; delete it, or add it anew"
            raise BadFile(f"`{old.name}`: entry `{without[0]}` has no document", hint=hint)
        if missing:
            texts = [text for text, _ in missing.values()]
            new.upsert(
                ids=list(missing),
                documents=texts,
                metadatas=[metadata for _, metadata in missing.values()],
                embeddings=embedder.documents(texts),
            )
            embedded += len(missing)
    if gone := [id for id in new.get(include=[])["ids"] if id not in set(ids)]:
        new.delete(ids=gone)
    return embedded


def _entries(collection: chromadb.Collection, ids: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Document and metadata of those that it has, by their ids."""
    found = collection.get(ids=list(ids), include=["documents", "metadatas"])
    return dict(zip(found["ids"], zip(found["documents"], found["metadatas"], strict=True), strict=True))


def _interrupted(client: chromadb.ClientAPI) -> list[str]:
    """The collections that an interrupt left without their name."""
    begun = (client.get_collection(name, embedding_function=None) for name in names(client) if _BESIDE.search(name))
    return [one.metadata[IN_PLACE_OF] for one in begun if IN_PLACE_OF in (one.metadata or {})]


_BESIDE = re.compile(r"-(anew|before)-[0-9a-f]{8}$")


def _beside(name: str, what: str) -> str:
    """The name of a collection beside another one; chromadb 0.6 takes 63 letters."""
    return f"{name[:40].rstrip('._-')}-{what}-{zlib.crc32(name.encode()):08x}"
