"""The registration by which Xinference loads a model of Ollama's store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from biai_xinf.ollama.model import Model

# What a registration of ours says of the same model.
_OF_THEIRS = (
    "chat_template", "stop", "stop_token_ids", "model_family", "architectures", "model_ability", "tool_parser",
    "reasoning_start_tag", "reasoning_end_tag",
)  # fmt: skip


def registration_of(model: Model, written: Mapping[str, Any]) -> dict[str, Any]:
    """As it is written, beside the spec that was."""
    one = {
        "model_format": "ggufv2",
        "model_hub": "huggingface",
        "quantization": model.gguf.quantization,
        "model_file_name_template": f"{model.name}.gguf",
    }
    head = {"version": 2, "model_name": model.name, "model_description": written["description"]}
    languages = written.get("languages") or ["en"]
    # By the tag, an import knows which folders are its own.
    mark = {"biai": {"managed_by": "biai-xinf", "ollama_tag": model.stored.tag}}
    if model.role == "embedding":
        sizes = {"dimensions": model.gguf.config["hidden_size"], "max_tokens": model.contexts[0]}
        return {**head, **sizes, "language": languages, "model_specs": [one], **mark}
    theirs = {key: model.their_registration[key] for key in _OF_THEIRS if key in model.their_registration}
    return {
        **head,
        "model_lang": languages,
        **(_family(model) | theirs),
        "context_length": model.contexts[0],
        "model_specs": [{**one, "model_size_in_billions": model.billions}],
        **mark,
    }


def _family(model: Model) -> dict[str, Any]:
    """What Xinference decides by: who may have tools, and what is reasoning. The template is the one in the file."""
    family: dict[str, Any] = {"model_family": model.gguf.architecture, "model_ability": ["chat"], "chat_template": ""}
    if model.tools_family:
        family |= {"model_family": model.tools_family, "tool_parser": "qwen"}
        family["model_ability"] = [*family["model_ability"], "tools"]
    if model.thinks:
        family |= {"reasoning_start_tag": "<think>", "reasoning_end_tag": "</think>"}
        family["model_ability"] = [*family["model_ability"], "reasoning", "hybrid"]
    return family
