"""docs/embeddings.md: its Python runs, and its commands print what stands below them, where chromadb is installed."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chromadb", reason="chromadb is in the environment of an application")

from biai_xinf.adapters.chroma import BEFORE_1
from tests.commandline import run
from tests.docs.blocks import ROOT, blocks
from tests.embedders import BGE_F16, serve, vectors
from tests.fake_xinference import FakeXinference, option

BLOCKS = blocks(ROOT / "docs" / "embeddings.md")
FIRST, POLISH, VANNA = (block.text for block in BLOCKS if block.language == "python")
CONSOLE = [command for block in BLOCKS if block.language == "console" for command in block.commands()]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeXinference]:
    monkeypatch.chdir(tmp_path)
    with FakeXinference() as fake:
        monkeypatch.setenv("BIAI_XINF_ENDPOINT", fake.endpoint)
        serve(fake)
        fake.embed["bge-m3"] = vectors(dimensions=1024)
        yield fake


def ran(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "docs/embeddings.md", "exec"), names)
    return names


def printed(command: str, folder: Path) -> str:
    """What a command prints, with paths as the document's reader would type them."""
    words = shlex.split(command)
    assert words[0] == "biai-xinf"
    result = run(*words[1:])
    return (result.stdout + result.stderr).replace(f"{folder}/", "").replace("\nchroma: embedding `tables`\n", "\n")


def test_a_collection_finds_the_table_that_a_question_is_about(fake: FakeXinference) -> None:
    assert ran(FIRST)["found"]["ids"] == [["orders"]]


def test_an_embedder_is_chosen_by_its_spec() -> None:
    assert ran(POLISH)["polish"].embedder.source.model == "multilingual-e5"


@pytest.mark.skipif(not importlib.util.find_spec("vanna"), reason="vanna is in the environment of an application")
def test_vanna_finds_the_table_that_a_question_is_about(fake: FakeXinference) -> None:
    code = VANNA if BEFORE_1 else VANNA.replace("vanna.chromadb", "vanna.legacy.chromadb")

    names = ran(code)

    assert names["vn"].get_related_ddl("which orders were cancelled") == [
        "CREATE TABLE orders (order_id INTEGER, status TEXT)"
    ]


def test_the_commands_print_what_stands_below_them(
    fake: FakeXinference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (show, shown), (plan, planned), (redo, redone) = CONSOLE
    ran(FIRST)

    assert printed(show, tmp_path) == shown

    # Its machine died, and no other one has its engine.
    del fake.models["bge-m3"]
    fake.engines["embedding", "bge-m3"] = {"sentence_transformers": [option("pytorch", None, "none")]}
    assert printed(plan, tmp_path) == planned

    serve(fake, seed=1, **BGE_F16)
    fake.embed["bge-m3"] = vectors(1, dimensions=1024)
    told = printed(redo, tmp_path)
    assert told.replace("chroma: embedding `tables`\n", "") == redone
