"""How much faster `apply` is than launching the same models one after the other, and what a second `apply` costs.

`python bench/apply.py` needs biai-xinf[server,test] in the Python that runs it; `docs/reliability.md` explains the
figures. Four small models are brought up on two workers, in turn by `biai-xinf apply` and by four `xinference launch`.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from drill_cluster import DrillCluster, drill_cluster
from measure import clean_up_when_terminated, finish, print_results, rounded, say

from biai_xinf.catalogue import load_catalogue
from biai_xinf.client import Client
from biai_xinf.plan import make_plan
from biai_xinf.reconcile import prepare
from biai_xinf.state import Desired, DesiredModel

UIDS = ("sql-1", "sql-2", "sql-3", "sql-4")


def main() -> None:
    """Measure, explain to a person, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    parser.add_argument("--json", action="store_true", dest="as_json", help="only the last line")
    arguments = parser.parse_args()
    clean_up_when_terminated()
    with tempfile.TemporaryDirectory(prefix="apply-") as folder, drill_cluster(Path(folder), stock=False) as cluster:
        _write_file(cluster)
        results = rounded(_measured(cluster, rounds=1 if arguments.quick else 3))
    if not arguments.as_json:
        print_results(results)
    finish(results)


def _measured(cluster: DrillCluster, rounds: int) -> dict[str, Any]:
    apply_s, sequential_s = [], []
    _register(cluster)
    for number in range(rounds):
        # In turn, so that what else loads the machine loads both.
        for way in ("apply", "sequential") if number % 2 == 0 else ("sequential", "apply"):
            seconds = _apply(cluster) if way == "apply" else _sequential(cluster)
            say(f"{way}: {seconds:.1f} s")
            (apply_s if way == "apply" else sequential_s).append(seconds)
            _all_answer(cluster)
            if way == "apply":
                noop_s, mutating = _noop(cluster)
            _stop_all(cluster)
    return {
        "apply_vs_sequential": median(sequential_s) / median(apply_s),
        "apply_s": median(apply_s),
        "sequential_s": median(sequential_s),
        "noop_s": noop_s,
        "noop_mutating_calls": mutating,
        "models": len(UIDS),
    }


def _apply(cluster: DrillCluster, endpoint: str | None = None) -> float:
    begun = time.monotonic()
    where = ["--endpoint", endpoint] if endpoint else []
    command = [sys.executable, "-m", "biai_xinf", *where, "apply", str(_file(cluster))]
    subprocess.run(command, env=_environment(cluster), check=True, capture_output=True)
    return time.monotonic() - begun


def _sequential(cluster: DrillCluster) -> float:
    """Four `xinference launch`, each of which returns once its model is ready; two go to each worker."""
    xinference = Path(sys.executable).with_name("xinference")
    begun = time.monotonic()
    for number, uid in enumerate(UIDS):
        address = list(cluster.addresses.values())[number % 2]
        subprocess.run(
            [str(xinference), *_launch_options(cluster, uid, address)],
            env=_environment(cluster),
            check=True,
            capture_output=True,
        )
    return time.monotonic() - begun


def _launch_options(cluster: DrillCluster, uid: str, address: str) -> list[str]:
    """The same launch as ours, in the words of its command line."""
    body = dict(_bodies(cluster)[uid])
    body["worker_ip"] = address
    named = {
        "model_uid": "--model-uid",
        "model_name": "--model-name",
        "model_type": "--model-type",
        "model_engine": "--model-engine",
        "model_format": "--model-format",
        "model_size_in_billions": "--size-in-billions",
        "quantization": "--quantization",
        "worker_ip": "--worker-ip",
        "context_length": "--context-length",
        "model_path": "--model-path",
    }
    options = ["launch", "--endpoint", cluster.endpoint, "--n-gpu", "None"]
    for key, value in body.items():
        if key in named:
            options += [named[key], str(value)]
        elif key not in ("n_gpu", "replica", "replica_config"):
            options += [f"--{key}", str(value)]
    return options


def _bodies(cluster: DrillCluster) -> dict[str, Any]:
    entry = load_catalogue()["sql-coder"]
    wishes = tuple(DesiredModel(uid, entry, recipes=("bundled",), allow_demonstration=True) for uid in UIDS)
    with Client(cluster.endpoint) as client:
        observed, _ = prepare(client, Desired(wishes))
    plan = make_plan(Desired(wishes), observed)
    return {change.uid: change.launch.body for change in plan.changes if change.launch}


def _register(cluster: DrillCluster) -> None:
    """Both ways find the model registered."""
    (registration,) = [
        found for name, found in load_catalogue()["sql-coder"].registrations.items() if name == "bundled"
    ]
    with Client(cluster.endpoint) as client:
        client.register("LLM", registration)


def _noop(cluster: DrillCluster) -> tuple[float, int]:
    """Seconds of a second `apply`, and how many of its calls would change something."""
    seconds = _apply(cluster)
    with _counting(cluster.endpoint) as (endpoint, calls):
        _apply(cluster, endpoint)
    asks = ("/v1/chat/", "/v1/embeddings", "/v1/rerank", "/biai/models/")
    return seconds, sum(method != "GET" and not path.startswith(asks) for method, path in calls)


@contextlib.contextmanager
def _counting(endpoint: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A pass-through that writes down every call."""
    calls: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append((self.command, self.path))
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            kept = {name: self.headers[name] for name in ("content-type", "authorization") if name in self.headers}
            request = urllib.request.Request(endpoint + self.path, sent or None, kept, method=self.command)
            try:
                answer = urllib.request.urlopen(request, timeout=60)
            except urllib.error.HTTPError as error:
                answer = error
            content = answer.read()
            self.send_response(answer.status)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", calls
    finally:
        server.shutdown()
        server.server_close()


def _all_answer(cluster: DrillCluster) -> None:
    """Equal success: every model answers."""
    with Client(cluster.endpoint) as client:
        for uid in UIDS:
            if not client.chat(uid, [{"role": "user", "content": "How many orders are there?"}], max_tokens=24).text:
                raise SystemExit(f"{uid} does not answer")


def _stop_all(cluster: DrillCluster) -> None:
    with Client(cluster.endpoint) as client:
        for uid in UIDS:
            client.terminate(uid)


def _file(cluster: DrillCluster) -> Path:
    return cluster.folder / "cluster.yaml"


def _write_file(cluster: DrillCluster) -> None:
    workers = {name: {"address": address} for name, address in cluster.addresses.items()}
    models = [
        {"spec": "sql-coder", "uid": uid, "recipes": ["bundled"], "where": {"workers": [list(workers)[number % 2]]}}
        for number, uid in enumerate(UIDS)
    ]
    content = {"endpoint": cluster.endpoint, "workers": workers, "models": models}
    _file(cluster).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _environment(cluster: DrillCluster) -> dict[str, str]:
    return {**os.environ, "BIAI_XINF_HOME": str(cluster.folder / "biai-xinf"), "HF_HUB_OFFLINE": "1"}


if __name__ == "__main__":
    main()
