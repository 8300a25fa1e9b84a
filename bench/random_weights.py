"""Models of any size and quantization with random weights: nonsense to read, but what they cost is what real ones cost.

Prompts of lower-case letters and blanks have one token per character, so that a benchmark can fill a context to the
token. The vocabulary is as large as it is said to be, each token with its merge, for logits and tokenizers weigh by it.
"""

from __future__ import annotations

import itertools
import json
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.tiny_models import CHATML, END_OF_TEXT, SEED, TURNS, _byte_tokens

# What llama.cpp's quantizer makes of a matrix, of those to which it gives more bits, and of the (output) embedding.
MIXES = {
    "f16": (Type.F16, Type.F16, Type.F16),
    "q8_0": (Type.Q8_0, Type.Q8_0, Type.Q8_0),
    "q6_k": (Type.Q6_K, Type.Q6_K, Type.Q6_K),
    "q5_k_m": (Type.Q5_K, Type.Q6_K, Type.Q6_K),
    "q4_k_m": (Type.Q4_K, Type.Q6_K, Type.Q6_K),
    "q4_0": (Type.Q4_0, Type.Q4_0, Type.Q6_K),
    "iq4_nl": (Type.IQ4_NL, Type.IQ4_NL, Type.Q6_K),
}
# Bytes of a block, and where in it the 16-bit scales lie: the layouts of ggml-common.h.
_BLOCKS = {
    Type.F16: (2, ()),
    Type.Q8_0: (34, (0,)),
    Type.Q6_K: (210, (208,)),
    Type.Q5_K: (176, (0, 2)),
    Type.Q4_K: (144, (0, 2)),
    Type.Q4_0: (18, (0,)),
    Type.IQ4_NL: (18, (0,)),
}
_CLASSES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class Size:
    """The figures that decide what a model costs.

    It becomes a Qwen2 where its heads are together as wide as it is, else a Qwen3; with `experts` a Qwen3-MoE, with
    `window` a Gemma 3 (both only as GGUF).
    """

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int = 151_936
    tied: bool = True
    context: int = 32_768
    experts: int = 0
    experts_used: int = 0
    window: int = 0

    @property
    def architecture(self) -> str:
        if self.window:
            return "gemma3"
        if self.experts:
            return "qwen3moe"
        return "qwen2" if self.heads * self.head_dim == self.hidden else "qwen3"


