"""The honest surface in front of a real Xinference with real engines: what stock Xinference ignores, leaks or fails on."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings

from biai_xinf.client import Client
from biai_xinf.extension.checking import Route
from biai_xinf.upstreams import ServedModel
from tests.json_schemas import ANY as any_schemas
from tests.request_bodies import PATHS, good
from tests.request_bodies import requests as any_requests
from tests.tiny_models import WIDTH, embedding_family, llm_family, tiny_embedding_gguf, tiny_llm_gguf
from tests.xinference_fixtures import RealXinference, needs_xinference

pytestmark = [pytest.mark.real, needs_xinference]

LLM, EMBEDDING, CONTEXT = "honest-llm", "honest-embedding", 512
# Ten thousand took 302 s on two shared cores; `BIAI_XINF_FUZZ` asks for another number.
FUZZED = int(os.environ.get("BIAI_XINF_FUZZ", "3000"))
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
# Whatever belongs to the server's own machine: processes, files, code.
LOCAL = ("[address=", ".gguf", "Traceback", "site-packages")


@pytest.fixture(scope="module")
def endpoint(real_xinference: RealXinference) -> str:
    """An endpoint with our extension."""
    return real_xinference.endpoint


@pytest.fixture(scope="module", autouse=True)
def models(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A language model and an embedding model of a few kilobytes, both on llama.cpp."""
    llm = tiny_llm_gguf(tmp_path_factory.mktemp("llm"))
    embedding = tiny_embedding_gguf(tmp_path_factory.mktemp("embedding"))
    # Tools are let through for families Xinference knows, whatever the weights are.
    family = {**llm_family(LLM, llm), "model_family": "qwen2.5-instruct"}
    sizing = {"model_size_in_billions": 1, "context_length": CONTEXT, "n_parallel": 1}
    launch(endpoint, "LLM", family, model_path=str(llm), **sizing)
    launch(
        endpoint, "embedding", embedding_family(EMBEDDING, embedding), model_path=str(embedding.parent), n_ctx=CONTEXT
    )
    yield
    for uid in (LLM, EMBEDDING):
        requests.delete(f"{endpoint}/v1/models/{uid}", timeout=60)


def launch(endpoint: str, model_type: str, family: dict[str, Any], **options: Any) -> None:
    name = family["model_name"]
    registration = {"model": json.dumps(family), "persist": False}
    requests.post(f"{endpoint}/v1/model_registrations/{model_type}", json=registration, timeout=60).raise_for_status()
    wanted = {"model_uid": name, "model_name": name, "model_type": model_type, "model_engine": "llama.cpp"}
    wanted |= {"model_format": "ggufv2", "quantization": "f16", "n_gpu": None, **options}
    requests.post(f"{endpoint}/v1/models", json=wanted, timeout=300).raise_for_status()


def ask(endpoint: str, route: Route, **change: Any) -> requests.Response:
    body = {**good(route, llm=LLM, embedding=EMBEDDING), **change}
    return requests.post(endpoint + PATHS[route], data=json.dumps(body), headers=JSON, timeout=60)


JSON = {"content-type": "application/json"}


def test_a_model_is_listed_with_the_context_it_was_launched_with(endpoint: str) -> None:
    client = Client(endpoint)
    familys = client.model(LLM).context_length
    assert familys != CONTEXT

    client.put_served_model(ServedModel(uid=LLM, spec="coder", recipe="cpu", role="sql", context=CONTEXT))
    try:
        assert client.model(LLM).context_length == CONTEXT
        assert {one.id: one.context_length for one in client.models()}[LLM] == CONTEXT
    finally:
        client.forget_served_model(LLM)
    assert client.model(LLM).context_length == familys


def refusal(answer: requests.Response) -> tuple[int, str | None, str]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert not any(word in answer.text for word in LOCAL)
    return answer.status_code, error["code"], error["message"]


