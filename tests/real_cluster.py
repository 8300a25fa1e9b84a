"""A real cluster on this machine: a supervisor, and workers that each run on the Python they are given."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from biai_xinf.client import Client
from biai_xinf.errors import XinferenceError
from tests.xinference_fixtures import end_with_children, environment, free_port

HOST = "127.0.0.1"
# A worker imports PyTorch and vLLM twice, one process after the other: a minute on two cores that are free.
START_S = 600


@dataclass(frozen=True)
class RealCluster:
    """A running cluster; `workers` are its workers' addresses by the names they were asked for under."""

    endpoint: str
    workers: Mapping[str, str]
    folder: Path

    def said(self, length: int = 4000) -> str:
        """The end of what every process printed."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-length:]}" for log in logs)


@contextmanager
def running_cluster(folder: Path, pythons: Mapping[str, str]) -> Iterator[RealCluster]:
    """A cluster with a worker for each of `pythons`, without authentication; gone with all its children afterwards.

    Every process has a home of its own, as on machines of their own.
    """
    endpoint = f"http://{HOST}:{free_port()}"
    cluster = RealCluster(endpoint, {name: f"{HOST}:{free_port()}" for name in pythons}, folder)
    supervisor = ["supervisor", "--host", HOST, "--port", _port(endpoint), "--supervisor-port", str(free_port())]
    processes = [_start(folder, "supervisor", sys.executable, supervisor)]
    try:
        _wait_until_there(cluster, processes, workers=0)
        for name, python in pythons.items():
            where = ["--endpoint", endpoint, "--host", HOST, "--worker-port", _port(cluster.workers[name])]
            processes.append(_start(folder, name, python, ["worker", *where, "--metrics-exporter-host", HOST]))
        _wait_until_there(cluster, processes, workers=len(pythons))
        yield cluster
    finally:
        end_with_children(*processes)


@contextmanager
def late_worker(cluster: RealCluster, name: str, python: str = sys.executable) -> Iterator[tuple[str, int]]:
    """Another worker of a cluster that runs already, by its address and process id; gone afterwards."""
    address = f"{HOST}:{free_port()}"
    where = ["--endpoint", cluster.endpoint, "--host", HOST, "--worker-port", _port(address)]
    process = _start(cluster.folder, name, python, ["worker", *where, "--metrics-exporter-host", HOST])
    try:
        _wait_until_there(cluster, [process], workers=len(cluster.workers) + 1)
        yield address, process.pid
    finally:
        end_with_children(process)


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _start(folder: Path, name: str, python: str, role: list[str]) -> subprocess.Popen[bytes]:
    home = folder / name
    home.mkdir()
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [python, "-m", "biai_xinf.local_server", *role],
            env=environment(home, XINFERENCE_AUTH_ADVANCED="0", BIAI_XINF_HOME=str(home / "biai")),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home,
        )


def _wait_until_there(cluster: RealCluster, processes: list[subprocess.Popen[bytes]], *, workers: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        try:
            with Client(cluster.endpoint) as client:
                if len(client.status().workers) == workers:
                    return
        except XinferenceError:
            pass
        time.sleep(0.5)
    pytest.fail(f"the cluster did not start\n{cluster.said()}", pytrace=False)
