"""Real Xinference servers for tests: started once per run on free loopback ports, ended with all their children."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from biai_xinf.client import Client
from biai_xinf.errors import XinferenceError

# Importing PyTorch three times on two busy cores.
START_TIMEOUT_S = 300
STOP_TIMEOUT_S = 30

needs_xinference = pytest.mark.skipif(importlib.util.find_spec("xinference") is None, reason="needs biai-xinf[server]")


@dataclass(frozen=True)
class RealXinference:
    """A running `xinference-local`; `log` is all it printed."""

    endpoint: str
    log: Path


@pytest.fixture(scope="session")
def real_xinference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealXinference]:
    """One without authentication."""
    with running_xinference(tmp_path_factory.mktemp("xinference"), XINFERENCE_AUTH_ADVANCED="0") as real:
        yield real


@pytest.fixture(scope="session")
def real_xinference_with_auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealXinference]:
    """One as it comes: with authentication, and no user yet."""
    with running_xinference(tmp_path_factory.mktemp("xinference-auth"), XINFERENCE_AUTH_ADVANCED="1") as real:
        yield real


@contextmanager
def running_xinference(home: Path, *, stock: bool = False, **environ: str) -> Iterator[RealXinference]:
    """An `xinference-local` with our extension, or as it comes; its whole process tree is gone afterwards."""
    port, log = free_port(), home / "server.log"
    launcher = [sys.executable, "-m", "biai_xinf.local_server", *(["--stock"] if stock else [])]
    command = [*launcher, "local", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment(home, **environ), stdout=output, stderr=subprocess.STDOUT, cwd=home
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(endpoint, process, log)
        yield RealXinference(endpoint, log)
    finally:
        end_with_children(process)


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a process of Xinference gets to see: this process's variables without its own Xinference's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XINFERENCE_", "BIAI_XINF_"))}
    ours = {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "XINFERENCE_HOME": str(home),
        "XINFERENCE_ENABLE_VIRTUAL_ENV": "0",
        "XINFERENCE_MODEL_SRC": "huggingface",
        "HF_HUB_OFFLINE": "1",
    }
    return {**kept, **ours, **more}


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with Client(endpoint) as client:
                client.auth_enabled()
                if client.status().workers:
                    return
        except XinferenceError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"Xinference did not start:\n{log.read_text(errors='replace')[-3000:]}")


def end_with_children(*processes: subprocess.Popen[bytes]) -> None:
    """End them all at once, and everything that they started."""
    # Comes with xinference; only needed where that is installed.
    import psutil

    running = [psutil.Process(process.pid) for process in processes if process.poll() is None]
    family = [member for process in running for member in (process, *process.children(recursive=True))]
    for process in running:
        process.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_TIMEOUT_S)
    for left in alive:
        left.kill()
    psutil.wait_procs(alive, timeout=STOP_TIMEOUT_S)
    for process in processes:
        process.wait(STOP_TIMEOUT_S)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
