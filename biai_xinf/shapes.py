"""The shape of a model: what of its architecture decides how much memory it takes.

Read from a `config.json`, from a file of `model_specs/shapes/`, or from weights that lie on this machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError, field_validator

from biai_xinf import yamlfile
from biai_xinf.errors import BadFile
from biai_xinf.families import FAMILIES, Family
from biai_xinf.model_config import ModelConfig, WrittenConfig
from biai_xinf.strict import Strict


@dataclass(frozen=True)
class Experts:
    """The feed-forward layers of which every token uses a few: sizes are those of one expert."""

    layers: int
    count: int
    used: int
    feed_forward: int
    shared_feed_forward: int = 0


@dataclass(frozen=True)
class Latent:
    """Attention that keeps, per token and layer, one latent of `rank` values and `rope_dim` rotary ones (MLA)."""

    rank: int
    rope_dim: int


@dataclass(frozen=True)
class Recurrent:
    """Linear-attention layers: they keep a state of one size per sequence, however long it grows."""

    layers: int
    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    kernel: int

    @property
    def channels(self) -> int:
        """Values that the convolution before the state passes on per token."""
        return 2 * self.key_heads * self.key_dim + self.value_heads * self.value_dim

    @property
    def bytes_per_sequence(self) -> int:
        """The state of one sequence in all these layers, in float32 as llama.cpp keeps it."""
        conv = (self.kernel - 1) * self.channels
        return 4 * self.layers * (conv + self.value_heads * self.key_dim * self.value_dim)


@dataclass(frozen=True)
class Shape:
    """A model's architecture. `feed_forward` is the width of a dense layer, 0 where all layers have experts."""

    model_type: str
    kind: Literal["decoder", "encoder"]
    layers: int
    hidden: int
    feed_forward: int
    heads: int
    kv_heads: int
    key_dim: int
    value_dim: int
    vocab: int
    # Input and output embeddings are one matrix; an encoder has no output embeddings.
    tied: bool
    # All of them; a part that sees or hears is not counted.
    parameters: int
    max_context: int | None = None
    # Of the layers with attention, so many look back no further than `window` tokens.
    window: int | None = None
    window_layers: int = 0
    experts: Experts | None = None
    latent: Latent | None = None
    recurrent: Recurrent | None = None
    # Of the published weights, such as `bfloat16`.
    dtype: str | None = None

    @property
    def attention_layers(self) -> int:
        """Layers with a KV cache, with a window or without."""
        return self.layers - (self.recurrent.layers if self.recurrent else 0)

    @property
    def full_layers(self) -> int:
        """Layers whose KV cache grows with the whole context."""
        return self.attention_layers - self.window_layers

    @property
    def embedding_parameters(self) -> int:
        """Those of the token embeddings, input and output: most quantizations treat them apart."""
        return self.vocab * self.hidden * (1 if self.tied else 2)


def from_config(config: Mapping[str, Any]) -> Shape:
    """The shape that a `config.json` describes; ValueError says in one sentence what is missing or unknown."""
    try:
        return _shape(ModelConfig.model_validate(config))
    except ValidationError as error:
        raise ValueError(_one_sentence(error)) from error


class _ShapeFile(Strict):
    source: str
    config: WrittenConfig

    @field_validator("config")
    @classmethod
    def _describes_a_shape(cls, config: WrittenConfig) -> WrittenConfig:
        _shape(config)
        return config


_SHAPE_FILE = TypeAdapter(_ShapeFile)


def load_shape(path: Path) -> Shape:
    """The shape in a file of `shapes/`; BadFile says in which line it is wrong."""
    return _shape(yamlfile.load(path, _SHAPE_FILE).config)


def _one_sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"`{field}` is missing"
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    return f"`{field}`: {first['msg'][0].lower()}{first['msg'][1:]}, found `{first['input']}`"


def _shape(config: ModelConfig) -> Shape:
    family = _family(config)
    key_dim, value_dim = _head_dims(config)
    experts = _experts(config)
    if config.intermediate_size is None and (experts is None or experts.layers < config.num_hidden_layers):
        raise ValueError("`intermediate_size` is missing")
    windowed = _layers_of("sliding_attention", config, family) if config.sliding_window else 0
    tied = config.tie_word_embeddings if config.tie_word_embeddings is not None else family.tied
    return Shape(
        model_type=config.model_type,
        kind="encoder" if family.encoder else "decoder",
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        feed_forward=config.intermediate_size or 0,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads or config.num_attention_heads,
        key_dim=key_dim,
        value_dim=value_dim,
        vocab=config.vocab_size,
        tied=tied or family.encoder,
        parameters=_parameters(config, family, experts, tied=tied),
        max_context=config.max_position_embeddings,
        window=config.sliding_window if windowed else None,
        window_layers=windowed,
        experts=experts,
        latent=_latent(config),
        recurrent=_recurrent(config, family),
        dtype=config.dtype,
    )