def random_gguf(directory: Path, *, size: Size, quantization: str, name: str = "random") -> Path:
    """Write `NAME.QUANTIZATION.gguf`; takes seconds per gigabyte."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.{quantization}.gguf"
    writer = gguf.GGUFWriter(path, size.architecture)
    _describe(writer, size)
    _add_tokenizer(writer, size.vocabulary)
    random = np.random.default_rng(SEED)
    for tensor, shape, kind in _gguf_tensors(size, quantization):
        if kind is Type.F32:
            value = np.zeros(shape, np.float32) if tensor.endswith(".bias") else np.ones(shape, np.float32)
            writer.add_tensor(tensor, value)
        else:
            writer.add_tensor(tensor, _blocks(random, shape, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def random_folder(directory: Path, *, size: Size, dtype: str = "bfloat16") -> Path:
    """Write a Qwen as Transformers and vLLM load it: `config.json`, tokenizer, one file of safetensors."""
    directory.mkdir(parents=True, exist_ok=True)
    tokens, merges = _vocabulary(size.vocabulary)
    files = {"config": _config(size, dtype), "tokenizer": _tokenizer(tokens, merges)}
    files["tokenizer_config"] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": TURNS[1],
        "pad_token": END_OF_TEXT,
        "chat_template": CHATML,
        "model_max_length": size.context,
    }
    for file, content in files.items():
        (directory / f"{file}.json").write_text(json.dumps(content), encoding="utf-8")
    _write_safetensors(directory / "model.safetensors", list(_folder_tensors(size)), dtype)
    return directory


def family(name: str, size: Size, path: Path, quantization: str) -> dict[str, object]:
    """A registration of either for POST /v1/model_registrations/LLM; its size in billions is 1."""
    spec: dict[str, object] = {"model_size_in_billions": 1, "model_id": "random/random", "quantization": quantization}
    if path.is_file():
        spec |= {"model_format": "ggufv2", "model_uri": path.parent.as_uri(), "model_file_name_template": path.name}
    else:
        spec |= {"model_format": "pytorch", "model_uri": path.as_uri()}
    return {
        "version": 2,
        "model_name": name,
        "model_lang": ["en"],
        "model_ability": ["chat", "generate"],
        "model_family": name,
        "architectures": [_CLASSES.get(size.architecture, "Qwen2ForCausalLM")],
        "context_length": size.context,
        "chat_template": CHATML,
        "stop": list(TURNS),
        "stop_token_ids": [size.vocabulary - 2],
        "model_specs": [spec],
    }


def _describe(writer: gguf.GGUFWriter, size: Size) -> None:
    writer.add_name("random")
    writer.add_context_length(size.context)
    writer.add_embedding_length(size.hidden)
    writer.add_block_count(size.layers)
    writer.add_feed_forward_length(size.feed_forward)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.kv_heads)
    writer.add_key_length(size.head_dim)
    writer.add_value_length(size.head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    if size.experts:
        writer.add_expert_count(size.experts)
        writer.add_expert_used_count(size.experts_used)
        writer.add_expert_feed_forward_length(size.feed_forward)
    if size.window:
        writer.add_sliding_window(size.window)


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: int) -> None:
    tokens, merges = _vocabulary(vocabulary)
    special = len(TURNS) + 1
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([normal] * (len(tokens) - special) + [control] * special)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(len(tokens) - 1)
    writer.add_eos_token_id(len(tokens) - 2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)


def _vocabulary(count: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Bytes, then words of capitals and digits in two, three and four letters, then what marks turns."""
    wanted = count - 256 - len(TURNS) - 1
    words = ("".join(word) for length in (2, 3, 4) for word in itertools.product(_LETTERS, repeat=length))
    chosen = list(itertools.islice(words, wanted))
    return [*_byte_tokens(), *chosen, *TURNS, END_OF_TEXT], [(word[:-1], word[-1]) for word in chosen]


def _gguf_tensors(size: Size, quantization: str) -> Iterator[tuple[str, tuple[int, ...], Type]]:
    """Name, shape and type of each tensor, by the rules of llama.cpp's `llama_tensor_get_type`."""
    plain, better, output = MIXES[quantization]
    width, keys = size.heads * size.head_dim, size.kv_heads * size.head_dim
    yield "token_embd.weight", (size.vocabulary, size.hidden), output if size.tied else plain
    if not size.tied:
        yield "output.weight", (size.vocabulary, size.hidden), output
    yield "output_norm.weight", (size.hidden,), Type.F32
    for layer in range(size.layers):
        block, more = f"blk.{layer}", better if _gets_more_bits(layer, size.layers) else plain
        yield f"{block}.attn_q.weight", (width, size.hidden), plain
        yield f"{block}.attn_k.weight", (keys, size.hidden), plain
        yield f"{block}.attn_v.weight", (keys, size.hidden), more
        yield f"{block}.attn_output.weight", (size.hidden, width), plain
        stack, plural = ((size.experts,), "_exps") if size.experts else ((), "")
        yield f"{block}.ffn_gate{plural}.weight", (*stack, size.feed_forward, size.hidden), plain
        yield f"{block}.ffn_up{plural}.weight", (*stack, size.feed_forward, size.hidden), plain
        yield f"{block}.ffn_down{plural}.weight", (*stack, size.hidden, size.feed_forward), more
        for name, width_of_it in _small_tensors(size, width, keys):
            yield f"{block}.{name}", width_of_it, Type.F32


