"""What goes before the Chroma store of Vanna 0.7, so that questions and documents are each embedded as they should be.

class MyVanna(XinferenceRetrieval, ChromaDB_VectorStore, XinferenceChat): ...

That store lets its collections embed questions, which chromadb 0.6 does as if they were documents. Here they are
embedded before they are handed over, and the collections remember what made their vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from biai_xinf.adapters.chroma import XinferenceEmbeddingFunction, in_memory, open_collection, open_store, pin_with

if TYPE_CHECKING:
    import chromadb

# The store has each as an attribute: `sql_collection` and so on.
COLLECTIONS = ("documentation", "ddl", "sql")


class XinferenceRetrieval:
    """A mixin for `vanna.chromadb.ChromaDB_VectorStore`, and for that of `vanna.legacy.chromadb`; it goes before it.

    `embedding_function` of the config is an XinferenceEmbeddingFunction; left out, it is that of the role `embedding`.
    Raises OtherVectors where a collection holds vectors of another model; the hint makes them anew.
    """

    chroma_client: chromadb.ClientAPI
    embedding_function: XinferenceEmbeddingFunction
    documentation_collection: chromadb.Collection
    ddl_collection: chromadb.Collection
    sql_collection: chromadb.Collection
    n_results_documentation: int
    n_results_ddl: int
    n_results_sql: int

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        settings = {"embedding_function": XinferenceEmbeddingFunction(), **(config or {})}
        settings["client"] = client = _client(settings)
        self._metadata = settings.get("collection_metadata")
        # Before the store does: it makes collections that remember nothing.
        collections = {
            name: open_collection(client, name, settings["embedding_function"], self._metadata) for name in COLLECTIONS
        }
        super().__init__(settings)  # type: ignore[call-arg]  # that of the store, which comes next
        for name, collection in collections.items():
            self._use(name, collection)

    def generate_embedding(self, data: str, **kwargs: Any) -> list[float]:
        """The vector of a document: what `add_ddl` and the others store."""
        return self.embedding_function.embed_documents([data])[0]

    def get_similar_question_sql(self, question: str, **kwargs: Any) -> list[Any]:
        """Questions with their SQL, the nearest first."""
        return self._nearest(self.sql_collection, question, self.n_results_sql)

    def get_related_ddl(self, question: str, **kwargs: Any) -> list[Any]:
        """Tables, the nearest first."""
        return self._nearest(self.ddl_collection, question, self.n_results_ddl)

    def get_related_documentation(self, question: str, **kwargs: Any) -> list[Any]:
        """Texts, the nearest first."""
        return self._nearest(self.documentation_collection, question, self.n_results_documentation)

    def remove_collection(self, collection_name: str) -> bool:
        """Empty one of the collections; False where it is none of them."""
        if collection_name not in COLLECTIONS:
            return False
        self.chroma_client.delete_collection(collection_name)
        opened = open_collection(self.chroma_client, collection_name, self.embedding_function, self._metadata)
        self._use(collection_name, opened)
        return True

    def _use(self, name: str, collection: chromadb.Collection) -> None:
        setattr(self, f"{name}_collection", collection)
        if pinned := pin_with(self.chroma_client, collection):
            self.embedding_function = self.embedding_function.held_to(pinned)

    def _nearest(self, collection: chromadb.Collection, question: str, count: int) -> list[Any]:
        found = collection.query(query_embeddings=self.embedding_function.embed_query([question]), n_results=count)
        documents: list[Any] = self._extract_documents(found)  # type: ignore[attr-defined]  # the store's
        return documents


def _client(config: Mapping[str, Any]) -> chromadb.ClientAPI:
    """The client that the store would make of the same config."""
    wanted = config.get("client", "persistent")
    if wanted == "persistent":
        return open_store(config.get("path", "."))
    return in_memory() if wanted == "in-memory" else wanted
