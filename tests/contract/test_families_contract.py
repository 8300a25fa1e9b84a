"""What we believe of each architecture, held to the model classes of Transformers: as many parameters and windows."""

from __future__ import annotations

from typing import Any

import pytest

from biai_xinf.families import FAMILIES
from biai_xinf.shapes import from_config

pytestmark = pytest.mark.slow

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 1000,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {"num_key_value_heads": 2, "head_dim": 32}
EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
SHARED = {**EXPERTS, "shared_expert_intermediate_size": 48}
LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": None,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
}
MORE: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 2},
    "mixtral": {"num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2": {"num_key_value_heads": 2},
    "qwen2_moe": {"num_key_value_heads": 2, **SHARED},
    "qwen3": GROUPED,
    "qwen3_moe": {**GROUPED, **EXPERTS},
    "qwen3_next": {**GROUPED, **SHARED, **LINEAR},
    "qwen3_5": {**GROUPED, **LINEAR},
    "qwen3_5_moe": {**GROUPED, **SHARED, **LINEAR},
    "gemma": GROUPED,
    "gemma2": {**GROUPED, "sliding_window": 64},
    "gemma3": {**GROUPED, "sliding_window": 64},
    "deepseek_v2": LATENT,
    "deepseek_v3": {**LATENT, "q_lora_rank": 24, "n_group": 1, "topk_group": 1},
    "modernbert": {"cls_token_id": 1, "sep_token_id": 2},
}
# The names of the parts of models that also see.
PARTS = {"qwen3_5": "qwen3_5_text", "qwen3_5_moe": "qwen3_5_moe_text", "gemma3": "gemma3_text"}
# The biases of its experts, which we leave out, weigh more in one this small.
ROUGH = {"gpt_oss": 0.02}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_as_many_parameters_as_its_class(family: str) -> None:
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    if PARTS.get(family, family) not in transformers.CONFIG_MAPPING:
        pytest.skip(f"this Transformers has no {family}")
    config = transformers.AutoConfig.for_model(PARTS.get(family, family), **SMALL, **MORE.get(family, {}))
    auto = transformers.AutoModel if FAMILIES[family].encoder else transformers.AutoModelForCausalLM

    with torch.device("meta"):
        model = auto.from_config(config)

    assert from_config(config.to_dict()).parameters == pytest.approx(model.num_parameters(), rel=ROUGH.get(family, 0))
