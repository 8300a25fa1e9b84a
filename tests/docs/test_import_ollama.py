"""docs/import-ollama.md on a real Xinference: every command prints what stands below it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo_weights import BUNDLED
from tests.docs.blocks import ROOT, blocks, steadied
from tests.docs.shell import Shell
from tests.ollama_stores import OllamaStore
from tests.xinference_fixtures import RealXinference, needs_xinference

DOCUMENT = ROOT / "docs" / "import-ollama.md"
# Where the document says that the endpoint is.
SHOWN = "http://127.0.0.1:9997"
TAG = "qwen2.5-coder:7b-instruct-q4_K_M"
ENV = f"""\
# BIAI
OLLAMA_HOST=http://localhost:11434
OLLAMA_MODEL={TAG}
CHROMA_HOST=localhost
"""


@pytest.mark.real
@needs_xinference
@pytest.mark.skipif(sys.platform == "win32", reason="the document shows a POSIX shell")
@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="the document shows a machine without a GPU")
def test_the_commands_print_what_stands_below_them(
    real_xinference: RealXinference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = OllamaStore(tmp_path / "models")
    params = {"stop": ["<|im_end|>"], "temperature": 0.7, "num_gpu": 99}
    store.put(TAG, BUNDLED, params=params, template="<|im_start|>{{ .Prompt }}", system="You are Qwen.")
    store.write_manifest("support", [store.layer("model", BUNDLED), store.layer("adapter", "weights of an adapter")])
    (tmp_path / ".env").write_text(ENV)
    monkeypatch.setenv("BIAI_XINF_ENDPOINT", real_xinference.endpoint)
    monkeypatch.setenv("OLLAMA_MODELS", str(store.folder))
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path)

    for block in blocks(DOCUMENT):
        for command, written in block.commands() if block.language == "console" else ():
            printed = shell.run(command).replace(real_xinference.endpoint, SHOWN)
            # Other tests may have models on the same server.
            seen = [line for line in steadied(printed) if not line.startswith("left alone: ")]
            assert seen == steadied(written), f"import-ollama.md:{block.line}: {command}"

    shell.run(f"biai-xinf stop {TAG}")


@pytest.mark.skipif(sys.platform == "win32", reason="the document shows a POSIX shell")
def test_the_command_that_removes_an_import_leaves_those_with_a_longer_name(tmp_path: Path) -> None:
    specs = tmp_path / ".biai-xinf" / "specs"
    name, digest = "qwen2.5-coder-7b-instruct-q4_k_m", "b268ee9fc382"
    for each in (name, f"{name}-more"):
        (specs / "ollama" / f"{each}-{digest}").mkdir(parents=True)
        (specs / f"{each}.yaml").touch()
    (command,) = (line for block in blocks(DOCUMENT) for line in block.text.splitlines() if line.startswith("rm -r"))

    subprocess.run(["sh", "-c", command], env={**os.environ, "HOME": str(tmp_path)}, check=True)

    assert [path.name for path in specs.glob("*.yaml")] == [f"{name}-more.yaml"]
    assert [path.name for path in (specs / "ollama").iterdir()] == [f"{name}-more-{digest}"]
