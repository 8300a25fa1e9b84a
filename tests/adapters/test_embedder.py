"""What a vector costs an application: connections that are kept for the next request, and pins read once per look."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from biai_xinf.adapters import looking, source
from biai_xinf.adapters.embedder import Embedder
from biai_xinf.adapters.source import Source
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, save_credentials
from biai_xinf.errors import AuthFailed, BadFile, NotFound, OtherVectors, Unreachable
from biai_xinf.pins import keep_pin, pins_file, release_pins
from tests.embedders import BGE_F16, BGE_Q8, serve, vectors
from tests.fake_xinference import FakeXinference


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeXinference]:
    # Whatever a test asks for is answered the first time.
    monkeypatch.setattr(looking, "WAITS_S", ())
    with FakeXinference(auth=True) as fake:
        assert fake.auth
        fake.auth.api_keys += ["sk-one", "sk-two"]
        monkeypatch.setenv("BIAI_XINF_ENDPOINT", fake.endpoint)
        monkeypatch.setenv("BIAI_XINF_API_KEY", "sk-one")
        serve(fake)
        yield fake


@pytest.fixture
def connections(fake: FakeXinference, monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Every connection that the server accepts, its side of it."""
    accepted: list[socket.socket] = []
    accept = fake._server.get_request

    def listen() -> tuple[socket.socket, object]:
        connection, address = accept()
        accepted.append(connection)
        return connection, address

    monkeypatch.setattr(fake._server, "get_request", listen)
    return accepted


def ask(embedder: Embedder, text: str = "orders") -> None:
    assert embedder.queries([text]) == [pytest.approx(vectors()(text))]


def in_a_thread(embedder: Embedder, text: str = "orders") -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask, embedder, text).result()


# Connections


def test_one_connection_serves_one_request_after_the_other_whichever_thread_asks(
    connections: list[socket.socket],
) -> None:
    ask(Embedder())
    in_a_thread(Embedder())
    in_a_thread(Embedder(Source()))

    assert len(connections) == 1


def test_threads_that_ask_at_once_get_their_own_vectors(connections: list[socket.socket]) -> None:
    embedder, texts = Embedder(), [f"orders of customer {number}" for number in range(64)]
    embedder.model()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: ask(embedder, text), texts))

    assert len(connections) <= 8


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(
    fake: FakeXinference, connections: list[socket.socket]
) -> None:
    ask(Embedder())
    for connection in connections:
        connection.shutdown(socket.SHUT_RDWR)

    ask(Embedder())

    assert len(connections) == 2


def test_a_connection_that_was_idle_for_long_is_not_trusted(
    connections: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(Embedder())
    monkeypatch.setattr(source, "KEEP_S", 0)

    ask(Embedder())

    assert len(connections) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows forks no process")
def test_a_fork_and_its_parent_do_not_speak_on_one_connection(connections: list[socket.socket]) -> None:
    embedder = Embedder()
    ask(embedder)

    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(Exception):
            ask(embedder, "of the child")
            status = 0
        os._exit(status)
    _, status = os.waitpid(child, 0)
    ask(embedder, "of the parent")

    assert (status, len(connections)) == (0, 2)


# Logins


def test_a_login_that_changes_goes_with_the_next_request(
    fake: FakeXinference, connections: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-one")
    embedder = Embedder(Source(api_key_env="MY_KEY"))
    ask(embedder)

    monkeypatch.setenv("MY_KEY", "sk-wrong")
    with pytest.raises(AuthFailed):
        embedder.queries(["orders"])
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(AuthFailed, match="not set in the environment: `MY_KEY`"):
        embedder.queries(["orders"])
    monkeypatch.setenv("MY_KEY", "sk-two")
    ask(embedder)

    assert len(connections) == 3


def test_a_login_that_is_saved_meanwhile_goes_with_the_next_request(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Embedder()
    ask(embedder)
    assert fake.auth
    fake.auth.users["ann"] = "correct-horse"
    monkeypatch.delenv("BIAI_XINF_API_KEY")
    with pytest.raises(AuthFailed):
        embedder.queries(["orders"])

    login = Client(fake.endpoint, Credentials(username="ann", password="correct-horse")).login()
    save_credentials(fake.endpoint, login)

    ask(embedder)
    fake.auth.expire_tokens()
    ask(embedder)
    ask(embedder)


# Looks and pins


def test_pins_are_read_once_per_look(fake: FakeXinference, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = Embedder()
    ask(embedder)
    pins_file().write_text("{", encoding="utf-8")

    ask(embedder)

    monkeypatch.setattr(looking, "LOOK_AGAIN_S", 0)
    with pytest.raises(BadFile, match=r"pins\.json: cannot be read as embedder pins"):
        embedder.queries(["orders"])


def test_a_pin_that_another_application_keeps_counts_from_the_next_look_on(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Embedder()
    pinned = embedder.model().pinned("/data/other", ["ddl"])
    ask(embedder)
    keep_pin(pinned.model_copy(update={"pin": pinned.pin.model_copy(update={"quantization": "F16"})}))

    monkeypatch.setattr(looking, "LOOK_AGAIN_S", 0)

    with pytest.raises(OtherVectors, match="the vectors of `ddl` want bge-m3 ggufv2 F16"):
        embedder.queries(["orders"])


def test_what_was_refused_is_judged_again_at_once(fake: FakeXinference) -> None:
    ask(Embedder())
    serve(fake, **BGE_F16)
    with pytest.raises(OtherVectors):
        Embedder().queries(["orders"])

    release_pins(fake.endpoint, "bge-m3")

    ask(Embedder())


def test_an_embedder_with_a_pin_is_held_to_it_and_others_are_not(fake: FakeXinference) -> None:
    free = Embedder()
    pin = free.model().pin
    ask(free)

    with pytest.raises(OtherVectors):
        Embedder(pin=pin.model_copy(update={"quantization": "F16"})).queries(["orders"])
    marked = Embedder(pin=pin.model_copy(update={"query_prefix": "query: "}))

    assert marked.queries(["orders"]) == [pytest.approx(vectors()("query: orders"))]
    ask(free)


def test_a_model_that_is_gone_is_looked_for_at_once(fake: FakeXinference) -> None:
    embedder = Embedder()
    ask(embedder)
    del fake.models["bge-m3"]
    fake.run("my-embedder", model_type="embedding", model_engine="llama.cpp", **BGE_Q8)
    fake.embed["my-embedder"] = vectors()

    with pytest.raises(NotFound):
        embedder.queries(["orders"])

    ask(embedder)


def test_a_local_xinference_that_was_started_elsewhere_is_found_by_the_next_request(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BIAI_XINF_ENDPOINT")
    monkeypatch.setattr(source, "KEEP_S", 0)
    embedder = Embedder()
    with FakeXinference() as before:
        monkeypatch.setattr(source, "endpoint_of", lambda given: given or before.endpoint)
        serve(before)
        ask(embedder)
    monkeypatch.setattr(source, "endpoint_of", lambda given: given or fake.endpoint)

    with pytest.raises(Unreachable):
        embedder.queries(["orders"])

    ask(embedder)
