"""The bundled model is small, is what its card says, and is as good as its card says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import gguf
import pytest

from biai_xinf.catalogue import load_catalogue, shipped_specs
from tests.docs.blocks import ROOT
from tests.xinference_fixtures import needs_xinference

WEIGHTS = shipped_specs() / "bundled" / "biai-demo-sql-q8_0.gguf"
CARD = (shipped_specs() / "bundled" / "README.md").read_text(encoding="utf-8")
TOOLS = ROOT / "tools" / "bundled"
# Greedy answers may turn at a near tie on another processor.
SLACK = 3


def test_the_weights_are_at_most_ten_megabytes() -> None:
    assert WEIGHTS.stat().st_size <= 10_000_000


def test_the_weights_are_what_the_registration_says() -> None:
    (told,) = load_catalogue()["sql-coder"].registrations["bundled"]["model_specs"]

    assert WEIGHTS.name == told["model_file_name_template"].format(quantization=told["quantization"])
    assert gguf.GGUFReader(WEIGHTS).get_field("general.architecture").contents() == "qwen2"  # type: ignore[union-attr]
    assert f"{WEIGHTS.stat().st_size:,} bytes" in CARD


@pytest.mark.real
@needs_xinference
def test_the_card_says_how_often_it_is_right_on_questions_written_by_hand() -> None:
    files = sorted(path.name for path in TOOLS.glob("questions_*.yaml"))
    words = [sys.executable, "score.py", str(WEIGHTS), *files]

    scored = subprocess.run(
        words, cwd=TOOLS, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300
    )

    assert scored.returncode == 0, scored.stderr[-2000:]
    report = json.loads(scored.stdout.splitlines()[-1])
    for file in files:
        english, polish = figures_on_card(file)
        assert english == pytest.approx(report[f"{file[:-5]} en"]["right"], abs=SLACK)
        assert polish == pytest.approx(report[f"{file[:-5]} pl"]["right"], abs=SLACK)


def figures_on_card(file: str) -> tuple[int, int]:
    """English and Polish questions answered right, from the card's table."""
    row = next(line for line in CARD.splitlines() if line.startswith(f"| `{file}`"))
    english, polish = (int(right) for right, _ in re.findall(r"(\d+) of (\d+)", row))
    return english, polish
