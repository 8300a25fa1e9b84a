"""What we believe about Xinference is asked of the fake and of the real server alike."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from biai_xinf.client import Client
from tests.fake_xinference import FakeXinference, Launching
from tests.tiny_models import WIDTH, embedding_family, llm_family, tiny_embedding_gguf, tiny_llm_gguf
from tests.xinference_fixtures import needs_xinference, running_xinference

T = TypeVar("T")
LOAD_TIMEOUT_S = 180


@dataclass
class Target:
    """A server under test, with a client of it; `fake` is None for the real one."""

    client: Client
    folder: Path
    fake: FakeXinference | None = None

    def register_llm(self, name: str, *, damaged: bool = False) -> dict[str, Any]:
        """A tiny LLM under this name; the body that launches it."""
        folder = self.folder / name
        folder.mkdir()
        file = tiny_llm_gguf(folder)
        if damaged:
            file.write_bytes(file.read_bytes()[:5000])
        if damaged and self.fake:
            reason = "Failed to init server, please check the input params."
            self.fake.launches[name] = Launching(looks=1, fails_with=reason)
        self.client.register("LLM", llm_family(name, file))
        size = {"model_format": "ggufv2", "model_size_in_billions": 1, "quantization": "f16"}
        options = {"context_length": 512, "n_parallel": 1, "n_threads": 1}
        return {"model_uid": name, "model_name": name, "model_engine": "llama.cpp", **size, **options}

    def register_embedding(self, name: str) -> dict[str, Any]:
        """A tiny embedding model under this name; the body that launches it."""
        folder = self.folder / name
        folder.mkdir()
        self.client.register("embedding", embedding_family(name, tiny_embedding_gguf(folder)))
        if self.fake:
            self.fake.embed[name] = lambda text: [float(len(text))] * WIDTH
        what = {"model_type": "embedding", "model_format": "ggufv2", "quantization": "f16"}
        options = {"n_parallel": 1, "n_ctx": 512}
        return {"model_uid": name, "model_name": name, "model_engine": "llama.cpp", **what, **options}


@pytest.fixture(scope="session", params=["fake", pytest.param("real", marks=[pytest.mark.real, needs_xinference])])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("models")
    if request.param == "real":
        real = request.getfixturevalue("real_xinference")
        with Client(real.endpoint) as client:
            yield Target(client, folder)
        return
    with FakeXinference() as fake, Client(fake.endpoint) as client:
        yield Target(client, folder, fake)


@pytest.fixture
def client(target: Target) -> Client:
    return target.client


@pytest.fixture(
    scope="session",
    params=["fake", pytest.param("real", marks=[pytest.mark.real, pytest.mark.slow, needs_xinference])],
)
def stock(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server without our extension, which answers some requests otherwise."""
    if request.param == "real":
        home = tmp_path_factory.mktemp("stock")
        with (
            running_xinference(home, stock=True, XINFERENCE_AUTH_ADVANCED="0") as real,
            Client(real.endpoint) as client,
        ):
            yield client
        return
    with FakeXinference() as fake, Client(fake.endpoint) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A uid and model name that no other test uses: the servers outlive the tests."""
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def ready_llm(target: Target) -> str:
    """The uid of a tiny LLM that is ready."""
    return target.client.launch(target.register_llm("ready-llm"), wait_ready=True, timeout=LOAD_TIMEOUT_S)


def wait_until(look: Callable[[], T | None]) -> T:
    """The first thing that `look` finds."""
    deadline = time.monotonic() + LOAD_TIMEOUT_S
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"nothing after {LOAD_TIMEOUT_S} s"
        time.sleep(0.1)
    return found
