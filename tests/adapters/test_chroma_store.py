"""Chroma stores from outside: shown, and their vectors made anew; an interrupt at any step loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chromadb", reason="chromadb is in the environment of an application")

from biai_xinf.adapters import chroma_store
from biai_xinf.adapters.chroma import XinferenceEmbeddingFunction, names, open_collection, open_store
from biai_xinf.adapters.chroma_store import redo
from biai_xinf.adapters.source import Source
from biai_xinf.pins import read_pins
from tests.commandline import run
from tests.embedders import BGE_F16, BGE_Q8, DIMENSIONS, forget_what_was_seen, serve, vectors
from tests.fake_xinference import FakeXinference

DOCUMENTS = {f"{number}-ddl": f"CREATE TABLE t{number} (a INT)" for number in range(300)}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeXinference]:
    with FakeXinference() as fake:
        monkeypatch.setenv("BIAI_XINF_ENDPOINT", fake.endpoint)
        serve(fake)
        yield fake


@pytest.fixture
def store(fake: FakeXinference, tmp_path: Path) -> Path:
    """A store of two collections, whose model was replaced since by one that makes other vectors."""
    client = open_store(tmp_path / "store")
    function = XinferenceEmbeddingFunction()
    ddl = open_collection(client, "ddl", function, {"owner": "sales"})
    ids = list(DOCUMENTS)
    ddl.add(ids=ids, documents=list(DOCUMENTS.values()), metadatas=[{"n": n} for n in range(len(ids))])
    open_collection(client, "sql", function).add(ids=["1"], documents=["SELECT 1"])
    serve(fake, seed=1, **BGE_F16)
    return tmp_path / "store"


def content(store: Path, name: str) -> dict[str, tuple[str, Any]]:
    found = open_store(store).get_collection(name, embedding_function=None).get(include=["documents", "metadatas"])
    return dict(zip(found["ids"], zip(found["documents"], found["metadatas"], strict=True), strict=True))


def test_a_store_is_shown_with_what_it_was_built_with(store: Path) -> None:
    open_store(store).create_collection("else", embedding_function=None).add(
        ids=["1"], documents=["x"], embeddings=[[1.0, 0.0]]
    )

    shown = run("embeddings", "show", str(store))

    assert shown.exit_code == 0
    assert shown.stdout == (
        "COLLECTION  ENTRIES  DIMENSIONS  MODEL   BUILT WITH\n"
        "ddl         300      64          bge-m3  bge-m3 ggufv2 Q8_0, cls pooling\n"
        "else        1        2           -       nobody wrote it down\n"
        "sql         1        64          bge-m3  bge-m3 ggufv2 Q8_0, cls pooling\n"
    )
    assert shown.stderr == (
        '\nin a cluster file, at the model `bge-m3`: pin: {model_name: "bge-m3", model_format: "ggufv2", '
        'quantization: "Q8_0", pooling: "cls", dimensions: 64}\n'
        f"\nnext: `biai-xinf embeddings redo {store} --model UID` makes anew what nobody wrote down\n"
    )


def test_a_store_is_shown_to_machines(store: Path) -> None:
    ddl, _ = json.loads(run("embeddings", "show", str(store), "--json").stdout)

    assert (ddl["collection"], ddl["entries"], ddl["dimensions"], ddl["model"]) == ("ddl", 300, DIMENSIONS, "bge-m3")
    assert ddl["pin"]["quantization"] == "Q8_0"


def test_a_folder_that_is_no_store_is_named(tmp_path: Path) -> None:
    refused = run("embeddings", "show", str(tmp_path))

    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: {tmp_path}: holds no Chroma store\n")
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_made_anew_with_the_model_that_runs(fake: FakeXinference, store: Path) -> None:
    before = content(store, "ddl")

    done = run("embeddings", "redo", str(store), "--model", "bge-m3")

    assert done.exit_code == 0, done.stderr
    assert done.stdout == "ddl: 300 entries, 300 embedded\nsql: 1 entries, 1 embedded\n"
    assert names(open_store(store)) == ["ddl", "sql"]
    assert content(store, "ddl") == before
    (known,) = read_pins(fake.endpoint)
    assert (str(known.pin), known.collections) == ("bge-m3 ggufv2 F16", ["ddl", "sql"])
    collection = open_collection(open_store(store), "ddl", XinferenceEmbeddingFunction())
    assert collection.metadata["owner"] == "sales"
    assert "biai_xinf:in_place_of" not in collection.metadata
    # Of 300 tables several share the few dimensions of these vectors.
    assert "7-ddl" in collection.query(query_texts=["CREATE TABLE t7 (a INT)"], n_results=20)["ids"][0]
    (stored,) = collection.get(ids=["7-ddl"], include=["embeddings"])["embeddings"]
    assert list(map(float, stored)) == pytest.approx(vectors(1)(DOCUMENTS["7-ddl"]), abs=1e-6)


def test_what_is_so_already_is_left_alone(fake: FakeXinference, store: Path) -> None:
    run("embeddings", "redo", str(store), "--model", "bge-m3")
    asked = fake.calls.count(("POST", "/v1/embeddings"))
    forget_what_was_seen()

    again = run("embeddings", "redo", str(store), "--model", "bge-m3")

    assert again.stdout == "ddl: 300 entries, nothing to embed\nsql: 1 entries, nothing to embed\n"
    # The sample.
    assert fake.calls.count(("POST", "/v1/embeddings")) - asked == 1


def test_one_collection_alone(fake: FakeXinference, store: Path) -> None:
    done = run("embeddings", "redo", str(store), "--model", "bge-m3", "--collection", "sql")

    assert done.stdout == "sql: 1 entries, 1 embedded\n"
    assert {str(one.pin): one.collections for one in read_pins()} == {
        "bge-m3 ggufv2 Q8_0": ["ddl"],
        "bge-m3 ggufv2 F16": ["sql"],
    }


def test_a_collection_that_is_not_there_is_named(store: Path) -> None:
    refused = run("embeddings", "redo", str(store), "--model", "bge-m3", "--collection", "nothing")

    assert refused.exit_code == 1
    assert refused.stderr.endswith("error: the store has no collection `nothing`\n\nhint: it has `ddl`, `sql`\n")


def test_an_entry_without_its_text_is_named_and_nothing_is_changed(store: Path) -> None:
    client = open_store(store)
    client.get_collection("sql", embedding_function=None).add(ids=["2"], embeddings=[[0.5] * DIMENSIONS])
    before = content(store, "sql")

    refused = run("embeddings", "redo", str(store), "--model", "bge-m3", "--collection", "sql")

    assert refused.exit_code == 1
    assert "`sql`: entry `2` has no document" in refused.stderr
    assert content(store, "sql") == before


class Pulled(Exception):
    """Stands for the plug."""


# What is done to a store, in this order: a page is written, the old collection steps aside, the new one takes its
# place, the old one goes, the pin moves.
STEPS = ["upsert", "upsert", "upsert", "modify", "modify", "delete_collection", "keep"]


@pytest.mark.parametrize("after", range(len(STEPS)))
@pytest.mark.parametrize("done", [False, True], ids=["before-the-step", "after-the-step"])
def test_an_interrupt_at_any_step_loses_nothing(
    fake: FakeXinference, store: Path, monkeypatch: pytest.MonkeyPatch, after: int, done: bool
) -> None:
    before, taken = content(store, "ddl"), []

    def step(name: str, act: Any, /, *given: Any, **named: Any) -> Any:
        taken.append(name)
        last = len(taken) == after + 1
        if last and not done:
            raise Pulled
        result = act(*given, **named)
        if last:
            raise Pulled
        return result

    with monkeypatch.context() as patch:
        import chromadb

        client = type(open_store(store))
        for owner, name in (
            (chromadb.Collection, "upsert"),
            (chromadb.Collection, "modify"),
            (client, "delete_collection"),
        ):
            act = getattr(owner, name)
            patch.setattr(owner, name, lambda *a, _n=name, _act=act, **k: step(_n, _act, *a, **k))
        patch.setattr(chroma_store, "keep", lambda pinned, _act=chroma_store.keep: step("keep", _act, pinned))
        with pytest.raises(Pulled):
            list(redo(store, Source("bge-m3"), ["ddl"]))
    assert taken == STEPS[: after + 1]

    (redone,) = redo(store, Source("bge-m3"), ["ddl"])

    assert content(store, "ddl") == before
    assert names(open_store(store)) == ["ddl", "sql"]
    assert redone.entries == 300
    (pinned,) = [one for one in read_pins() if "ddl" in one.collections]
    assert str(pinned.pin) == "bge-m3 ggufv2 F16"
    # Pages that were written are not asked for again.
    written = sum(taken[: after + done].count(name) for name in ["upsert"])
    assert redone.embedded == max(0, 300 - written * chroma_store.PAGE)


def test_a_redo_that_was_begun_with_another_model_starts_over(fake: FakeXinference, store: Path) -> None:
    pages = iter(range(10))

    def pull(fraction: float | None, stage: str, detail: str = "") -> None:
        if next(pages) == 1:
            raise Pulled

    with pytest.raises(Pulled):
        list(redo(store, Source("bge-m3"), ["ddl"], pull))
    serve(fake, "other", seed=2, **BGE_Q8)

    (redone,) = redo(store, Source("other"), ["ddl"])

    assert redone.embedded == 300


def test_a_collection_that_an_application_filled_again_meanwhile_is_not_overwritten(
    fake: FakeXinference, store: Path
) -> None:
    client = open_store(store)
    sql = client.get_collection("sql", embedding_function=None)
    # As an interrupt between the two renames, and an application that then began anew.
    client.create_collection(chroma_store._beside("sql", "anew"), embedding_function=None)
    sql.modify(name=chroma_store._beside("sql", "before"))
    client.create_collection("sql", embedding_function=None).add(ids=["9"], documents=["x"], embeddings=[[1.0]])

    refused = run("embeddings", "redo", str(store), "--model", "bge-m3", "--collection", "sql")

    assert refused.exit_code == 1
    assert "an application has filled `sql` again" in refused.stderr
    assert content(store, "sql") == {"9": ("x", None)}


def test_a_model_is_released_for_another_recipe(fake: FakeXinference, store: Path) -> None:
    released = run("embeddings", "release", "bge-m3")

    assert released.stderr == (
        "the vectors of `ddl` and `sql` were made by bge-m3 ggufv2 Q8_0\n"
        f"next: biai-xinf launch bge-m3, then biai-xinf embeddings redo {store} --model bge-m3\n"
    )
    assert read_pins() == ()
    assert run("embeddings", "release", "bge-m3").stderr == f"nothing rests on `bge-m3` at {fake.endpoint}\n"
