"""The store of an Ollama on this machine: which models it has, and where their weights lie. Nothing is written.

    manifests/<host>/<namespace>/<model>/<tag>    JSON: the layers, each with media type, digest and size
    blobs/sha256-<hex>                            what a layer holds

A model that cannot be read raises CannotImport, whose `code` is one of `Reason`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from biai_xinf.errors import CannotImport, UnknownName
from biai_xinf.units import format_size

Reason = Literal[
    "unreadable", "bad-manifest", "bad-digest", "no-weights", "adapter", "split", "tensors",
    "blob-missing", "cut-short", "not-gguf", "damaged", "architecture", "vision", "template", "pooling", "reranker",
    "no-name", "name-taken",
]  # fmt: skip

_DEFAULT_HOST, _DEFAULT_NAMESPACE = "registry.ollama.ai", "library"
_IMAGE = "application/vnd.ollama.image."
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]*")
# Manifests, parameters and templates are kilobytes; whatever is larger is none.
_SMALL = 4 * 1024**2
_MAGIC = b"GGUF"


@dataclass(frozen=True)
class StoredModel:
    """A model whose weights are one GGUF file of the store. `tag` is its name as `ollama list` shows it."""

    tag: str
    digest: str
    weights: Path
    size: int
    params: Mapping[str, Any] = field(default_factory=dict)
    template: str | None = None
    system: str | None = None
    # Kinds of layers beside these, such as `projector` or `messages`.
    beside: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Store:
    """A folder with `manifests` and `blobs`."""

    folder: Path

    def tags(self) -> dict[str, Path]:
        """The manifest of each model by the name that Ollama shows; CannotImport where they cannot be listed."""
        manifests = self.folder / "manifests"
        found = {}
        for parts in _walk(manifests, 4):
            if all(map(_PART.fullmatch, parts)):
                found[shown_name(*parts)] = manifests.joinpath(*parts)
        return dict(sorted(found.items()))

    def read(self, tag: str) -> StoredModel:
        """What the store has of a model; CannotImport says what is wrong with it, UnknownName offers other names."""
        tags = self.tags()
        name = _named(tag, tags)
        layers = _layers(name, _manifest(name, tags[name]))
        digest, size = _weights_layer(name, layers)
        weights = self._blob(name, digest)
        _refuse_damaged(name, weights, size)
        return StoredModel(
            tag=name,
            digest=digest,
            weights=weights,
            size=size,
            params=self._params(name, layers),
            template=self._text(name, layers, "template"),
            system=self._text(name, layers, "system"),
            beside=frozenset(kind for kind, _, _ in layers) - {"model", "params", "template", "system", "license"},
        )

    def _blob(self, tag: str, digest: str) -> Path:
        path = self.folder / "blobs" / f"sha256-{digest}"
        try:
            path.stat()
        except FileNotFoundError as error:
            said = f"`{tag}`: `{path.name[:19]}...` is not in {path.parent}"
            raise CannotImport("blob-missing", said, hint=f"`ollama pull {tag}` brings it back") from error
        except OSError as error:
            raise _unreadable(path, error) from error
        return path

    def _params(self, tag: str, layers: list[_Layer]) -> dict[str, Any]:
        told = self._text(tag, layers, "params")
        if told is None:
            return {}
        try:
            return _PARAMS.validate_json(told)
        except ValidationError as error:
            raise CannotImport(
                "bad-manifest", f"`{tag}`: its parameters are no JSON object", hint=_PULL.format(tag)
            ) from error

    def _text(self, tag: str, layers: list[_Layer], kind: str) -> str | None:
        digest = next((digest for found, digest, _ in layers if found == kind), None)
        return None if digest is None else _read_small(tag, self._blob(tag, digest))


def find_store(given: Path | None = None, environ: Mapping[str, str] | None = None) -> Store:
    """The store given, else `OLLAMA_MODELS`, else that of this user, else that of the service.

    CannotImport names the places that were looked at, or says why one cannot be read.
    """
    environ = os.environ if environ is None else environ
    chosen = given or (Path(environ["OLLAMA_MODELS"]) if environ.get("OLLAMA_MODELS") else None)
    places = [chosen, chosen / "models"] if chosen else _usual_places()
    for place in places:
        if _is_store(place):
            return Store(place)
    looked = " and ".join(str(place) for place in (places[:1] if chosen else places))
    hint = "`--store PATH` or OLLAMA_MODELS name the folder that holds `manifests` and `blobs`"
    raise UnknownName(f"no store of Ollama is at {looked}", hint=hint)


def shown_name(host: str, namespace: str, model: str, tag: str) -> str:
    """A model's name as `ollama list` shows it: without what is the same for most."""
    if host != _DEFAULT_HOST:
        return f"{host}/{namespace}/{model}:{tag}"
    return f"{model}:{tag}" if namespace == _DEFAULT_NAMESPACE else f"{namespace}/{model}:{tag}"


def full_name(tag: str) -> str:
    """The form in which two spellings of a name are equal: Ollama adds `:latest`, and ignores case."""
    bare = tag.strip().lower().removeprefix(f"{_DEFAULT_HOST}/").removeprefix(f"{_DEFAULT_NAMESPACE}/")
    return bare if ":" in bare.rpartition("/")[2] else f"{bare}:latest"


