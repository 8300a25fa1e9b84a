"""How far the vectors of one model lie apart when its weights are quantized, pooled or run otherwise.

`python bench/embeddings.py` needs biai-xinf[server,test,slow-test] and a checkout, whose documents it embeds with
all-MiniLM-L6-v2; two processors take a minute or two. `docs/embeddings.md` explains the figures.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from measure import finish, say

# Only a checkout has `tests`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from biai_xinf.pins import SAMPLE_TEXT
from tests import minilm
from tests.docs.blocks import ROOT

# llama.cpp's numbers.
MEAN, CLS, LAST = 1, 2, 3
NEAREST = 10
# What sentence-transformers cuts texts to, and llama.cpp does not: whole texts are compared here.
LONGEST = 256
REFERENCE = "pytorch, float32, sentence-transformers"


def main() -> None:
    """Measure, explain to a person, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print nothing else")
    arguments = parser.parse_args()
    if missing := minilm.missing():
        sys.exit(missing)
    texts = [text for text in (SAMPLE_TEXT, *paragraphs()) if tokens(text) <= LONGEST]
    with tempfile.TemporaryDirectory() as folder:
        made = variants(Path(folder), texts)
    reference = made.pop(REFERENCE)
    found = {name: compare(reference, vectors) for name, vectors in made.items()}
    if not arguments.json:
        say(f"{len(texts)} texts, against {REFERENCE}")
        say(f"{'':<40}  sample's cosine  least cosine  first found kept  first {NEAREST} kept")
        for name, one in found.items():
            say(
                f"{name:<40}  {one['sample_cosine']:15.5f}  {one['least_cosine']:12.5f}"
                f"  {one['first_kept']:16.1%}  {one['nearest_kept']:13.1%}"
            )
    finish({"texts": len(texts), "variants": found})


def paragraphs() -> list[str]:
    """The prose of our own documents, a paragraph each."""
    documents = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]
    prose = re.sub(r"^```.*?^```$", "", "\n\n".join(documents), flags=re.MULTILINE | re.DOTALL)
    # As long as MiniLM reads, and no tables and headings.
    found = (" ".join(text.split())[:600] for text in prose.split("\n\n") if not text.lstrip().startswith(("|", "#")))
    return sorted({text for text in found if len(text) > 80})


@cache
def tokenizer() -> Any:
    """The model's own."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(minilm.minilm_folder())


def tokens(text: str) -> int:
    """How many tokens a text has."""
    return len(tokenizer()(text)["input_ids"])


def variants(folder: Path, texts: list[str]) -> dict[str, np.ndarray]:
    """The vectors of all texts, by how they were made."""
    made = {
        REFERENCE: by_sentence_transformers(texts, "float32"),
        "pytorch, float16, sentence-transformers": by_sentence_transformers(texts, "float16"),
        "pytorch, bfloat16, sentence-transformers": by_sentence_transformers(texts, "bfloat16"),
    }
    files = {name: minilm.minilm_gguf(folder, f"minilm.{name}.gguf", name) for name in ("F16", "Q8_0", "Q5_1", "Q4_0")}
    made |= {f"gguf {name}, llama.cpp": by_llama_cpp(path, texts, MEAN) for name, path in files.items()}
    made["gguf F16, llama.cpp, pooled by the first"] = by_llama_cpp(files["F16"], texts, CLS)
    made["gguf F16, llama.cpp, pooled by the last"] = by_llama_cpp(files["F16"], texts, LAST)
    return made


def by_sentence_transformers(texts: list[str], dtype: str) -> np.ndarray:
    """As the reference makes them."""
    # Imported here: PyTorch takes seconds.
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(minilm.minilm_folder()), device="cpu", model_kwargs={"dtype": dtype})
    vectors = model.encode(texts, normalize_embeddings=True, convert_to_tensor=True)
    return np.asarray(vectors.float().numpy(), dtype=np.float64)


def by_llama_cpp(path: Path, texts: list[str], pooling: int) -> np.ndarray:
    """As Xinference's llama.cpp engine makes them."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.embedding, parameters.n_parallel = str(path), True, 1
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = 512
    parameters.pooling_type = xllamacpp.llama_pooling_type(pooling)
    server = xllamacpp.Server(parameters)
    vectors = [server.handle_embeddings({"input": text})["data"][0]["embedding"] for text in texts]
    return np.asarray(vectors, dtype=np.float64)


def compare(reference: np.ndarray, vectors: np.ndarray) -> dict[str, float]:
    """Cosines of the same texts, and what a search with these vectors finds among the reference's."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (reference * vectors).sum(axis=1)
    there, here = nearest(reference, reference), nearest(vectors, reference)
    kept = [len({*one} & {*other}) / NEAREST for one, other in zip(there, here, strict=True)]
    return {
        "sample_cosine": round(float(cosines[0]), 6),
        "least_cosine": round(float(cosines.min()), 6),
        "first_kept": round(float(np.mean(there[:, 0] == here[:, 0])), 4),
        "nearest_kept": round(float(np.mean(kept)), 4),
    }


def nearest(questions: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """The documents nearest to each question, but for the question itself."""
    scores = questions @ documents.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1)[:, :NEAREST]


if __name__ == "__main__":
    main()
