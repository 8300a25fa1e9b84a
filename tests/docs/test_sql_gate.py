"""docs/sql-gate.md: its Python runs, its commands print what stands below them, its counts are those of the sets."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks
from tests.sqlgate.statements import attacks, legitimate

DOCUMENT = ROOT / "docs" / "sql-gate.md"


@pytest.mark.parametrize(
    "code", [pytest.param(it.text, id=str(it.line)) for it in blocks(DOCUMENT) if it.language == "python"]
)
def test_every_python_block_runs(code: str) -> None:
    exec(compile(code, str(DOCUMENT), "exec"), {})


@pytest.mark.skipif(sys.platform == "win32", reason="the document shows a POSIX shell")
def test_the_commands_print_what_stands_below_them(tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("CREATE TABLE customers (customer_id INT, name TEXT);", encoding="utf-8")
    (block,) = [it for it in blocks(DOCUMENT) if it.language == "console"]
    biai_xinf = shlex.join([sys.executable, "-m", "biai_xinf"])

    for command, printed in block.commands():
        done = subprocess.run(
            ["sh", "-c", command.replace("biai-xinf", biai_xinf)], cwd=tmp_path, capture_output=True, encoding="utf-8"
        )

        assert done.stdout + done.stderr == printed


def test_the_document_tells_how_large_the_sets_are() -> None:
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())

    assert f"{len(attacks())} attacks of which none passes, {len(legitimate())} questions" in text
