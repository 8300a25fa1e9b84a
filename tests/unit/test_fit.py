"""`biai-xinf fit`: what a model takes, and on which devices there is room for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from biai_xinf.cli import fit as fit_command
from biai_xinf.fits import quantization_fits, rooms
from biai_xinf.hardware import Gpu, Worker
from biai_xinf.memory import Need
from biai_xinf.this_machine import this_machine
from biai_xinf.units import GIB
from tests.builders import upstream_recipe, worker
from tests.commandline import run
from tests.fake_xinference import FakeGpu, FakeWorker, FakeXinference
from tests.tiny_models import tiny_llm_gguf
from tests.unit.test_needs import WEIGHTS, recipe, written

SIZES = {"q3_k_m": "0.35GB", "q4_k_m": "0.5GB", "q5_k_m": "0.6GB", "q6_k": "0.7GB", "q8_0": "0.9GB"}
SEVERAL = {**WEIGHTS, "formats": {"ggufv2": SIZES}}


@pytest.fixture(autouse=True)
def nothing_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BIAI_XINF_SPECS", str(tmp_path))
    monkeypatch.setattr("biai_xinf.reach.DEFAULT_ENDPOINT", "http://127.0.0.1:1")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this machine another."""

    def is_now(**facts: Any) -> None:
        monkeypatch.setattr(fit_command, "this_machine", lambda: worker("this machine", **facts))

    return is_now


@pytest.mark.parametrize(
    ("need", "found"),
    [
        (Need(memory=4 * GIB), [("RAM", 12), ("RAM", None)]),
        (Need(gpus=1, vram=10 * GIB), [("GPU 0", 14), ("GPU 1", -2), ("GPU 0", None)]),
        (Need(gpus=2, vram=10 * GIB), [("2 GPUs", -2)]),
        (Need(gpus=3, vram=10 * GIB), []),
        (Need(memory=20 * GIB, gpus=1, vram=10 * GIB), [("RAM", -4), ("GPU 0", None)]),
    ],
    ids=["memory", "a GPU", "two GPUs", "three GPUs", "a GPU and memory"],
)
def test_room_is_told_of_each_device(need: Need, found: list[tuple[str, int | None]]) -> None:
    known = worker("a", ram=16, gpus=(24, 8))
    unknown = Worker("b", gpus=(Gpu(0, None, None),))

    told = rooms(need, [known, unknown])

    assert [(room.device.split(" ", 1)[1], room.spare) for room in told] == [
        (device, None if spare is None else spare * GIB) for device, spare in found
    ]


@pytest.mark.parametrize(
    ("role", "ram", "taken"),
    [("sql", 64, "q6_k"), ("sql", 0.001, "q4_k_m"), ("narrator", 64, "q4_k_m")],
    ids=["sql", "sql without room", "prose"],
)
def test_sql_gets_more_bits_than_prose(tmp_path: Path, role: str, ram: float, taken: str) -> None:
    entry = written(tmp_path, recipe(), weights=SEVERAL, **_role(role))

    fits = quantization_fits(entry, [worker(ram=ram)], 1024, 1)

    assert [fit.quantization for fit in fits] == list(SIZES)
    assert [fit.quantization for fit in fits if fit.advised] == [taken]


def test_the_largest_quantization_with_room_is_advised(tmp_path: Path) -> None:
    entry = written(tmp_path, recipe(engine_options={"cache_ram_mib": 0}), weights=SEVERAL)
    needed = {fit.quantization: fit.need.memory for fit in quantization_fits(entry, [worker()], 1024, 1)}

    between = (needed["q5_k_m"] + needed["q6_k"]) / 2 / GIB
    fits = quantization_fits(entry, [worker(ram=between)], 1024, 1)

    assert [fit.quantization for fit in fits if fit.advised] == ["q5_k_m"]


def _role(role: str) -> dict[str, Any]:
    if role == "sql":
        return {}
    return {"role": role, "prompt": None, "probe": {"message": "Say yes.", "expect": ["yes"]}}


def test_a_specs_recipes_are_shown_with_their_parts_and_where_they_fit(
    tmp_path: Path, machine: Callable[..., None]
) -> None:
    cpu = recipe(requires={"memory": "4GiB", "context": 1024, "parallel": 2})
    gpu = {**recipe(requires={"gpus": 1, "vram": "20GiB"}), "name": "large"}
    big = {**recipe(requires={"memory": "40GiB"}), "name": "big"}
    unknown = {**recipe(requires={}), "name": "unknown"}
    for one in (cpu, gpu, big, unknown):
        one["model"] = {**one["model"], "model_name": "nobody-told"}
    written(tmp_path, cpu, gpu, big, unknown, upstream_recipe(), weights=None)
    machine(ram=16, gpus=(24, 8))

    result = run("fit", "coder")

    assert result.exit_code == 0
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        "RECIPE LOADS CONTEXT WEIGHTS KV CACHE BUFFERS TOTAL BASIS ROOM",
        "only nobody-told 7B ggufv2 q4_k_m on llama.cpp 1024 x 2 unknown unknown unknown 4 GiB RAM the spec's "
        "this machine RAM: fits, 12 GiB to spare",
        "large nobody-told 7B ggufv2 q4_k_m on llama.cpp - unknown unknown unknown 1 GPU x 20 GiB the spec's "
        "this machine GPU 0: fits, 4 GiB to spare; this machine GPU 1: short by 12 GiB",
        "big nobody-told 7B ggufv2 q4_k_m on llama.cpp - unknown unknown unknown 40 GiB RAM the spec's "
        "this machine RAM: short by 24 GiB",
        "unknown nobody-told 7B ggufv2 q4_k_m on llama.cpp - unknown unknown unknown unknown unknown unknown",
        "elsewhere coder:7b at http://10.0.0.7:11434 (openai-compatible) - - - - - - takes no memory here",
    ]
    assert result.stderr.splitlines() == [
        "no Xinference answers, so this is what this machine has free",
        "",
        "",
        "there is room for 2 of 4 recipes of `coder`; next: biai-xinf plan coder",
    ]