def _family(config: ModelConfig) -> Family:
    # A model that also sees names its language part so: `qwen3_5_text` inside `qwen3_5`.
    family = FAMILIES.get(config.model_type.removesuffix("_text"))
    if family is None:
        raise ValueError(f"architecture `{config.model_type}` is not known to us")
    return family


def _head_dims(config: ModelConfig) -> tuple[int, int]:
    """Width of one head's key and value."""
    if config.kv_lora_rank is not None:
        return _told(config, "qk_nope_head_dim") + _told(config, "qk_rope_head_dim"), _told(config, "v_head_dim")
    width = config.head_dim or config.hidden_size // config.num_attention_heads
    return width, width


def _latent(config: ModelConfig) -> Latent | None:
    if config.kv_lora_rank is None:
        return None
    return Latent(config.kv_lora_rank, _told(config, "qk_rope_head_dim"))


def _experts(config: ModelConfig) -> Experts | None:
    if not config.num_experts:
        return None
    width = config.moe_intermediate_size or _told(config, "intermediate_size")
    return Experts(
        layers=sum(_has_experts(config, layer) for layer in range(config.num_hidden_layers)),
        count=config.num_experts,
        used=_told(config, "num_experts_per_tok"),
        feed_forward=width,
        shared_feed_forward=config.shared_expert_intermediate_size or width * (config.n_shared_experts or 0),
    )


def _has_experts(config: ModelConfig, layer: int) -> bool:
    return (
        layer >= config.first_k_dense_replace
        and layer not in config.mlp_only_layers
        and layer % config.moe_layer_freq == 0
        and (layer + 1) % config.decoder_sparse_step == 0
    )


def _recurrent(config: ModelConfig, family: Family) -> Recurrent | None:
    layers = _layers_of("linear_attention", config, family)
    if not layers:
        return None
    return Recurrent(
        layers=layers,
        key_heads=_told(config, "linear_num_key_heads"),
        value_heads=_told(config, "linear_num_value_heads"),
        key_dim=_told(config, "linear_key_head_dim"),
        value_dim=_told(config, "linear_value_head_dim"),
        kernel=_told(config, "linear_conv_kernel_dim"),
    )


def _layers_of(kind: str, config: ModelConfig, family: Family) -> int:
    known = {"full_attention", "sliding_attention", "linear_attention"}
    unknown = sorted(set(config.layer_types or ()) - known)
    if unknown:
        raise ValueError(f"layers of the type `{unknown[0]}` are not known to us")
    if config.layer_types is not None:
        return config.layer_types.count(kind)
    layers = range(config.num_hidden_layers)
    if kind == "linear_attention":
        interval = config.full_attention_interval or family.full_attention_interval
        return sum((layer + 1) % interval != 0 for layer in layers) if interval else 0
    return sum(_has_window(config, family, layer) for layer in layers)


def _has_window(config: ModelConfig, family: Family, layer: int) -> bool:
    if family.windows_by_switch:
        return bool(config.use_sliding_window) and layer >= (config.max_window_layers or 0)
    if config.use_sliding_window is False:
        return False
    pattern = config.sliding_window_pattern or family.sliding_window_pattern
    return pattern is None or (layer + 1) % pattern != 0


def _parameters(config: ModelConfig, family: Family, experts: Experts | None, *, tied: bool) -> int:
    hidden, layers = config.hidden_size, config.num_hidden_layers
    recurrent = _recurrent(config, family)
    linear_layers = recurrent.layers if recurrent else 0
    expert_layers = experts.layers if experts else 0
    tables = config.vocab_size * (1 if tied or family.encoder else 2) + config.type_vocab_size
    if family.learned_positions:
        tables += config.max_position_embeddings or 0
    norm = hidden * (2 if family.norm_bias else 1)
    return (
        hidden * tables
        + (layers - linear_layers) * _attention(config, family)
        + (linear_layers * _linear_attention(hidden, recurrent) if recurrent else 0)
        + (layers - expert_layers) * _feed_forward(hidden, config.intermediate_size or 0, family)
        + (expert_layers * _expert_layer(hidden, experts, family) if experts else 0)
        + norm * (layers * family.norms + 1)
        + (hidden * hidden + hidden if family.pooler else 0)
    )


def _attention(config: ModelConfig, family: Family) -> int:
    hidden, heads = config.hidden_size, config.num_attention_heads
    key_dim, value_dim = _head_dims(config)
    if config.kv_lora_rank is not None:
        return _latent_attention(config, key_dim, value_dim)
    kv_heads = config.num_key_value_heads or heads
    queries = heads * key_dim * (2 if family.gated_queries else 1)
    projected = queries + kv_heads * (key_dim + value_dim)
    outputs = heads * value_dim * hidden
    bias = projected if family.qkv_bias or config.attention_bias else 0
    if family.output_bias or (config.attention_bias and not family.qkv_bias):
        bias += hidden
    return hidden * projected + outputs + bias + (2 * key_dim if family.qk_norm else 0)


