"""Served models as Ollama describes them: the bodies of tags, show and ps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from biai_xinf.extension.ollama_names import NamedModel, listing

# What Go writes for a time nobody knows, which Ollama's own client shows as "Never".
_NO_TIME = "0001-01-01T00:00:00Z"
# Models stay until someone stops them; Ollama's client shows a far date as "Forever".
_FOREVER = "9999-12-31T23:59:59Z"
_FORMATS = {"ggufv2": "gguf", "pytorch": "safetensors"}
_CAPABILITIES = {"tools": "tools", "vision": "vision", "audio": "audio", "reasoning": "thinking", "hybrid": "thinking"}


def tags(models: Sequence[NamedModel]) -> dict[str, Any]:
    """The answer of `/api/tags`. BIAI reads `name`, Vanna and the `ollama` package read `model`."""
    return {"models": [{**_entry(name, model), "modified_at": _since(model)} for name, model in listing(models)]}


def running(models: Sequence[NamedModel]) -> dict[str, Any]:
    """The answer of `/api/ps`: everything served runs, each under its own name."""
    return {"models": [_running(model) for model in models if not model.reranks]}


def shown(model: NamedModel) -> dict[str, Any]:
    """The answer of `/api/show`."""
    family = model.family or "unknown"
    facts = {
        "general.architecture": family,
        "general.basename": model.uid,
        f"{family}.context_length": model.context,
        f"{family}.embedding_length": model.dimensions,
    }
    return {
        "modelfile": f"# `{model.uid}` is served by Xinference and cannot be rebuilt from a Modelfile\n",
        "parameters": "" if model.context is None else f"num_ctx {model.context}",
        "template": "",
        "details": _details(model),
        "model_info": {name: value for name, value in facts.items() if value is not None},
        "capabilities": _capabilities(model),
        "modified_at": _since(model),
    }


def _running(model: NamedModel) -> dict[str, Any]:
    # Where the weights lie only the engine knows; typed clients want a number all the same.
    where = {"size_vram": 0, "context_length": model.context or 0}
    return {**_entry(model.ollama_name, model), **where, "expires_at": _FOREVER}


def _entry(name: str, model: NamedModel) -> dict[str, Any]:
    # Ollama's client adds sizes up and cuts digests to 12 characters, so neither can be left out.
    size, digest = model.size or 0, _digest(model)
    return {"name": name, "model": name, "size": size, "digest": digest, "details": _details(model)}


def _digest(model: NamedModel) -> str:
    """Tells served models apart; of what they are, not of their files, which only workers have."""
    identity = (model.uid, model.family, model.model_format, model.size_in_billions, model.quantization)
    return hashlib.sha256(repr(identity).encode()).hexdigest()


def _details(model: NamedModel) -> dict[str, Any]:
    form, size = model.model_format or "", model.size_in_billions
    return {
        "parent_model": "",
        "format": _FORMATS.get(form, form),
        "family": model.family or "",
        "families": [model.family] if model.family else [],
        "parameter_size": "" if size is None else f"{size:g}B" if size >= 1 else f"{size * 1000:g}M",
        "quantization_level": model.quantization or "",
    }


def _capabilities(model: NamedModel) -> list[str]:
    if model.reranks:
        return []
    if model.embeds:
        return ["embedding"]
    known = [_CAPABILITIES[ability] for ability in model.abilities if ability in _CAPABILITIES]
    return ["completion", *dict.fromkeys(known)]


def _since(model: NamedModel) -> str:
    return model.ready_since or _NO_TIME
