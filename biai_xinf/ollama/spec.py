"""The spec of a model of Ollama's store: like any other, so that `launch`, `apply` and `watch` know no difference."""

from __future__ import annotations

import re
from typing import Any, get_args

from biai_xinf.gguf_file import POOLINGS
from biai_xinf.ollama.model import Model, names_tag, spec_name
from biai_xinf.ollama.params import SAMPLING, carried
from biai_xinf.shapes import from_config
from biai_xinf.specs import EmbeddingSpec, OllamaTag, SqlSpec
from biai_xinf.units import GIB

_PARALLEL = 2
_QUESTION = "How many orders were cancelled last year?"
_CHAT_PROBE = {"message": "What is the capital of France? Answer with one word.", "expect": ["paris"]}


def spec_of(model: Model) -> dict[str, Any]:
    """As it is written; CannotImport where its vectors' pooling is not known."""
    stored, kin, source = model.stored, model.kin, model.source
    exact = kin is not None and names_tag(kin.spec, stored.tag)
    tags = [stored.tag] if re.fullmatch(_tag_pattern(), stored.tag) else []
    spec: dict[str, Any] = {
        "name": spec_name(stored.tag),
        "role": model.role,
        "description": f"From Ollama's store: `{stored.tag}`.",
        "license": kin.spec.license if kin and exact else "as its publisher says",
    }
    if kin and kin.spec.languages:
        spec["languages"] = list(kin.spec.languages)
    if tags:
        spec["ollama_tags"] = tags
    spec["recipes"] = _recipes(model)
    if model.role == "embedding":
        return spec | _embedding(model)
    if defaults := _defaults(model):
        spec["defaults"] = defaults
    if source is None:
        return spec | {"probe": _CHAT_PROBE}
    parts = {"prompt", "probe"} if isinstance(source.spec, SqlSpec) else {"probe"}
    return spec | source.spec.model_dump(mode="json", include=parts, exclude_defaults=True)


def _tag_pattern() -> str:
    return str(get_args(OllamaTag)[1].pattern)


def _recipes(model: Model) -> list[dict[str, Any]]:
    several = len(model.contexts) > 1
    return [
        {
            "name": f"{device}-{context}" if several else device,
            "requires": _requires(model, gpus, context),
            "model": _choice(model),
            "engine": "llama.cpp",
            "engine_options": _options(model, gpus, context),
            "registration": f"ollama/{model.name}/registration.json",
            "model_path": _model_path(model),
        }
        for device, gpus in (("gpu", 1), ("cpu", 0))
        for context in model.contexts
    ]


def _model_path(model: Model) -> str:
    # Of an embedding model Xinference 4.1 takes the folder, and finds the file by its registration.
    folder = f"ollama/{model.name}"
    return folder if model.role == "embedding" else f"{folder}/{model.name}.gguf"


def _choice(model: Model) -> dict[str, Any]:
    choice: dict[str, Any] = {"model_name": model.name, "model_format": "ggufv2"}
    if model.role != "embedding":
        choice["model_size_in_billions"] = model.billions
    return {**choice, "quantization": model.gguf.quantization}


def _requires(model: Model, gpus: int, context: int) -> dict[str, Any]:
    requires = {**({"gpus": gpus} if gpus else {}), "context": context, "parallel": _PARALLEL}
    try:
        from_config(model.gguf.config)
    except ValueError:
        # `needs` estimates the others from the file.
        return {**requires, ("vram" if gpus else "memory"): f"{_roughly(model, gpus, context)}B"}
    return requires


def _roughly(model: Model, gpus: int, context: int) -> int:
    """Bytes at the most, of an architecture whose shape we do not know: full attention in every layer.

    On a CPU llama.cpp keeps some quantizations a second time.
    """
    config = model.gguf.config
    heads = config.get("num_key_value_heads") or config.get("num_attention_heads") or 1
    width = config.get("head_dim") or config.get("hidden_size", 0) // (config.get("num_attention_heads") or 1)
    cache = 2 * 2 * config.get("num_hidden_layers", 0) * heads * width * context * _PARALLEL
    return int(model.stored.size * (1 if gpus else 2) + cache + 2 * GIB)


def _options(model: Model, gpus: int, context: int) -> dict[str, Any]:
    if model.role == "embedding":
        # n_ctx is divided by n_parallel; n_ubatch is the longest text. Xinference 4.1 pools by the last token unless
        # told (xllamacpp 2026.10).
        sizes = {"n_parallel": _PARALLEL, "n_ctx": context * _PARALLEL, "n_batch": context, "n_ubatch": context}
        return {"pooling_type": model.pooling, **sizes}
    # As `sql-coder` has it, measured there: without flash attention a warm question on a CPU is faster.
    options: dict[str, Any] = {} if gpus else {"flash_attn_type": 0}
    options["cache_ram_mib"] = 1024
    return options | ({"enable_thinking": False} if model.thinks else {})


def _embedding(model: Model) -> dict[str, Any]:
    dimensions = int(model.gguf.config["hidden_size"])
    told: dict[str, Any] = {"pooling": POOLINGS[model.pooling]}
    kin = model.kin.spec if model.kin else None
    if isinstance(kin, EmbeddingSpec):
        told |= kin.model_dump(mode="json", include={"query_prefix", "document_prefix"}, exclude_defaults=True)
        if kin.probe.dimensions == dimensions:
            return {**told, "probe": kin.probe.model_dump(mode="json", exclude_defaults=True)}
    # The first means the same, the second has the same form (measured in `nomic-embed-text`).
    similar = [_QUESTION, "Count of purchases that customers called off in the previous twelve months"]
    different = [_QUESTION, "How many seats were reserved last night?"]
    return {**told, "probe": {"dimensions": dimensions, "similar": similar, "different": different}}


def _defaults(model: Model) -> dict[str, Any]:
    """What is asked where the client says nothing: SQL is asked as the role needs it, the rest as Ollama was told."""
    ours, theirs = (model.source.spec.defaults if model.source else {}), carried(model.stored.params)
    if model.role != "sql":
        return {**ours, **theirs}
    return {**{name: value for name, value in theirs.items() if name not in SAMPLING}, **ours}
