"""How many bytes a quantization makes of a shape's weights, where nobody told the size of the files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from biai_xinf.shapes import Shape

# Bits per weight of ggml's types: the bytes of a block by the weights in it, as `gguf.GGML_QUANT_SIZES` 0.19 has them.
GGML_BITS = {
    "f32": 32.0, "f16": 16.0, "bf16": 16.0,
    "q8_0": 8.5, "q5_1": 6.0, "q5_0": 5.5, "q4_1": 5.0, "q4_0": 4.5, "mxfp4": 4.25,
    "q6_k": 6.5625, "q5_k": 5.5, "q4_k": 4.5, "q3_k": 3.4375, "q2_k": 2.625,
    "iq4_nl": 4.5, "iq4_xs": 4.25, "iq3_s": 3.4375, "iq3_xxs": 3.0625, "iq2_s": 2.5625, "iq2_xs": 2.3125,
    "iq2_xxs": 2.0625, "iq1_m": 1.75, "iq1_s": 1.5625,
}  # fmt: skip
# What llama.cpp's CPU backend keeps a second time, with its rows interleaved for AVX2 (`ggml-cpu/repack.cpp`).
REPACKED = {"q4_0", "q4_k", "iq4_nl", "mxfp4"}

# Bits per weight of the linear layers in the formats of Hugging Face; embeddings stay at 16. With groups of 128, AWQ
# and GPTQ keep a scale of 16 bits and a zero of as many bits as a weight has; NF4 a 32-bit scale per 64 weights; NVFP4
# an 8-bit scale per 16.
_LINEAR_BITS = {"awq": (4, 128), "gptq": (4, 128), "bnb": (4, 64), "fp4": (4, 16), "fp8": (8, 0)}


@dataclass(frozen=True)
class Mix:
    """The types that llama.cpp's quantizer picks: of most matrices, of attention values and `down` projections in
    `share` of the layers, and of the output embedding (`llama_tensor_get_type` in `llama-quant.cpp`).
    """

    plain: str
    better: str
    share: float
    output: str


def gguf_mix(quantization: str) -> Mix:
    """The mix behind a name such as `q4_k_m` or `UD-Q5_K_XL`; ValueError for one not known to us."""
    name = quantization.lower().removeprefix("ud-").replace("_xl", "_l")
    plain = re.sub(r"(_k)_[sml]$", r"\1", name)
    if plain not in GGML_BITS:
        raise ValueError(f"quantization `{quantization}` is not known to us")
    if plain in ("f32", "f16", "bf16", "q8_0"):
        return Mix(plain, plain, 0.0, plain)
    better = {"q2_k": "q3_k", "q3_k": "q4_k", "q4_k": "q6_k", "q5_k": "q6_k"}.get(plain, plain)
    share = {"_m": 0.5, "_l": 1.0}.get(name[len(plain) :], 0.0)
    return Mix(plain, better, 1.0 if name == "q2_k" else share, "q6_k")


def file_size(shape: Shape, model_format: str, quantization: str) -> int:
    """Bytes of the files, by the parameters of the shape and the bits of the format."""
    if model_format == "ggufv2":
        mix = gguf_mix(quantization)
        embeddings = shape.vocab * shape.hidden
        # A tied embedding is stored once, as the output is.
        bits = embeddings * GGML_BITS[mix.output] + (0 if shape.tied else embeddings * GGML_BITS[mix.plain])
        return round((bits + _linear(shape) * _linear_bits(shape, mix)) / 8)
    if model_format == "mlx":
        # Groups of 64 with a scale and a bias of 16 bits each, in embeddings as well.
        return round(shape.parameters * (_told_bits(quantization, 4) + 0.5) / 8)
    if model_format == "pytorch" and not re.fullmatch(r"[48]-bit", quantization):
        return shape.parameters * dtype_bytes(shape.dtype)
    bits, group = _LINEAR_BITS.get(model_format, (4, 64))
    bits = _told_bits(quantization, bits)
    scales = {"awq": 16 + bits, "gptq": 16 + bits, "fp4": 8, "fp8": 0}.get(model_format, 32)
    per_weight = bits + (scales / group if group else 0)
    return round((shape.embedding_parameters * 16 + _linear(shape) * per_weight) / 8)


def repacked_size(shape: Shape, quantization: str) -> int:
    """Bytes that llama.cpp's CPU backend interleaves into a second copy; input embeddings are never multiplied."""
    mix = gguf_mix(quantization)
    better = _better_parameters(shape) * mix.share
    bits = (_linear(shape) - better) * GGML_BITS[mix.plain] * (mix.plain in REPACKED)
    return round((bits + better * GGML_BITS[mix.better] * (mix.better in REPACKED)) / 8)


def dtype_bytes(dtype: str | None) -> int:
    """Of one weight: 2 unless it is said to be wider or narrower."""
    if dtype in ("float32", "float"):
        return 4
    return 1 if dtype and "float8" in dtype else 2


def _told_bits(quantization: str, otherwise: int) -> int:
    """The number in `Int4`, `4bit` or `8-bit`."""
    found = re.search(r"\d+", quantization)
    return int(found[0]) if found else otherwise


def _linear(shape: Shape) -> int:
    return shape.parameters - shape.embedding_parameters


def _linear_bits(shape: Shape, mix: Mix) -> float:
    better = mix.share * _better_parameters(shape) / _linear(shape)
    return better * GGML_BITS[mix.better] + (1 - better) * GGML_BITS[mix.plain]


def _better_parameters(shape: Shape) -> int:
    """Attention values and `down` projections of all layers."""
    values = shape.attention_layers * shape.hidden * shape.kv_heads * shape.value_dim
    experts = shape.experts
    down = (shape.layers - (experts.layers if experts else 0)) * shape.hidden * shape.feed_forward
    if experts:
        width = experts.count * experts.feed_forward + experts.shared_feed_forward
        down += experts.layers * shape.hidden * width
    return values + down