def test_where_a_cluster_answers_its_devices_count(tmp_path: Path) -> None:
    written(tmp_path, recipe(requires={"gpus": 1, "vram": "20GiB"}))

    with FakeXinference([FakeWorker(gpus=[FakeGpu("L4", 24 * GIB)])]) as server:
        shown = json.loads(run("--endpoint", server.endpoint, "fit", "coder", "--json").stdout)

    (address,) = shown["machines"]
    assert shown["recipes"][0]["rooms"] == [{"device": f"{address} GPU 0", "spare": 4 * GIB}]


@pytest.mark.parametrize("words", [["fit", "coder"], ["specs", "show", "sql-coder"]], ids=" ".join)
def test_numpy_is_only_imported_to_read_a_gguf_file(tmp_path: Path, words: list[str]) -> None:
    written(tmp_path, recipe())
    code = (
        "import sys; from biai_xinf.cli import group\n"
        f"group({words!r}, standalone_mode=False)\n"
        "sys.exit(str({'numpy', 'gguf'} & set(sys.modules)) if {'numpy', 'gguf'} & set(sys.modules) else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr


def test_figures_are_also_json(tmp_path: Path, machine: Callable[..., None]) -> None:
    written(tmp_path, recipe(requires={"context": 1024}), weights=SEVERAL)
    machine(ram=16)

    shown = json.loads(run("fit", "coder", "--parallel", "2", "--json").stdout)

    (told,) = shown["recipes"]
    assert (shown["model"], shown["machines"]) == ("coder", ["this machine"])
    assert (told["name"], told["context"], told["parallel"], told["basis"]) == ("only", 1024, 2, "estimate")
    assert told["rooms"] == [{"device": "this machine RAM", "spare": 16 * GIB - told["need"]["memory"]}]
    assert [one["quantization"] for one in shown["quantizations"]] == list(SIZES)


def test_more_context_takes_more(tmp_path: Path, machine: Callable[..., None]) -> None:
    written(tmp_path, recipe(requires={"context": 1024}))
    machine(ram=16)

    def memory(*words: str) -> int:
        need = json.loads(run("fit", "coder", "--json", *words).stdout)["recipes"][0]["need"]
        return int(need["memory"])

    assert (
        memory()
        == memory("--context", "1024")
        < memory("--context", "4096")
        < memory("--context", "4096", "--parallel", "4")
    )


def test_a_file_of_this_machine_is_shown_by_its_path(tmp_path: Path, machine: Callable[..., None]) -> None:
    file = tiny_llm_gguf(tmp_path)
    machine(ram=64)

    result = run("fit", str(file), "--context", "512", "--parallel", "2")

    lines = result.stdout.splitlines()
    assert lines[0] == "qwen2, 0.03 million parameters, ggufv2 f16"
    assert lines[3].split() == ["ENGINE", "CONTEXT", "WEIGHTS", "KV", "CACHE", "BUFFERS", "TOTAL", "ROOM"]
    assert lines[4].startswith("llama.cpp  512 x 2  ")
    assert result.stderr.endswith("there is room for 1 of 1 launches; all figures are estimates\n")


def test_a_folder_is_weighed_on_the_engines_that_load_it(tmp_path: Path, machine: Callable[..., None]) -> None:
    from tests.unit.test_shapes import LLAMA

    (tmp_path / "config.json").write_text(json.dumps({**LLAMA, "max_position_embeddings": 8192}), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 1000)
    machine(ram=64)

    shown = json.loads(run("fit", f"{tmp_path}/", "--parallel", "1", "--json").stdout)

    assert [(one["engine"], one["context"]) for one in shown["engines"]] == [
        ("vLLM", 4096),
        ("vLLM", 8192),
        ("Transformers", 4096),
        ("Transformers", 8192),
    ]
    assert shown["weights"]["shape"]["layers"] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sql-codr"], "error: no model spec is named `sql-codr`"),
        (["./missing.gguf"], "error: missing.gguf: cannot be read: No such file or directory"),
    ],
    ids=["spec", "file"],
)
def test_what_is_not_there_is_an_error(words: list[str], said: str) -> None:
    result = run("fit", *words)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(said)


def test_an_endpoint_that_was_named_must_answer(tmp_path: Path) -> None:
    written(tmp_path, recipe())

    result = run("--endpoint", "http://127.0.0.1:1", "fit", "coder")

    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize("words", [["--context", "0"], ["--parallel", "many"]], ids=" ".join)
def test_counts_are_positive_numbers(words: list[str]) -> None:
    assert run("fit", "coder", *words).exit_code == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells its memory in a file")
def test_this_machines_memory_is_read() -> None:
    here = this_machine()

    assert here.memory_total is not None
    assert here.memory_free is not None
    assert 0 < here.memory_free < here.memory_total


def test_nvidias_gpus_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text(
        "#!/bin/sh\necho '0, NVIDIA L4, 23034, 22000'\necho '1, NVIDIA GB10, [N/A], [N/A]'\n", encoding="utf-8"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert this_machine().gpus == (
        Gpu(0, 23034 * 1024**2, 22000 * 1024**2, "NVIDIA L4"),
        Gpu(1, None, None, "NVIDIA GB10"),
    )
