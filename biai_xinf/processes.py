"""Which processes are ours, and how to end those and no others: always by pid *and* birth, never by name.

A pid alone is reused; together with the moment the process started and the boot it belongs to, it names one
process for ever. Standard library only: psutil is a compiled package the light install does without.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """`birth` is the system's own mark of the start, `<moment>@<boot>`, only good for comparing."""

    pid: int
    birth: str


def find(pid: int) -> Process | None:
    """The process that has this pid now; None when there is none, or only its zombie."""
    if sys.platform == "win32":
        birth = _windows_birth(pid)
        return Process(pid, birth) if birth else None
    row = _proc_row(pid) if sys.platform.startswith("linux") else _ps_table("-p", str(pid)).get(pid)
    return row.process if row else None


def alive(process: Process) -> bool:
    return find(process.pid) == process


def family(known: Iterable[Process]) -> set[Process]:
    """What lives of `known`, of the process groups they lead or led, and of all their descendants.

    On Windows only `known` itself: `taskkill /T` walks the tree there.
    """
    if sys.platform == "win32":
        return {process for process in known if alive(process)}
    table = _proc_table() if sys.platform.startswith("linux") else _ps_table("-A")
    # Within one boot the kernel gives no new process the id of a group that still has members: a group
    # whose leader died is still ours, one whose leader is somebody else is not.
    here = f"@{_boot()}"
    ours = {
        process.pid
        for process in known
        if (table[process.pid].process == process if process.pid in table else process.birth.endswith(here))
    }
    found: dict[int, Process] = {}
    grew = True
    while grew:
        grew = False
        for pid, row in table.items():
            if pid not in found and (pid in ours or row.group in ours or row.parent in found):
                found[pid] = row.process
                grew = True
    return set(found.values())


def ask_to_end(processes: Iterable[Process]) -> None:
    """Let them put their things away; Windows has no such question, there the whole tree ends at once."""
    _signal(processes, signal.SIGTERM)


def kill(processes: Iterable[Process]) -> None:
    # The fallback is never used: Windows ends the tree without a signal.
    _signal(processes, getattr(signal, "SIGKILL", signal.SIGTERM))


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        if not alive(process):
            continue
        if sys.platform == "win32":
            command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
            subprocess.run(command, capture_output=True, check=False)
        else:
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue


@dataclass(frozen=True)
class _Row:
    process: Process
    parent: int
    group: int


def _proc_table() -> dict[int, _Row]:
    rows = (_proc_row(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {row.process.pid: row for row in rows if row}


def _proc_row(pid: int) -> _Row | None:
    """A process as Linux tells it in `/proc/<pid>/stat`; `man 5 proc_pid_stat` numbers the fields from 1."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field, the name in brackets, may itself hold blanks and brackets; the 22nd is the start.
    state, parent, group, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else _Row(Process(pid, f"{rest[16]}@{_boot()}"), int(parent), int(group))


@cache
def _boot() -> str:
    """This boot, or this container's life: when pid 1 started, on Linux counted from a boot with an id."""
    if not sys.platform.startswith("linux"):
        return _ps("-p", "1")[0][4]
    identity, first = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/1/stat")
    try:
        started = first.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{identity.read_text(encoding='ascii').strip()}.{started}"
    except OSError:
        return "unknown"


def _ps_table(*which: str) -> dict[int, _Row]:
    """Processes as `ps` of macOS and the BSDs tells them."""
    rows = {}
    for pid, parent, group, state, birth in _ps(*which):
        if not state.startswith("Z"):
            rows[int(pid)] = _Row(Process(int(pid), f"{birth}@{_boot()}"), int(parent), int(group))
    return rows


def _ps(*which: str) -> list[list[str]]:
    command = ["ps", *which, "-o", "pid=,ppid=,pgid=,stat=,lstart="]
    english = {**os.environ, "LC_ALL": "C"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=english)
    return [line.strip().split(None, 4) for line in answer.stdout.splitlines()]


def _windows_birth(pid: int) -> str | None:
    """When a process of Windows started; None when it ended. `os.kill(pid, 0)` would end it there."""
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    query_limited_information = 0x1000
    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel32.OpenProcess.restype = wintypes.HANDLE
    handle = kernel32.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return None
    try:
        created, ended, kernel, user = (wintypes.FILETIME() for _ in range(4))
        times = [ctypes.byref(time) for time in (created, ended, kernel, user)]
        told = kernel32.GetProcessTimes(wintypes.HANDLE(handle), *times)
        if not told or ended.dwHighDateTime or ended.dwLowDateTime:
            return None
        return str((created.dwHighDateTime << 32) + created.dwLowDateTime)
    finally:
        kernel32.CloseHandle(wintypes.HANDLE(handle))
