"""`launch` and what follows it on a real Xinference with real engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from biai_xinf.catalogue import shipped_specs
from tests.builders import spec_data
from tests.commandline import Result, interruptible, run
from tests.tiny_models import WIDTH, embedding_family, llm_family, tiny_embedding_gguf, tiny_llm_gguf
from tests.xinference_fixtures import RealXinference, needs_xinference

pytestmark = [pytest.mark.real, needs_xinference]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def at(real: RealXinference, *words: str) -> Result:
    return run("--endpoint", real.endpoint, *words)


def models(real: RealXinference) -> dict[str, str]:
    return {model["uid"]: model["phase"] for model in json.loads(at(real, "status", "--json").stdout)["models"]}


def tiny_spec(folder: Path, name: str, weights: Path, **more: Any) -> None:
    """The user's own spec for tiny weights, with its registration."""
    specs = folder / "specs"
    specs.mkdir(exist_ok=True)
    is_embedding = more.get("role") == "embedding"
    family = embedding_family(name, weights) if is_embedding else llm_family(name, weights)
    (specs / f"{name}.json").write_text(json.dumps(family))
    model = {"model_name": name, "model_format": "ggufv2", "quantization": "f16"}
    sizing = {"n_ctx": 512, "n_parallel": 1} if is_embedding else {"context_length": 2048, "n_parallel": 1}
    recipe = {
        "name": "tiny",
        "requires": {"memory": "100MiB"},
        "model": model if is_embedding else {**model, "model_size_in_billions": 1},
        "engine": "llama.cpp",
        "engine_options": sizing,
        "registration": f"{name}.json",
        "model_path": str(weights.parent if is_embedding else weights),
    }
    data = {**spec_data(recipe, name=name), **more}
    if is_embedding:
        del data["prompt"]
    (specs / f"{name}.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")


def test_the_bundled_model_is_launched_proved_asked_kept_and_stopped(real_xinference: RealXinference) -> None:
    launched = at(real_xinference, "launch", "sql-coder", "--json")
    assert launched.exit_code == 0, launched.stderr
    assert json.loads(launched.stdout)["recipe"] == "bundled"

    asked = at(real_xinference, "ask", "How many orders were cancelled in 2024?", "--db", "demo", "--json")
    assert json.loads(asked.stdout)["rows"] == [[18]]

    again = at(real_xinference, "launch", "sql-coder", "--json")
    assert json.loads(again.stdout)["action"] == "keep"

    assert at(real_xinference, "stop", "sql-coder").exit_code == 0
    assert "sql-coder" not in models(real_xinference)


def test_a_model_that_talks_nonsense_is_not_left_as_ready(
    real_xinference: RealXinference, own_home: Path, tmp_path: Path
) -> None:
    tiny_spec(own_home, "nonsense-sql", tiny_llm_gguf(tmp_path))

    result = at(real_xinference, "launch", "nonsense-sql")

    assert result.exit_code == 1
    assert "`nonsense-sql` answers, but 1 of 1 checks of its probe came out wrong" in result.stderr
    assert "nonsense-sql" not in models(real_xinference)


@pytest.mark.parametrize(("dimensions", "said"), [(WIDTH, "similar texts are at"), (1024, "expected 1024 dimensions")])
def test_an_embedder_with_wrong_dimensions_or_without_sense_is_not_left_as_ready(
    real_xinference: RealXinference, own_home: Path, tmp_path: Path, dimensions: int, said: str
) -> None:
    name = f"nonsense-embedding-{dimensions}"
    probe = {"dimensions": dimensions, "similar": ["cancel", "annul"], "different": ["cancel", "river"], "margin": 0.9}
    tiny_spec(own_home, name, tiny_embedding_gguf(tmp_path), role="embedding", probe=probe)

    result = at(real_xinference, "launch", name)

    assert result.exit_code == 1
    assert said in result.stderr
    assert name not in models(real_xinference)


def test_weights_that_the_engine_cannot_load_are_named_as_its_failure(
    real_xinference: RealXinference, own_home: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "damaged.gguf"
    weights.write_bytes((shipped_specs() / "bundled" / "biai-demo-sql-q8_0.gguf").read_bytes()[:20_000])
    tiny_spec(own_home, "damaged-sql", weights)

    result = at(real_xinference, "launch", "damaged-sql")

    assert result.exit_code == 1
    assert "error: `damaged-sql` did not load: Failed to init server" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_takes_a_launch_back(real_xinference: RealXinference, own_home: Path, tmp_path: Path) -> None:
    tiny_spec(own_home, "interrupted-sql", tiny_llm_gguf(tmp_path))
    words = [sys.executable, "-m", "biai_xinf", "--endpoint", real_xinference.endpoint, "launch", "interrupted-sql"]

    with subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ,
        preexec_fn=interruptible,
    ) as launch:
        wait_until_known(real_xinference, "interrupted-sql")
        launch.send_signal(signal.SIGINT)
        _, said = launch.communicate(timeout=180)

    assert launch.returncode == 1
    assert said.endswith("error: the launch of `interrupted-sql` was stopped; nothing of it remains\n")
    assert "interrupted-sql" not in models(real_xinference)


def test_of_two_launches_at_once_one_launches_and_both_end_well(real_xinference: RealXinference) -> None:
    words = [sys.executable, "-m", "biai_xinf", "--endpoint", real_xinference.endpoint, "launch", "sql-coder"]
    words += ["--uid", "twice"]

    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ) as first:
        wait_until_known(real_xinference, "twice")
        second = at(real_xinference, "launch", "sql-coder", "--uid", "twice")
        assert (first.wait(timeout=180), second.exit_code) == (0, 0), second.stderr

    assert "= twice  is being launched already" in second.stderr
    at(real_xinference, "stop", "twice")


def wait_until_known(real: RealXinference, uid: str) -> None:
    deadline = time.monotonic() + 120
    while uid not in models(real):
        assert time.monotonic() < deadline, f"`{uid}` was never launched"
        time.sleep(0.1)
