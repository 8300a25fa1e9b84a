"""One supervisor hosts SQL on vLLM, embeddings on llama.cpp and others on Transformers, on workers that differ.

The first worker runs in the tests' own environment: llama.cpp, Transformers and sentence-transformers. The second runs
in the one that `tools/vllm_cpu/make_env` makes, whose Python BIAI_XINF_TEST_VLLM names.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import requests
import yaml

from biai_xinf.catalogue import shipped_specs
from biai_xinf.client import Client
from biai_xinf.databases import demo_shop
from biai_xinf.prompting import extract_sql
from tests import minilm
from tests.commandline import run
from tests.demo_weights import demo_folder
from tests.real_cluster import RealCluster, running_cluster
from tests.real_servers import no_python
from tests.tiny_models import tiny_cross_encoder_folder
from tests.xinference_fixtures import needs_xinference

pytestmark = [pytest.mark.real, pytest.mark.slow, needs_xinference]

ON_VLLM, ON_TRANSFORMERS, ON_LLAMA_CPP = "sql-on-vllm", "chat-on-transformers", "sql-coder"
EMBEDDER, RERANKER = "minilm", "reranker"
QUESTION = "How many orders were cancelled in 2024?"
TEXTS = ["How many customers are there?", "Ile zamówień anulowano?", "revenue per country; SELECT 1", "naïve"]
QUERY = "how many orders"
DOCUMENTS = ["customers and their countries", "orders with dates and states", "products: names, prices", "returns"]
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["count", "sum"]}, "year": {"type": "integer", "minimum": 2020, "maximum": 2029}},
    "required": ["kind", "year"],
    "additionalProperties": False,
}
# Without blanks where JSON allows them.
TERSE = {"backend": "guidance", "disable_any_whitespace": True}
# One thread: on cores that others use too, llama.cpp's threads wait for each other, 12 s for a single short text once.
SMALL = {"n_ctx": 512, "n_batch": 512, "n_ubatch": 512, "n_parallel": 1, "n_threads": 1}
# Of a first answer on two cores that others use too.
ANSWER_S = 180.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("three-engines")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[RealCluster]:
    """A supervisor and two workers: vLLM is on the second only, llama.cpp and sentence-transformers on the first."""
    missing = no_python("BIAI_XINF_TEST_VLLM", "vllm", "xinference") or minilm.missing()
    if missing:
        pytest.skip(f"{missing}; `.ci/run` shows how to get it")
    pythons = {"ordinary": sys.executable, "vllm": os.environ["BIAI_XINF_TEST_VLLM"]}
    with running_cluster(folder, pythons) as cluster:
        yield cluster


@pytest.fixture(scope="module", autouse=True)
def launched(cluster: RealCluster, folder: Path) -> None:
    """Five models, launched by the command line, which has proved each of them before it says so."""
    specs = folder / "specs"
    specs.mkdir()
    write_specs(specs, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIAI_XINF_HOME", str(folder / "home"))
        patch.setenv("BIAI_XINF_SPECS", str(specs))
        patch.setenv("HF_HUB_OFFLINE", "1")
        for words in ([EMBEDDER], [RERANKER], [ON_LLAMA_CPP, "--recipe", "bundled"], [ON_TRANSFORMERS], [ON_VLLM]):
            result = run("--endpoint", cluster.endpoint, "launch", *words)
            if result.exit_code:
                pytest.fail(f"`{words[0]}` was not launched: {result.stderr}\n{cluster.said()}", pytrace=False)


@pytest.fixture
def client(cluster: RealCluster) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{cluster.endpoint}/v1", api_key="none", timeout=ANSWER_S, max_retries=0) as client:
        yield client


def test_each_model_runs_on_a_worker_that_has_its_engine(cluster: RealCluster, client: openai.OpenAI) -> None:
    engines = {model.id: model.model_engine for model in client.models.list()}
    names = {address: name for name, address in cluster.workers.items()}
    with Client(cluster.endpoint) as xinference:
        where = {uid: names[xinference.replicas(uid)[0].worker_address] for uid in engines}

    # Transformers is on both.
    del where[ON_TRANSFORMERS]
    assert where == {ON_VLLM: "vllm", ON_LLAMA_CPP: "ordinary", EMBEDDER: "ordinary", RERANKER: "ordinary"}
    assert engines == {
        ON_VLLM: "vLLM",
        ON_TRANSFORMERS: "Transformers",
        ON_LLAMA_CPP: "llama.cpp",
        EMBEDDER: "llama.cpp",
        RERANKER: "sentence_transformers",
    }


@pytest.mark.parametrize("uid", [ON_VLLM, ON_TRANSFORMERS, ON_LLAMA_CPP])
def test_every_engine_writes_sql_that_is_right_at_once_and_in_a_stream(client: openai.OpenAI, uid: str) -> None:
    whole = answer(client, uid)
    with client.chat.completions.create(**asked(uid), stream=True) as stream:
        pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]

    with closing(demo_shop()) as database:
        assert database.query(extract_sql(whole) or "").rows == ((18,),)
    assert "".join(filter(None, pieces)) == whole
    assert len(pieces) > 2


@pytest.mark.parametrize("uid", [ON_VLLM, ON_LLAMA_CPP])
def test_an_answer_keeps_to_its_schema(client: openai.OpenAI, uid: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "aim", "schema": SCHEMA}}

    # It was never taught JSON, and would write blanks for ever where those are allowed.
    found = json.loads(answer(client, uid, response_format=wanted, frequency_penalty=2))

    assert set(found) == {"kind", "year"}
    assert found["kind"] in ("count", "sum")
    assert 2020 <= found["year"] <= 2029


def test_transformers_cannot_keep_to_a_schema_and_says_so(client: openai.OpenAI) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "aim", "schema": SCHEMA}}

    with pytest.raises(openai.BadRequestError) as refused:
        answer(client, ON_TRANSFORMERS, response_format=wanted)

    assert refused.value.code == "unsupported_parameter"


def test_tools_are_offered_to_a_family_that_knows_them(client: openai.OpenAI) -> None:
    tool = {"type": "function", "function": {"name": "run_sql", "parameters": {"type": "object", "properties": {}}}}

    # The model was never taught to call any.
    assert "SELECT" in answer(client, ON_VLLM, tools=[tool])


def test_vectors_of_llama_cpp_equal_those_of_sentence_transformers(client: openai.OpenAI) -> None:
    reference = reference_vectors()

    # The client asks for base64 unless told otherwise.
    encoded = embed(client, EMBEDDER)
    plain = embed(client, EMBEDDER, encoding_format="float")
    alone = [client.embeddings.create(model=EMBEDDER, input=text).data[0].embedding for text in TEXTS]

    for vectors in (encoded, plain, alone):
        assert cosines(vectors, reference).min() >= 0.999


def test_vectors_pooled_otherwise_do_not(cluster: RealCluster, client: openai.OpenAI) -> None:
    uid = "minilm-pooled-otherwise"
    # Without `pooling_type` Xinference 4.1.0 takes the last token's vector, whatever the file says.
    body = {"model_uid": uid, "model_name": EMBEDDER, "model_type": "embedding", "model_engine": "llama.cpp"}
    body |= {"model_format": "ggufv2", "quantization": "f16", "n_gpu": None, **SMALL}

    with Client(cluster.endpoint) as xinference:
        xinference.launch({**body, "worker_ip": cluster.workers["ordinary"]}, wait_ready=True)
        vectors = embed(client, uid)
        xinference.terminate(uid)

    assert cosines(vectors, reference_vectors()).max() < 0.95


def test_documents_are_ranked_as_sentence_transformers_ranks_them(cluster: RealCluster, folder: Path) -> None:
    body = {"model": RERANKER, "query": QUERY, "documents": DOCUMENTS}

    found = requests.post(f"{cluster.endpoint}/v1/rerank", json=body, timeout=ANSWER_S).json()["results"]

    scores = reference_scores(folder / "cross-encoder")
    assert [result["index"] for result in found] == np.argsort(-scores).tolist()
    np.testing.assert_allclose([result["relevance_score"] for result in found], sorted(scores)[::-1], rtol=1e-3)


def test_all_of_them_answer_at_once(cluster: RealCluster, client: openai.OpenAI) -> None:
    def rank() -> int:
        body = {"model": RERANKER, "query": QUERY, "documents": DOCUMENTS}
        return len(requests.post(f"{cluster.endpoint}/v1/rerank", json=body, timeout=ANSWER_S).json()["results"])

    with ThreadPoolExecutor(max_workers=16) as threads:
        writing = [threads.submit(answer, client, uid) for uid in 4 * (ON_VLLM, ON_TRANSFORMERS, ON_LLAMA_CPP)]
        embedding = [threads.submit(embed, client, EMBEDDER) for _ in range(4)]
        ranking = [threads.submit(rank) for _ in range(4)]

        assert all("SELECT" in future.result() for future in writing)
        assert [len(future.result()) for future in embedding] == [len(TEXTS)] * 4
        assert [future.result() for future in ranking] == [len(DOCUMENTS)] * 4


# Asking


def asked(uid: str) -> dict[str, Any]:
    message = {"role": "user", "content": QUESTION}
    return {"model": uid, "messages": [message], "temperature": 0, "max_tokens": 100}


def answer(client: openai.OpenAI, uid: str, **more: Any) -> str:
    return str(client.chat.completions.create(**asked(uid), **more).choices[0].message.content)


def embed(client: openai.OpenAI, uid: str, **more: Any) -> list[list[float]]:
    found = client.embeddings.create(model=uid, input=TEXTS, **more).data
    assert [item.index for item in found] == list(range(len(TEXTS)))
    return [item.embedding for item in found]


# The references


def reference_vectors() -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(minilm.minilm_folder()), device="cpu").encode(TEXTS)


def reference_scores(weights: Path) -> np.ndarray:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(str(weights), device="cpu").predict([(QUERY, document) for document in DOCUMENTS])


def cosines(some: Any, others: Any) -> np.ndarray:
    units = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in map(np.asarray, (some, others))]
    return (units[0] * units[1]).sum(axis=1)


# The specs


def write_specs(specs: Path, folder: Path) -> None:
    """The user's own specs of four of the models; the fifth is our bundled one."""
    writer = demo_folder(made(folder / "demo"))
    cross_encoder = tiny_cross_encoder_folder(made(folder / "cross-encoder"))
    embedder = minilm.minilm_gguf(made(folder / "minilm"))
    sql = yaml.safe_load((shipped_specs() / "sql-coder.yaml").read_text(encoding="utf-8"))
    contract = {key: sql[key] for key in ("defaults", "prompt", "probe")}
    # docs/quickstart.md says what for. The size of its cache is the planner's to say.
    on_cpu = {"tensor_parallel_size": 1, "dtype": "float32", "enforce_eager": True, "block_size": 32}
    on_cpu["structured_outputs_config"] = TERSE
    sizing = {"context": 512, "parallel": 4}
    write(specs, ON_VLLM, "sql", recipe("vLLM", writer, WRITER, sizing, on_cpu), **contract)
    about = {"message": "How many customers are there?", "expect": ["SELECT COUNT(*)"]}
    in_prose = {"probe": about, "defaults": contract["defaults"]}
    write(specs, ON_TRANSFORMERS, "chat", recipe("Transformers", writer, WRITER, sizing, {}), **in_prose)
    best = np.argmax(reference_scores(cross_encoder))
    ranked = {"query": QUERY, "documents": [DOCUMENTS[best], *DOCUMENTS[:best], *DOCUMENTS[best + 1 :]]}
    ranking = recipe("sentence_transformers", cross_encoder, CROSS_ENCODER)
    write(specs, RERANKER, "rerank", ranking, probe=ranked)
    alike = {"similar": ["cancel an order", "annul a purchase"], "different": ["cancel an order", "a wide river"]}
    embedding = recipe("llama.cpp", embedder.parent, embedder_family(embedder), options={**SMALL, "pooling_type": 1})
    probe = {"dimensions": minilm.DIMENSIONS, **alike}
    write(specs, EMBEDDER, "embedding", embedding, pooling="mean", probe=probe)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def write(specs: Path, name: str, role: str, recipe: dict[str, Any], **more: Any) -> None:
    family = recipe.pop("family")
    (specs / recipe["registration"]).write_text(json.dumps(family), encoding="utf-8")
    head = {"name": name, "role": role, "description": "Of the test.", "license": "apache-2.0"}
    (specs / f"{name}.yaml").write_text(yaml.safe_dump({**head, "recipes": [recipe], **more}), encoding="utf-8")


