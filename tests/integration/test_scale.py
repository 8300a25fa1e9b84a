"""`scale` on a fake Xinference with two workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from biai_xinf import execute
from tests.builders import recipe, spec_data
from tests.commandline import Result, run
from tests.fake_xinference import GIB, FakeWorker, FakeXinference, option

NORTH, SOUTH = "127.0.0.1:20001", "127.0.0.1:20002"


@pytest.fixture
def fake(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeXinference]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(execute, "_POLL_S", 0)
    (own_home / "specs").mkdir()
    one = {**recipe("cpu", gib=4), "model_path": "/srv/coder.gguf"}
    (own_home / "specs" / "coder.yaml").write_text(yaml.safe_dump(spec_data(one)), encoding="utf-8")
    with FakeXinference([FakeWorker(NORTH, memory_free=16 * GIB), FakeWorker(SOUTH, memory_free=16 * GIB)]) as server:
        server.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        server.chat["sql"] = lambda body: "```sql\nSELECT COUNT(*) FROM customers;\n```"
        server.run("sql", model_name="coder", model_engine="llama.cpp", quantization="q-cpu", **WEIGHTS)
        yield server


WEIGHTS = {"model_format": "ggufv2", "model_size_in_billions": 7}


def scaled(fake: FakeXinference, *arguments: str) -> Result:
    return run("--endpoint", fake.endpoint, "scale", *arguments)


def where(fake: FakeXinference) -> list[str]:
    return [one["worker_address"] for one in fake.models["sql"].replicas]


def test_a_second_replica_starts_on_the_other_worker_and_goes_again(fake: FakeXinference) -> None:
    up = scaled(fake, "sql", "2")
    both = where(fake)
    down = scaled(fake, "sql", "1", "--json")

    assert up.exit_code == 0, up.stderr
    assert "~ sql  runs recipe cpu, 1 of 2 replicas" in up.stderr
    assert up.stderr.splitlines()[-1] == "`sql` runs in 2 replicas"
    assert both == [NORTH, SOUTH]
    assert json.loads(down.stdout) == {"uid": "sql", "replicas": 1, "changed": True}
    assert where(fake) == [NORTH]


def test_as_many_as_there_are_changes_nothing(fake: FakeXinference) -> None:
    before = list(fake.mutating_calls)

    result = scaled(fake, "sql", "1", "--json")

    assert json.loads(result.stdout) == {"uid": "sql", "replicas": 1, "changed": False}
    assert fake.mutating_calls == before


def test_where_only_some_fit_those_start_and_the_exit_code_tells(fake: FakeXinference) -> None:
    fake.workers[0].memory_free = 1 * GIB
    fake.workers[1].memory_free = 5 * GIB

    result = scaled(fake, "sql", "4")

    assert result.exit_code == 1
    assert "error: `sql` should run in 4, there is room for 2" in result.stderr


def test_without_room_it_says_what_is_missing(fake: FakeXinference) -> None:
    for worker in fake.workers:
        worker.memory_free = 1 * GIB

    result = scaled(fake, "sql", "2")

    assert result.stderr.splitlines()[:2] == [
        "error: `sql` runs 1 of 2 replicas, and there is no room for another",
        "  needs 4 GiB of free memory, the most is 1 GiB",
    ]


def test_an_unknown_uid_offers_the_nearest(fake: FakeXinference) -> None:
    assert scaled(fake, "sqll", "2").stderr.splitlines()[-1].startswith("hint: did you mean `sql`?")


def test_what_is_of_no_spec_is_not_scaled(fake: FakeXinference) -> None:
    fake.run("other", model_name="another", model_engine="llama.cpp", **WEIGHTS, quantization="q8_0")

    assert "`other` runs no recipe of any spec" in scaled(fake, "other", "2").stderr
