"""Machines as their tools and Xinference tell them; every file says how it was made.

A new capture: `cpuinfo`, the output of the `nvidia-smi` query in `biai_xinf/extension/machine.py`, `GET /status`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

HERE = Path(__file__).parent


class NvmlError(Exception):
    pass


@dataclass(frozen=True)
class Machine:
    """One file."""

    path: Path
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def expected(self) -> dict[str, Any]:
        return dict(self.raw["expected"])

    @property
    def nvml(self) -> list[dict[str, Any]]:
        """What Nvidia's library says of each GPU."""
        return list(self.raw.get("nvml", []))

    def facts(self) -> dict[str, Any]:
        """What the extension of a worker there says."""
        return {
            "biai_xinf": "0.1.0",
            "cpu": {"model": self.expected["cpu_model"], "threads": 2, "flags": self.expected["cpu_flags"]},
            "disk": {"path": "/models", **self.raw["disk"]},
            "gpus": self.expected["gpus"],
            "gpu_devices": list(range(len(self.nvml))),
            "engines": self.raw["engines"],
            "virtual_env": self.raw["virtual_env"],
        }

    def pretend_nvml(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let `pynvml` be that of this machine."""

        def memory(gpu: dict[str, Any]) -> SimpleNamespace:
            return SimpleNamespace(total=gpu["total"], free=gpu["free"], used=gpu["total"] - gpu["free"])

        module = ModuleType("pynvml")
        functions = {
            "NVMLError": NvmlError,
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: None,
            "nvmlDeviceGetCount": lambda: len(self.nvml),
            "nvmlDeviceGetHandleByIndex": lambda index: self.nvml[index],
            "nvmlDeviceGetName": lambda gpu: gpu["name"],
            "nvmlDeviceGetMemoryInfo": memory,
            "nvmlDeviceGetMemoryInfo_v2": memory,
            "nvmlDeviceGetUtilizationRates": lambda gpu: SimpleNamespace(gpu=0),
            "nvmlDeviceGetCudaComputeCapability": lambda gpu: tuple(gpu["capability"]),
            "nvmlSystemGetDriverVersion": lambda: self.raw["driver"],
        }
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, "pynvml", module)


MACHINES = [Machine(path, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(HERE.glob("*.json"))]
