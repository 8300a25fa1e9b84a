"""A real Xinference as a background service: up, answering, down, and nothing left of it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.commandline import interruptible

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("xinference") is None, reason="needs biai-xinf[server]"),
]

CLI = [sys.executable, "-m", "biai_xinf"]
PASSWORD = "correct-horse-battery"
Run = Callable[..., "subprocess.CompletedProcess[str]"]

# Seven words and random weights: what a model process is made of, without a download.
MAKE_MODEL = """
import sys
from pathlib import Path
from transformers import BertConfig, BertModel, BertTokenizer
folder = Path(sys.argv[1])
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world"]
(folder / "vocab.txt").write_text("\\n".join(words))
BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
sizes = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)).save_pretrained(folder)
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs biai-xinf as a user with homes of their own would; stops what a failed test leaves running."""
    repository = str(Path(__file__).parents[2])
    homes = {"BIAI_XINF_HOME": str(tmp_path / "biai"), "XINFERENCE_HOME": str(tmp_path / "xinference")}
    environment = {**os.environ, "PYTHONPATH": repository, "XINFERENCE_AUTH_ADVANCED": "0", **homes}

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [*CLI, *arguments]
        return subprocess.run(
            command, env={**environment, **more}, cwd=tmp_path, capture_output=True, text=True, timeout=400
        )

    yield run
    run("down")


def started(result: subprocess.CompletedProcess[str]) -> tuple[str, psutil.Process]:
    assert result.returncode == 0, result.stderr
    state = json.loads(result.stdout)
    return state["endpoint"], psutil.Process(state["pid"])


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != "zombie"]


def get(url: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=120)


def launch_tiny_model(endpoint: str, folder: Path) -> None:
    folder.mkdir()
    subprocess.run([sys.executable, "-c", MAKE_MODEL, str(folder)], check=True, capture_output=True, timeout=300)
    body = {"model_uid": "tiny", "model_name": "bge-small-en-v1.5", "model_type": "embedding", "n_gpu": None}
    source = {"model_engine": "sentence_transformers", "model_format": "pytorch", "quantization": "none"}
    with requests.Session() as session:
        session.trust_env = False
        launch = {**body, **source, "model_path": str(folder)}
        answer = session.post(f"{endpoint}/v1/models", json=launch, timeout=300)
        assert answer.status_code == 200, answer.text
        question = {"model": "tiny", "input": "hello"}
        assert session.post(f"{endpoint}/v1/embeddings", json=question, timeout=120).status_code == 200


def test_up_serves_models_and_down_leaves_no_process(run: Run, port: int, tmp_path: Path) -> None:
    endpoint, main = started(run("up", "--port", str(port), "--json"))

    # Large replies come through, and a worker is there: it knows the built-in models.
    families = get(f"{endpoint}/v1/model_registrations/LLM?detailed=true").json()
    assert len(families) > 100
    launch_tiny_model(endpoint, tmp_path / "tiny")

    second = run("up", "--json")
    assert started(second)[1] == main
    assert second.stderr == ""

    other = run("up", "--port", str(port), BIAI_XINF_HOME=str(tmp_path / "another user"))
    assert other.returncode == 1
    assert other.stderr.startswith(f"error: port {port} is taken by another Xinference\n")

    members = [main, *main.children(recursive=True)]
    assert any(member.name().startswith("Model: tiny") for member in members)

    down = run("down")
    assert down.returncode == 0, down.stderr
    assert living(members) == []
    assert not (tmp_path / "biai" / "local.json").exists()
    assert run("down").stderr == "no local Xinference is running; `biai-xinf up` starts one\n"


def test_up_with_auth_makes_an_administrator_and_keeps_the_login(run: Run, port: int, tmp_path: Path) -> None:
    up = run("up", "--port", str(port), "--auth", BIAI_XINF_PASSWORD=PASSWORD)
    endpoint = f"http://127.0.0.1:{port}"

    assert up.returncode == 0, up.stderr
    kept = tmp_path / "biai" / "credentials.json"
    assert f"authentication: on, logged in as `admin`; the login is kept in {kept}\n" in up.stderr
    assert get(f"{endpoint}/v1/models").status_code == 401
    token = json.loads(kept.read_text())[endpoint]["access_token"]
    answer = requests.get(f"{endpoint}/v1/models", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.json()["data"] == []

    again = run("up", "--auth")
    assert "authentication: on, logged in as `admin`\n" in again.stderr

    everything = [path.read_bytes() for path in (tmp_path / "biai").rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in text for text in [*everything, up.stderr.encode(), up.stdout.encode()])
    assert run("down").returncode == 0


def test_an_interrupted_up_leaves_no_process(port: int, tmp_path: Path) -> None:
    homes = {"BIAI_XINF_HOME": str(tmp_path / "biai"), "XINFERENCE_HOME": str(tmp_path / "xinference")}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **homes}
    command = [*CLI, "up", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible) as up:
        assert up.stderr is not None
        assert up.stderr.readline() == "local Xinference: starting Xinference\n"
        members = psutil.Process(up.pid).children(recursive=True)

        up.send_signal(signal.SIGINT)

        assert up.communicate(timeout=120)[1] == "stopped\n"
    assert up.returncode == 130
    assert len(members) == 1
    assert living(members) == []
    assert not (tmp_path / "biai" / "local.json").exists()
