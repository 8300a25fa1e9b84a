"""What clients notice when machines die, and how long it takes until everything is as the cluster file says.

    python bench/drills.py replay             one of two workers is killed under full load, nobody repairs
    python bench/drills.py worker-kill        the same under a steady load, with `biai-xinf watch`
    python bench/drills.py recoveries         a model's process, the supervisor, an empty worker, a late one
    python bench/drills.py reconciler-kill    `biai-xinf watch` itself, again and again

Needs biai-xinf[server,test] in the Python that runs it; `docs/reliability.md` explains the figures. Everything
happens on loopback, with servers and homes of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests
import yaml
from drill_cluster import DrillCluster, drill_cluster, kill_tree
from drill_load import Load, Tally
from measure import clean_up_when_terminated, finish, print_results, rounded, say

from biai_xinf import wire
from biai_xinf.client import Client

UID = "drill-sql"
RESTORE_S = 300.0
# A steady load, of which a 2-core machine keeps enough free to launch something.
STEADY_CLIENTS, STEADY_PAUSE_S = 4, 0.25

Results = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How long the full load lasts and when the worker dies, in seconds; how often the watch is killed."""

    lasts_s: float
    kill_after_s: float
    kills: int


THOROUGH = Size(lasts_s=60, kill_after_s=10, kills=100)
QUICK = Size(lasts_s=30, kill_after_s=6, kills=20)


