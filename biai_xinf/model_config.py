"""The keys of a Hugging Face `config.json` that decide a model's memory; a person's spelling of them is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PositiveInt, model_validator


class ModelConfig(BaseModel):
    """A `config.json`, its other keys ignored; a model that also sees has those of its language under `text_config`."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    model_type: str
    hidden_size: PositiveInt = Field(validation_alias=AliasChoices("hidden_size", "n_embd"))
    num_hidden_layers: PositiveInt = Field(validation_alias=AliasChoices("num_hidden_layers", "n_layer"))
    num_attention_heads: PositiveInt = Field(validation_alias=AliasChoices("num_attention_heads", "n_head"))
    vocab_size: PositiveInt
    num_key_value_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    intermediate_size: PositiveInt | None = Field(None, validation_alias=AliasChoices("intermediate_size", "n_inner"))
    max_position_embeddings: PositiveInt | None = Field(
        None, validation_alias=AliasChoices("max_position_embeddings", "n_positions")
    )
    type_vocab_size: int = 0
    tie_word_embeddings: bool | None = None
    attention_bias: bool | None = None
    dtype: str | None = Field(None, validation_alias=AliasChoices("dtype", "torch_dtype"))

    sliding_window: int | None = None
    use_sliding_window: bool | None = None
    max_window_layers: int | None = None
    layer_types: list[str] | None = None
    sliding_window_pattern: PositiveInt | None = Field(
        None, validation_alias=AliasChoices("sliding_window_pattern", "_sliding_window_pattern")
    )

    num_experts: int | None = Field(
        None, validation_alias=AliasChoices("num_experts", "num_local_experts", "n_routed_experts")
    )
    num_experts_per_tok: int | None = None
    moe_intermediate_size: PositiveInt | None = None
    shared_expert_intermediate_size: int | None = None
    n_shared_experts: int | None = None
    first_k_dense_replace: int = 0
    moe_layer_freq: PositiveInt = 1
    decoder_sparse_step: PositiveInt = 1
    mlp_only_layers: list[int] = Field([])

    kv_lora_rank: PositiveInt | None = None
    q_lora_rank: PositiveInt | None = None
    qk_rope_head_dim: PositiveInt | None = None
    qk_nope_head_dim: PositiveInt | None = None
    v_head_dim: PositiveInt | None = None

    full_attention_interval: PositiveInt | None = None
    linear_num_key_heads: PositiveInt | None = None
    linear_num_value_heads: PositiveInt | None = None
    linear_key_head_dim: PositiveInt | None = None
    linear_value_head_dim: PositiveInt | None = None
    linear_conv_kernel_dim: PositiveInt | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_the_language_model(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(data.get("text_config"), Mapping):
            return data
        outer = {key: value for key, value in data.items() if key != "text_config"}
        return {**outer, **data["text_config"]}

    @model_validator(mode="after")
    def _heads_divide(self) -> ModelConfig:
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"`head_dim` is missing: `hidden_size` {self.hidden_size} does not divide by "
                f"{self.num_attention_heads} heads"
            )
        if self.layer_types is not None and len(self.layer_types) != self.num_hidden_layers:
            raise ValueError(f"`layer_types` tells {len(self.layer_types)} layers of {self.num_hidden_layers}")
        return self


class WrittenConfig(ModelConfig):
    """The same, as a person writes it into a shape file: a key that decides nothing is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
