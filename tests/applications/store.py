"""An application that keeps texts in Chroma, without Vanna: `fill` stores them, `ask` finds the nearest.

Prints the text that was found as JSON. Runs in an environment of its own (tests/integration/test_embeddings.py).
"""

from __future__ import annotations

import json
import sys

from biai_xinf.adapters.chroma import XinferenceEmbeddingFunction, open_collection, open_store
from biai_xinf.errors import OtherVectors

TEXTS = {
    "customers": "customers: who buys from us, their country and since when",
    "orders": "orders: what was ordered when, and whether it was shipped or cancelled",
    "products": "products: what we sell, its category and its price",
}


def main(act: str, folder: str, embedder: str) -> None:
    """Fill the store, or ask it."""
    client = open_store(folder)
    try:
        texts = open_collection(client, "tables", XinferenceEmbeddingFunction(embedder))
    except OtherVectors as error:
        sys.exit(str(error))
    if act == "fill":
        texts.add(ids=list(TEXTS), documents=list(TEXTS.values()))
    found = texts.query(query_texts=["how much does an item cost"], n_results=1)
    print(json.dumps(found["ids"][0]))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