def main() -> None:
    """Run one drill and print what it showed."""
    arguments = _arguments()
    clean_up_when_terminated()
    size = QUICK if arguments.quick else THOROUGH
    results = rounded(DRILLS[arguments.drill](size, arguments))
    if not arguments.as_json:
        print_results(results)
    finish(results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drill", choices=list(DRILLS))
    parser.add_argument("--quick", action="store_true", help="a short form, for a first look")
    parser.add_argument("--json", action="store_true", dest="as_json", help="only the last line")
    parser.add_argument("--ours-only", action="store_true", help="without plain Xinference beside it")
    return parser.parse_args()


# replay


def replay(size: Size, arguments: argparse.Namespace) -> Results:
    """What the endpoint's replay is worth by itself: nobody restores anything."""
    ours, replayed = _replay(size, stock=False)
    results: Results = {
        "failed_share": ours.failed / ours.asked,
        "failed_though_replayable": ours.failed - ours.broken_streams,
        "replayed": replayed,
        "requests": ours.asked,
    }
    if not arguments.ours_only:
        stock, _ = _replay(size, stock=True)
        results |= {"stock_failed_share": stock.failed / stock.asked, "stock_requests": stock.asked}
    return results


def _replay(size: Size, *, stock: bool) -> tuple[Tally, int]:
    with _cluster(stock=stock) as cluster:
        _apply(cluster, replicas=2)
        load = Load(cluster.endpoint, UID).start()
        time.sleep(size.kill_after_s)
        cluster.machines["one"].kill()
        time.sleep(size.lasts_s - size.kill_after_s)
        tally = load.stop()
        replayed = 0 if stock else _replays(cluster.endpoint)
    say(f"{tally.asked} requests, {tally.failed} failed, {replayed} replayed; {dict(tally.errors.most_common(5))}")
    return tally, replayed


def _replays(endpoint: str) -> int:
    text = requests.get(f"{endpoint}/metrics", timeout=10).text
    counts = re.findall(r"^xinference:biai_replays_total\{[^}]*\} ([0-9.e+]+)$", text, re.MULTILINE)
    return round(sum(map(float, counts)))


# worker-kill


def worker_kill(size: Size, arguments: argparse.Namespace) -> Results:
    """A worker dies under a steady load: with our endpoint and watch, and with plain Xinference alone and watched."""
    results = _worker_kill(stock=False, watched=True)
    if not arguments.ours_only:
        results |= {f"stock_{key}": value for key, value in _worker_kill(stock=True, watched=False).items()}
        watched = _worker_kill(stock=True, watched=True)
        results |= {f"stock_watched_{key}": value for key, value in watched.items()}
    return results


def _worker_kill(*, stock: bool, watched: bool) -> Results:
    with _cluster(stock=stock) as cluster, contextlib.ExitStack() as stack:
        calm_s = _seconds(lambda: _apply(cluster, replicas=1))
        load = Load(cluster.endpoint, UID, STEADY_CLIENTS, STEADY_PAUSE_S).start()
        time.sleep(3)
        # The same as what is restored later, under the same load: what a restoration is held against.
        launch_s = _seconds(lambda: _apply(cluster, replicas=2))
        if watched:
            stack.enter_context(_watching(cluster))
        time.sleep(5)
        before = load.tally.failed
        killed = time.monotonic()
        cluster.machines["one"].kill()
        say("worker `one` is killed")
        cluster.wait_for(lambda client: all(r.worker_address != cluster.addresses["one"] for r in _ready(client)))
        out_s = time.monotonic() - killed
        restored_s: float | None = None
        if watched:
            cluster.wait_for(lambda client: len(_ready(client)) == 2, RESTORE_S)
            restored_s = time.monotonic() - killed
        # Long enough for plain Xinference to notice, and for either to show that it is over.
        time.sleep(max(5.0, 45.0 - (time.monotonic() - killed)))
        tally = load.stop()
    failed = tally.failed - before
    say(f"{tally.asked} requests, {failed} failed after the kill; {dict(tally.errors.most_common(3))}")
    return {
        "failed_share": tally.failed / tally.asked,
        "requests": tally.asked,
        "failures_over_s": tally.failures_over_s(killed),
        "out_of_rotation_s": out_s,
        "restored_s": restored_s,
        "launch_calm_s": calm_s,
        "launch_under_load_s": launch_s,
    }


# recoveries


def recoveries(size: Size, arguments: argparse.Namespace) -> Results:
    """Other deaths, each with the seconds until the model answers and all is as the file says again."""
    with _cluster(stock=False) as cluster:
        _apply(cluster, replicas=1, where="one")
        with _watching(cluster):
            results = {
                "model_process_s": _model_process(cluster),
                **_supervisor(cluster),
                "empty_worker_s": _empty_worker(cluster),
            }
        results["late_worker_s"] = _late_worker(cluster)
    return results


def _model_process(cluster: DrillCluster) -> float:
    """Xinference itself makes a model's process anew."""
    (pid,) = _model_pids(cluster)
    os.kill(pid, signal.SIGKILL)
    return _until_it_answers(cluster, lambda: pid not in _model_pids(cluster))


def _supervisor(cluster: DrillCluster) -> Results:
    """The supervisor dies and comes back: what its workers run goes on, and nothing is launched again."""
    pids = _model_pids(cluster)
    cluster.machines["supervisor"].kill()
    time.sleep(5)
    begun = time.monotonic()
    cluster.machines["supervisor"].start()
    cluster.wait_for(lambda client: client.auth_enabled() is False)
    up_s = time.monotonic() - begun
    answers_s = up_s + _until_it_answers(cluster)
    # Long enough for the watch to do something wrong.
    time.sleep(20)
    return {
        "supervisor_up_s": up_s,
        "supervisor_answers_s": answers_s,
        "supervisor_needless_restarts": len(_model_pids(cluster) ^ pids) // 2,
    }


def _empty_worker(cluster: DrillCluster) -> float:
    """The only worker that may run the model dies and comes back with an empty home: nothing of it is left there."""
    cluster.machines["one"].kill()
    cluster.wait_for(lambda client: not _ready(client))
    begun = time.monotonic()
    cluster.machines["one"].start(empty=True)
    _until_it_answers(cluster)
    return time.monotonic() - begun


def _late_worker(cluster: DrillCluster) -> float:
    """A worker joins after everything was registered, and a model with a registration of ours is launched on it."""
    cluster.add_worker("late")
    cluster.machines["late"].start()
    cluster.wait_for_workers("one", "two", "late")
    return _seconds(lambda: _apply(cluster, replicas=1, where="late", uid="late-sql"))


def _until_it_answers(cluster: DrillCluster, also: Callable[[], bool] = lambda: True) -> float:
    def answers(client: Client) -> bool:
        said = client.chat(UID, [{"role": "user", "content": "How many orders are there?"}], max_tokens=24, timeout=20)
        return bool(said.text) and also()

    return cluster.wait_for(answers, RESTORE_S)


def _model_pids(cluster: DrillCluster) -> set[int]:
    """The processes that hold a model: Xinference names them after it."""
    found = set()
    for name in cluster.addresses:
        if process := cluster.machines[name].process:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        if child.cmdline()[:1] == [f"Model: {UID}-rep0"]:
                            found.add(child.pid)
    return found


# reconciler-kill


def reconciler_kill(size: Size, arguments: argparse.Namespace) -> Results:
    """The watch dies at any moment, while replicas go away under it; every fifth time it may finish, and is judged."""
    rng, looks, equal, needless = random.Random(7), 0, 0, 0
    with _cluster(stock=False) as cluster:
        _apply(cluster, replicas=2)
        kept = _created(cluster)
        for kill in range(1, size.kills + 1):
            if kill % 5 == 1:
                # One replica is taken away by hand; the other one is healthy, and must stay as it is.
                number = max(kept)
                kept.pop(number)
                with Client(cluster.endpoint) as client:
                    client.remove_replica(UID, number)
            with _watching(cluster):
                time.sleep(rng.uniform(0.3, 6.0))
            say(f"kill {kill} of {size.kills}")
            if kill % 5 == 0:
                now = _settled(cluster)
                looks += 1
                equal += len(now) == 2
                needless += sum(now.get(number) != created for number, created in kept.items())
                kept = now
    return {"kills": size.kills, "looks": looks, "states_equal": equal, "needless_restarts": needless}


def _settled(cluster: DrillCluster) -> dict[int, int | None]:
    """The replicas once a watch that nobody kills had time to do all that it would."""
    with _watching(cluster):
        with contextlib.suppress(SystemExit):
            cluster.wait_for(lambda client: len(_ready(client)) == 2, RESTORE_S)
        time.sleep(3)
    return _created(cluster)


# What they share


@contextlib.contextmanager
def _cluster(*, stock: bool) -> Iterator[DrillCluster]:
    say(f"starting {'plain Xinference' if stock else 'our endpoint'}: a supervisor and two workers")
    with tempfile.TemporaryDirectory(prefix="drill-") as folder, drill_cluster(Path(folder), stock=stock) as cluster:
        yield cluster


def _apply(cluster: DrillCluster, *, replicas: int, where: str | None = None, uid: str = UID) -> None:
    """Write the cluster file and apply it: the small model that comes with biai-xinf, so many times."""
    _write_file(cluster, replicas, where, uid)
    subprocess.run(_ours("apply", str(_file(cluster))), env=_environment(cluster), check=True, capture_output=True)


def _file(cluster: DrillCluster) -> Path:
    return cluster.folder / "cluster.yaml"


def _write_file(cluster: DrillCluster, replicas: int, where: str | None, uid: str) -> None:
    model: dict[str, object] = {"spec": "sql-coder", "uid": uid, "recipes": ["bundled"], "replicas": replicas}
    if where:
        model["where"] = {"workers": [where]}
    workers = {name: {"address": address} for name, address in cluster.addresses.items()}
    content = {"endpoint": cluster.endpoint, "workers": workers, "models": [model]}
    _file(cluster).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@contextlib.contextmanager
def _watching(cluster: DrillCluster) -> Iterator[None]:
    """`biai-xinf watch` on the cluster's file; killed without a word at the end."""
    with (cluster.folder / "watch.log").open("ab") as log:
        process = subprocess.Popen(
            _ours("watch", str(_file(cluster))), env=_environment(cluster), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        kill_tree(process.pid)
        process.wait(30)


def _ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "biai_xinf", *arguments]


def _environment(cluster: DrillCluster) -> dict[str, str]:
    return {**os.environ, "BIAI_XINF_HOME": str(cluster.folder / "biai-xinf"), "HF_HUB_OFFLINE": "1"}


def _ready(client: Client) -> list[wire.ReplicaStatus]:
    return [replica for replica in client.replicas(UID) if replica.status == "READY"]


def _created(cluster: DrillCluster) -> dict[int, int | None]:
    """When each ready replica was created, by its number."""
    with Client(cluster.endpoint) as client:
        return {replica.replica_id: replica.created_ts for replica in _ready(client)}


def _seconds(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


DRILLS: dict[str, Callable[[Size, argparse.Namespace], Results]] = {
    "replay": replay,
    "worker-kill": worker_kill,
    "recoveries": recoveries,
    "reconciler-kill": reconciler_kill,
}

if __name__ == "__main__":
    main()