_Layer = tuple[str, str, int]
_PULL = "`ollama pull {}` writes it again"
# Unlike `json`, it says so of what is nested too deep or no text, where that one fails or lets it pass.
_PARAMS = TypeAdapter(dict[str, Any])


class _LayerJson(BaseModel):
    mediaType: str
    digest: str
    size: int = Field(ge=0, lt=2**63)


class _ManifestJson(BaseModel):
    """As Ollama writes it; keys that are not needed here are ignored."""

    layers: list[_LayerJson]


def _usual_places() -> list[Path]:
    """`~/.ollama/models` on every system (`%USERPROFILE%` is the home of Windows), then that of Linux's service."""
    service = [Path("/usr/share/ollama/.ollama/models")] if sys.platform.startswith("linux") else []
    return [Path.home() / ".ollama" / "models", *service]


def _is_store(place: Path) -> bool:
    try:
        (place / "manifests").stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(place, error) from error
    return True


def _walk(folder: Path, depth: int, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names from `folder` down to each file that lies so deep."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from error
    for path in found:
        if path.name.startswith("."):
            continue
        if depth == 1 and path.is_file():
            yield (*before, path.name)
        elif depth > 1 and path.is_dir():
            yield from _walk(path, depth - 1, (*before, path.name))


def _named(tag: str, tags: Mapping[str, Path]) -> str:
    found = next((name for name in tags if full_name(name) == full_name(tag)), None)
    if found is None:
        has = ", ".join(f"`{name}`" for name in tags) or "none"
        raise UnknownName(f"Ollama's store has no model `{tag}`", hint=f"it has {has}")
    return found


def _manifest(tag: str, path: Path) -> _ManifestJson:
    try:
        return _ManifestJson.model_validate_json(_read_small(tag, path))
    except ValidationError as error:
        raise CannotImport(
            "bad-manifest", f"`{tag}`: its manifest {path} cannot be understood", hint=_PULL.format(tag)
        ) from error


def _layers(tag: str, manifest: _ManifestJson) -> list[_Layer]:
    """Kind, hex digest and size of each layer. What is no digest may be a path that leads out of the store."""
    layers = []
    for layer in manifest.layers:
        digest = _DIGEST.fullmatch(layer.digest)
        if digest is None:
            raise CannotImport("bad-digest", f"`{tag}`: its manifest names `{layer.digest[:80]}`, which is no digest")
        layers.append((layer.mediaType.removeprefix(_IMAGE), digest[1], layer.size))
    return layers


def _weights_layer(tag: str, layers: list[_Layer]) -> tuple[str, int]:
    kinds = [kind for kind, _, _ in layers]
    if "adapter" in kinds:
        raise CannotImport(
            "adapter",
            f"`{tag}` is a model with an adapter (LoRA) over it, which llama.cpp in Xinference does not load",
            hint="merge the adapter into the weights, or import the model below it",
        )
    if "tensor" in kinds:
        raise CannotImport(
            "tensors",
            f"`{tag}` is kept tensor by tensor, for Ollama's own engine",
            hint="pull a tag that is a GGUF file, such as one that ends in `q4_K_M`",
        )
    found = [(digest, size) for kind, digest, size in layers if kind == "model"]
    if not found:
        raise CannotImport("no-weights", f"`{tag}` holds no weights", hint="a model of Ollama's cloud has none here")
    if len(found) > 1:
        raise _split(tag, len(found))
    return found[0]


def _split(tag: str, parts: int) -> CannotImport:
    hint = "`gguf-split --merge` of llama.cpp makes one file of them, `ollama create` imports that"
    return CannotImport("split", f"`{tag}` is split into {parts} files, which their names in the store hide", hint=hint)


def _refuse_damaged(tag: str, weights: Path, size: int) -> None:
    found = weights.stat().st_size
    if found != size:
        raise CannotImport(
            "cut-short",
            f"`{tag}`: its weights are cut short: {found} B of {size}, which are {format_size(size)}",
            hint=_PULL.format(tag),
        )
    try:
        with weights.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise _unreadable(weights, error) from error
    if magic != _MAGIC:
        raise CannotImport("not-gguf", f"`{tag}`: its weights are no GGUF file", hint="llama.cpp reads nothing else")


def _read_small(tag: str, path: Path) -> str:
    try:
        if path.stat().st_size > _SMALL:
            raise CannotImport("bad-manifest", f"`{tag}`: {path} is too large to be what it should")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CannotImport("bad-manifest", f"`{tag}`: {path} is no text", hint=_PULL.format(tag)) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: PurePath, error: OSError) -> CannotImport:
    owner = _owner(Path(path))
    said = f"{path} cannot be read: {error.strerror or error}"
    if owner is None:
        return CannotImport("unreadable", said)
    hint = f"it belongs to `{owner}`: `sudo usermod -a -G {owner} $USER`, log in again, and workers can read it too"
    return CannotImport("unreadable", said, hint=hint)


def _owner(path: Path) -> str | None:
    """Who may read the nearest folder that can be looked at, where the system tells it."""
    for place in (path, *path.parents):
        try:
            return place.owner()
        except (OSError, KeyError, NotImplementedError):
            continue
    return None
