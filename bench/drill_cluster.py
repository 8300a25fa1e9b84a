"""The machines that die in the drills: a supervisor and workers on loopback, each a process tree with a home of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from measure import free_port

from biai_xinf.client import Client
from biai_xinf.errors import XinferenceError
from biai_xinf.joining import HEALTH

START_S = 240.0
HOST = "127.0.0.1"


@dataclass
class Machine:
    """One of them: how it is started, and its process while it lives."""

    name: str
    arguments: list[str]
    home: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, empty: bool = False) -> None:
        """Start it, with what it kept or with an empty home."""
        if empty:
            shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(exist_ok=True)
        with (self.home / "log").open("ab") as log:
            command = [sys.executable, "-m", "biai_xinf.local_server", *self.arguments]
            self.process = subprocess.Popen(
                command, env=dict(self.environment), stdout=log, stderr=subprocess.STDOUT, cwd=self.home
            )

    def kill(self) -> None:
        """The end of a machine: every process of it at once, without a word."""
        if self.process is None:
            return
        kill_tree(self.process.pid)
        self.process.wait(30)
        self.process = None


@dataclass
class DrillCluster:
    """The machines by name, `supervisor` among them; workers' addresses by theirs."""

    folder: Path
    stock: bool
    endpoint: str = ""
    machines: dict[str, Machine] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    def add_worker(self, name: str) -> str:
        """A further worker, not yet started; its address."""
        port = free_port()
        options = ["worker", "-e", self.endpoint, "--host", HOST, "--worker-port", str(port)]
        self._add(name, [*options, "--metrics-exporter-host", HOST])
        self.addresses[name] = f"{HOST}:{port}"
        return self.addresses[name]

    def add_supervisor(self) -> None:
        port, inner = free_port(), free_port()
        self.endpoint = f"http://{HOST}:{port}"
        self._add("supervisor", ["supervisor", "--host", HOST, "--port", str(port), "--supervisor-port", str(inner)])

    def wait_for(self, holds: Callable[[Client], bool], seconds: float = START_S) -> float:
        """Seconds until it holds; it ends the drill where it never does."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            with contextlib.suppress(XinferenceError), Client(self.endpoint) as client:
                if holds(client):
                    return time.monotonic() - begun
            time.sleep(0.1)
        raise SystemExit(f"not within {seconds:g} s; the logs are lost with {self.folder}")

    def wait_for_workers(self, *names: str) -> float:
        wanted = {self.addresses[name] for name in names}
        return self.wait_for(lambda client: wanted == set(client.status().workers))

    def _add(self, name: str, arguments: list[str]) -> None:
        home = self.folder / name
        settings = _environment(home, self.stock)
        self.machines[name] = Machine(name, [*(["--stock"] if self.stock else []), *arguments], home, settings)


@contextlib.contextmanager
def drill_cluster(folder: Path, *, stock: bool, workers: tuple[str, ...] = ("one", "two")) -> Iterator[DrillCluster]:
    """A running cluster; all of it is gone afterwards."""
    cluster = DrillCluster(folder, stock)
    cluster.add_supervisor()
    try:
        cluster.machines["supervisor"].start()
        cluster.wait_for(lambda client: client.auth_enabled() is False)
        for name in workers:
            cluster.add_worker(name)
            cluster.machines[name].start()
        cluster.wait_for_workers(*workers)
        yield cluster
    finally:
        for machine in cluster.machines.values():
            machine.kill()


def _environment(home: Path, stock: bool) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XINFERENCE_", "BIAI_XINF_"))}
    # What `biai-xinf supervisor` and `worker` set; plain Xinference runs with its own values.
    health = {} if stock else HEALTH
    return {
        **kept,
        **health,
        "XINFERENCE_HOME": str(home),
        "BIAI_XINF_HOME": str(home / "biai-xinf"),
        "XINFERENCE_AUTH_ADVANCED": "0",
        "XINFERENCE_ENABLE_VIRTUAL_ENV": "0",
        "XINFERENCE_MODEL_SRC": "huggingface",
        "XINFERENCE_TOKEN_ROUTER_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
    }


def kill_tree(pid: int) -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=30)
