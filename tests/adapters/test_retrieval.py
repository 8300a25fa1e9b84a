"""The mixin before Vanna's own Chroma store, of Vanna 0.7 and of the legacy part of 2."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chromadb", reason="chromadb is in the environment of an application")
if util.find_spec("vanna.chromadb") or util.find_spec("vanna.legacy"):
    from biai_xinf.adapters.chroma import XinferenceEmbeddingFunction
    from biai_xinf.adapters.retrieval import XinferenceRetrieval
else:
    pytest.skip("vanna is in the environment of an application", allow_module_level=True)

from biai_xinf.errors import OtherVectors
from biai_xinf.pins import read_pins
from tests.embedders import BGE_F16, NOMIC, forget_what_was_seen, serve
from tests.fake_xinference import FakeXinference

DDL = ["CREATE TABLE orders (order_id INT)", "CREATE TABLE customers (customer_id INT)"]


def store(config: dict[str, Any]) -> Any:
    """Vanna's store in the generation that is here, behind the mixin, without a language model."""
    try:
        from vanna.base import VannaBase
        from vanna.chromadb import ChromaDB_VectorStore
    except ImportError:
        from vanna.legacy.base import VannaBase
        from vanna.legacy.chromadb import ChromaDB_VectorStore

    class Store(XinferenceRetrieval, ChromaDB_VectorStore):
        pass

    silent = {name: lambda *_, **__: None for name in VannaBase.__abstractmethods__ if name not in dir_of(Store)}
    return type("Retrieval", (Store,), silent)(config)


def dir_of(store: type) -> set[str]:
    return {name for name in dir(store) if not getattr(getattr(store, name), "__isabstractmethod__", False)}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeXinference]:
    with FakeXinference() as fake:
        monkeypatch.setenv("BIAI_XINF_ENDPOINT", fake.endpoint)
        serve(fake)
        yield fake


def test_what_was_trained_is_found(fake: FakeXinference, tmp_path: Path) -> None:
    vanna = store({"path": str(tmp_path), "n_results": 1})
    for ddl in DDL:
        vanna.add_ddl(ddl)
    vanna.add_documentation("an order is cancelled when its status says so")
    vanna.add_question_sql("How many customers are there?", "SELECT COUNT(*) FROM customers")

    assert vanna.get_related_ddl("customers (customer_id") == [DDL[1]]
    assert vanna.get_related_documentation("cancelled order") == ["an order is cancelled when its status says so"]
    (found,) = vanna.get_similar_question_sql("how many customers")
    assert found["sql"] == "SELECT COUNT(*) FROM customers"
    assert [(one.store, one.collections) for one in read_pins()] == [(str(tmp_path), ["ddl", "documentation", "sql"])]


def test_an_embedder_that_wants_questions_marked_gets_them_so(fake: FakeXinference, tmp_path: Path) -> None:
    serve(fake, "nomic-embed-text", **NOMIC)
    embed, asked = fake.embed["nomic-embed-text"], []

    def listen(text: str) -> list[float]:
        asked.append(text)
        return embed(text)

    fake.embed["nomic-embed-text"] = listen
    embedder = XinferenceEmbeddingFunction("nomic-embed-text")
    vanna = store({"path": str(tmp_path), "embedding_function": embedder})
    asked.clear()

    vanna.add_ddl(DDL[0])
    vanna.get_related_ddl("orders")

    assert asked == [f"search_document: {DDL[0]}", "search_query: orders"]


def test_a_collection_that_was_emptied_still_remembers_its_model(fake: FakeXinference, tmp_path: Path) -> None:
    vanna = store({"path": str(tmp_path), "collection_metadata": {"owner": "sales"}})
    vanna.add_ddl(DDL[0])

    assert vanna.remove_collection("ddl") is True
    assert vanna.remove_collection("nothing") is False

    assert vanna.ddl_collection.count() == 0
    assert vanna.ddl_collection.metadata["owner"] == "sales"
    assert "biai_xinf:embedder" in vanna.ddl_collection.metadata
    vanna.add_ddl(DDL[1])
    assert vanna.get_related_ddl("orders") == [DDL[1]]


def test_a_store_of_another_model_is_not_opened(fake: FakeXinference, tmp_path: Path) -> None:
    store({"path": str(tmp_path)}).add_ddl(DDL[0])
    serve(fake, **BGE_F16)
    forget_what_was_seen()

    with pytest.raises(OtherVectors, match="the vectors of `ddl`"):
        store({"path": str(tmp_path)})
