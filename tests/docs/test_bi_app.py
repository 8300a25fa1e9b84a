"""docs/bi-app.md: every block of Python runs as it stands there, in the environment of the application it is for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.applications.serving import application_environment  # noqa: F401  the fixture
from tests.docs.blocks import ROOT
from tests.real_servers import no_python
from tests.xinference_fixtures import needs_xinference

pytestmark = [pytest.mark.real, pytest.mark.slow, needs_xinference]

DOCUMENT = (ROOT / "docs" / "bi-app.md").read_text(encoding="utf-8")
# A word behind the language says which Vanna a block is for.
BLOCKS = re.findall(r"^```python ?(\w*)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
NEEDED = {
    "": None,
    "vanna": ("BIAI_XINF_TEST_VANNA07", "vanna", "chromadb", "biai_xinf"),
    "vanna2": ("BIAI_XINF_TEST_VANNA2", "vanna", "chromadb", "biai_xinf"),
}


def test_there_is_a_block_for_every_way() -> None:
    assert [application for application, _ in BLOCKS] == ["", "", "vanna", "vanna2"]


@pytest.mark.parametrize(("application", "code"), BLOCKS, ids=["as-it-is", "openai", "vanna", "vanna2"])
def test_a_block_answers_right(
    application: str,
    code: str,
    application_environment: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    needed = NEEDED[application]
    if needed and (missing := no_python(*needed)):
        pytest.skip(f"{missing}; `.ci/run` shows how to get it")
    (tmp_path / "block.py").write_text(code, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BIAI_XINF_")}
    ollama = {"OLLAMA_HOST": application_environment["BIAI_XINF_ENDPOINT"]}

    done = subprocess.run(
        [os.environ[needed[0]] if needed else sys.executable, "block.py"],
        env={**kept, **application_environment, **ollama},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    # The right number of cancelled orders, or the SQL that finds it.
    right = r"\b18\b" if application == "vanna" else r"SELECT COUNT\(\*\).*'cancelled'.*'2024-01-01'"
    assert re.search(right, done.stdout), done.stdout
