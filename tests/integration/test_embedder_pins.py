"""The embedder pin in what an operator sees: `plan`, `launch`, `apply`, `doctor`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from biai_xinf import execute
from biai_xinf.catalogue import find, load_catalogue
from biai_xinf.client import Client
from biai_xinf.pins import EmbedderPin, Pinned, keep_pin, pins_file
from biai_xinf.state import Desired, DesiredModel
from biai_xinf.watch import Event, Watch
from tests.commandline import run
from tests.fake_xinference import FakeWorker, FakeXinference, option

Q8 = EmbedderPin(model_name="bge-m3", model_format="ggufv2", quantization="Q8_0", pooling="cls", dimensions=1024)
LAUNCHED = {"model_name": "bge-m3", "model_format": "ggufv2", "model_type": "embedding", "model_engine": "llama.cpp"}
PIN = "pin: {model_name: bge-m3, model_format: ggufv2, quantization: Q8_0, pooling: cls, dimensions: 1024}"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeXinference]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with FakeXinference([FakeWorker()]) as fake:
        offers = [option("ggufv2", None, "Q8_0", "F16")]
        fake.engines["embedding", "bge-m3"] = {
            "llama.cpp": offers,
            "sentence_transformers": [option("pytorch", None, "none")],
        }
        fake.cached = [
            {"model_name": "bge-m3", "model_format": model_format, "quantization": quantization}
            for model_format, quantization in (("ggufv2", "Q8_0"), ("pytorch", "none"))
        ]
        yield fake


def pinned(fake: FakeXinference, **facts: object) -> None:
    pin = Q8.model_copy(update=facts)
    keep_pin(Pinned(endpoint=fake.endpoint, model_uid="bge-m3", pin=pin, store="/data/chroma", collections=["ddl"]))


def check(fake: FakeXinference, name: str, *words: str) -> tuple[str, str, str | None]:
    told = json.loads(run("--endpoint", fake.endpoint, "doctor", "--json", *words).stdout)
    (found,) = [finding for finding in told if finding["name"] == name]
    return found["health"], found["seen"], found["hint"]


def test_the_plan_says_of_each_recipe_whose_vectors_it_does_not_make(fake: FakeXinference) -> None:
    pinned(fake, model_format="pytorch", quantization="none")

    plan = run("--endpoint", fake.endpoint, "plan", "bge-m3")

    assert plan.exit_code == 0, plan.stderr
    assert plan.stdout == (
        "+ bge-m3  recipe cpu-transformers: bge-m3 pytorch none on sentence_transformers\n"
        "    gpu                 needs a GPU, no worker has one\n"
        "    gpu-llamacpp        the vectors of `ddl` want bge-m3 pytorch none, not bge-m3 ggufv2 F16\n"
        "    gpu-vllm, gpu-flag  needs a GPU, no worker has one\n"
        "    cpu                 the vectors of `ddl` want bge-m3 pytorch none, not bge-m3 ggufv2 Q8_0\n"
        "  > cpu-transformers    fits on 127.0.0.1:20001 (CPU)\n"
        "\n"
        "1 to launch\n"
    )


def test_nothing_is_launched_that_makes_other_vectors(fake: FakeXinference) -> None:
    pinned(fake, quantization="F16")

    launch = run("--endpoint", fake.endpoint, "launch", "bge-m3")

    assert launch.exit_code == 1
    assert launch.stderr.endswith(
        "`biai-xinf embeddings release bge-m3` lets others be taken, "
        "then `biai-xinf embeddings redo /data/chroma --model bge-m3` makes them anew\n"
    )
    assert fake.mutating_calls == []


def test_a_watch_would_rather_have_no_embedder_than_another_one(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "_POLL_S", 0)
    pinned(fake)
    events: list[Event] = []
    desired = Desired((DesiredModel("bge-m3", find(load_catalogue(), "bge-m3")),))
    watch = Watch(
        Client(fake.endpoint),
        desired,
        lambda: 0.0,
        events.append,
        begin=lambda work: work(),
        is_silent=lambda addresses: frozenset(),
    )

    llama_cpp = fake.engines["embedding", "bge-m3"].pop("llama.cpp")
    watch.turn()
    before = [*fake.mutating_calls]
    fake.engines["embedding", "bge-m3"]["llama.cpp"] = llama_cpp
    watch.turn()

    refused = next(event for event in events if event.uid == "bge-m3")
    assert refused.what.startswith("no recipe of `bge-m3` fits this cluster")
    assert "cpu-transformers: the vectors of `ddl` want bge-m3 ggufv2 Q8_0, not bge-m3 pytorch none" in refused.what
    assert before == []
    assert [body["model_engine"] for body in fake.launch_bodies] == ["llama.cpp"]


def test_once_released_another_recipe_is_taken(fake: FakeXinference) -> None:
    pinned(fake, quantization="F16")

    run("--endpoint", fake.endpoint, "embeddings", "release", "bge-m3")

    plan = json.loads(run("--endpoint", fake.endpoint, "plan", "bge-m3", "--json").stdout)
    assert [change["recipe"] for change in plan["changes"]] == ["cpu"]


def test_a_shared_file_pins_the_embedder_for_who_has_no_store(fake: FakeXinference, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    facts = PIN.replace("Q8_0", "F16")
    file.write_text(f"endpoint: {fake.endpoint}\nmodels:\n  - spec: bge-m3\n    {facts}\n", encoding="utf-8")

    plan = run("plan", str(file))

    assert plan.exit_code == 1
    assert "  cpu:                its pin wants bge-m3 ggufv2 F16, not bge-m3 ggufv2 Q8_0\n" in plan.stderr
    assert plan.stderr.endswith(
        "a cluster file without its `pin` lets others be taken, then `biai-xinf embeddings redo STORE --model bge-m3` "
        "makes them anew, once the cluster file has another `pin`\n"
    )
    assert run("apply", str(file)).exit_code == 1
    assert fake.mutating_calls == []


def test_a_damaged_file_of_pins_stops_a_plan_and_not_the_doctor(fake: FakeXinference) -> None:
    pins_file().write_text("[]", encoding="utf-8")

    assert "pins.json: cannot be read as embedder pins" in run("--endpoint", fake.endpoint, "plan", "bge-m3").stderr
    assert check(fake, "embedders")[0] == "unknown"


def test_the_doctor_is_not_asked_about_vectors_that_nobody_has(fake: FakeXinference) -> None:
    assert check(fake, "embedders") == ("skipped", "no application of this user keeps vectors of its models", None)


def test_what_made_the_stored_vectors_is_well(fake: FakeXinference) -> None:
    pinned(fake)
    fake.run("bge-m3", **LAUNCHED, quantization="Q8_0")

    assert check(fake, "embedders")[:2] == ("well", "`bge-m3` runs as what made the vectors that are stored")


def test_what_makes_other_vectors_is_broken(fake: FakeXinference) -> None:
    pinned(fake)
    fake.run("bge-m3", **LAUNCHED, quantization="F16")

    assert check(fake, "embedders") == (
        "ill",
        "`bge-m3` does not make the vectors of `ddl`: they want bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2 F16",
        "launch what made them, or `biai-xinf embeddings redo /data/chroma --model bge-m3` makes them anew",
    )


def test_what_does_not_run_is_doubtful(fake: FakeXinference) -> None:
    pinned(fake)

    assert check(fake, "embedders")[:2] == (
        "doubtful",
        "`bge-m3` does not run, and nothing else can search the vectors of `ddl`",
    )


@pytest.mark.parametrize(
    ("quantization", "health", "seen"),
    [
        ("Q8_0", "well", "1 embedders make the vectors that the file pins"),
        (
            "F16",
            "ill",
            "what runs makes other vectors than the file pins: `bge-m3` wants bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2 F16",
        ),
    ],
)
def test_the_doctor_holds_a_file_against_what_runs(
    fake: FakeXinference, tmp_path: Path, quantization: str, health: str, seen: str
) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(f"endpoint: {fake.endpoint}\nmodels:\n  - spec: bge-m3\n    {PIN}\n", encoding="utf-8")
    fake.run("bge-m3", **LAUNCHED, quantization=quantization)

    assert check(fake, "file-pins", str(file))[:2] == (health, seen)
