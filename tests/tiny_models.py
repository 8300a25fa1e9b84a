"""Real models of a few kilobytes with random weights: engines run them in a second, and they say nonsense."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import gguf
import numpy as np

SEED = 20260801
WIDTH, HEADS, FEED_FORWARD = 32, 2, 64
END_OF_TEXT = "<|endoftext|>"
TURNS = ("<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
CONTEXT = 2048
# Of the models over single letters.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = [chr(code) for code in range(ord("!"), ord("~") + 1) if not chr(code).isupper()]


def tiny_llm_gguf(directory: Path, name: str = "tiny-llm.f16.gguf", *, terse: bool = False) -> Path:
    """A one-layer Qwen2 that spells bytes; about 100 KiB.

    A `terse` one would rather close a text or an object than go on with it: engines allow numbers and blanks of any
    length where a JSON schema asks for one.
    """
    path = directory / name
    tokens = _tokens()
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_token_types([normal] * 256 + [control] * (len(tokens) - 256))
    # llama.cpp insists on a merge; that of two spaces disturbs nothing.
    writer.add_token_merges(["\u0120 \u0120"])
    writer.add_bos_token_id(tokens.index(END_OF_TEXT))
    writer.add_eos_token_id(tokens.index(TURNS[1]))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)
    random = np.random.default_rng(SEED)
    tensors = {"token_embd.weight": _weights(random, len(tokens), WIDTH)}
    for projection in ("q", "k", "v"):
        tensors[f"blk.0.attn_{projection}.weight"] = _weights(random, WIDTH, WIDTH)
    tensors["blk.0.attn_output.weight"] = _weights(random, WIDTH, WIDTH)
    tensors["blk.0.ffn_gate.weight"] = _weights(random, FEED_FORWARD, WIDTH)
    tensors["blk.0.ffn_up.weight"] = _weights(random, FEED_FORWARD, WIDTH)
    tensors["blk.0.ffn_down.weight"] = _weights(random, WIDTH, FEED_FORWARD)
    tensors["output.weight"] = _weights(random, len(tokens), WIDTH)
    if terse:
        _make_terse(
            *(tensors[f"{name}.weight"] for name in ("token_embd", "output", "blk.0.attn_output", "blk.0.ffn_down"))
        )
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor.astype(np.float16))
    for projection in ("q", "k", "v"):
        writer.add_tensor(f"blk.0.attn_{projection}.bias", np.zeros(WIDTH, np.float32))
    for norm in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{norm}.weight", np.ones(WIDTH, np.float32))
    return _finish(writer, path)


def tiny_embedding_gguf(directory: Path, name: str = "tiny-embedding.f16.gguf") -> Path:
    """A one-layer BERT over single letters, pooled by the mean; 32 dimensions."""
    path = directory / name
    # In GGUF a word's first piece is written with "\u2581" before it, its others without a mark.
    tokens = [*SPECIAL, *(f"\u2581{letter}" for letter in LETTERS), *LETTERS]
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_type_count(2)
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_token_types([control] * len(SPECIAL) + [normal] * (len(tokens) - len(SPECIAL)))
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(3)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)
    random = np.random.default_rng(SEED)
    _half(writer, random, "token_embd.weight", len(tokens), WIDTH)
    # llama.cpp adds these two up as they are, and aborts the whole process unless they are 32 bits wide.
    for table, rows in (("token_types", 2), ("position_embd", 512)):
        writer.add_tensor(f"{table}.weight", _weights(random, rows, WIDTH))
    for projection in ("attn_q", "attn_k", "attn_v", "attn_output"):
        _linear(writer, random, f"blk.0.{projection}", WIDTH, WIDTH)
    _linear(writer, random, "blk.0.ffn_up", FEED_FORWARD, WIDTH)
    _linear(writer, random, "blk.0.ffn_down", WIDTH, FEED_FORWARD)
    for norm in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        writer.add_tensor(f"{norm}.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"{norm}.bias", np.zeros(WIDTH, np.float32))
    return _finish(writer, path)


def tiny_llm_folder(directory: Path) -> Path:
    """A terse one-layer Qwen2 that spells bytes, as Transformers and vLLM load it; about 300 KiB."""
    tokens, heads, width = _tokens(), 2, 2 * WIDTH
    files = {"config": _qwen2(len(tokens), width, heads), "tokenizer": _byte_tokenizer(tokens)}
    # Whatever the class is called, Transformers takes what `tokenizer.json` says.
    files["tokenizer_config"] = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": TURNS[1]}
    files["tokenizer_config"] |= {"pad_token": END_OF_TEXT, "chat_template": CHATML, "model_max_length": CONTEXT}
    for name, content in files.items():
        (directory / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    random = np.random.default_rng(SEED)
    layer = "model.layers.0"
    sizes = {f"{layer}.self_attn.{name}_proj": (width, width) for name in "qkvo"}
    sizes |= {f"{layer}.mlp.{name}_proj": (2 * width, width) for name in ("gate", "up")}
    sizes |= {f"{layer}.mlp.down_proj": (width, 2 * width)}
    sizes |= dict.fromkeys(("model.embed_tokens", "lm_head"), (len(tokens), width))
    tensors = {f"{name}.weight": _weights(random, *size) for name, size in sizes.items()}
    tensors |= {f"{layer}.self_attn.{name}_proj.bias": np.zeros(width, np.float32) for name in "qkv"}
    norms = (f"{layer}.input_layernorm", f"{layer}.post_attention_layernorm", "model.norm")
    tensors |= {f"{norm}.weight": np.ones(width, np.float32) for norm in norms}
    whole = ("model.embed_tokens", "lm_head", f"{layer}.self_attn.o_proj", f"{layer}.mlp.down_proj")
    _make_terse(*(tensors[f"{name}.weight"] for name in whole))
    _write_safetensors(directory / "model.safetensors", tensors)
    return directory


def tiny_cross_encoder_folder(directory: Path) -> Path:
    """A four-layer BERT over single letters that gives each pair of texts one score, a nonsensical one."""
    # Seconds to import, and only engines need it.
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    vocabulary = {token: id for id, token in enumerate([*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS)])}
    torch.manual_seed(SEED)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        num_hidden_layers=4,
        num_attention_heads=HEADS,
        intermediate_size=FEED_FORWARD,
        # With more layers and wilder weights than usual, so that the scores lie well apart.
        initializer_range=0.5,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(directory)
    BertTokenizer(vocab=vocabulary, model_max_length=512).save_pretrained(directory)
    return directory


def llm_family(name: str, path: Path) -> dict[str, object]:
    """A registration of a GGUF file for POST /v1/model_registrations/LLM."""
    return {
        "version": 2,
        "model_name": name,
        "model_lang": ["en"],
        "model_ability": ["chat", "generate"],
        "model_family": name,
        "context_length": CONTEXT,
        "chat_template": "",
        "stop": list(TURNS),
        "stop_token_ids": [],
        "model_specs": [_spec(path, model_size_in_billions=1)],
    }


def embedding_family(name: str, path: Path) -> dict[str, object]:
    """A registration of a GGUF file for POST /v1/model_registrations/embedding."""
    return {
        "version": 2,
        "model_name": name,
        "dimensions": WIDTH,
        "max_tokens": 512,
        "language": ["en"],
        "model_specs": [_spec(path)],
    }


def _spec(path: Path, **more: object) -> dict[str, object]:
    return {
        "model_format": "ggufv2",
        "quantization": "f16",
        "model_id": "tiny/tiny",
        "model_uri": path.parent.as_uri(),
        "model_file_name_template": path.name,
        **more,
    }


def _tokens() -> list[str]:
    return [*_byte_tokens(), *TURNS, END_OF_TEXT]


def _byte_tokens() -> list[str]:
    """GPT-2's letters for the 256 bytes: printable ones stand for themselves, the others are moved up."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    moved = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(moved)) for byte in range(256)]


