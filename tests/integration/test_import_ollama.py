"""`import ollama`: from a store as Ollama lays it out to a model that answers under its tag, without a byte copied."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import ollama
import openai
import pytest

from biai_xinf import execute
from tests import minilm
from tests.commandline import Result, run
from tests.demo_weights import BUNDLED
from tests.fake_xinference import GIB, FakeGpu, FakeWorker, FakeXinference
from tests.ollama_stores import OllamaStore
from tests.tiny_models import tiny_llm_gguf
from tests.xinference_fixtures import RealXinference, needs_xinference, running_xinference

TAG = "qwen2.5-coder:7b-instruct-q4_K_M"
SPEC = "qwen2.5-coder-7b-instruct-q4_k_m"
ANSWERS = {
    "How many customers are there?": "SELECT COUNT(*) FROM customers",
    "How many orders were cancelled?": "SELECT COUNT(*) FROM orders WHERE status = 'cancelled'",
    "What is the total revenue per country?": (
        "SELECT c.country, SUM(oi.quantity * oi.unit_price) FROM customers c JOIN orders o ON o.customer_id = "
        "c.customer_id JOIN order_items oi ON oi.order_id = o.order_id GROUP BY c.country"
    ),
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def store(tmp_path: Path) -> OllamaStore:
    return OllamaStore(tmp_path / "models")


def at(endpoint: str, store: OllamaStore, *words: str) -> Result:
    return run("--endpoint", endpoint, "import", "ollama", "--store", str(store.folder), *words)


# On the fake


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeXinference]:
    monkeypatch.setattr(execute, "_POLL_S", 0)
    with FakeXinference([FakeWorker(gpus=[FakeGpu("L4", 24 * GIB)])]) as server:
        server.chat[TAG] = lambda body: ANSWERS[body["messages"][-1]["content"]]
        yield server


def test_it_is_launched_under_its_tag_on_the_gpu_that_has_room(
    fake: FakeXinference, store: OllamaStore, tmp_path: Path, own_home: Path
) -> None:
    blob = store.put(TAG, tiny_llm_gguf(tmp_path))

    result = at(fake.endpoint, store, TAG, "--yes")

    assert result.exit_code == 0, result.stderr
    body = fake.models[TAG].body
    assert (body["model_uid"], body["model_engine"], body["context_length"]) == (TAG, "llama.cpp", 2048)
    assert body["replica_config"][0]["devices"][0]["gpu_idx"] == [0]
    assert Path(body["model_path"]).stat().st_ino == blob.stat().st_ino
    assert Path(body["model_path"]).is_relative_to(own_home)


def test_a_second_run_changes_nothing_and_asks_nobody(
    fake: FakeXinference, store: OllamaStore, tmp_path: Path, own_home: Path
) -> None:
    store.put(TAG, tiny_llm_gguf(tmp_path))
    assert at(fake.endpoint, store, TAG, "--yes").exit_code == 0
    files = {path: path.stat().st_mtime_ns for path in own_home.rglob("*")}
    fake.calls.clear()

    result = at(fake.endpoint, store, TAG)

    assert result.exit_code == 0, result.stderr
    assert f"= {TAG}  runs recipe" in result.stderr
    assert "nothing to do: all of it is imported, and answers right" in result.stderr
    assert fake.mutating_calls == []
    assert {path: path.stat().st_mtime_ns for path in own_home.rglob("*")} == files


def test_the_command_again_launches_what_ollama_has_removed(
    fake: FakeXinference, store: OllamaStore, tmp_path: Path
) -> None:
    store.put(TAG, tiny_llm_gguf(tmp_path))
    at(fake.endpoint, store, TAG, "--yes")
    store.remove(TAG)
    run("--endpoint", fake.endpoint, "stop", TAG)

    result = at(fake.endpoint, store, TAG, "--yes", "--json")

    assert result.exit_code == 0, result.stderr
    done = json.loads(result.stdout)
    assert done["models"] == [{"tag": TAG, "uid": TAG, "spec": SPEC, "in_store": False}]
    assert done["changes"][0]["action"] == "launch"


def test_a_tag_whose_name_another_has_is_left_out_and_the_rest_is_imported(
    fake: FakeXinference, store: OllamaStore, tmp_path: Path
) -> None:
    blob = store.put("deepseek-coder:6.7b", tiny_llm_gguf(tmp_path))
    store.put("deepseek:coder-6.7b", tiny_llm_gguf(tmp_path, terse=True))
    store.put("zephyr:7b", tiny_llm_gguf(tmp_path))
    for tag in ("deepseek-coder:6.7b", "zephyr:7b"):
        fake.chat[tag] = lambda body: "Paris"

    first, second = at(fake.endpoint, store, "--yes"), at(fake.endpoint, store, "--yes", "--json")

    assert (first.exit_code, second.exit_code) == (0, 0), first.stderr + second.stderr
    assert sorted(fake.models) == ["deepseek-coder:6.7b", "zephyr:7b"]
    assert Path(fake.models["deepseek-coder:6.7b"].body["model_path"]).samefile(blob)
    told = {one["tag"]: one.get("refused") for one in json.loads(second.stdout)["models"]}
    assert told == {"deepseek-coder:6.7b": None, "deepseek:coder-6.7b": "name-taken", "zephyr:7b": None}


def test_a_tag_that_was_pulled_again_replaces_what_runs(
    fake: FakeXinference, store: OllamaStore, tmp_path: Path, own_home: Path
) -> None:
    store.put(TAG, tiny_llm_gguf(tmp_path))
    at(fake.endpoint, store, TAG, "--yes")
    blob = store.put(TAG, tiny_llm_gguf(tmp_path, terse=True))

    result = at(fake.endpoint, store, TAG, "--yes", "--json")

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["changes"][0]["action"] == "relaunch"
    (weights,) = (own_home / "specs" / "ollama").rglob("*.gguf")
    assert weights.stat().st_ino == blob.stat().st_ino


def test_another_context_is_written_and_what_runs_is_left_alone(
    fake: FakeXinference, store: OllamaStore, tmp_path: Path, own_home: Path
) -> None:
    store.put(TAG, tiny_llm_gguf(tmp_path))
    at(fake.endpoint, store, TAG, "--yes")

    result = at(fake.endpoint, store, TAG, "--context", "1024", "--yes")
    again = at(fake.endpoint, store, TAG)

    assert f"`{TAG}` runs as it was launched; `biai-xinf stop {TAG}` and this command again" in result.stderr
    assert fake.models[TAG].body["context_length"] == 2048
    assert "context: 1024" in (own_home / "specs" / f"{SPEC}.yaml").read_text()
    assert "nothing to do" in again.stderr


def test_a_model_that_answers_wrong_is_not_left_as_ready(
    fake: FakeXinference, store: OllamaStore, tmp_path: Path
) -> None:
    store.put(TAG, tiny_llm_gguf(tmp_path))
    fake.chat[TAG] = lambda body: "SELECT 1"

    result = at(fake.endpoint, store, TAG, "--yes")

    assert result.exit_code == 1
    assert f"! {TAG}  `{TAG}` answers, but 3 of 3 checks of its probe came out wrong" in result.stderr


# On a real Xinference


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealXinference]:
    with running_xinference(tmp_path_factory.mktemp("import"), XINFERENCE_AUTH_ADVANCED="0") as server:
        yield server


def taken(*folders: Path) -> int:
    """Bytes on the disk below the folders, each inode counted once."""
    files = {(found.st_dev, found.st_ino): found.st_blocks * 512 for path in folders for found in _stats(path)}
    return sum(files.values())


def _stats(folder: Path) -> list[Any]:
    return [path.stat() for path in folder.rglob("*") if path.is_file()]


@pytest.mark.real
@needs_xinference
@pytest.mark.skipif(sys.platform == "win32", reason="reads blocks and inodes of POSIX")
def test_a_model_of_the_store_answers_under_its_tag_and_outlives_ollama_rm(
    real: RealXinference, store: OllamaStore, tmp_path: Path, own_home: Path
) -> None:
    blob = store.put(
        TAG, BUNDLED, params={"stop": ["<|im_end|>"], "temperature": 0.7}, template="<|im_start|>{{ .Prompt }}"
    )
    inode, before = blob.stat().st_ino, taken(tmp_path, own_home)

    launched = at(real.endpoint, store, TAG, "--yes", "--json")

    assert launched.exit_code == 0, launched.stderr
    (change,) = json.loads(launched.stdout)["changes"]
    assert (change["uid"], change["action"], change["checks"], change["error"]) == (TAG, "launch", 3, None)
    (weights,) = (own_home / "specs" / "ollama").rglob("*.gguf")
    assert (weights.stat().st_ino, weights.stat().st_nlink) == (inode, 2)
    # A spec and a registration, and not the 4.9 MB of weights.
    assert taken(tmp_path, own_home) - before < 100_000

    asked = [{"role": "user", "content": "How many customers are there?"}]
    with openai.OpenAI(base_url=f"{real.endpoint}/v1", api_key="none") as client:
        answer = client.chat.completions.create(model=TAG, messages=asked)  # type: ignore[arg-type]
        assert str(answer.choices[0].message.content).startswith("SELECT COUNT(*)")
    facade = ollama.Client(real.endpoint)
    assert TAG in [model.model for model in facade.list().models]
    assert str(facade.chat(TAG, asked).message.content).startswith("SELECT COUNT(*)")
    tags = httpx.get(f"{real.endpoint}/api/tags", timeout=30).json()["models"]
    assert TAG in [model["name"] for model in tags]

    again = at(real.endpoint, store, TAG, "--json")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["changes"][0]["action"] == "keep"
    assert "nothing to do" in again.stderr

    store.remove(TAG)
    assert not blob.exists()
    assert run("--endpoint", real.endpoint, "stop", TAG).exit_code == 0
    from_link = run("--endpoint", real.endpoint, "launch", SPEC, "--uid", TAG, "--json")
    assert from_link.exit_code == 0, from_link.stderr
    assert (weights.stat().st_ino, weights.stat().st_nlink) == (inode, 1)
    run("--endpoint", real.endpoint, "stop", TAG)


@pytest.mark.real
@pytest.mark.slow
@needs_xinference
@pytest.mark.skipif(minilm.missing() is not None, reason=str(minilm.missing()))
def test_a_real_embedder_of_the_store_makes_the_right_vectors(
    real: RealXinference, store: OllamaStore, tmp_path: Path
) -> None:
    store.put("all-minilm", minilm.minilm_gguf(tmp_path), params={"num_ctx": 256})

    launched = at(real.endpoint, store, "all-minilm", "--yes")

    assert launched.exit_code == 0, launched.stderr
    with openai.OpenAI(base_url=f"{real.endpoint}/v1", api_key="none") as client:
        # As OpenAI's clients of an Ollama call it, and as `ollama list` shows it.
        for name in ("all-minilm", "all-minilm:latest"):
            vectors = client.embeddings.create(model=name, input=["cancelled orders"])
            assert len(vectors.data[0].embedding) == minilm.DIMENSIONS
    embedded = ollama.Client(real.endpoint).embed("all-minilm", "cancelled orders")
    assert len(embedded.embeddings[0]) == minilm.DIMENSIONS
    run("--endpoint", real.endpoint, "stop", "all-minilm:latest")


@pytest.mark.real
@needs_xinference
def test_xinference_takes_a_registration_with_tools_and_thinking(
    real: RealXinference, store: OllamaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nonsense, so it is stopped again; but it was registered, loaded and asked."""
    from tests import tiny_models

    thinking = "{% if tools %}<tool_call>{% endif %}{% if enable_thinking %}<think>{% endif %}"
    monkeypatch.setattr(tiny_models, "CHATML", thinking + tiny_models.CHATML)
    store.put("qwen3:32b", tiny_llm_gguf(tmp_path))

    result = at(real.endpoint, store, "qwen3:32b", "--yes")

    assert result.exit_code == 1
    assert "`qwen3:32b` answers, but 1 of 1 checks of its probe came out wrong" in result.stderr


def test_the_command_runs_as_a_program(store: OllamaStore, tmp_path: Path) -> None:
    store.put(TAG, tiny_llm_gguf(tmp_path))
    words = [sys.executable, "-m", "biai_xinf", "import", "ollama", "--dry-run", "--json"]

    done = subprocess.run(
        [*words, "--store", str(store.folder)], capture_output=True, encoding="utf-8", timeout=60, check=True
    )

    assert json.loads(done.stdout)["models"][0]["uid"] == TAG
