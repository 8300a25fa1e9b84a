"""What people are told of an import: what it keeps of the model, and what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from biai_xinf.gguf_file import POOLINGS
from biai_xinf.ollama.model import CONTEXTS, Model
from biai_xinf.ollama.params import CARRIED, SAMPLING, carried


def carried_over(model: Model, written: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that the written spec keeps."""
    told = [_context_told(model)]
    asked = [f"{name} {_short(value)}" for name, value in written.get("defaults", {}).items()]
    if asked:
        told.append(f"asked where a client says nothing: {', '.join(asked)}")
    if model.role == "embedding":
        told.append(f"pooled by {POOLINGS[model.pooling]}, {model.gguf.config['hidden_size']} dimensions")
    elif model.their_registration.get("chat_template"):
        told.append("chat template: that of our spec")
    elif model.gguf.template:
        told.append("chat template: the one in its GGUF file")
    else:
        told.append("chat template: its file has none, and Ollama's is ChatML, as llama.cpp's own is")
    return told


def _context_told(model: Model) -> str:
    first = f"context {model.contexts[0]}"
    told = model.stored.params.get("num_ctx")
    if model.asked and model.asked > model.contexts[0]:
        return f"{first}, not {model.asked}: it was trained for no more"
    if model.context:
        return f"{first}, as you say"
    if told == model.contexts[0]:
        return f"{first}, its num_ctx"
    if model.role == "embedding":
        return f"{first}: the longest text"
    if model.contexts[0] < CONTEXTS[-1]:
        return f"{first}, all it was trained for"
    less = f", or {model.contexts[-1]} where memory is short" if len(model.contexts) > 1 else ""
    return f"{first}{less}: it sets no num_ctx, and Ollama's own 4096 would cut a long schema"


def lost(model: Model) -> list[str]:
    """A sentence for each thing that cannot be kept, and what stands in for it."""
    stored, told = model.stored, []
    if stored.template and model.role != "embedding":
        told.append("template: Ollama's is written in Go, which llama.cpp does not read")
    if stored.system:
        instead = "the prompt of the spec takes its place" if model.role == "sql" else "put it into your messages"
        told.append(f"system prompt: the endpoint adds none; {instead}")
    if "projector" in stored.beside:
        told.append("pictures: its projector is not loaded, so it reads text only")
    if "messages" in stored.beside:
        told.append("example messages: put them before your own")
    able = model.tools_family or "tools" in model.their_registration.get("model_ability", ())
    if "tools" in (model.gguf.template or "") and not able:
        told.append("tool calls: Xinference 4.1 lets only families of its own list have them")
    return [*told, *_lost_params(model)]


def _lost_params(model: Model) -> list[str]:
    params, kept = model.stored.params, carried(model.stored.params)
    if model.role == "embedding":
        left = sorted(set(params) - {"num_ctx"})
        return [f"{', '.join(left)}: nothing to an embedding model"] if left else []
    told = []
    sampled = [f"{name} {_short(params[name])}" for name in SAMPLING if name in kept] if model.role == "sql" else []
    if sampled:
        told.append(f"{', '.join(sampled)}: SQL is asked without chance")
    unheard = sorted(
        set(params)
        & {"repeat_penalty", "repeat_last_n", "min_p", "typical_p", "mirostat", "mirostat_eta", "mirostat_tau"}
    )
    if unheard:
        told.append(f"{', '.join(unheard)}: Xinference 4.1 passes nothing of it to llama.cpp")
    known = {*unheard, "num_ctx", *(name for name, ours in CARRIED.items() if ours in kept)}
    others = sorted(set(params) - known - set(CARRIED))
    unmeant = sorted(set(params) - known - set(others))
    if unmeant:
        told.append(f"{', '.join(f'{name} {_short(params[name])}' for name in unmeant)}: no value that an engine knows")
    if others:
        told.append(f"{', '.join(others)}: the plan decides where and how it runs")
    return told


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
