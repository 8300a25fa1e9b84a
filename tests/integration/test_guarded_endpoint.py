"""One endpoint with authentication on: upstreams obey the same accounts, keys and permissions, and tell no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from biai_xinf.errors import Forbidden
from biai_xinf.upstreams import Upstream, UpstreamServer
from tests.guarded_endpoint import CANARY, KEY_VARIABLE, SQL, GuardedEndpoint
from tests.standins import StandIn
from tests.xinference_fixtures import needs_xinference

pytestmark = [pytest.mark.real, pytest.mark.slow, needs_xinference]

QUESTION = [{"role": "user", "content": "How many orders are there?"}]


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with StandIn("vllm", model="far", answer="SELECT 42", key=CANARY) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def upstream(guarded_endpoint: GuardedEndpoint, server: StandIn) -> Iterator[str]:
    """The name of an upstream whose server wants a key."""
    listed = [UpstreamServer(provider="vllm", url=server.url, model="far", key_env=KEY_VARIABLE)]
    with guarded_endpoint.admin() as client:
        client.put_upstream(Upstream(name="far-sql", servers=listed, patience_s=5, deadline_s=10))
        yield "far-sql"
        client.remove_upstream("far-sql")


def client(endpoint: GuardedEndpoint, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{endpoint.url}/v1", api_key=key, max_retries=0)


def test_the_openai_client_reaches_native_and_upstream_models_alike(
    guarded_endpoint: GuardedEndpoint, upstream: str
) -> None:
    with client(guarded_endpoint, guarded_endpoint.key) as openai_client:
        listed = {model.id for model in openai_client.models.list()}
        assert {SQL, upstream} <= listed
        native = openai_client.chat.completions.create(model=SQL, messages=QUESTION)  # type: ignore[arg-type]
        far = openai_client.chat.completions.create(model=upstream, messages=QUESTION)  # type: ignore[arg-type]
        parts = openai_client.chat.completions.create(model=upstream, messages=QUESTION, stream=True)  # type: ignore[call-overload]
        streamed = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)

    assert "orders" in (native.choices[0].message.content or "")
    assert (far.model, far.choices[0].message.content) == (upstream, "SELECT 42")
    assert streamed == "SELECT 42"


@pytest.mark.parametrize("key", [None, "sk-wrong"], ids=["no key", "wrong key"])
def test_without_a_good_key_nothing_is_asked_of_anyone(
    guarded_endpoint: GuardedEndpoint, upstream: str, server: StandIn, key: str | None
) -> None:
    before = len(server.requests)

    answers = [
        guarded_endpoint.post("/v1/chat/completions", {"model": upstream, "messages": QUESTION}, key),
        guarded_endpoint.post("/v1/chat/completions", {"model": "no-such-model", "messages": QUESTION}, key),
        guarded_endpoint.get(f"/v1/models/{upstream}", key),
        guarded_endpoint.get("/v1/models", key),
        guarded_endpoint.get("/biai/status", key),
        guarded_endpoint.get("/biai/upstreams", key),
        guarded_endpoint.post("/api/chat", {"model": upstream, "messages": QUESTION}, key),
    ]

    assert [answer.status_code for answer in answers] == [401] * len(answers)
    assert len(server.requests) == before


def test_a_key_for_one_model_is_for_that_model(guarded_endpoint: GuardedEndpoint, upstream: str) -> None:
    asked = {"messages": QUESTION, "max_tokens": 8}
    key = guarded_endpoint.sql_key

    own = guarded_endpoint.post("/v1/chat/completions", {"model": SQL, **asked}, key)
    other = guarded_endpoint.post("/v1/chat/completions", {"model": upstream, **asked}, key)

    assert own.status_code == 200
    assert (other.status_code, other.json()["error"]["type"]) == (403, "permission_error")


def test_only_an_admin_adds_upstreams(guarded_endpoint: GuardedEndpoint, server: StandIn) -> None:
    import requests

    body = {"servers": [{"provider": "vllm", "url": server.url, "model": "far"}]}
    headers = {"authorization": f"Bearer {guarded_endpoint.key}"}

    answer = requests.put(f"{guarded_endpoint.url}/biai/upstreams/mine", json=body, headers=headers, timeout=30)

    assert answer.status_code == 403


def test_the_operator_page_has_no_data_for_those_without_a_key(guarded_endpoint: GuardedEndpoint) -> None:
    page = guarded_endpoint.get("/biai")

    assert page.status_code == 200
    assert SQL not in page.text
    status = guarded_endpoint.get("/biai/status", guarded_endpoint.key).json()
    assert SQL in [model["uid"] for model in status["models"]]


def test_an_upstreams_key_shows_up_nowhere(guarded_endpoint: GuardedEndpoint, upstream: str, server: StandIn) -> None:
    asked = {"model": upstream, "messages": QUESTION}
    said: list[Any] = []
    for fault in (None, "401", "500", "503", "200-error", "429", "hang-mid-stream", "error-event"):
        server.fault = fault  # type: ignore[assignment]
        for stream in (False, True):
            answer = guarded_endpoint.post("/v1/chat/completions", {**asked, "stream": stream}, guarded_endpoint.key)
            said += [answer.text, dict(answer.headers)]
    server.fault = None
    server.key = "another-key"
    said.append(guarded_endpoint.post("/v1/chat/completions", asked, guarded_endpoint.key).text)
    server.key = CANARY
    for path in ("/v1/models", f"/v1/models/{upstream}", "/v1/models/instances", "/biai/status", "/biai/upstreams"):
        said.append(guarded_endpoint.get(path, guarded_endpoint.key).text)
    said += [guarded_endpoint.get("/metrics").text, guarded_endpoint.get("/biai").text]

    assert server.calls[-1].headers.get("authorization") == f"Bearer {CANARY}", "the key was never sent at all"
    assert not [text for text in said if CANARY in str(text)]
    assert _files_with(CANARY, guarded_endpoint.home) == []
    # The endpoint's own keys are not written to its log either, though Ollama clients put them into the path.
    guarded_endpoint.get(f"/ollama/k/{guarded_endpoint.key}/api/tags")
    assert guarded_endpoint.key not in guarded_endpoint.server.log.read_text(errors="replace")


def _files_with(text: str, folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".gguf"]
    return [str(path) for path in files if re.search(re.escape(text).encode(), path.read_bytes())]


def test_an_api_key_without_scope_cannot_change_what_launch_told(guarded_endpoint: GuardedEndpoint) -> None:
    from biai_xinf.client import Client
    from biai_xinf.credentials import Credentials

    with Client(guarded_endpoint.url, Credentials(api_key=guarded_endpoint.key)) as keyed, pytest.raises(Forbidden):
        keyed.forget_served_model(SQL)
