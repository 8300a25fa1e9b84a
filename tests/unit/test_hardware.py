"""What a worker offers, on machines kept in `tests/machines`: what tools print there, and what it becomes.

Each file says in `made` whether it was captured or put together, and in `sources` from what.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from biai_xinf import wire
from biai_xinf.client import Client
from biai_xinf.extension import machine
from biai_xinf.hardware import Gpu, Worker
from biai_xinf.memory import ledger
from biai_xinf.observe import observe, worker_of
from biai_xinf.plan import make_plan
from biai_xinf.state import Cluster, Desired
from tests.builders import entry, recipe, want
from tests.fake_extension import Refused
from tests.fake_xinference import GIB, FakeGpu, FakeWorker, FakeXinference
from tests.machines import MACHINES, Machine

ADDRESS = "10.0.0.1:30001"

machines = pytest.mark.parametrize("kept", MACHINES, ids=[kept.name for kept in MACHINES])
with_nvidia = pytest.mark.parametrize(
    "kept", [kept for kept in MACHINES if kept.nvml], ids=[kept.name for kept in MACHINES if kept.nvml]
)


def worker(kept: Machine) -> Worker:
    status = wire.WorkerStatus.model_validate(kept.raw["status"])
    return worker_of(ADDRESS, status, wire.WorkerFacts.model_validate(kept.facts()))


# What tools print


@machines
def test_the_processor_is_read(kept: Machine) -> None:
    read = machine.linux_cpu if kept.raw["system"] == "linux" else machine.apple_cpu

    model, flags = read(kept.raw.get("cpuinfo") or kept.raw["sysctl"])

    assert (model, flags) == (kept.expected["cpu_model"], kept.expected["cpu_flags"])


@with_nvidia
def test_nvidia_smi_tells_the_gpus(kept: Machine) -> None:
    assert machine.nvidia_gpus(kept.raw["nvidia_smi"]) == kept.expected["gpus"]


@with_nvidia
def test_nvidias_library_tells_the_same(kept: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.pretend_nvml(monkeypatch)

    assert machine._gpus() == kept.expected["gpus"]


def test_system_profiler_tells_apples_gpu() -> None:
    (apple,) = (kept for kept in MACHINES if kept.name == "apple")

    assert machine.apple_gpus(json.dumps(apple.raw["system_profiler"])) == apple.expected["gpus"]


@pytest.mark.parametrize("printed", ['{"SPDisplaysDataType": []}', "{}"])
def test_a_mac_without_any_gpu_has_none(printed: str) -> None:
    assert machine.apple_gpus(printed) == []


# What becomes of it


@machines
def test_xinference_and_the_extension_together_make_a_worker(kept: Machine) -> None:
    cpu = kept.raw["status"]["status"]["cpu"]
    gpus = [
        Gpu(
            gpu["index"],
            gpu["memory_total"],
            gpu["memory_free"],
            gpu["name"],
            compute_capability=gpu["compute_capability"],
            driver=gpu["driver"],
        )
        for gpu in kept.expected["gpus"]
    ]
    # Apple's GPU is no place: Xinference gives it no index, and it shares the machine's memory.
    placed, unplaced = (gpus, []) if kept.nvml else ([], gpus)

    assert worker(kept) == Worker(
        ADDRESS,
        cpus=cpu["total"],
        memory_total=cpu["memory_total"],
        memory_free=cpu["memory_available"],
        gpus=tuple(placed),
        cpu_model=kept.expected["cpu_model"],
        cpu_flags=frozenset(kept.expected["cpu_flags"]),
        disk_total=kept.raw["disk"]["total"],
        disk_free=kept.raw["disk"]["free"],
        engines=kept.raw["engines"],
        virtual_env=False,
        unplaced_gpus=tuple(unplaced),
    )


@machines
def test_without_the_extension_what_it_alone_tells_is_unknown(kept: Machine) -> None:
    status = wire.WorkerStatus.model_validate(kept.raw["status"])
    full = worker(kept)

    assert worker_of(ADDRESS, status) == dataclasses.replace(
        full,
        gpus=tuple(dataclasses.replace(gpu, compute_capability=None, driver=None) for gpu in full.gpus),
        cpu_model=None,
        cpu_flags=None,
        disk_total=None,
        disk_free=None,
        engines=None,
        virtual_env=None,
        unplaced_gpus=(),
    )


@machines
def test_the_ledger_has_each_device_once(kept: Machine) -> None:
    places = {gpu["index"]: gpu["memory_free"] for gpu in kept.expected["gpus"] if kept.nvml}
    memory = kept.raw["status"]["status"]["cpu"]["memory_available"]

    assert ledger([worker(kept)]).free == {(ADDRESS, None): memory} | {
        (ADDRESS, index): free for index, free in places.items()
    }


@machines
def test_a_plan_takes_the_best_recipe_that_fits(kept: Machine) -> None:
    wish = want(recipe("gpu-40g", gpus=1, gib=40), recipe("gpu-10g", gpus=1, gib=10), recipe("cpu", gib=4))
    seen = Cluster("http://10.0.0.1:9997", True, (worker(kept),), ())

    (change,) = make_plan(Desired((wish,)), seen).changes

    assert change.launch is not None
    assert change.recipe is not None
    assert change.recipe.name == kept.expected["recipe"]
    devices = [device for replica in change.launch.body.get("replica_config", []) for device in replica["devices"]]
    assert [index for device in devices for index in device.get("gpu_idx") or []] == kept.expected["on"]


# Facts that do not agree, or are not there


def joined(status: dict[str, Any], **facts: Any) -> Worker:
    cpu = {"total": 8, "memory_total": 64 * GIB, "memory_available": 60 * GIB}
    told = wire.WorkerStatus.model_validate({"status": {"cpu": cpu, **status}})
    return worker_of(ADDRESS, told, wire.WorkerFacts.model_validate(facts))


def device(name: str, total: int, free: int | None = None) -> dict[str, Any]:
    return {"name": name, "mem_total": total, "mem_free": total if free is None else free, "gpu_util": 0}


def test_gpus_are_known_by_the_index_they_are_launched_on() -> None:
    told = [{"index": index, "name": f"L4 no {index}", "compute_capability": "8.9"} for index in range(4)]

    found = joined(
        {"gpu-0": device("L4 no 3", 24 * GIB), "gpu-1": device("L4 no 2", 20 * GIB)}, gpus=told, gpu_devices=[3, 2]
    )

    assert [(gpu.index, gpu.total) for gpu in found.gpus] == [(3, 24 * GIB), (2, 20 * GIB)]
    assert [gpu.compute_capability for gpu in found.gpus] == ["8.9", "8.9"]
    assert [gpu.index for gpu in found.unplaced_gpus] == [0, 1]


def test_memory_that_xinference_cannot_read_is_taken_from_the_extension() -> None:
    told = [{"index": 0, "name": "AMD Instinct MI300X", "memory_total": 192 * GIB, "memory_free": 190 * GIB}]

    found = joined({"gpu-0": device("ROCm GPU 0", 1)}, gpus=told, gpu_devices=[0])

    assert found.gpus == (Gpu(0, 192 * GIB, 190 * GIB, "AMD Instinct MI300X"),)


def test_what_nobody_can_read_is_unknown() -> None:
    found = joined({"gpu-0": device("ROCm GPU 0", 1)}, error="no answer within 3 s")

    assert found.gpus == (Gpu(0, None, None, "ROCm GPU 0"),)
    assert (found.engines, found.virtual_env, found.cpu_model, found.disk_free) == (None, None, None, None)


def test_devices_without_a_plain_index_are_no_place() -> None:
    found = joined({"gpu-0-0": device("910B", 65536), "model_gpu_memory": {"coder-0": {"0": 1}}})

    assert found.gpus == ()


@pytest.mark.parametrize(
    ("virtual_env", "engines"), [(False, {"llama.cpp": "2026.10"}), (True, None), (None, None)], ids=str
)
def test_engines_that_a_launch_may_install_are_unknown(virtual_env: bool | None, engines: object) -> None:
    found = joined({}, engines={"llama.cpp": "2026.10"}, virtual_env=virtual_env)

    assert (found.engines, found.virtual_env) == (engines, virtual_env)


# Looking


GPU_FACTS = {"index": 0, "name": "L4", "compute_capability": "8.9", "driver": "570.133.20"}
FACTS = {"biai_xinf": "0.1.0", "gpus": [GPU_FACTS], "gpu_devices": [0], "engines": {"vLLM": "0.32.0"}}
L4 = FakeWorker(gpus=[FakeGpu("L4", 24 * GIB)], facts={**FACTS, "virtual_env": False})


def test_what_may_be_launched_is_looked_at_with_the_workers_facts() -> None:
    with FakeXinference([L4], extension=True) as fake, Client(fake.endpoint) as client:
        (looking,) = observe(client).workers
        (launching,) = observe(client, Desired((want(),))).workers

    assert looking.engines is None
    assert launching.engines == {"vLLM": "0.32.0"}
    assert launching.gpus == (Gpu(0, 24 * GIB, 24 * GIB, "L4", compute_capability="8.9", driver="570.133.20"),)


def test_nothing_but_facts_is_missing_without_the_extension() -> None:
    with FakeXinference([L4]) as fake, Client(fake.endpoint) as client:
        (seen,) = observe(client, with_facts=True).workers

    assert seen.gpus == (Gpu(0, 24 * GIB, 24 * GIB, "L4"),)
    assert seen.engines is None


def refusing() -> dict[str, Any]:
    raise Refused(403, "not for this key")


def hanging() -> dict[str, Any]:
    time.sleep(0.5)
    return {}


@pytest.mark.parametrize("answer", [refusing, hanging])
def test_an_extension_that_tells_nothing_fails_nothing(
    answer: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biai_xinf.client.LIVENESS_TIMEOUT", 0.2)
    with FakeXinference([L4], extension=True) as fake, Client(fake.endpoint) as client:
        assert fake.extension is not None
        fake.extension.facts = answer

        (seen,) = observe(client, with_facts=True).workers

    assert (seen.gpus, seen.engines) == ((Gpu(0, 24 * GIB, 24 * GIB, "L4"),), None)


def test_only_models_of_engines_need_the_workers_facts() -> None:
    elsewhere = {"provider": "ollama", "url": "http://ollama.internal:11434", "model": "qwen3"}
    wish = dataclasses.replace(want(), entry=entry({"name": "elsewhere", "upstream": elsewhere}))
    with FakeXinference([L4], extension=True) as fake, Client(fake.endpoint) as client:
        observe(client, Desired((wish,)))

        assert ("GET", "/biai/status") not in fake.calls


def test_no_machine_is_without_its_origin() -> None:
    for kept in MACHINES:
        assert kept.raw["made"].startswith(("captured on ", "put together, not captured: "))
        assert kept.raw["made"].startswith("captured") or kept.raw["sources"]
