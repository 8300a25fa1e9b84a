"""What biai-xinf costs its user: the start of a command, a launch, and a look at the cluster.

`python bench/cli.py` needs biai-xinf[server,test] in the Python that runs it; `docs/performance.md` explains
the figures. Everything happens on loopback, with servers and homes of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Thread
from typing import TYPE_CHECKING, Any

import psutil
import requests
from measure import (
    Cost,
    call,
    clean_up_when_terminated,
    environment,
    finish,
    in_turn,
    run,
    say,
    seconds,
    xinference,
)

from biai_xinf import cli
from biai_xinf.catalogue import load_entry, shipped_specs
from biai_xinf.client import Client
from biai_xinf.execute import execute, register, remove
from biai_xinf.local import LocalService
from biai_xinf.reconcile import prepare
from biai_xinf.state import Desired, DesiredModel, Launch
from biai_xinf.verify import probe

if TYPE_CHECKING:
    from tests.fake_xinference import FakeXinference

Results = dict[str, object]
UID = "bench-sql"


@dataclass(frozen=True)
class Rounds:
    """How often each subject is measured."""

    help: int
    status: int
    route: int
    launch: int


THOROUGH = Rounds(help=7, status=9, route=10, launch=4)
QUICK = Rounds(help=3, status=5, route=4, launch=1)
LAUNCH_TIMEOUT_S = 240.0
# Requests a server answers before it is the other one's turn.
BATCH = 20


def main() -> None:
    """Measure everything, and print it for people and for machines."""
    arguments = _arguments()
    clean_up_when_terminated()
    rounds = QUICK if arguments.quick else THOROUGH
    with tempfile.TemporaryDirectory() as folder, environment(**_nobodys(folder)):
        results = measure_help(rounds.help) | measure_status(rounds.status)
        results |= measure_servers(rounds, Path(folder))
    if not arguments.as_json:
        for name, value in results.items():
            print(f"{name:<32} {_rounded(value)}")
    finish({name: _rounded(value) for name, value in results.items()})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", dest="as_json", action="store_true", help="print nothing but the JSON line")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: minutes less, and more noise")
    return parser.parse_args()


def _nobodys(folder: str) -> dict[str, str]:
    """The environment of a user who has set nothing, and whose machine is all there is: no model hub."""
    return {"BIAI_XINF_HOME": folder, "XINFERENCE_AUTH_ADVANCED": "0", "HF_HUB_OFFLINE": "1"}


def measure_help(rounds: int) -> Results:
    """The start of a command, ours and Xinference's; and of `launch`, which imports everything it needs."""
    say("the help pages of biai-xinf and xinference")
    ours = _biai_xinf()
    costs: dict[str, list[Cost]] = in_turn(
        rounds,
        {
            "ours": lambda: run([*ours, "--help"]),
            "launch": lambda: run([*ours, "launch", "--help"]),
            "xinference": lambda: run([str(_script("xinference")), "--help"]),
        },
    )
    cpu = {name: median(cost.cpu_s for cost in found) for name, found in costs.items()}
    wall = {name: median(cost.wall_s for cost in found) for name, found in costs.items()}
    return {
        "cpu_ratio_vs_xinference": cpu["xinference"] / cpu["ours"],
        "help_wall_s": wall["ours"],
        "help_cpu_s": cpu["ours"],
        "launch_help_wall_s": wall["launch"],
        "launch_help_cpu_s": cpu["launch"],
        "xinference_help_wall_s": wall["xinference"],
        "xinference_help_cpu_s": cpu["xinference"],
    }


def measure_status(rounds: int) -> Results:
    """`status` of 10 models x 3 workers: the command, the same within this process, its requests alone."""
    say("status of a fake cluster of 10 models x 3 workers")
    with _fake_cluster() as fake, requests.Session() as session:
        session.trust_env = False
        words = ["--endpoint", fake.endpoint, "status"]

        def in_process() -> None:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                cli.group(words, standalone_mode=False)

        def requests_alone() -> None:
            for path in ("/status", "/v1/models/instances", "/v1/models"):
                _get(session, fake.endpoint, path)

        command = [*_biai_xinf(), *words]
        costs = in_turn(
            rounds,
            {
                "command": lambda: run(command),
                "in process": lambda: call(in_process),
                "requests": lambda: call(requests_alone),
            },
        )
    return {
        "status_wall_s": median(cost.wall_s for cost in costs["command"]),
        "status_cpu_s": median(cost.cpu_s for cost in costs["command"]),
        "status_client_s": median(cost.cpu_s for cost in costs["in process"]),
        "status_server_s": median(cost.wall_s for cost in costs["requests"]),
    }


def _fake_cluster() -> FakeXinference:
    # Only a checkout has `tests`.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.fake_xinference import GIB, FakeGpu, FakeWorker, FakeXinference

    gpus = [FakeGpu("NVIDIA L4", 24 * GIB, 4 * GIB) for _ in range(4)]
    workers = [FakeWorker(f"127.0.0.1:{20001 + number}", gpus=gpus) for number in range(3)]
    fake = FakeXinference(workers)
    for number in range(10):
        weights = {"model_format": "awq", "model_size_in_billions": 14, "quantization": "Int4"}
        devices = [{"devices": [{"worker_ip": worker.address, "gpu_idx": [0]}]} for worker in workers]
        fake.run(f"model-{number}", model_engine="vLLM", replica_config=devices, **weights)
    return fake


def measure_servers(rounds: Rounds, folder: Path) -> Results:
    """What needs an Xinference: one started as `up` does, and beside it a stock one for its routes."""
    say("starting Xinference as `biai-xinf up` does")
    with xinference(folder / "ours") as ours:
        say("starting xinference-local")
        with xinference(folder / "stock", _stock) as stock:
            route = measure_route(rounds.route, ours.endpoint, stock.endpoint)
        return measure_launch(rounds.launch, ours) | route