def _qwen2(vocabulary: int, width: int, heads: int) -> dict[str, object]:
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 1,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "bos_token_id": vocabulary - 1,
        "eos_token_id": vocabulary - 2,
    }


def _byte_tokenizer(tokens: list[str]) -> dict[str, object]:
    """What `tokenizer.json` holds for one token per byte; the last ones are special."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    unlike_words = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    special = [{"id": id, "content": tokens[id], "special": True, **unlike_words} for id in range(256, len(tokens))]
    vocabulary = {token: id for id, token in enumerate(tokens)}
    return {
        "version": "1.0",
        "added_tokens": special,
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }


def _make_terse(embedding: np.ndarray, head: np.ndarray, *into_stream: np.ndarray) -> None:
    """Give each token a bias: through the first dimension, which is the same at all of them."""
    embedding[:, 0] = 1.0
    for weights in into_stream:
        weights[0] = 0.0
    head[:, 0] = 0.0
    for letters, bias in ((b"}", 6.0), (b'"', 5.0), (b"0123456789,", -5.0), (b" \t\r\n", -8.0)):
        head[list(letters), 0] = bias
    # It never ends by itself.
    head[256:, 0] = -10.0


def _write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Written here, as it is a few lines and the package is not needed otherwise."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(tensor.tobytes() for tensor in tensors.values()))


def _half(writer: gguf.GGUFWriter, random: np.random.Generator, name: str, rows: int, columns: int) -> None:
    writer.add_tensor(name, _weights(random, rows, columns).astype(np.float16))


def _weights(random: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return (random.standard_normal((rows, columns)) * 0.1).astype(np.float32)


def _linear(writer: gguf.GGUFWriter, random: np.random.Generator, name: str, rows: int, columns: int) -> None:
    _half(writer, random, f"{name}.weight", rows, columns)
    writer.add_tensor(f"{name}.bias", np.zeros(rows, np.float32))


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