def _latent_attention(config: ModelConfig, key_dim: int, value_dim: int) -> int:
    hidden, heads = config.hidden_size, config.num_attention_heads
    rank, rope = _told(config, "kv_lora_rank"), _told(config, "qk_rope_head_dim")
    queries = hidden * heads * key_dim
    if config.q_lora_rank is not None:
        queries = config.q_lora_rank * (hidden + 1 + heads * key_dim)
    down = hidden * (rank + rope) + rank
    up = rank * heads * (key_dim - rope + value_dim)
    return queries + down + up + heads * value_dim * hidden


def _linear_attention(hidden: int, layer: Recurrent) -> int:
    values = layer.value_heads * layer.value_dim
    inward = hidden * (layer.channels + values + 2 * layer.value_heads)
    return inward + layer.channels * layer.kernel + 2 * layer.value_heads + layer.value_dim + values * hidden


def _feed_forward(hidden: int, width: int, family: Family) -> int:
    matrices = 3 if family.gated else 2
    return matrices * hidden * width + (width + hidden if family.feed_forward_bias else 0)


def _expert_layer(hidden: int, experts: Experts, family: Family) -> int:
    one = _feed_forward(hidden, experts.feed_forward, family)
    shared = _feed_forward(hidden, experts.shared_feed_forward, family) if experts.shared_feed_forward else 0
    gate = hidden if shared and family.gated_shared_expert else 0
    return experts.count * (one + hidden) + shared + gate


def _told(config: ModelConfig, key: str) -> int:
    value = getattr(config, key)
    if value is None:
        raise ValueError(f"`{key}` is missing")
    return int(value)


@dataclass(frozen=True)
class LocalWeights:
    """Weights that lie on this machine. `size` is what their files take, in bytes."""

    shape: Shape
    size: int
    format: str
    quantization: str


def read_local(path: Path) -> LocalWeights:
    """The weights in a `.gguf` file, alone in a folder or named, or in a folder with `config.json` and safetensors.

    BadFile where there are none, or none that we can read.
    """
    if path.is_dir() and ((path / "config.json").exists() or not any(path.glob("*.gguf"))):
        return _read_folder(path)
    if path.is_dir():
        path = _only_gguf(path)
    # Imported here: only GGUF files need the library and numpy, which take a tenth of a second.
    from biai_xinf.gguf_file import read_gguf

    found = read_gguf(path)
    return LocalWeights(_shape_of(path, found.config), found.size, "ggufv2", found.quantization)


def _only_gguf(folder: Path) -> Path:
    # Of a split model, the first part stands for all.
    models = [file for file in sorted(folder.glob("*.gguf")) if not re.search(r"-(?!00001)\d{5}-of-\d{5}$", file.stem)]
    if len(models) != 1:
        names = ", ".join(f"`{file.name}`" for file in models)
        raise BadFile(
            f"{folder}: holds {len(models)} GGUF models", details=[names] if names else [], hint="name one of them"
        )
    return models[0]


def _read_folder(folder: Path) -> LocalWeights:
    config = _read_json(folder / "config.json")
    files = _weight_files(folder)
    size = sum(file.stat().st_size for file in files)
    model_format, quantization = _quantization(config)
    return LocalWeights(_shape_of(folder / "config.json", config), size, model_format, quantization)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        files = [folder / name for name in sorted(set(_read_json(index).get("weight_map", {}).values()))]
    else:
        files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        raise BadFile(f"{folder}: holds no safetensors", hint="the download may not have ended")
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise BadFile(f"{folder}: `{missing[0]}` is missing", hint="the download may not have ended")
    return files


def _quantization(config: Mapping[str, Any]) -> tuple[str, str]:
    """Format and quantization, as Xinference's catalogue spells them."""
    told = config.get("quantization_config")
    if isinstance(config.get("quantization"), Mapping):
        return "mlx", f"{config['quantization'].get('bits')}bit"
    if not isinstance(told, Mapping):
        return "pytorch", "none"
    method = str(told.get("quant_method", "unknown"))
    if method == "fp8":
        return "fp8", "fp8"
    if method == "bitsandbytes":
        return "bnb", "4-bit" if told.get("load_in_4bit") else "8-bit"
    return method, f"Int{told['bits']}" if "bits" in told else "unknown"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BadFile(f"{path}: is not JSON") from error
    if not isinstance(data, dict):
        raise BadFile(f"{path}: is no JSON object")
    return data


def _shape_of(path: Path, config: Mapping[str, Any]) -> Shape:
    try:
        return from_config(config)
    except ValueError as error:
        raise BadFile(f"{path}: {error}") from error
