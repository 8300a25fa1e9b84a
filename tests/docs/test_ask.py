"""docs/ask.md on a real Xinference and a real PostgreSQL: every command prints what stands below it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.commandline import run
from tests.docs.blocks import ROOT, blocks, steadied
from tests.docs.shell import Shell
from tests.postgres import demo_shop
from tests.xinference_fixtures import RealXinference, needs_xinference

DOCUMENT = ROOT / "docs" / "ask.md"


@pytest.mark.real
@needs_xinference
@pytest.mark.skipif(sys.platform == "win32", reason="the document shows a POSIX shell")
@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="the document shows a machine without a GPU")
def test_the_commands_print_what_stands_below_them(
    real_xinference: RealXinference, postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    launched = run("--endpoint", real_xinference.endpoint, "launch", "sql-coder")
    assert launched.exit_code == 0, launched.stderr
    monkeypatch.setenv("BIAI_XINF_ENDPOINT", real_xinference.endpoint)
    monkeypatch.setenv("SHOP", demo_shop(postgres))
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path)

    for block in blocks(DOCUMENT):
        for command, written in block.commands() if block.language == "console" else ():
            assert seconds_aside(shell.run(command)) == seconds_aside(written), f"ask.md:{block.line}: {command}"

    assert (tmp_path / "months.png").stat().st_size > 0


def seconds_aside(output: str) -> list[str]:
    return [line for line in steadied(output) if not line.startswith(('"model_s"', '"database_s"'))]
