"""What a launch is estimated to take: published figures, what the options change, and what can only grow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.estimate import Estimate, cache_per_token, estimate
from biai_xinf.memory import Need
from biai_xinf.quantization import file_size, gguf_mix, repacked_size
from biai_xinf.shapes import Shape, from_config
from biai_xinf.units import GIB, KIB, MIB


def qwen(layers: int, hidden: int, feed_forward: int, heads: int, kv_heads: int, **more: Any) -> Shape:
    config = {
        "model_type": "qwen2",
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intermediate_size": feed_forward,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": 152_064,
        "tie_word_embeddings": False,
        **more,
    }
    return from_config(config)


QWEN_7B = qwen(28, 3584, 18_944, 28, 4)
QWEN_32B = qwen(64, 5120, 27_648, 40, 8)
CODE_LLAMA = qwen(32, 4096, 11_008, 32, 32, model_type="llama", vocab_size=32_016)
QWEN_30B_A3B = qwen(
    48, 2048, 6144, 32, 4, model_type="qwen3_moe", head_dim=128, num_experts=128, num_experts_per_tok=8,
    moe_intermediate_size=768, vocab_size=151_936,
)  # fmt: skip
GEMMA_4B = qwen(
    34, 2560, 10_240, 8, 4, model_type="gemma3_text", head_dim=256, vocab_size=262_208, sliding_window=1024,
    tie_word_embeddings=True,
)  # fmt: skip
SMALL = qwen(12, 768, 2048, 12, 4, vocab_size=49_152, tie_word_embeddings=True)
BERT = qwen(24, 1024, 4096, 16, 16, model_type="xlm-roberta", vocab_size=250_002, max_position_embeddings=8194)

LLAMA_CPP = {"model_format": "ggufv2", "quantization": "q4_k_m", "engine": "llama.cpp"}
VLLM = {"model_format": "pytorch", "quantization": "none", "engine": "vLLM"}
TRANSFORMERS = {"model_format": "pytorch", "quantization": "none", "engine": "Transformers"}
NO_PROMPT_CACHE = {"cache_ram_mib": 0}


def of(
    shape: Shape,
    how: Mapping[str, Any],
    *,
    options: Mapping[str, Any] = NO_PROMPT_CACHE,
    weights: int | None = None,
    context: int = 4096,
    parallel: int = 2,
    gpus: int = 0,
) -> Estimate:
    return estimate(shape, weights=weights, context=context, parallel=parallel, options=options, gpus=gpus, **how)


@pytest.mark.parametrize(
    ("shape", "kib"),
    [(QWEN_7B, 56), (QWEN_30B_A3B, 96), (QWEN_32B, 256), (CODE_LLAMA, 512)],
    ids=["qwen2.5-7b", "qwen3-30b-a3b", "qwen2.5-32b", "codellama-7b"],
)
def test_a_token_of_cache_takes_what_is_published(shape: Shape, kib: int) -> None:
    assert cache_per_token(shape) == kib * KIB


@pytest.mark.parametrize("how", [LLAMA_CPP, VLLM, TRANSFORMERS], ids=["llama.cpp", "vLLM", "Transformers"])
def test_the_cache_holds_the_context_of_every_request(how: Mapping[str, Any]) -> None:
    options = {**NO_PROMPT_CACHE, "torch_dtype": "bfloat16"}

    found = of(QWEN_7B, how, options=options, context=8192, parallel=4)

    assert found.cache == 4 * 8192 * 56 * KIB


@pytest.mark.parametrize(
    ("shape", "quantization", "published"),
    # Bytes of the files Qwen publishes of Qwen2.5-Coder-7B-Instruct-GGUF, and of bartowski's for 32B.
    [
        (QWEN_7B, "q4_k_m", 4.68e9),
        (QWEN_7B, "q5_k_m", 5.44e9),
        (QWEN_7B, "q6_k", 6.25e9),
        (QWEN_7B, "q8_0", 8.1e9),
        (QWEN_32B, "Q4_K_M", 19.85e9),
    ],
)
def test_a_file_of_unknown_size_is_estimated_within_two_percent(
    shape: Shape, quantization: str, published: float
) -> None:
    assert file_size(shape, "ggufv2", quantization) == pytest.approx(published, rel=0.02)


def test_plain_weights_take_two_bytes_each() -> None:
    assert file_size(QWEN_7B, "pytorch", "none") == 2 * QWEN_7B.parameters


@pytest.mark.parametrize(
    ("model_format", "quantization", "bits"),
    [
        ("awq", "Int4", 4.156),
        ("gptq", "Int8", 8.188),
        ("fp8", "fp8", 8.0),
        ("fp4", "none", 4.5),
        ("pytorch", "4-bit", 4.5),
    ],
)
def test_quantized_formats_keep_embeddings_wide(model_format: str, quantization: str, bits: float) -> None:
    linear = QWEN_7B.parameters - QWEN_7B.embedding_parameters

    found = file_size(QWEN_7B, model_format, quantization)

    assert (found * 8 - QWEN_7B.embedding_parameters * 16) / linear == pytest.approx(bits, abs=0.01)


@pytest.mark.parametrize("name", ["UD-Q4_K_XL", "IQ4_XS", "bf16", "q3_k_m", "Q2_K", "q5_0"])
def test_names_of_mixes_that_are_published_are_known(name: str) -> None:
    assert gguf_mix(name)


def test_a_quantization_not_known_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^quantization `q9_z` is not known to us$"):
        gguf_mix("q9_z")


def test_what_the_cpu_interleaves_takes_memory_twice() -> None:
    files = file_size(SMALL, "ggufv2", "q4_0")
    linear = SMALL.parameters - SMALL.embedding_parameters

    assert repacked_size(SMALL, "q4_0") == linear * 4.5 / 8
    assert repacked_size(SMALL, "q8_0") == 0
    assert of(SMALL, {**LLAMA_CPP, "quantization": "q4_0"}).weights == files + repacked_size(SMALL, "q4_0")


@pytest.mark.parametrize(("key", "share"), [(8, 34 / 64), (2, 18 / 64), (0, 2.0)], ids=["q8_0", "q4_0", "f32"])
def test_the_cache_types_of_llama_cpp_are_ggml_s_numbers(key: int, share: float) -> None:
    typed = of(QWEN_7B, LLAMA_CPP, options={**NO_PROMPT_CACHE, "cache_type_k": key, "cache_type_v": key})

    assert typed.cache == share * of(QWEN_7B, LLAMA_CPP).cache


def test_an_eight_bit_cache_of_vllm_is_half() -> None:
    assert of(QWEN_7B, VLLM, options={"kv_cache_dtype": "fp8"}).cache * 2 == of(QWEN_7B, VLLM, options={}).cache


def test_layers_with_a_window_keep_no_more_than_it() -> None:
    short, long = of(GEMMA_4B, LLAMA_CPP, context=16_384), of(GEMMA_4B, LLAMA_CPP, context=32_768)

    full_layers = GEMMA_4B.full_layers * 4 * (256 + 256) * 2

    assert GEMMA_4B.full_layers == 5
    assert long.cache - short.cache == 2 * 16_384 * full_layers


def test_prompts_that_llama_cpp_keeps_count_up_to_their_limit() -> None:
    limited, unlimited = of(SMALL, LLAMA_CPP, options={"cache_ram_mib": 256}), of(SMALL, LLAMA_CPP, options={})

    assert limited.host.total - of(SMALL, LLAMA_CPP).host.total == 256 * MIB
    # Nobody set it: llama.cpp's own default.
    assert unlimited.host.total - of(SMALL, LLAMA_CPP).host.total == 8 * GIB


def test_an_embedding_keeps_no_prompts() -> None:
    assert of(SMALL, LLAMA_CPP, options={"pooling_type": 3}) == of(SMALL, LLAMA_CPP)


def test_a_context_set_by_the_options_is_what_llama_cpp_takes() -> None:
    options = {**NO_PROMPT_CACHE, "n_ctx": 32_768, "n_parallel": 4}

    assert of(QWEN_7B, LLAMA_CPP, options=options).cache == 32_768 * 56 * KIB


def test_transformers_computes_in_32_bits_on_a_cpu_unless_told() -> None:
    half = of(SMALL, TRANSFORMERS, options={"torch_dtype": "bfloat16"})

    assert of(SMALL, TRANSFORMERS, options={}).weights == 2 * half.weights


def test_an_encoder_has_no_cache() -> None:
    for how in (LLAMA_CPP, VLLM, {**TRANSFORMERS, "engine": "sentence_transformers"}):
        assert of(BERT, how).cache == 0


def test_an_encoder_s_buffers_grow_with_the_batch_that_its_context_must_fit_in() -> None:
    small = of(BERT, LLAMA_CPP, context=8192, options={"n_ubatch": 512})
    whole = of(BERT, LLAMA_CPP, context=8192, options={"n_batch": 8192, "n_ubatch": 8192})

    results = (8192 - 512) * (4 * 4096 + 3 * 1024) * 4
    masks = (8192**2 - 512**2) * 2

    assert whole.buffers - small.buffers > results + masks


def test_on_gpus_the_host_keeps_its_process_and_each_gpu_its_share() -> None:
    one, two = of(QWEN_7B, VLLM, options={}, gpus=1), of(QWEN_7B, VLLM, options={}, gpus=2)

    assert one.host.weights == two.host.weights == 0
    assert two.device.weights * 2 == one.device.weights
    assert two.device.cache * 2 == one.device.cache
    assert two.need == Need(memory=two.host.total, gpus=2, vram=two.device.total)


def test_eight_gpus_keep_four_kv_heads_twice() -> None:
    four, eight = of(QWEN_7B, VLLM, options={}, gpus=4), of(QWEN_7B, VLLM, options={}, gpus=8)

    assert eight.device.cache == four.device.cache


def test_a_launch_that_was_measured_on_a_gpu_is_estimated_within_the_bound_and_not_below() -> None:
    # `python bench/memory.py --device gpu` on an H200: Transformers, random weights, 8 requests of 2048 tokens.
    half_billion = qwen(24, 896, 4864, 14, 2, vocab_size=151_936, tie_word_embeddings=True)

    found = of(half_billion, TRANSFORMERS, options={}, weights=942 * MIB, context=2048, parallel=8, gpus=1)

    assert 7296 * MIB <= found.device.total <= 1.08 * 7296 * MIB


def test_without_graphs_vllm_takes_less() -> None:
    eager = of(QWEN_7B, VLLM, options={"enforce_eager": True}, gpus=1)

    assert eager.device.total < of(QWEN_7B, VLLM, options={}, gpus=1).device.total


@given(
    how=st.sampled_from([LLAMA_CPP, VLLM, TRANSFORMERS]),
    shape=st.sampled_from([QWEN_7B, QWEN_30B_A3B, GEMMA_4B, SMALL]),
    gpus=st.sampled_from([0, 1, 2, 4]),
    context=st.integers(1, 65_536),
    more=st.integers(0, 65_536),
    parallel=st.integers(1, 64),
    others=st.integers(0, 64),
)
def test_more_context_or_more_requests_never_take_less(
    how: Mapping[str, Any], shape: Shape, gpus: int, context: int, more: int, parallel: int, others: int
) -> None:
    less = of(shape, how, context=context, parallel=parallel, gpus=gpus)
    longer = of(shape, how, context=context + more, parallel=parallel, gpus=gpus)
    wider = of(shape, how, context=context, parallel=parallel + others, gpus=gpus)

    for bigger in (longer, wider):
        assert bigger.host.total >= less.host.total
        assert bigger.device.total >= less.device.total


@given(
    how=st.sampled_from([LLAMA_CPP, VLLM, TRANSFORMERS]),
    weights=st.integers(10**8, 10**11),
    gpus=st.sampled_from([0, 1, 2, 4]),
)
def test_bigger_files_never_take_less(how: Mapping[str, Any], weights: int, gpus: int) -> None:
    less = of(QWEN_7B, how, weights=weights, gpus=gpus)
    more = of(QWEN_7B, how, weights=weights + GIB, gpus=gpus)

    assert more.need.memory + more.need.vram > less.need.memory + less.need.vram


@given(shape=st.sampled_from([QWEN_7B, QWEN_30B_A3B, GEMMA_4B, CODE_LLAMA]), weights=st.integers(10**9, 10**11))
def test_more_gpus_never_ask_more_of_each(shape: Shape, weights: int) -> None:
    for how in (LLAMA_CPP, VLLM, TRANSFORMERS):
        totals = [of(shape, how, weights=weights, gpus=gpus).device.total for gpus in (1, 2, 4, 8)]

        assert totals == sorted(totals, reverse=True)


def test_parts_add_up_to_what_is_booked() -> None:
    found = of(QWEN_7B, VLLM, options={}, gpus=2)

    parts = found.weights + found.cache + found.buffers + found.process

    assert parts == found.need.memory + 2 * found.need.vram
