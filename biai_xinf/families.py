"""What the architectures we know do differently, and their `config.json` does not say.

`tests/contract/test_families_contract.py` holds them to the model classes of Transformers. Left out, as too small to
matter: the biases of gpt_oss's experts.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One architecture, by its difference from Llama's: RMS norms, a gated feed-forward layer, no biases."""

    encoder: bool = False
    tied: bool = False
    norms: int = 2
    norm_bias: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: bool = False
    gated_queries: bool = False
    gated: bool = True
    feed_forward_bias: bool = False
    gated_shared_expert: bool = False
    learned_positions: bool = False
    pooler: bool = False
    # Every nth layer has no window; None where all layers are alike.
    sliding_window_pattern: int | None = None
    # `use_sliding_window` and `max_window_layers` decide, whatever `sliding_window` says.
    windows_by_switch: bool = False
    # Every nth layer has attention, the others are recurrent.
    full_attention_interval: int | None = None


_BERT = Family(
    encoder=True,
    norm_bias=True,
    qkv_bias=True,
    output_bias=True,
    gated=False,
    feed_forward_bias=True,
    learned_positions=True,
    pooler=True,
)
_QWEN3 = Family(qk_norm=True, windows_by_switch=True)
_QWEN3_HYBRID = Family(qk_norm=True, gated_queries=True, gated_shared_expert=True, full_attention_interval=4)

FAMILIES = {
    "llama": Family(),
    "mistral": Family(),
    "ministral3": Family(),
    "mixtral": Family(),
    "phi3": Family(),
    "qwen2": Family(qkv_bias=True, windows_by_switch=True),
    "qwen2_moe": Family(qkv_bias=True, windows_by_switch=True, gated_shared_expert=True),
    "qwen3": _QWEN3,
    "qwen3_moe": _QWEN3,
    "qwen3_next": _QWEN3_HYBRID,
    "qwen3_5": _QWEN3_HYBRID,
    "qwen3_5_moe": _QWEN3_HYBRID,
    "gemma": Family(tied=True),
    "gemma2": Family(tied=True, norms=4, sliding_window_pattern=2),
    "gemma3": Family(tied=True, norms=4, qk_norm=True, sliding_window_pattern=6),
    "deepseek_v2": Family(),
    "deepseek_v3": Family(),
    "gpt_oss": Family(qkv_bias=True, output_bias=True, sliding_window_pattern=2),
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "nomic_bert": Family(encoder=True, norm_bias=True),
    "modernbert": Family(encoder=True),
}
