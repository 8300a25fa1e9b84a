"""What a GGUF file says of its model, told in the words of a `config.json`; the weights themselves are not read."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from biai_xinf.errors import BadFile

if TYPE_CHECKING:
    from biai_xinf.gguf_header import GgufHeader

Pooling = Literal["cls", "mean", "last"]
# llama.cpp's numbers of them (`llama_pooling_type`), in a file's `pooling_type` and in its own option.
POOLINGS: Mapping[int, Pooling] = {1: "mean", 2: "cls", 3: "last"}

_MAGIC = b"GGUF"
_SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
# What a projector's tensors begin with (`clip-impl.h` of llama.cpp).
_SENSES = ("v.", "a.", "mm.")
# llama.cpp's name of an architecture, where it is not the `model_type` of Transformers.
_MODEL_TYPES = {
    "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe",
    "qwen3next": "qwen3_next",
    "qwen35": "qwen3_5",
    "qwen35moe": "qwen3_5_moe",
    "mistral3": "ministral3",
    "deepseek2": "deepseek_v2",
    "gpt-oss": "gpt_oss",
    "nomic-bert": "nomic_bert",
    "modern-bert": "modernbert",
}
# Key in the file, without its architecture -> key of config.json. Listed in `gguf.constants.Keys` 0.19.
_KEYS = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "context_length": "max_position_embeddings",
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "expert_shared_count": "n_shared_experts",
    "leading_dense_block_count": "first_k_dense_replace",
    "attention.kv_lora_rank": "kv_lora_rank",
    "attention.q_lora_rank": "q_lora_rank",
    "full_attention_interval": "full_attention_interval",
    "ssm.group_count": "linear_num_key_heads",
    "ssm.time_step_rank": "linear_num_value_heads",
    "ssm.state_size": "linear_key_head_dim",
    "ssm.conv_kernel": "linear_conv_kernel_dim",
}


@dataclass(frozen=True)
class GgufFile:
    """A model in GGUF: its shape's keys, the bytes of its files, and its quantization such as `q4_k_m`.

    `architecture` is llama.cpp's name of it, `template` the chat template (Jinja) it brings, `pooling` a
    `gguf.PoolingType` where it is made for vectors. `sees`: the tensors of a part for pictures or sound are among the
    others, which llama.cpp refuses to load. `parts` is how many files the model says it has.
    """

    config: Mapping[str, Any]
    size: int
    quantization: str
    architecture: str
    parameters: int
    template: str | None = None
    pooling: int | None = None
    sees: bool = False
    parts: int = 1


def read_gguf(path: Path) -> GgufFile:
    """The header of a GGUF file and, where it is one of several, of its siblings; BadFile says what is wrong."""
    parts = _parts(path)
    for part in parts:
        _refuse_others(part)
    # Imported here: it brings numpy, and only who reads a GGUF file needs either.
    from biai_xinf.gguf_header import GgufHeader

    try:
        readers = [GgufHeader(part) for part in parts]
        config, quantization = _config(path, readers), _quantization(readers)
        told = _told(readers)
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError, OSError, struct.error) as error:
        raise BadFile(f"{path}: is damaged, or its end is missing", hint="download it again") from error
    return GgufFile(config, sum(part.stat().st_size for part in parts), quantization, **told)


def _told(readers: list[GgufHeader]) -> dict[str, Any]:
    first, tensors = readers[0], [tensor for reader in readers for tensor in reader.tensors]
    architecture = _value(first, "general.architecture")
    return {
        "architecture": architecture,
        "parameters": sum(int(tensor.n_elements) for tensor in tensors),
        "template": _value(first, "tokenizer.chat_template"),
        "pooling": _value(first, f"{architecture}.pooling_type"),
        "sees": any(tensor.name.startswith(_SENSES) for tensor in tensors),
        "parts": _value(first, "split.count") or 1,
    }


def _parts(path: Path) -> list[Path]:
    """The files of a split model, in order; `path` alone where it is not split."""
    split = _SPLIT.fullmatch(path.name)
    if split is None:
        return [path]
    stem, _, count = split.groups()
    parts = [path.with_name(f"{stem}-{number:05}-of-{count}.gguf") for number in range(1, int(count) + 1)]
    missing = [part.name for part in parts if not part.exists()]
    if missing:
        raise BadFile(f"{path}: its part `{missing[0]}` is missing", hint="put all parts into one folder")
    return parts


def _refuse_others(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror or error}") from error
    if magic != _MAGIC:
        raise BadFile(f"{path}: is no GGUF file", hint="give a `.gguf` file, or the folder of a model")


def _config(path: Path, readers: list[GgufHeader]) -> dict[str, Any]:
    reader, tensors = readers[0], {tensor.name: tensor for reader in readers for tensor in reader.tensors}
    if "token_embd.weight" not in tensors:
        raise BadFile(f"{path}: holds no language model", hint="it may be a vocabulary, an adapter or a projector")
    architecture = _value(reader, "general.architecture")
    if not isinstance(architecture, str):
        raise BadFile(f"{path}: does not say its architecture", hint="download it again")

    def told(key: str) -> Any:
        return _value(reader, f"{architecture}.{key}")

    config = {key: found for name, key in _KEYS.items() if (found := _widest(told(name))) is not None}
    config["model_type"] = _MODEL_TYPES.get(architecture, architecture)
    config["tie_word_embeddings"] = "output.weight" not in tensors
    config["vocab_size"] = int(tensors["token_embd.weight"].shape[1])
    for table, key in (("position_embd.weight", "max_position_embeddings"), ("token_types.weight", "type_vocab_size")):
        if table in tensors:
            config[key] = int(tensors[table].shape[1])
    return config | _latent(told) | _linear(told)


def _latent(told: Callable[[str], Any]) -> dict[str, int]:
    """Multi-head latent attention: files of before April 2025 lack the `_mla` keys and keep the lengths in these."""
    rope = told("rope.dimension_count")
    key = told("attention.key_length_mla") or told("attention.key_length")
    value = told("attention.value_length_mla") or told("attention.value_length")
    if told("attention.kv_lora_rank") is None or rope is None or key is None:
        return {}
    return {"qk_rope_head_dim": rope, "qk_nope_head_dim": key - rope, "v_head_dim": value}


def _linear(told: Callable[[str], Any]) -> dict[str, int]:
    inner, heads = told("ssm.inner_size"), told("ssm.time_step_rank")
    return {"linear_value_head_dim": inner // heads} if inner and heads else {}


def _widest(value: Any) -> Any:
    # A few models tell a figure layer by layer; the widest layer decides what must be free.
    return max(value, default=None) if isinstance(value, list) else value


def _value(reader: GgufHeader, key: str) -> Any:
    field = reader.get_field(key)
    return None if field is None else field.contents()


def _quantization(readers: list[GgufHeader]) -> str:
    from gguf import LlamaFileType

    told = _value(readers[0], "general.file_type")
    if told in set(LlamaFileType):
        return LlamaFileType(told).name.removeprefix("MOSTLY_").removeprefix("ALL_").lower()
    sizes: Counter[str] = Counter()
    for tensor in (tensor for reader in readers for tensor in reader.tensors):
        sizes[tensor.tensor_type.name.lower()] += tensor.n_bytes
    return sizes.most_common(1)[0][0] if sizes else "unknown"
