"""The memory of the machine we run on, where no Xinference tells it. What cannot be read is unknown."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from biai_xinf.hardware import Gpu, Worker
from biai_xinf.units import KIB, MIB

_SECONDS = 10
_QUERY = ("--query-gpu=index,name,memory.total,memory.free", "--format=csv,noheader,nounits")


def this_machine() -> Worker:
    """This machine as if it were a worker. Its RAM is known on Linux, and of GPUs Nvidia's."""
    total, free = _memory()
    return Worker("this machine", memory_total=total, memory_free=free, gpus=_nvidia_gpus())


def _memory() -> tuple[int | None, int | None]:
    try:
        told = Path("/proc/meminfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None, None
    sizes = {name: int(kib) * KIB for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", told, re.MULTILINE)}
    return sizes.get("MemTotal"), sizes.get("MemAvailable")


def _nvidia_gpus() -> tuple[Gpu, ...]:
    if shutil.which("nvidia-smi") is None:
        return ()
    try:
        told = subprocess.run(["nvidia-smi", *_QUERY], capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [[cell.strip() for cell in line.split(",")] for line in told.stdout.splitlines()]
    return tuple(
        Gpu(int(index), _mebibytes(total), _mebibytes(free), name)
        for index, name, total, free in (row for row in rows if len(row) == 4 and row[0].isdigit())
    )


def _mebibytes(cell: str) -> int | None:
    # A GPU that shares the machine's memory says `[N/A]`.
    return int(cell) * MIB if cell.isdigit() else None
