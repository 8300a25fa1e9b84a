"""The kill drill in its short form: two real workers under a steady load, one of them killed, `watch` at work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.xinference_fixtures import needs_xinference

DRILLS = Path(__file__).resolve().parents[2] / "bench" / "drills.py"


@pytest.mark.slow
@pytest.mark.real
@needs_xinference
def test_a_worker_that_dies_under_load_costs_no_answers_and_its_replica_comes_back() -> None:
    command = [sys.executable, str(DRILLS), "worker-kill", "--quick", "--json", "--ours-only"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)

    assert ended.returncode == 0, ended.stderr[-4000:]
    figures = json.loads(ended.stdout.splitlines()[-1])
    assert figures["requests"] > 100
    assert figures["failed_share"] <= 0.01
    assert figures["restored_s"] is not None