def _small_tensors(size: Size, width: int, keys: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "attn_norm.weight", (size.hidden,)
    yield "ffn_norm.weight", (size.hidden,)
    if size.architecture == "qwen2":
        yield from ((f"attn_{name}.bias", (rows,)) for name, rows in (("q", width), ("k", keys), ("v", keys)))
    else:
        yield from ((f"attn_{name}_norm.weight", (size.head_dim,)) for name in "qk")
    if size.experts:
        yield "ffn_gate_inp.weight", (size.experts, size.hidden)
    if size.window:
        yield from ((f"{name}.weight", (size.hidden,)) for name in ("post_attention_norm", "post_ffw_norm"))


def _gets_more_bits(layer: int, layers: int) -> bool:
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _blocks(random: np.random.Generator, shape: tuple[int, ...], kind: Type) -> np.ndarray:
    """Random quantized values under small scales, in which no bits stand for something that is no number."""
    *rows, columns = shape
    if kind is Type.F16:
        return (random.standard_normal(shape, np.float32) * 0.02).astype(np.float16)
    values, (width, scales) = gguf.GGML_QUANT_SIZES[kind][0], _BLOCKS[kind]
    if columns % values:
        raise ValueError(f"rows of {columns} values are not made of blocks of {values}")
    count = int(np.prod(rows)) * columns // values
    blocks = np.frombuffer(random.bytes(count * width), np.uint8).reshape(count, width).copy()
    for at in scales:
        blocks[:, at : at + 2] = np.frombuffer(np.float16(1e-4).tobytes(), np.uint8)
    return blocks.reshape(*rows, columns // values * width)


def _config(size: Size, dtype: str) -> dict[str, object]:
    return {
        "architectures": [_CLASSES[size.architecture]],
        "model_type": size.architecture,
        "vocab_size": size.vocabulary,
        "hidden_size": size.hidden,
        "intermediate_size": size.feed_forward,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.kv_heads,
        "head_dim": size.head_dim,
        "max_position_embeddings": size.context,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": size.tied,
        "torch_dtype": dtype,
        "bos_token_id": size.vocabulary - 1,
        "eos_token_id": size.vocabulary - 2,
    }


def _tokenizer(tokens: list[str], merges: list[tuple[str, str]]) -> dict[str, object]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    unlike_words = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    last = range(len(tokens) - len(TURNS) - 1, len(tokens))
    return {
        "version": "1.0",
        "added_tokens": [{"id": id, "content": tokens[id], "special": True, **unlike_words} for id in last],
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": {token: id for id, token in enumerate(tokens)}, "merges": merges},
    }


def _folder_tensors(size: Size) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, keys = size.heads * size.head_dim, size.kv_heads * size.head_dim
    yield "model.embed_tokens.weight", (size.vocabulary, size.hidden)
    if not size.tied:
        yield "lm_head.weight", (size.vocabulary, size.hidden)
    yield "model.norm.weight", (size.hidden,)
    for number in range(size.layers):
        layer = f"model.layers.{number}"
        for name, rows in (("q", width), ("k", keys), ("v", keys)):
            yield f"{layer}.self_attn.{name}_proj.weight", (rows, size.hidden)
            if size.architecture == "qwen2":
                yield f"{layer}.self_attn.{name}_proj.bias", (rows,)
        if size.architecture == "qwen3":
            yield from ((f"{layer}.self_attn.{name}_norm.weight", (size.head_dim,)) for name in "qk")
        yield f"{layer}.self_attn.o_proj.weight", (size.hidden, width)
        for name in ("gate", "up"):
            yield f"{layer}.mlp.{name}_proj.weight", (size.feed_forward, size.hidden)
        yield f"{layer}.mlp.down_proj.weight", (size.hidden, size.feed_forward)
        yield f"{layer}.input_layernorm.weight", (size.hidden,)
        yield f"{layer}.post_attention_layernorm.weight", (size.hidden,)


def _write_safetensors(path: Path, tensors: Iterable[tuple[str, tuple[int, ...]]], dtype: str) -> None:
    code, width = {"float32": ("F32", 4), "bfloat16": ("BF16", 2), "float16": ("F16", 2)}[dtype]
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in tensors:
        size = int(np.prod(shape)) * width
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    head = json.dumps(header).encode()
    random = np.random.default_rng(SEED)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for name, shape in tensors:
            file.write(_encoded(random, name, shape, dtype))


def _encoded(random: np.random.Generator, name: str, shape: tuple[int, ...], dtype: str) -> bytes:
    values = random.standard_normal(shape, np.float32) * np.float32(0.02)
    if len(shape) == 1:
        values = np.zeros(shape, np.float32) if name.endswith(".bias") else np.ones(shape, np.float32)
    if dtype == "float32":
        return values.tobytes()
    if dtype == "float16":
        return values.astype(np.float16).tobytes()
    # The upper half of a 32-bit float is a bfloat16.
    return (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
