"""What the benchmarks share: servers of their own, subjects measured in turn, a last line for machines."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from biai_xinf import local
from biai_xinf.local import LocalService

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds; `cpu_s` is the user and system time of what ran, and of nothing else."""

    wall_s: float
    cpu_s: float


def in_turn(rounds: int, subjects: Mapping[str, Callable[[], T]], warm_ups: int = 1) -> dict[str, list[T]]:
    """What each subject returned in each round; every other round goes backwards, warm-ups do not count.

    Subjects that take turns share whatever else loads the machine, so their ratio means something.
    """
    returned: dict[str, list[T]] = {name: [] for name in subjects}
    for turn in range(warm_ups + rounds):
        for name in sorted(subjects, reverse=turn % 2 == 1):
            value = subjects[name]()
            if turn >= warm_ups:
                returned[name].append(value)
    return returned


def print_results(results: Mapping[str, object], indent: str = "") -> None:
    """Results for people, one a line; what is nested is indented."""
    for name, value in results.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            print_results(value, indent + "  ")
        else:
            print(f"{indent}{name:<30} {rounded(value)}")


def rounded(value: Any) -> Any:
    """A result with three decimals, however deep its numbers lie."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, 3) if isinstance(value, float) else value


def run(command: Sequence[str], timeout_s: float = 120) -> Cost:
    """Run a command to its end, which must be a good one; what it prints is thrown away."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command,
        check=True,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_as_installed(),
    )
    wall_s, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def call(action: Callable[[], object]) -> Cost:
    """Call something in this thread."""
    before, begun = time.thread_time(), time.perf_counter()
    action()
    return Cost(time.perf_counter() - begun, time.thread_time() - before)


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def xinference(folder: Path, command: Callable[[int], Sequence[str]] | None = None) -> Iterator[LocalService]:
    """An Xinference on a free loopback port with homes of its own, ended with its whole process tree.

    Started as `biai-xinf up` starts it, or with the same environment by `command(port)`.
    """
    homes = {"BIAI_XINF_HOME": str(folder / "biai-xinf"), "XINFERENCE_HOME": str(folder / "xinference")}
    port = free_port()
    with environment(**homes):
        service = local.start(port, command=command(port) if command else None)
    try:
        yield service
    finally:
        with environment(**homes):
            local.stop(service)


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """These environment variables for a while."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def fast_loop(program: Coroutine[Any, Any, None]) -> None:
    """Run what stands beside the servers measured on the cheaper event loop, where there is one."""
    if importlib.util.find_spec("uvloop"):
        import uvloop

        uvloop.install()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(program)


def clean_up_when_terminated() -> None:
    """Let SIGTERM unwind the stack as an interrupt does, so that no server outlives a benchmark."""

    def leave(number: int, frame: object) -> NoReturn:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def say(text: str) -> None:
    """What a person wants to know while it runs, to stderr."""
    print(text, file=sys.stderr, flush=True)


def finish(results: Mapping[str, object]) -> None:
    """The results as one line of JSON: the last one of stdout."""
    print(json.dumps(results), flush=True)


def _as_installed() -> dict[str, str]:
    # An installed command finds its bytecode; a checkout run without would be compiled anew in every run.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
