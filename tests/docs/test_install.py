"""The README's first command as written: a fresh copy, a fresh virtual environment, and a question answered right."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from biai_xinf import local, ports
from tests.docs.blocks import ROOT, blocks

pytestmark = [pytest.mark.real, pytest.mark.slow]

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", "*.egg-info", ".*_cache")


def first_command() -> str:
    """`pip install ... && biai-xinf launch ...`, without the comment behind it."""
    console = next(block for block in blocks(ROOT / "README.md") if block.language == "console")
    return console.commands()[0][0].split("#")[0].strip()


@pytest.mark.skipif(sys.platform == "win32", reason="the README shows a POSIX shell")
def test_the_first_command_of_the_readme_installs_and_answers_right(tmp_path: Path) -> None:
    if not ports.is_free(local.DEFAULT_PORT):
        pytest.skip(f"port {local.DEFAULT_PORT} is taken on this machine")
    project, venv = tmp_path / "project", tmp_path / "venv"
    shutil.copytree(ROOT, project, ignore=NOT_COPIED)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    environ = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "XINFERENCE_HOME": str(tmp_path / "xinference"),
        "HF_HUB_OFFLINE": "1",
    }

    def typed(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=project, env=environ, capture_output=True, encoding="utf-8", timeout=1800
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    assert first_command() == "pip install '.[server]' && biai-xinf launch sql-coder"
    try:
        said = typed(first_command())
        asked = typed('biai-xinf ask "How many orders were cancelled in 2024?" --db demo --json')
    finally:
        typed("biai-xinf down")
        # Several gigabytes, which pytest would keep for its last three runs.
        shutil.rmtree(venv)

    assert "OpenAI base URL   http://127.0.0.1:9997/v1   (model `sql-coder`)" in said
    assert json.loads(asked)["rows"] == [[18]]