def client(endpoint: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{endpoint}/v1", api_key="none", max_retries=0)


def test_the_model_is_named_as_it_was_asked_for(endpoint: str) -> None:
    # Stock Xinference answers with the path of the weights.
    assert ask(endpoint, "chat").json()["model"] == LLM
    assert ask(endpoint, "completions").json()["model"] == LLM

    streamed = ask(endpoint, "chat", stream=True, max_tokens=8).text
    events = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    assert {event["model"] for event in events} == {LLM}
    assert streamed.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize(
    "wish",
    [
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
        {"guided_json": SCHEMA},
        {"extra_body": {"guided_json": json.dumps(SCHEMA)}},
    ],
    ids=["json_object", "json_schema", "guided_json", "extra_body"],
)
def test_structured_output_is_honoured(endpoint: str, wish: dict[str, Any]) -> None:
    # The first, third and fourth are ignored by stock Xinference. A model of random weights would never write JSON.
    answers = [ask(endpoint, "chat", temperature=1.5, seed=seed, max_tokens=200, **wish).json() for seed in range(5)]

    choices = [answer["choices"][0] for answer in answers]
    assert all(choice["message"]["content"].lstrip().startswith("{") for choice in choices)
    finished = [choice["message"]["content"] for choice in choices if choice["finish_reason"] == "stop"]
    assert all(isinstance(json.loads(content), dict) for content in finished)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "maxItems": 1, "items": {"oneOf": [{"type": "null"}, {"type": "null", "title": "again"}]}},
        {"type": "array", "maxItems": 1, "items": {"type": "string", "format": "uri", "maxLength": 3}},
        {},
    ],
    ids=["oneOf", "an unknown format", "any JSON"],
)
def test_a_schema_llama_cpp_would_let_go_is_put_so_that_it_holds(endpoint: str, schema: dict[str, Any]) -> None:
    wish = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}

    answer = ask(endpoint, "chat", temperature=1.5, seed=3, max_tokens=100, response_format=wish).json()

    content = answer["choices"][0]["message"]["content"]
    assert content.lstrip()[0] in '{["-0123456789tfn'


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("tokens", [2, 2**40])
def test_a_schema_that_nothing_meets_is_refused(endpoint: str, tokens: int, stream: bool) -> None:
    # llama.cpp says "Unsatisfiable schema" in its log and answers freely; the fewer tokens, the seldomer to the end.
    schema = {"allOf": [{"type": "string"}, {"type": "null"}]}
    wish = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    text = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    why = "can never be met: `/allOf/0` and `/allOf/1` ask for different types"

    as_chat = refusal(ask(endpoint, "chat", response_format=wish, max_completion_tokens=tokens, stream=stream))
    as_response = refusal(ask(endpoint, "responses", text=text, max_output_tokens=tokens, stream=stream))

    assert as_chat == (400, "invalid_schema", f"the schema of `response_format` {why}")
    assert as_response == (400, "invalid_schema", f"the schema of `text.format` {why}")


def test_llama_cpp_keeps_to_every_schema_that_is_let_through(endpoint: str) -> None:
    session, seen, failed = requests.Session(), Counter[int](), []

    @settings(
        max_examples=300,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(any_schemas)
    def send(schema: dict[str, Any]) -> None:
        wish = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        body = {**good("chat", llm=LLM), "response_format": wish, "max_tokens": 3, "temperature": 1.5}
        answer = session.post(endpoint + PATHS["chat"], data=json.dumps(body), headers=JSON, timeout=60)
        seen[answer.status_code] += 1
        # A model of random weights begins one answer in twenty like this where nothing holds it.
        begun = answer.ok and (answer.json()["choices"][0]["message"]["content"].lstrip() or "{")[0]
        if not (answer.status_code == 400 or (begun and begun in '{["-0123456789tfn')):
            failed.append((schema, answer.status_code, answer.text[-300:]))

    send()

    assert failed == []
    assert min(seen[200], seen[400]) > 10, "hypothesis made schemas of one kind only"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"grammar": 'root ::= "a"'},
            f"`grammar` is ignored by the engine of `{LLM}`, llama.cpp; `response_format` of type `json_schema` works",
        ),
        (
            {"guided_choice": ["a", "b"]},
            f"`guided_choice` is ignored by the engine of `{LLM}`, llama.cpp; "
            "`response_format` of type `json_schema` works",
        ),
        (
            {"guided_json": {"type": "array", "uniqueItems": True}},
            "the schema of `guided_json` has `/uniqueItems`, which llama.cpp cannot enforce",
        ),
        ({"logit_bias": {"1": 5}}, "`logit_bias` is not supported by Xinference"),
        ({"temperature": 3}, "`temperature` is 3; it must be a number from 0 to 2"),
        ({"n": 2, "stream": True}, "`n` is 2; it must be 1 when `stream` is true"),
    ],
    ids=["grammar", "choice", "schema", "logit_bias", "temperature", "n in a stream"],
)
def test_what_would_be_ignored_is_refused(endpoint: str, change: dict[str, Any], message: str) -> None:
    status, _, said = refusal(ask(endpoint, "chat", **change))

    assert (status, said) == (400, message)


