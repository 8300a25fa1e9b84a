"""An application on Vanna 0.7, or on the legacy part of Vanna 2, with Chroma: it trains, asks, and runs what comes back.

Prints as JSON what its databases answered. Runs in an environment of its own (tests/integration/test_vanna.py).
"""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import urlsplit

try:
    from vanna.chromadb import ChromaDB_VectorStore
except ImportError:
    from vanna.legacy.chromadb import ChromaDB_VectorStore

from biai_xinf import demo
from biai_xinf.adapters.chroma import XinferenceEmbeddingFunction
from biai_xinf.adapters.retrieval import XinferenceRetrieval
from biai_xinf.adapters.sqlgate import Gate, Schema
from biai_xinf.adapters.vanna import XinferenceChat

TABLES = [f"{table.strip()};" for table in demo.SCHEMA.split(";") if table.strip()]


class MyVanna(XinferenceRetrieval, ChromaDB_VectorStore, XinferenceChat):
    """As an application writes it."""

    def __init__(self, config: Any) -> None:
        XinferenceRetrieval.__init__(self, config=config)
        XinferenceChat.__init__(self, config=config)


def main(embedder: str, folder: str, sqlite: str, postgres: str, questions: list[str]) -> None:
    """Ask both databases all questions."""
    embedding_function = XinferenceEmbeddingFunction(embedder)
    on_sqlite = MyVanna({"path": f"{folder}/sqlite", "embedding_function": embedding_function})
    on_sqlite.connect_to_sqlite(sqlite)
    gate = Gate("postgres", schema=Schema.from_ddl(demo.SCHEMA, "postgres"), max_rows=100)
    on_postgres = MyVanna({"path": f"{folder}/postgres", "embedding_function": embedding_function, "gate": gate})
    at = urlsplit(postgres)
    on_postgres.connect_to_postgres(
        host=at.hostname, port=at.port, dbname=at.path[1:], user=at.username, password=at.password
    )
    found = {"sqlite": answers(on_sqlite, questions), "postgres": answers(on_postgres, questions)}
    nearest = on_sqlite.get_related_ddl("Which products cost the most?")[0]
    print(json.dumps({**found, "nearest": nearest}, default=float))


def answers(vn: MyVanna, questions: list[str]) -> dict[str, Any]:
    """SQL and rows of every question."""
    for table in TABLES:
        vn.train(ddl=table)
    found = {}
    for question in questions:
        sql, rows, _ = vn.ask(question, print_results=False, visualize=False)
        found[question] = {"sql": sql, "rows": None if rows is None else rows.values.tolist()}
    return found


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
