"""Chroma's embedding function and the collections that remember what made their vectors; on chromadb 0.6 and 1.x."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chromadb", reason="chromadb is in the environment of an application")

from biai_xinf.adapters import embedder, looking
from biai_xinf.adapters.chroma import (
    BEFORE_1,
    XinferenceEmbeddingFunction,
    open_collection,
    open_store,
    pin_with,
)
from biai_xinf.errors import AuthFailed, NotFound, OtherVectors, Rejected
from biai_xinf.pins import Pinned, read_pins
from tests.embedders import BGE_F16, BGE_Q8, DIMENSIONS, NOMIC, forget_what_was_seen, serve, vectors
from tests.fake_xinference import FakeXinference

TEXTS = ["table orders: one row per order", "table customers: who buys", "table products: what is sold"]
needs_1 = pytest.mark.skipif(BEFORE_1, reason="chromadb keeps embedding functions from 1.0 on")
needs_before_1 = pytest.mark.skipif(not BEFORE_1, reason="chromadb asks for queries apart from 1.0 on")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeXinference]:
    with FakeXinference() as fake:
        monkeypatch.setenv("BIAI_XINF_ENDPOINT", fake.endpoint)
        monkeypatch.setattr(looking, "WAITS_S", (0.01, 0.01))
        serve(fake)
        yield fake


@pytest.fixture
def asked(fake: FakeXinference) -> list[str]:
    """Every text that the embedder is asked for, but for the sample."""
    texts: list[str] = []
    for uid, embed in list(fake.embed.items()):

        def listen(text: str, embed: Any = embed) -> list[float]:
            if not text.startswith("How many orders"):
                texts.append(text)
            vector: list[float] = embed(text)
            return vector

        fake.embed[uid] = listen
    return texts


@pytest.fixture
def nomic(fake: FakeXinference) -> FakeXinference:
    serve(fake, "nomic-embed-text", **NOMIC)
    return fake


def found(collection: Any, question: str, count: int = 1) -> list[str]:
    documents: list[str] = collection.query(query_texts=[question], n_results=count)["documents"][0]
    return documents


def fill(collection: Any) -> None:
    collection.add(ids=["1", "2", "3"], documents=TEXTS, metadatas=[{"n": n} for n in range(3)])


def test_a_collection_finds_the_text_that_is_nearest(fake: FakeXinference, tmp_path: Path) -> None:
    collection = open_collection(open_store(tmp_path), "ddl", XinferenceEmbeddingFunction())

    fill(collection)

    assert found(collection, "who buys customers") == [TEXTS[1]]


def test_the_role_stands_for_bge_m3_among_several(fake: FakeXinference) -> None:
    serve(fake, "another", **NOMIC)

    assert XinferenceEmbeddingFunction().embedder.model().uid == "bge-m3"


def test_what_is_not_served_is_named_with_what_is() -> None:
    with FakeXinference() as fake, pytest.raises(NotFound, match="nothing serves `embedding`"):
        XinferenceEmbeddingFunction(endpoint=fake.endpoint)(["text"])


def test_a_language_model_makes_no_vectors(fake: FakeXinference) -> None:
    fake.run("sql-coder")

    with pytest.raises(NotFound, match="`sql-coder` makes no vectors: Xinference runs it as LLM"):
        XinferenceEmbeddingFunction("sql-coder")(["text"])


def test_texts_are_asked_for_in_batches_and_come_back_in_order(fake: FakeXinference) -> None:
    texts = [f"text {number} {'x' * number}" for number in range(70)]
    function = XinferenceEmbeddingFunction(batch=32)
    function.embedder.model()
    before = fake.calls.count(("POST", "/v1/embeddings"))

    made = function(texts)

    assert fake.calls.count(("POST", "/v1/embeddings")) - before == 3
    assert [list(map(float, vector)) for vector in made] == [pytest.approx(vectors()(text)) for text in texts]


def test_an_empty_text_is_refused_before_anything_is_asked(fake: FakeXinference) -> None:
    with pytest.raises(Rejected, match="text 2 of 2 is empty, and has no vector"):
        XinferenceEmbeddingFunction()(["text", "  "])


def test_a_model_that_still_loads_is_waited_for(fake: FakeXinference, asked: list[str]) -> None:
    function = XinferenceEmbeddingFunction()
    function.embedder.model()
    model = fake.models["bge-m3"]
    model.status, model.looks_left = "CREATING", 10**6

    def loaded(_: float) -> None:
        model.status = "READY"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking.time, "sleep", loaded)
        function(["text"])

    assert asked == ["text"]


@needs_1
def test_queries_and_documents_are_marked_as_the_spec_says(nomic: FakeXinference, asked: list[str]) -> None:
    function = XinferenceEmbeddingFunction("nomic-embed-text")

    function(["a table"])
    function.embed_query(["a question"])

    assert asked == ["search_document: a table", "search_query: a question"]


@needs_before_1
def test_chroma_0_6_cannot_ask_an_embedder_that_wants_queries_marked(nomic: FakeXinference) -> None:
    with pytest.raises(OtherVectors, match=r"chromadb 0\.6\.\d+ embeds queries as it does documents") as refused:
        XinferenceEmbeddingFunction("nomic-embed-text")(["a table"])

    assert "XinferenceRetrieval" in str(refused.value)


def test_the_key_is_taken_from_the_variable_and_never_kept(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDING_KEY", "sk-secret")
    function = XinferenceEmbeddingFunction(api_key_env="EMBEDDING_KEY")

    kept = json.dumps(function.get_config())

    assert "EMBEDDING_KEY" in kept
    assert "sk-secret" not in kept
    monkeypatch.delenv("EMBEDDING_KEY")
    with pytest.raises(AuthFailed, match="not set in the environment: `EMBEDDING_KEY`"):
        function(["text"])


def test_a_key_in_place_of_a_variables_name_is_refused() -> None:
    with pytest.raises(ValueError, match="api_key_env"):
        XinferenceEmbeddingFunction(api_key_env="sk-1234")


def test_what_chroma_keeps_makes_the_same_function_again(fake: FakeXinference) -> None:
    kept = json.loads(json.dumps(XinferenceEmbeddingFunction(batch=8).get_config()))

    again = XinferenceEmbeddingFunction.build_from_config(kept)

    assert again.get_config() == kept
    assert kept["model"] == "bge-m3"
    assert kept["endpoint"] is None
    assert {name: kept["pin"][name] for name in ("quantization", "pooling", "dimensions")} == {
        "quantization": "Q8_0",
        "pooling": "cls",
        "dimensions": DIMENSIONS,
    }


def test_a_collection_remembers_what_made_its_vectors(fake: FakeXinference, tmp_path: Path) -> None:
    client = open_store(tmp_path)
    open_collection(client, "ddl", XinferenceEmbeddingFunction())
    open_collection(client, "sql", XinferenceEmbeddingFunction())

    kept = pin_with(client, client.get_collection("ddl"))
    (known,) = read_pins(fake.endpoint)

    assert kept is not None
    assert str(kept.pin) == "bge-m3 ggufv2 Q8_0"
    assert (known.model_uid, known.store, known.collections) == ("bge-m3", str(tmp_path), ["ddl", "sql"])
    assert known.pin == kept.pin


def test_a_collection_is_not_opened_with_another_model(
    fake: FakeXinference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(open_collection(open_store(tmp_path), "ddl", XinferenceEmbeddingFunction()))
    # Of another user: what the collection itself remembers is enough.
    monkeypatch.setenv("BIAI_XINF_HOME", str(tmp_path / "another-home"))
    serve(fake, **BGE_F16)

    with pytest.raises(OtherVectors) as refused:
        open_collection(open_store(tmp_path), "ddl", XinferenceEmbeddingFunction())

    assert str(refused.value) == (
        "the vectors of `ddl` want bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2 F16: `bge-m3` makes others\n"
        "\n"
        f"hint: launch what made them, or `biai-xinf embeddings redo {tmp_path} --model bge-m3` makes them anew"
    )


def test_weights_of_the_same_name_that_make_other_vectors_are_found_out(fake: FakeXinference, tmp_path: Path) -> None:
    fill(open_collection(open_store(tmp_path), "ddl", XinferenceEmbeddingFunction()))
    serve(fake, seed=1, **BGE_Q8)

    with pytest.raises(OtherVectors, match="a sample's vector as it was, not at cosine 0"):
        open_collection(open_store(tmp_path), "ddl", XinferenceEmbeddingFunction())


def test_a_model_that_is_replaced_while_the_application_runs_is_found_out(
    fake: FakeXinference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = open_collection(open_store(tmp_path), "ddl", XinferenceEmbeddingFunction())
    fill(collection)
    fake.run("bge-m3", model_type="embedding", **BGE_F16)
    monkeypatch.setattr(looking, "LOOK_AGAIN_S", 0)

    with pytest.raises(OtherVectors, match="want bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2 F16"):
        found(collection, "orders")


def test_vectors_of_another_length_are_found_out_at_once(fake: FakeXinference) -> None:
    function = XinferenceEmbeddingFunction()
    function(["text"])
    fake.embed["bge-m3"] = vectors(dimensions=32)

    with pytest.raises(OtherVectors, match=f"want {DIMENSIONS} dimensions, not 32"):
        function(["text"])


def test_an_empty_collection_is_bound_to_no_model(fake: FakeXinference, tmp_path: Path) -> None:
    open_collection(open_store(tmp_path), "ddl", XinferenceEmbeddingFunction(), {"owner": "sales"})
    serve(fake, "other", seed=1, **BGE_F16)

    client = open_store(tmp_path)
    collection = open_collection(client, "ddl", XinferenceEmbeddingFunction("other"))
    fill(collection)

    kept = pin_with(client, collection)
    assert kept is not None
    assert kept.pin.quantization == "F16"
    assert collection.metadata["owner"] == "sales"
    assert [(one.model_uid, one.collections) for one in read_pins()] == [("other", ["ddl"])]


def test_vectors_that_nobody_wrote_down_are_taken_where_they_are_the_models_own(
    fake: FakeXinference, tmp_path: Path
) -> None:
    client = open_store(tmp_path)
    before = client.create_collection("ddl", embedding_function=None, metadata={"owner": "sales"})
    before.add(ids=["1"], documents=[TEXTS[0]], embeddings=[vectors()(TEXTS[0])])

    collection = open_collection(client, "ddl", XinferenceEmbeddingFunction())

    assert found(collection, "orders") == [TEXTS[0]]
    assert pin_with(client, client.get_collection("ddl", embedding_function=None)) is not None


@pytest.mark.parametrize("stored", [vectors(seed=1), vectors(dimensions=384)], ids=["other-vectors", "other-length"])
def test_vectors_that_nobody_wrote_down_are_refused_where_they_are_not(
    fake: FakeXinference, tmp_path: Path, stored: Any
) -> None:
    client = open_store(tmp_path)
    before = client.create_collection("ddl", embedding_function=None)
    before.add(ids=["1"], documents=[TEXTS[0]], embeddings=[stored(TEXTS[0])])

    with pytest.raises(OtherVectors, match="the vectors of `ddl`") as refused:
        open_collection(client, "ddl", XinferenceEmbeddingFunction())

    assert f"biai-xinf embeddings redo {tmp_path} --model bge-m3" in str(refused.value)


@needs_1
def test_a_collection_opened_by_its_name_alone_is_embedded_by_its_own_model(
    fake: FakeXinference, tmp_path: Path, asked: list[str]
) -> None:
    client = open_store(tmp_path)
    fill(client.get_or_create_collection("memories", embedding_function=XinferenceEmbeddingFunction()))

    again = open_store(tmp_path).get_collection("memories")

    assert found(again, "who buys customers") == [TEXTS[1]]
    serve(fake, seed=1, **BGE_F16)
    with pytest.raises(OtherVectors, match="want bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2 F16"):
        found(again, "who buys customers")


@needs_1
def test_a_collection_is_not_given_to_another_model(fake: FakeXinference, tmp_path: Path) -> None:
    collection = open_collection(open_store(tmp_path), "ddl", XinferenceEmbeddingFunction())
    serve(fake, "other", **BGE_F16)

    with pytest.raises(OtherVectors, match="the vectors want bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2 F16"):
        collection.modify(configuration={"embedding_function": XinferenceEmbeddingFunction("other")})


def test_an_application_that_says_nothing_of_its_store_is_known_all_the_same(fake: FakeXinference) -> None:
    XinferenceEmbeddingFunction()(["text"])

    (known,) = read_pins(fake.endpoint)
    assert isinstance(known, Pinned)
    assert (known.model_uid, known.store, known.collections) == ("bge-m3", None, [])
    forget_what_was_seen()
    fake.run("bge-m3", model_type="embedding", **BGE_F16)
    with pytest.raises(OtherVectors, match="the vectors that an application has of `bge-m3` want"):
        XinferenceEmbeddingFunction()(["text"])


def test_a_home_that_cannot_be_written_stops_no_application(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: Pinned) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(embedder, "keep_pin", refuse)

    XinferenceEmbeddingFunction()(["text"])

    assert "will not know what `bge-m3` is used for" in caplog.text
