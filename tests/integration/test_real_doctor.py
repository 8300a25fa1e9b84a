"""`doctor` on a real cluster: a worker that joined late, and one that was stopped where it stood."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from biai_xinf.client import Client
from tests.commandline import run
from tests.real_cluster import RealCluster, late_worker, running_cluster
from tests.tiny_models import llm_family, tiny_llm_gguf
from tests.xinference_fixtures import needs_xinference

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    needs_xinference,
]


def findings(cluster: RealCluster) -> dict[str, dict[str, Any]]:
    told = json.loads(run("--endpoint", cluster.endpoint, "doctor", "--json").stdout)
    return {finding["name"]: finding for finding in told}


def test_a_late_worker_lacks_registrations_and_one_that_hangs_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with running_cluster(tmp_path, {"north": sys.executable}) as cluster, Client(cluster.endpoint) as client:
        client.register("LLM", llm_family("tiny", tiny_llm_gguf(tmp_path)))
        with late_worker(cluster, "late") as (late, pid):
            before = findings(cluster)
            client.unregister("LLM", "tiny")
            client.register("LLM", llm_family("tiny", tiny_llm_gguf(tmp_path)))
            after = findings(cluster)
            stopped = stop(pid)
            time.sleep(18)
            silent = findings(cluster)
            for process in stopped:
                process.resume()

    assert before["registrations"]["seen"] == f"{late} lacks `tiny`"
    assert after["registrations"]["seen"] == "1 custom models, known to 2 workers alike"
    assert [one["name"] for one in after.values() if one["health"] == "ill"] == []
    assert before["supervisor-threads"]["seen"].endswith("it was started by biai-xinf as supervisor")
    assert silent["heartbeat"]["health"] == "doubtful"
    assert silent["heartbeat"]["seen"].startswith(f"{late} was last heard of ")


def stop(pid: int) -> list[psutil.Process]:
    """Halt a worker where it stands, from its last child up."""
    host = psutil.Process(pid)
    family = [*reversed(host.children(recursive=True)), host]
    for process in family:
        process.suspend()
    return family
