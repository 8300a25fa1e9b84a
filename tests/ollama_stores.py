"""Stores of Ollama as it lays them out: manifests, and blobs named by their SHA-256."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

IMAGE = "application/vnd.ollama.image."
LIBRARY = "registry.ollama.ai/library"


class OllamaStore:
    """One below `folder`; `put` is an `ollama pull`, `remove` an `ollama rm`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs").mkdir(parents=True)
        (folder / "manifests").mkdir()

    def put(self, name: str, weights: Path | None, *, under: str = LIBRARY, **layers: Any) -> Path:
        """Store a model as `name:tag`; `params` may be a dict, other layers are text. The blob of its weights."""
        told = [] if weights is None else [self.layer("model", weights)]
        told += [self.layer(kind, content) for kind, content in layers.items()]
        self.write_manifest(name, told, under=under)
        return self.blob(told[0]["digest"]) if told else self.folder

    def write_manifest(self, name: str, layers: list[dict[str, Any]], *, under: str = LIBRARY) -> Path:
        config = self.layer("", json.dumps({"model_format": "gguf", "os": "linux"}))
        config["mediaType"] = "application/vnd.docker.container.image.v1+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": config,
            "layers": layers,
        }
        path = self.manifest(name, under)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest), encoding="utf-8")
        return path

    def layer(self, kind: str, content: Path | str | Mapping[str, Any]) -> dict[str, Any]:
        """A layer with its blob."""
        if isinstance(content, Path):
            digest, size = hashlib.sha256(content.read_bytes()).hexdigest(), content.stat().st_size
            shutil.copy(content, self.blob(f"sha256:{digest}"))
        else:
            raw = (content if isinstance(content, str) else json.dumps(content)).encode()
            digest, size = hashlib.sha256(raw).hexdigest(), len(raw)
            self.blob(f"sha256:{digest}").write_bytes(raw)
        return {"mediaType": f"{IMAGE}{kind}", "digest": f"sha256:{digest}", "size": size}

    def blob(self, digest: str) -> Path:
        return self.folder / "blobs" / digest.replace(":", "-")

    def manifest(self, name: str, under: str = LIBRARY) -> Path:
        model, _, tag = name.partition(":")
        return self.folder / "manifests" / under / model / (tag or "latest")

    def remove(self, name: str, under: str = LIBRARY) -> None:
        """The manifest, and the blobs that no other model has."""
        path = self.manifest(name, under)
        gone = {layer["digest"] for layer in json.loads(path.read_text())["layers"]}
        path.unlink()
        for other in (found for found in (self.folder / "manifests").rglob("*") if found.is_file()):
            gone -= {layer["digest"] for layer in json.loads(other.read_text())["layers"]}
        for digest in gone:
            self.blob(digest).unlink()
