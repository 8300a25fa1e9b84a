"""A store whose embedder is lost: nothing else is launched or asked for it unawares, until it is embedded anew.

On a real Xinference, by all-MiniLM-L6-v2 in two quantizations on llama.cpp; the store belongs to an application in an
environment of its own, with chromadb 0.6 (BIAI_XINF_TEST_VANNA07) or 1.x (BIAI_XINF_TEST_VANNA2).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from biai_xinf.pins import read_pins
from tests import minilm
from tests.commandline import run
from tests.real_servers import no_python
from tests.xinference_fixtures import RealXinference, needs_xinference

pytestmark = [pytest.mark.real, pytest.mark.slow, needs_xinference]

APPLICATION = Path(__file__).parents[1] / "applications" / "store.py"
MODEL = "pinned-minilm"


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if missing := minilm.missing():
        pytest.skip(missing)
    return minilm.minilm_spec(tmp_path_factory.mktemp("embeddings"), MODEL, ("f16", "q8_0"))


@pytest.fixture
def endpoint(
    real_xinference: RealXinference, specs: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setenv("BIAI_XINF_ENDPOINT", real_xinference.endpoint)
    monkeypatch.setenv("BIAI_XINF_SPECS", str(specs))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield real_xinference.endpoint
    run("stop", MODEL)


@pytest.mark.parametrize("variable", ["BIAI_XINF_TEST_VANNA07", "BIAI_XINF_TEST_VANNA2"])
def test_a_store_whose_embedder_is_lost(endpoint: str, variable: str, tmp_path: Path) -> None:
    if missing := no_python(variable, "chromadb", "biai_xinf"):
        pytest.skip(f"{missing}; `.ci/run` shows how to get it")
    python, store = os.environ[variable], tmp_path / "chroma"

    def application(act: str) -> subprocess.CompletedProcess[str]:
        given = json.dumps({"act": act, "folder": str(store), "embedder": MODEL})
        return asked(python, str(APPLICATION), given)

    done("launch", MODEL, "--recipe", "f16")
    filled = application("fill")
    assert filled.returncode == 0, filled.stderr
    assert json.loads(filled.stdout) == ["products"]
    (pinned,) = read_pins(endpoint)
    assert (str(pinned.pin), pinned.collections) == (f"{MODEL} ggufv2 f16", ["tables"])

    # Where only the other recipe would fit.
    done("stop", MODEL)
    refused = run("launch", MODEL, "--recipe", "q8_0")
    assert refused.exit_code == 1
    assert f"the vectors of `tables` want {MODEL} ggufv2 f16, not {MODEL} ggufv2 q8_0" in refused.stderr
    assert f"biai-xinf embeddings redo {store} --model {MODEL}" in refused.stderr

    done("embeddings", "release", MODEL)
    done("launch", MODEL, "--recipe", "q8_0")
    stale = application("ask")
    assert stale.returncode == 1
    assert f"the vectors of `tables` want {MODEL} ggufv2 f16, not {MODEL} ggufv2 q8_0" in stale.stderr

    redone = asked(python, "-m", "biai_xinf", "embeddings", "redo", str(store), "--model", MODEL)
    assert redone.returncode == 0, redone.stderr
    assert redone.stdout == "tables: 3 entries, 3 embedded\n"
    found = application("ask")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == ["products"]
    told = {one["name"]: one for one in json.loads(run("doctor", "--json").stdout)}
    assert told["embedders"]["health"] == "well"


def done(*words: str) -> None:
    """A command that has to go well."""
    result = run(*words)
    assert result.exit_code == 0, result.stderr


def asked(python: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The application's Python, with the environment that it shares with us."""
    environ = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
    return subprocess.run([python, *words], env=environ, capture_output=True, encoding="utf-8", timeout=300)
