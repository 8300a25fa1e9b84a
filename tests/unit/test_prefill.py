"""What a launch form of Xinference's Web UI is filled with."""

from __future__ import annotations

from typing import Any

import pytest

from biai_xinf.prefill import form_values

MODEL = {"model_uid": "coder", "model_name": "coder", "model_engine": "vLLM", "model_size_in_billions": "1_5"}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param({"n_gpu": None, "worker_ip": "10.0.0.1:1"}, {"n_gpu": None, "worker_ip": "10.0.0.1:1"}, id="CPU"),
        pytest.param({"quantization": None}, {}, id="no value"),
        pytest.param(
            {"replica": 1, "replica_config": [{"devices": [{"worker_ip": "10.0.0.1:1", "n_gpu": 1, "gpu_idx": [0]}]}]},
            {"replica": 1, "replica_config": [{"devices": [{"worker_ip": "10.0.0.1:1", "n_gpu": 1, "gpu_idx": [0]}]}]},
            id="places",
        ),
        pytest.param(
            {"structured_outputs_config": {"backend": "guidance"}, "stop": ["a", "b"]},
            {"structured_outputs_config": '{"backend": "guidance"}', "stop": '["a", "b"]'},
            id="objects without a field",
        ),
        pytest.param(
            {"envs": {"VLLM_CPU_KVCACHE_SPACE": "4", "HF_TOKEN": "hf_1", "DB_PASSWORD": "x"}},
            {"envs": {"VLLM_CPU_KVCACHE_SPACE": "4"}},
            id="secrets",
        ),
        pytest.param({"envs": {"HF_TOKEN": "hf_1"}}, {}, id="nothing but secrets"),
    ],
)
def test_a_form_holds_what_is_launched(sent: dict[str, Any], shown: dict[str, Any]) -> None:
    assert form_values({**MODEL, **sent}) == {**MODEL, **shown}
