"""What a real worker says of its machine, asked from the API process of a real Xinference."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from biai_xinf import __version__
from tests.launched import ask, connection, launched
from tests.machines import MACHINES, Machine

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("xinference") is None, reason="needs biai-xinf[server]"),
]

# The least an extension must be, with a route of its own.
EXTENSION = """
import sys
from starlette.responses import JSONResponse
from biai_xinf.extension import machine, workers

class Extension:
    name = "biai_xinf"
    api_version = 1
    def worker_metadata(self):
        return machine.facts()
    def filter_worker_resources(self, worker, workers):
        return list(worker["gpu_devices"])
    def configure_api(self, context):
        async def facts() -> JSONResponse:
            from xinference.core.worker import WorkerActor
            told = {"uid": WorkerActor.default_uid(), "facts": await workers.worker_facts(context.get_supervisor_ref)}
            return JSONResponse(told)
        context.router.add_api_route("/facts", facts, methods=["GET"])
"""


def test_the_api_process_learns_what_the_workers_machine_offers(tmp_path: Path) -> None:
    (tmp_path / "throwaway.py").write_text(EXTENSION, encoding="utf-8")
    environ = {"PYTHONPATH": str(tmp_path), "XINFERENCE_EXTENSIONS": "throwaway:Extension"}

    # As stock, so that it is the only one of its name.
    with launched(tmp_path, "local", stock=True, **environ) as service:
        status, body = ask(connection(service.endpoint), "/facts")

    assert status == 200, body
    told = json.loads(body)
    assert told["uid"] == "worker"
    (facts,) = told["facts"].values()
    assert facts["biai_xinf"] == __version__
    assert facts["memory_total"] == psutil.virtual_memory().total
    assert facts["cpu"]["threads"] == psutil.cpu_count()
    assert facts["disk"]["path"] == str(tmp_path / "xinference")
    assert facts["engines"]["llama.cpp"] == metadata.version("xllamacpp")
    # Our local service switches them off.
    assert facts["virtual_env"] is False
    assert facts["gpu_devices"] == list(range(len(facts["gpus"])))


@pytest.mark.parametrize("kept", [kept for kept in MACHINES if kept.nvml], ids=lambda kept: kept.name)
def test_xinference_itself_reports_such_a_machine_so(kept: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from xinference import device_utils
    from xinference.core import resource

    status = kept.raw["status"]["status"]
    cpu = status["cpu"]
    memory = SimpleNamespace(used=cpu["memory_used"], available=cpu["memory_available"], total=cpu["memory_total"])
    kept.pretend_nvml(monkeypatch)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(resource, "get_gpu_info", device_utils.get_nvidia_gpu_info)
    monkeypatch.setattr(resource.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(resource.psutil, "cpu_percent", lambda: 100 * cpu["usage"])
    monkeypatch.setattr(resource.psutil, "cpu_count", lambda: cpu["total"])

    reported = {device: dataclasses.asdict(told) for device, told in resource.gather_node_info().items()}

    assert reported == status
