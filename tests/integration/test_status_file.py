"""`status FILE` on a fake Xinference: what differs from a cluster file and why, and the memory that its models take."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import recipe, spec_data
from tests.commandline import run
from tests.fake_xinference import GIB, FakeWorker, FakeXinference, Launching, option

NORTH, SOUTH = "127.0.0.1:20001", "127.0.0.1:20002"
RUNNING = {
    "model_name": "coder",
    "model_format": "ggufv2",
    "model_size_in_billions": 7,
    "quantization": "q-cpu",
    "model_engine": "llama.cpp",
}


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    workers = [FakeWorker(NORTH, memory_free=16 * GIB), FakeWorker(SOUTH, memory_free=16 * GIB)]
    with FakeXinference(workers) as server:
        server.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        yield server


@pytest.fixture(autouse=True)
def spec(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (own_home / "specs").mkdir()
    one = {**recipe("cpu", gib=4), "model_path": "/srv/coder.gguf"}
    (own_home / "specs" / "coder.yaml").write_text(yaml.safe_dump(spec_data(one)), encoding="utf-8")


@pytest.fixture
def written(fake: FakeXinference, tmp_path: Path) -> Callable[..., str]:
    def write(*models: dict[str, Any], **more: Any) -> str:
        path = tmp_path / "cluster.yaml"
        workers = {"north": {"address": NORTH}, "south": {"address": SOUTH}}
        content = {"endpoint": fake.endpoint, "workers": workers, "models": list(models), **more}
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    return write


def test_a_cluster_that_is_as_its_file_says(fake: FakeXinference, written: Callable[..., str]) -> None:
    fake.run("coder", replica=2, **RUNNING)
    path = written({"spec": "coder", "replicas": 2})

    result = run("status", path)

    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "MODEL  STATE  REPLICAS                                    MEMORY EACH  DIFFERS FROM THE FILE\n"
        f"coder  ready  2 of 2 on {NORTH}, {SOUTH}  4 GiB        -\n"
        "\n"
        "WORKER  ADDRESS          MEMORY                 GPUS  MODELS TAKE\n"
        f"north   {NORTH}  16 GiB free of 64 GiB  none  4 GiB of memory\n"
        f"south   {SOUTH}  16 GiB free of 64 GiB  none  4 GiB of memory\n"
    )
    assert result.stderr == f"\n1 of 1 models at {fake.endpoint} are as {path} says\n"
    assert fake.mutating_calls == []


def rows(result_of: dict[str, Any]) -> dict[str, tuple[int, int, str | None]]:
    models = result_of["file"]["models"]
    return {one["uid"]: (one["replicas_ready"], one["replicas_wished"], one["differs"]) for one in models}


def test_everything_that_differs_is_told_with_its_reason(fake: FakeXinference, written: Callable[..., str]) -> None:
    fake.launches["failed"] = Launching(0, fails_with="no space left on device")
    fake.post_model({**RUNNING, "model_uid": "failed"}, "false")
    fake.run("scaled", replica=1, **RUNNING)
    fake.run("other", **{**RUNNING, "quantization": "q8_0"})
    fake.run("somebody-elses", **RUNNING)
    uids = ("failed", "scaled", "other", "missing")
    path = written(*({"spec": "coder", "uid": uid, "replicas": 2 if uid == "scaled" else 1} for uid in uids))

    told = json.loads(run("status", path, "--json").stdout)
    text = run("status", path)

    assert rows(told) == {
        "failed": (0, 1, "is failed: no space left on device"),
        "scaled": (1, 2, "runs recipe cpu, 1 of 2 replicas"),
        "other": (1, 1, "`other` runs coder ggufv2 q8_0 on llama.cpp, which is no recipe of `coder`"),
        "missing": (0, 1, "is not running"),
    }
    assert told["file"]["unmanaged"] == ["somebody-elses"]
    (left_alone,) = (line for line in text.stdout.splitlines() if line.startswith("somebody-elses"))
    assert " ".join(left_alone.split()) == "somebody-elses ready 1 - is not in it, and left alone"
    assert text.stderr == f"\n0 of 4 models at {fake.endpoint} are as {path} says; next: biai-xinf plan {path}\n"


def test_a_worker_that_has_not_joined_is_told(fake: FakeXinference, written: Callable[..., str]) -> None:
    del fake.workers[1]

    result = run("status", written({"spec": "coder"}))

    assert f"south   {SOUTH}  has not joined         -     -\n" in result.stdout


def test_a_model_alone_that_finds_no_room_is_told_with_every_recipe(
    fake: FakeXinference, written: Callable[..., str]
) -> None:
    for worker in fake.workers:
        worker.memory_free = GIB

    result = run("status", written({"spec": "coder"}))

    assert result.exit_code == 0
    assert "coder  -      0 of 1    -            no recipe of `coder` fits this cluster\n" in result.stdout
    assert result.stdout.endswith(
        "\ncoder: no recipe of `coder` fits this cluster\n  cpu: needs 4 GiB of free memory, the most is 1 GiB\n"
    )


def test_memory_is_marked_as_an_estimate_where_the_recipe_has_no_figure(
    fake: FakeXinference, written: Callable[..., str]
) -> None:
    weights = {"model_name": "bge-m3", "model_type": "embedding", "model_format": "ggufv2", "quantization": "Q8_0"}
    fake.run("bge-m3", model_engine="llama.cpp", **weights)
    path = written({"spec": "bge-m3"})

    text, told = run("status", path).stdout, json.loads(run("status", path, "--json").stdout)

    (model,) = told["file"]["models"]
    assert model["memory_is_estimated"] is True
    assert model["memory_each"] > 0.5 * GIB
    assert text.count("  about ") == 2


def test_wide_goes_without_a_file(written: Callable[..., str]) -> None:
    assert run("status", written({"spec": "coder"}), "--wide").exit_code == 2
