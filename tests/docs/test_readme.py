"""The README as a newcomer follows it: every command with the output that stands below it, on a real Xinference."""

import shutil
import sys
from pathlib import Path

import psutil
import pytest

from biai_xinf import local, ports
from biai_xinf.units import GIB
from tests.docs.blocks import ROOT, blocks, steadied
from tests.docs.shell import Shell

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="the README shows a machine without a GPU"),
    pytest.mark.skipif(
        psutil.virtual_memory().available < 8 * GIB, reason="the README shows a machine with 8 GiB free"
    ),
    pytest.mark.skipif(sys.platform == "win32", reason="the README shows a POSIX shell"),
]


def test_the_readme_does_what_it_says(tmp_path: Path) -> None:
    if not ports.is_free(local.DEFAULT_PORT):
        pytest.skip(f"port {local.DEFAULT_PORT}, which the README shows, is taken on this machine")

    with Shell(tmp_path) as shell:
        for block in blocks(ROOT / "README.md"):
            if block.language == "python":
                (tmp_path / "client.py").write_text(block.text, encoding="utf-8")
                assert "SELECT" in shell.run(f'"{sys.executable}" {tmp_path / "client.py"}')
            elif block.language == "console":
                for command, written in block.commands():
                    if not command.startswith("pip install"):
                        assert steadied(shell.run(command)) == steadied(written), f"README.md:{block.line}: {command}"