def recipe(
    engine: str,
    weights: Path,
    family: dict[str, Any],
    sizing: dict[str, int] | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The only recipe of a spec, with the registration that stands in a file of its own."""
    chosen = family["model_specs"][0]
    choice = {key: chosen[key] for key in ("model_format", "model_size_in_billions", "quantization") if key in chosen}
    return {
        "name": "only",
        "requires": {"memory": "1GiB", **(sizing or {})},
        "model": {"model_name": family["model_name"], **choice},
        "engine": engine,
        "engine_options": options or {},
        "registration": f"{family['model_name']}.json",
        "model_path": str(weights),
        "family": family,
    }


PYTORCH = {"model_format": "pytorch", "quantization": "none", "model_id": "none/none"}
# Of a family that Xinference lets have tools; its own template, as ours knows no system message.
WRITER = {
    "version": 2,
    "model_name": "demo-writer",
    "model_lang": ["en"],
    "model_ability": ["chat", "tools"],
    "model_family": "qwen2.5-coder-instruct",
    "architectures": ["Qwen2ForCausalLM"],
    "tool_parser": "qwen",
    "context_length": 512,
    "chat_template": "<|q|>{{ messages[-1]['content'] | trim }}<|a|>",
    "stop": ["<|end|>"],
    "stop_token_ids": [0],
    "model_specs": [{**PYTORCH, "model_size_in_billions": "0_005"}],
}
CROSS_ENCODER = {
    "model_name": "tiny-cross-encoder",
    "type": "normal",
    "language": ["en"],
    "max_tokens": 512,
    "model_specs": [PYTORCH],
}


def embedder_family(weights: Path) -> dict[str, Any]:
    gguf = {
        "model_format": "ggufv2",
        "quantization": "f16",
        "model_id": "none/none",
        "model_uri": weights.parent.as_uri(),
    }
    return {
        "version": 2,
        "model_name": EMBEDDER,
        "dimensions": minilm.DIMENSIONS,
        "max_tokens": minilm.MAX_TOKENS,
        "language": ["en"],
        "model_specs": [{**gguf, "model_file_name_template": weights.name}],
    }