def test_several_answers(endpoint: str) -> None:
    # Stock Xinference drops `n`.
    answer = ask(endpoint, "chat", n=2, temperature=1.5, max_tokens=5).json()

    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    usage = answer["usage"]
    assert usage["prompt_tokens"] == ask(endpoint, "chat").json()["usage"]["prompt_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("route", "change"),
    [
        ("chat", {"messages": [{"role": "user", "content": "a" * 3000}]}),
        ("completions", {"prompt": "a" * 3000}),
    ],
    ids=["chat", "completions"],
)
def test_a_prompt_too_long_is_told_with_the_numbers(
    endpoint: str, route: Route, change: dict[str, Any], stream: bool
) -> None:
    status, code, message = refusal(ask(endpoint, route, stream=stream, **change))

    assert (status, code) == (400, "context_length_exceeded")
    assert message.startswith("the input has 30")
    assert message.endswith(f"the model takes {CONTEXT}, answer included")


def test_a_text_too_long_to_embed(endpoint: str) -> None:
    status, code, message = refusal(ask(endpoint, "embeddings", input=["short", "a " * 2000]))

    assert (status, code) == (400, "context_length_exceeded")
    assert message == f"a text of the input has 2002 tokens; the model takes {CONTEXT}"


def test_a_response_that_fails_while_streamed_tells_why(endpoint: str) -> None:
    streamed = ask(endpoint, "responses", input="a" * 3000, stream=True)

    assert "the input has 30" in streamed.text
    assert not any(word in streamed.text for word in LOCAL)


def test_an_unknown_model(endpoint: str) -> None:
    for _ in range(2):
        assert refusal(ask(endpoint, "chat", model="nope")) == (
            404,
            "model_not_found",
            "no model `nope` is served here; `GET /v1/models` lists what is served",
        )


def test_a_model_of_another_kind(endpoint: str) -> None:
    assert refusal(ask(endpoint, "embeddings", model=LLM))[:2] == (400, "wrong_route")
    assert refusal(ask(endpoint, "chat", model=EMBEDDING))[:2] == (400, "wrong_route")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"model": "\xff"}', b"[" * 100_000, b'{"model": NaN}'])
def test_what_is_not_json(endpoint: str, raw: bytes) -> None:
    assert refusal(requests.post(endpoint + PATHS["chat"], data=raw, headers=JSON, timeout=30))[0] == 400


def test_embeddings(endpoint: str) -> None:
    assert refusal(ask(endpoint, "embeddings", input=[1, 2, 3]))[2] == (
        "`input` has token numbers, which Xinference would read as texts; send the text itself"
    )
    assert refusal(ask(endpoint, "embeddings", dimensions=8))[2] == (
        f"`dimensions` is 8; llama.cpp gives vectors of {WIDTH} only"
    )
    assert len(ask(endpoint, "embeddings", dimensions=WIDTH).json()["data"][0]["embedding"]) == WIDTH


def test_openais_client_raises_the_right_errors(endpoint: str) -> None:
    ask_as_client = client(endpoint).chat.completions.create

    with pytest.raises(openai.NotFoundError) as unknown:
        ask_as_client(model="nope", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(openai.BadRequestError) as too_long:
        ask_as_client(model=LLM, messages=[{"role": "user", "content": "a" * 3000}])

    assert (unknown.value.code, too_long.value.code) == ("model_not_found", "context_length_exceeded")


@pytest.mark.slow
def test_no_request_body_brings_xinference_to_a_server_error(endpoint: str) -> None:
    session, seen, failed = requests.Session(), Counter[int](), []

    @settings(
        max_examples=FUZZED,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(any_requests(llm=LLM, embedding=EMBEDDING))
    def send(request: tuple[Route, Any]) -> None:
        route, body = request
        answer = session.post(endpoint + PATHS[route], data=json.dumps(body), headers=JSON, timeout=60)
        seen[answer.status_code] += 1
        shaped = answer.ok or set(answer.json()["error"]) == {"message", "type", "param", "code"}
        if answer.status_code >= 500 or not shaped or any(word in answer.text for word in LOCAL):
            failed.append((route, body, answer.status_code, answer.text[-300:]))

    send()

    assert failed == []
    assert seen.total() >= FUZZED * 0.99, "hypothesis ran out of bodies"
    assert seen[200] > FUZZED * 0.1, "too few bodies reached an engine"
    assert ask(endpoint, "chat").status_code == 200
