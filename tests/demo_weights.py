"""The bundled demonstration model as Transformers and vLLM load it, so that every engine runs the same real SQL model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf

from biai_xinf.catalogue import shipped_specs

BUNDLED = shipped_specs() / "bundled" / "biai-demo-sql-q8_0.gguf"


def demo_folder(directory: Path) -> Path:
    """The model with its tokenizer and chat template, unpacked to 32 bits; about 18 MB."""
    # Seconds to import, and only engines need it.
    import torch
    from transformers import GenerationConfig, Qwen2ForCausalLM

    reader = gguf.GGUFReader(BUNDLED)
    model = Qwen2ForCausalLM(_config(reader))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, model.config.num_hidden_layers)
    unpacked = {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            weights = unpacked.pop(names.get_name(name, try_suffixes=(".weight", ".bias")))
            parameter.copy_(torch.tensor(weights))
    assert not unpacked, "these weights are loaded nowhere"
    model.generation_config = GenerationConfig(eos_token_id=_told(reader, "tokenizer.ggml.eos_token_id"))
    model.save_pretrained(directory)
    _tokenizer(reader).save_pretrained(directory)
    return directory


def _config(reader: gguf.GGUFReader) -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=_told(reader, "qwen2.vocab_size"),
        hidden_size=_told(reader, "qwen2.embedding_length"),
        intermediate_size=_told(reader, "qwen2.feed_forward_length"),
        num_hidden_layers=_told(reader, "qwen2.block_count"),
        num_attention_heads=_told(reader, "qwen2.attention.head_count"),
        num_key_value_heads=_told(reader, "qwen2.attention.head_count_kv"),
        max_position_embeddings=_told(reader, "qwen2.context_length"),
        rms_norm_eps=_told(reader, "qwen2.attention.layer_norm_rms_epsilon"),
        rope_theta=_told(reader, "qwen2.rope.freq_base"),
        eos_token_id=_told(reader, "tokenizer.ggml.eos_token_id"),
        bos_token_id=None,
        tie_word_embeddings=True,
    )


def _tokenizer(reader: gguf.GGUFReader) -> Any:
    from tokenizers import AddedToken
    from transformers import Qwen2Tokenizer

    tokens, kinds = (_told(reader, f"tokenizer.ggml.{name}") for name in ("tokens", "token_type"))
    merges = [tuple(merge.split(" ")) for merge in _told(reader, "tokenizer.ggml.merges")]
    user_defined = [token for token, kind in zip(tokens, kinds, strict=True) if kind == gguf.TokenType.USER_DEFINED]
    vocabulary = {token: id for id, token in enumerate(tokens) if kinds[id] != gguf.TokenType.USER_DEFINED}
    end = tokens[_told(reader, "tokenizer.ggml.eos_token_id")]
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == gguf.TokenType.CONTROL]
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary, merges=merges, unk_token=None, eos_token=end, pad_token=end, additional_special_tokens=control
    )
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in user_defined])
    tokenizer.chat_template = _told(reader, "tokenizer.chat_template")
    assert tokenizer.convert_tokens_to_ids(tokens) == list(range(len(tokens))), "a token has another number"
    return tokenizer


def _told(reader: gguf.GGUFReader, key: str) -> Any:
    return reader.fields[key].contents()
