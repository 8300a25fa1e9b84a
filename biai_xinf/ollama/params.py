"""Ollama's parameters of a model, as OpenAI's defaults: those that mean the same at the endpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# Ollama's parameter -> OpenAI's at the endpoint.
CARRIED = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "stop": "stop",
    "num_predict": "max_tokens",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
SAMPLING = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")


def carried(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that can be carried over, by OpenAI's names; what has a value of no meaning is left out."""
    found = {}
    for name, ours in CARRIED.items():
        value = params.get(name)
        if name == "stop":
            value = [value] if isinstance(value, str) else value
            fit = isinstance(value, list) and bool(value) and all(type(text) is str and text for text in value)
        elif name in ("top_k", "seed", "num_predict"):
            # 0 and less are Ollama's words for no limit.
            fit = type(value) is int and (value > 0 or name == "seed")
        else:
            fit = type(value) is int or (type(value) is float and math.isfinite(value))
        if fit:
            found[ours] = value
    return found
