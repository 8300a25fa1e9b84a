"""Shapes: what a model's configuration, our shape files and the files of its weights say of its memory."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biai_xinf.catalogue import shipped_specs
from biai_xinf.errors import BadFile
from biai_xinf.shapes import Experts, Recurrent, from_config, load_shape, read_local
from tests.tiny_models import tiny_embedding_gguf, tiny_llm_gguf

QWEN2_7B = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
    "max_position_embeddings": 32768,
    "sliding_window": 131072,
    "use_sliding_window": False,
    "max_window_layers": 28,
}
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 100,
}
# The published totals are those of the safetensors at Hugging Face, as its pages count them.
PUBLISHED = {
    "Qwen2.5-7B": (QWEN2_7B, 7_615_616_512),
    "Llama-3-8B": (
        {
            "model_type": "llama",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 128256,
        },
        8_030_261_248,
    ),
    "Qwen3-30B-A3B": (
        {
            "model_type": "qwen3_moe",
            "hidden_size": 2048,
            "intermediate_size": 6144,
            "moe_intermediate_size": 768,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "num_hidden_layers": 48,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "head_dim": 128,
            "vocab_size": 151936,
            "tie_word_embeddings": False,
        },
        30_532_122_624,
    ),
    "DeepSeek-V2-Lite": (
        {
            "model_type": "deepseek_v2",
            "hidden_size": 2048,
            "intermediate_size": 10944,
            "moe_intermediate_size": 1408,
            "n_routed_experts": 64,
            "n_shared_experts": 2,
            "num_experts_per_tok": 6,
            "first_k_dense_replace": 1,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "kv_lora_rank": 512,
            "q_lora_rank": None,
            "qk_rope_head_dim": 64,
            "qk_nope_head_dim": 128,
            "v_head_dim": 128,
            "vocab_size": 102400,
        },
        15_706_484_224,
    ),
    "XLM-R large": (
        {
            "model_type": "xlm-roberta",
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "vocab_size": 250002,
            "max_position_embeddings": 514,
            "type_vocab_size": 1,
        },
        559_890_432,
    ),
    "nomic-embed-text-v1.5": (
        {
            "model_type": "nomic_bert",
            "n_embd": 768,
            "n_inner": 3072,
            "n_layer": 12,
            "n_head": 12,
            "n_positions": 8192,
            "vocab_size": 30528,
            "type_vocab_size": 2,
        },
        136_731_648,
    ),
}
# Of Qwen3.5-27B Xinference 4.1.0 keeps these figures, and the bytes of its weights in bfloat16: 55 562 872 800.
HYBRID = {
    "model_type": "qwen3_5",
    "text_config": {
        "model_type": "qwen3_5_text",
        "hidden_size": 5120,
        "intermediate_size": 17408,
        "num_hidden_layers": 64,
        "num_attention_heads": 24,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 248320,
        "full_attention_interval": 4,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 48,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
    },
}


@pytest.mark.parametrize(("config", "published"), PUBLISHED.values(), ids=PUBLISHED)
def test_parameters_are_as_many_as_published(config: dict[str, Any], published: int) -> None:
    assert from_config(config).parameters == published


def test_a_hybrids_language_model_is_nearly_all_of_its_files() -> None:
    # Their rest is what sees, and the head that predicts a token ahead.
    share = from_config(HYBRID).parameters * 2 / 55_562_872_800

    assert 0.95 < share < 1


def test_a_hybrid_keeps_a_state_in_three_layers_of_four() -> None:
    shape = from_config(HYBRID)

    assert shape.recurrent == Recurrent(48, 16, 48, 128, 128, 4)
    assert shape.attention_layers == 16
    assert shape.recurrent.bytes_per_sequence == 48 * 4 * (48 * 128 * 128 + 3 * (2 * 16 * 128 + 48 * 128))


def test_the_language_model_inside_another_is_read() -> None:
    assert from_config(HYBRID) == from_config(HYBRID["text_config"])


@pytest.mark.parametrize(
    ("more", "window", "layers"),
    [
        ({"model_type": "llama"}, None, 0),
        ({"model_type": "mistral", "sliding_window": 16}, 16, 4),
        ({"model_type": "mistral", "sliding_window": None}, None, 0),
        ({"model_type": "qwen2", "sliding_window": 16}, None, 0),
        ({"model_type": "qwen2", "sliding_window": 16, "use_sliding_window": True, "max_window_layers": 3}, 16, 1),
        ({"model_type": "gemma2", "sliding_window": 16}, 16, 2),
        ({"model_type": "gemma3", "sliding_window": 16, "sliding_window_pattern": 4}, 16, 3),
        (
            {
                "model_type": "gpt_oss",
                "sliding_window": 16,
                "layer_types": ["sliding_attention", "full_attention", "full_attention", "full_attention"],
            },
            16,
            1,
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_layers_with_a_window_are_counted(more: dict[str, Any], window: int | None, layers: int) -> None:
    shape = from_config({**LLAMA, **more})

    assert (shape.window, shape.window_layers, shape.full_layers) == (window, layers, 4 - layers)


def test_experts_are_in_the_layers_the_config_says() -> None:
    experts = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}

    shape = from_config({**LLAMA, "model_type": "qwen3_moe", **experts, "mlp_only_layers": [0]})

    assert shape.experts == Experts(layers=3, count=8, used=2, feed_forward=32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_size": None}, "`hidden_size`: input should be a valid integer, found `None`"),
        ({"num_attention_heads": 0}, "`num_attention_heads`: input should be greater than 0, found `0`"),
        ({"num_attention_heads": 3}, "`head_dim` is missing: `hidden_size` 64 does not divide by 3 heads"),
        ({"intermediate_size": None}, "`intermediate_size` is missing"),
        ({"model_type": "rwkv6"}, "architecture `rwkv6` is not known to us"),
        ({"layer_types": ["full_attention"]}, "`layer_types` tells 1 layers of 4"),
        ({"layer_types": ["mamba"] * 4}, "layers of the type `mamba` are not known to us"),
        ({"kv_lora_rank": 16}, "`qk_nope_head_dim` is missing"),
        ({"num_experts": 4}, "`num_experts_per_tok` is missing"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_config_that_is_not_understood_is_one_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        from_config({**LLAMA, **change})

    assert str(caught.value) == said


@given(st.dictionaries(st.sampled_from([*LLAMA, "layer_types", "num_experts"]), st.none() | st.integers(-2, 300)))
def test_any_config_is_a_shape_or_one_sentence(change: dict[str, Any]) -> None:
    said = None
    try:
        shape = from_config({**LLAMA, **change})
    except ValueError as error:
        said = str(error)

    assert "\n" not in said if said else shape.parameters > 0


@given(layers=st.integers(1, 200), hidden=st.integers(1, 64), kv_heads=st.integers(1, 8))
def test_more_layers_are_more_parameters(layers: int, hidden: int, kv_heads: int) -> None:
    config = {**LLAMA, "hidden_size": hidden * 4, "num_key_value_heads": kv_heads}

    fewer, more = (from_config({**config, "num_hidden_layers": count}) for count in (layers, layers + 1))

    assert more.parameters > fewer.parameters > fewer.embedding_parameters


@pytest.mark.parametrize("file", sorted((shipped_specs() / "shapes").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_shape_is_right(file: Path) -> None:
    assert load_shape(file).parameters > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source: card\nconfig:\n  model_type: llama\n  hiden_size: 64\n", "4: config.hiden_size: unknown field"),
        ("source: card\nconfig: {model_type: rwkv6}\n", "2: config.hidden_size: missing"),
        ("config: {}\n", "1: source: missing"),
    ],
    ids=["misspelt", "incomplete", "unsourced"],
)
def test_a_wrong_shape_file_says_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(BadFile) as caught:
        load_shape(file)

    assert f"{file}:{said}" in [caught.value.message, *(line.removeprefix("also ") for line in caught.value.details)]


def test_a_gguf_file_tells_its_shape_size_and_quantization(tmp_path: Path) -> None:
    file = tiny_llm_gguf(tmp_path)

    local = read_local(file)

    assert (local.format, local.quantization, local.size) == ("ggufv2", "f16", file.stat().st_size)
    assert (local.shape.kind, local.shape.layers, local.shape.hidden, local.shape.tied) == ("decoder", 1, 32, False)
    assert local.shape.parameters == sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(file).tensors)


def test_a_gguf_file_of_an_encoder_is_one(tmp_path: Path) -> None:
    assert read_local(tiny_embedding_gguf(tmp_path)).shape.kind == "encoder"


def test_a_gguf_file_alone_in_its_folder_is_found(tmp_path: Path) -> None:
    file = tiny_llm_gguf(tmp_path)

    assert read_local(tmp_path) == read_local(file)


def test_of_several_gguf_files_one_must_be_named(tmp_path: Path) -> None:
    tiny_llm_gguf(tmp_path, "a.gguf")
    tiny_llm_gguf(tmp_path, "b.gguf")

    with pytest.raises(BadFile) as caught:
        read_local(tmp_path)

    assert str(caught.value) == f"{tmp_path}: holds 2 GGUF models\n  `a.gguf`, `b.gguf`\n\nhint: name one of them"


def big_vocabulary(path: Path, architecture: str = "qwen3moe", **more: Any) -> Path:
    """A file with 150 000 tokens, of an architecture with experts."""
    writer = gguf.GGUFWriter(path, architecture, **more)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_key_length(32)
    writer.add_expert_count(4)
    writer.add_expert_used_count(2)
    writer.add_expert_feed_forward_length(48)
    writer.add_token_list([f"token {number}" for number in range(150_000)])
    writer.add_token_scores([0.0] * 150_000)
    writer.add_context_length(4096)
    writer.add_tensor("token_embd.weight", np.zeros((150_000, 64), np.float16))
    writer.add_tensor("output_norm.weight", np.ones(64, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("order", [gguf.GGUFEndian.LITTLE, gguf.GGUFEndian.BIG], ids=["little", "big"])
def test_a_vocabulary_is_stepped_over(tmp_path: Path, order: gguf.GGUFEndian) -> None:
    local = read_local(big_vocabulary(tmp_path / "big.gguf", endianess=order))

    assert (local.shape.vocab, local.shape.key_dim, local.shape.max_context) == (150_000, 32, 4096)
    assert local.shape.experts == Experts(layers=2, count=4, used=2, feed_forward=48)
    assert local.quantization == "f16"


def split_gguf(folder: Path) -> list[Path]:
    writer = gguf.GGUFWriter(folder / "big.gguf", "llama", split_max_tensors=1)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_tensor("token_embd.weight", np.zeros((100, 64), np.float16))
    writer.add_tensor("output.weight", np.zeros((100, 64), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob("*.gguf"))


def test_the_parts_of_a_split_file_are_summed(tmp_path: Path) -> None:
    first, second = split_gguf(tmp_path)

    local = read_local(second)

    assert local == read_local(first) == read_local(tmp_path)
    assert local.size == first.stat().st_size + second.stat().st_size
    assert not local.shape.tied


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    first, second = split_gguf(tmp_path)
    second.unlink()

    with pytest.raises(BadFile) as caught:
        read_local(first)

    assert caught.value.message == f"{first}: its part `{second.name}` is missing"


def test_what_is_no_gguf_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "weights.gguf"
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")

    with pytest.raises(BadFile) as caught:
        read_local(file)

    assert str(caught.value) == f"{file}: is no GGUF file\n\nhint: give a `.gguf` file, or the folder of a model"


def test_a_gguf_file_of_an_unknown_architecture_says_so(tmp_path: Path) -> None:
    file = big_vocabulary(tmp_path / "new.gguf", "rwkv6")

    with pytest.raises(BadFile) as caught:
        read_local(file)

    assert caught.value.message == f"{file}: architecture `rwkv6` is not known to us"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_gguf_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = tmp_path / "whole.gguf"
    if not whole.exists():
        tiny_llm_gguf(tmp_path, whole.name)
    content = bytearray(whole.read_bytes())
    header = min(len(content), 12_000)
    for place in data.draw(st.lists(st.integers(4, header - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    with contextlib.suppress(BadFile):
        read_local(damaged)


def folder_of(path: Path, config: dict[str, Any], **files: int) -> Path:
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name, size in files.items():
        (path / f"{name}.safetensors").write_bytes(b"\0" * size)
    return path


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, ("pytorch", "none")),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, ("awq", "Int4")),
        ({"quantization_config": {"quant_method": "gptq", "bits": 8}}, ("gptq", "Int8")),
        ({"quantization_config": {"quant_method": "fp8"}}, ("fp8", "fp8")),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, ("bnb", "4-bit")),
        ({"quantization": {"group_size": 64, "bits": 4}}, ("mlx", "4bit")),
    ],
    ids=["none", "awq", "gptq", "fp8", "bnb", "mlx"],
)
def test_a_folder_tells_its_shape_size_and_quantization(
    tmp_path: Path, told: dict[str, Any], expected: tuple[str, str]
) -> None:
    local = read_local(folder_of(tmp_path, {**QWEN2_7B, **told}, model=1000))

    assert (local.format, local.quantization) == expected
    assert (local.size, local.shape.parameters) == (1000, 7_615_616_512)


def test_a_part_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, QWEN2_7B, a=10)
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")

    with pytest.raises(BadFile) as caught:
        read_local(folder)

    assert str(caught.value) == f"{folder}: `b.safetensors` is missing\n\nhint: the download may not have ended"


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as caught:
        read_local(tmp_path)

    assert caught.value.message == f"{tmp_path / 'config.json'}: cannot be read: No such file or directory"
