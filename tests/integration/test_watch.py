"""`biai-xinf watch` as a process of its own, on a fake Xinference: its lines, its metrics, and its death at any moment."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from biai_xinf.client import Client
from tests.builders import recipe, spec_data
from tests.fake_xinference import GIB, FakeWorker, FakeXinference, Launching, option

RIGHT = "SELECT COUNT(*) FROM customers"
FILE = """\
endpoint: {endpoint}
models:
  - {{spec: coder, uid: sql, replicas: 2}}
  - {{spec: coder, uid: spare}}
"""


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    with FakeXinference() as server:
        # Two addresses at which something listens: the fake itself.
        port = server.endpoint.rpartition(":")[2]
        server.workers = [FakeWorker(f"{host}:{port}", memory_free=64 * GIB) for host in ("127.0.0.1", "localhost")]
        server.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        for uid in ("sql", "spare"):
            server.chat[uid] = lambda body: f"```sql\n{RIGHT};\n```"
        yield server


@pytest.fixture
def file(fake: FakeXinference, own_home: Path, tmp_path: Path) -> Path:
    (own_home / "specs").mkdir()
    one = {**recipe("cpu", gib=4), "model_path": "/srv/coder.gguf"}
    (own_home / "specs" / "coder.yaml").write_text(yaml.safe_dump(spec_data(one)), encoding="utf-8")
    path = tmp_path / "cluster.yaml"
    path.write_text(FILE.format(endpoint=fake.endpoint), encoding="utf-8")
    return path


@contextmanager
def watching(file: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "biai_xinf", "watch", str(file), "--interval", "0.1", "--json", *options]
    with subprocess.Popen(
        command,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts something in the background lets it ignore Ctrl-C, and so whatever that starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def as_the_file_says(fake: FakeXinference) -> bool:
    models = {uid: model for uid, model in fake.models.items() if model.is_known and model.status == "READY"}
    ready = {uid: [one["status"] for one in model.replicas].count("READY") for uid, model in models.items()}
    return ready == {"sql": 2, "spare": 1}


def test_it_tells_machines_each_event_on_a_line_and_ends_on_ctrl_c(fake: FakeXinference, file: Path) -> None:
    with watching(file) as process:
        assert process.stdout
        until(lambda: as_the_file_says(fake))
        lines = [json.loads(process.stdout.readline()) for _ in range(5)]
        process.send_signal(signal.SIGINT)
        process.wait(10)

    said = [(line["uid"], line["kind"], line["event"]) for line in lines]
    assert said[0] == (None, "cluster", "the cluster answers")
    assert {uid for uid, kind, _ in said if kind == "doing"} == {"sql", "spare"}
    assert as_the_file_says(fake)


def test_prometheus_reads_what_it_sees(fake: FakeXinference, file: Path) -> None:
    with watching(file, "--metrics-port", "0") as process:
        assert process.stderr
        url = process.stderr.readline().split()[-1]
        until(lambda: "models_as_wished 2" in requests.get(url, timeout=5).text)
        text = requests.get(url, timeout=5).text
        other = requests.get(url.replace("/metrics", "/"), timeout=5)

    figures = dict(re.findall(r"^biai_xinf_watch_(\w+) (\d+)$", text, re.MULTILINE))
    assert {key: figures[key] for key in ("reachable", "workers", "models_wished", "models_as_wished")} == {
        "reachable": "1",
        "workers": "2",
        "models_wished": "2",
        "models_as_wished": "2",
    }
    assert 'biai_xinf_watch_events_total{kind="ready"} 2' in text
    assert other.status_code == 404


def test_a_taken_metrics_port_is_one_sentence(fake: FakeXinference, file: Path) -> None:
    taken = fake.endpoint.rpartition(":")[2]
    with watching(file, "--metrics-port", taken) as process:
        _, words = process.communicate(timeout=30)

    assert words.startswith(f"error: port {taken} of 127.0.0.1 cannot be listened on: ")
    assert "Traceback" not in words


@pytest.mark.slow
def test_a_hundred_kills_at_any_moment_leave_the_cluster_as_the_file_says(fake: FakeXinference, file: Path) -> None:
    """It is killed a hundred times while models and workers die under it, and touches nothing that is healthy."""
    rng = random.Random(100)
    for uid in ("sql", "spare"):
        fake.launches[uid] = Launching(looks=3)
    for kill in range(100):
        if kill % 4 == 0:
            with fake._lock:
                fake.models.pop(rng.choice(["sql", "spare"]), None)
        with watching(file) as process:
            # Python starts in half a second: some die before their first look, some in the middle of a launch.
            time.sleep(rng.uniform(0.2, 1.6))
            process.kill()
            process.wait(10)
    with watching(file):
        until(lambda: as_the_file_says(fake))
    launched = len(fake.launch_bodies)
    with watching(file) as process:
        assert process.stdout
        while '"uid": "spare"' not in process.stdout.readline():
            pass

    assert as_the_file_says(fake)
    assert len(fake.launch_bodies) == launched
    with Client(fake.endpoint) as client:
        assert sorted(instance.model_uid for instance in client.instances()) == ["spare", "sql"]