def measure_route(rounds: int, ours: str, stock: str) -> Results:
    """GET /v1/models over one kept connection to each server, while nothing runs."""
    say("GET /v1/models on both")
    with requests.Session() as session:
        session.trust_env = False

        def batch(endpoint: str) -> list[float]:
            return [seconds(lambda: _get(session, endpoint, "/v1/models")) for _ in range(BATCH)]

        batches = in_turn(rounds, {"ours": lambda: batch(ours), "stock": lambda: batch(stock)})
    p50 = {name: median(one for batch in found for one in batch) * 1000 for name, found in batches.items()}
    return {"models_route_p50_ms": p50["ours"], "models_route_p50_ms_stock": p50["stock"]}


@dataclass(frozen=True)
class Launched:
    """One launch, in seconds: all of it, Xinference's own part, and the CPU it took on both sides."""

    total_s: float
    xinference_s: float
    cpu_s: float
    prepare_s: float = 0.0
    verify_s: float = 0.0


def measure_launch(rounds: int, service: LocalService) -> Results:
    """Our pipeline around a launch, against Xinference's own blocking launch of the same body."""
    say("launching the bundled model, by our pipeline and by POST /v1/models?wait_ready=true")
    entry = load_entry(shipped_specs() / "sql-coder.yaml")
    desired = Desired((DesiredModel(UID, entry, "bundled", allow_demonstration=True),))
    with TimingClient(service.endpoint) as client:
        _, plan = prepare(client, desired)
        planned = plan.changes[0].launch
        assert isinstance(planned, Launch)
        register(client, planned)
        launches = in_turn(
            rounds,
            {
                "pipeline": lambda: _launch_by_pipeline(client, service, desired),
                "xinference": lambda: _launch_by_xinference(client, service, planned.body),
            },
            # Launches are slow, and what is compared happens within one.
            warm_ups=0,
        )
    ours, theirs = launches["pipeline"], launches["xinference"]
    overhead_s = median(launch.total_s - launch.xinference_s for launch in ours)
    return {
        "launch_overhead_share": median(launch.total_s / launch.xinference_s for launch in ours) - 1,
        "launch_overhead_s": overhead_s,
        "prepare_s": median(launch.prepare_s for launch in ours),
        "verify_s": median(launch.verify_s for launch in ours),
        "launch_cpu_s": median(launch.cpu_s for launch in ours),
        "launch_cpu_s_xinference": median(launch.cpu_s for launch in theirs),
        "launches_s": [launch.total_s for launch in ours],
        "launches_s_xinference": [launch.total_s for launch in theirs],
    }


class TimingClient(Client):
    """A client whose launches block in a thread, so that the end of Xinference's own launch is known exactly.

    Two launches one after the other differ by more than our overhead; this way it is seen within one.
    """

    blocking: Thread
    launch_s: float

    def __enter__(self) -> TimingClient:
        return self

    def launch(self, body: Mapping[str, Any], wait_ready: bool = False, timeout: float = LAUNCH_TIMEOUT_S) -> str:
        uid = str(body["model_uid"])
        blocking = Thread(target=self.launch_blocking, args=(body,), daemon=True)
        blocking.start()
        # As a launch that does not block, it returns once the server knows the uid.
        while blocking.is_alive() and all(instance.model_uid != uid for instance in self.instances()):
            time.sleep(0.01)
        self.blocking = blocking
        return uid

    def launch_blocking(self, body: Mapping[str, Any]) -> float:
        """Xinference's own blocking launch, over a connection of its own; the seconds it took."""
        with Client(self.endpoint) as client:
            self.launch_s = seconds(lambda: client.launch(body, wait_ready=True, timeout=LAUNCH_TIMEOUT_S))
        return self.launch_s


def _launch_by_pipeline(client: TimingClient, service: LocalService, desired: Desired) -> Launched:
    cpu_before, begun = _cpu_s(service), time.perf_counter()
    _, plan = prepare(client, desired)
    prepared = time.perf_counter()
    execute(client, plan.changes[0], lambda fraction, stage: None)
    ready = time.perf_counter()
    cpu_s = _cpu_s(service) - cpu_before
    client.blocking.join(timeout=LAUNCH_TIMEOUT_S)
    verify_s = seconds(lambda: probe(client, UID, desired.models[0].entry.spec))
    remove(client, UID)
    return Launched(ready - begun, client.launch_s, cpu_s, prepared - begun, verify_s)


def _launch_by_xinference(client: TimingClient, service: LocalService, body: Mapping[str, Any]) -> Launched:
    cpu_before = _cpu_s(service)
    took = client.launch_blocking(body)
    cpu_s = _cpu_s(service) - cpu_before
    remove(client, UID)
    return Launched(took, took, cpu_s)


def _cpu_s(service: LocalService) -> float:
    """User and system time so far of the server's process tree as it is now, and of this process."""
    server = psutil.Process(service.pid)
    total = 0.0
    for process in (psutil.Process(), server, *server.children(recursive=True)):
        # One may end between being listed and being looked at.
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _get(session: requests.Session, endpoint: str, path: str) -> None:
    session.get(endpoint + path, timeout=30).raise_for_status()


def _stock(port: int) -> list[str]:
    return [str(_script("xinference-local")), "--host", "127.0.0.1", "--port", str(port)]


def _biai_xinf() -> list[str]:
    installed = _script("biai-xinf")
    # A checkout on PYTHONPATH has no script.
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "biai_xinf"]


def _script(name: str) -> Path:
    return Path(sysconfig.get_path("scripts")) / name


def _rounded(value: object) -> object:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
