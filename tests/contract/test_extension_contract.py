"""The extension's routes, as the client sees them; and what a server without the extension answers there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from biai_xinf import wire
from biai_xinf.client import Client
from biai_xinf.errors import NoExtension, NotFound, Rejected
from biai_xinf.transport import Call, Transport
from biai_xinf.upstreams import ServedModel, Upstream
from tests.contract.conftest import LOAD_TIMEOUT_S, Target, wait_until
from tests.fake_xinference import FakeWorker, FakeXinference
from tests.machines import MACHINES
from tests.xinference_fixtures import needs_xinference

HELLO = [{"role": "user", "content": "hello"}]


@dataclass
class Extended:
    """A server with the extension, and the uid of a model that it runs itself; `fake` is None for a real one."""

    client: Client
    native: str
    fake: FakeXinference | None = None


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=[pytest.mark.real, needs_xinference])])
def extended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Extended]:
    if request.param == "real":
        with Client(request.getfixturevalue("real_xinference").endpoint) as client:
            body = Target(client, tmp_path_factory.mktemp("native")).register_llm("runs-there")
            yield Extended(client, client.launch(body, wait_ready=True, timeout=LOAD_TIMEOUT_S))
            client.terminate("runs-there")
        return
    (machine,) = (kept for kept in MACHINES if kept.name == "cpu-only")
    workers = [FakeWorker(facts=machine.facts())]
    with FakeXinference(workers, extension=True) as fake, Client(fake.endpoint) as client:
        fake.run("native-model")
        yield Extended(client, "native-model", fake)


@pytest.fixture(scope="module")
def other_server() -> Iterator[str]:
    """The URL of an OpenAI-compatible server that runs the model `m`."""
    with FakeXinference() as server:
        server.run("m")
        yield server.endpoint


def upstream(name: str, *urls: str, model: str = "m", **more: object) -> Upstream:
    servers = [{"provider": "openai-compatible", "url": url, "model": model} for url in urls]
    return Upstream.model_validate({"name": name, "servers": servers, **more})


def told(client: Client, name: str) -> wire.Upstream:
    return next(upstream for upstream in client.upstreams() if upstream.name == name)


def instance_of(client: Client, uid: str) -> wire.Instance | None:
    return next((instance for instance in client.instances() if instance.model_uid == uid), None)


# A server without it


def test_a_stock_server_has_no_extension(stock: Client) -> None:
    assert stock.extension() is None


def test_every_route_of_the_extension_fails_alike_on_a_stock_server(stock: Client) -> None:
    served = ServedModel(uid="x", spec="x", recipe="x", role="sql")
    calls = [
        stock.upstreams,
        stock.endpoint_status,
        lambda: stock.put_upstream(upstream("x", "http://127.0.0.1:9")),
        lambda: stock.remove_upstream("x"),
        lambda: stock.put_served_model(served),
        lambda: stock.forget_served_model("x"),
    ]

    for call in calls:
        with pytest.raises(NoExtension) as caught:
            call()
        assert caught.value.message == f"`{stock.endpoint}` has no biai-xinf extension, which serves this"
        assert "XINFERENCE_EXTENSIONS=biai_xinf.extension:create" in str(caught.value.hint)


# A server with it


def test_it_tells_its_version_and_that_of_xinference(extended: Extended) -> None:
    version = extended.client.extension()

    assert version is not None
    assert version.xinference is not None
    assert version.xinference.startswith("4.1.")
    assert version.biai_xinf


def test_an_upstream_is_told_as_it_was_put(extended: Extended, name: str, other_server: str) -> None:
    stored = extended.client.put_upstream(upstream(name, other_server, role="sql", context=8192, fallback=["other"]))

    found = told(extended.client, name)
    assert (stored.name, stored.servers) == (found.name, found.servers)
    assert (found.role, found.context, found.fallback) == ("sql", 8192, ["other"])
    (server,) = found.servers
    assert (server.provider, server.url, server.model) == ("openai-compatible", other_server, "m")
    assert found.health_of(server).state in ("ok", "unknown")


def test_putting_an_upstream_again_replaces_it(extended: Extended, name: str, other_server: str) -> None:
    extended.client.put_upstream(upstream(name, other_server))

    extended.client.put_upstream(upstream(name, other_server, model="n"))

    assert [server.model for server in told(extended.client, name).servers] == ["n"]
    assert [one.name for one in extended.client.upstreams()].count(name) == 1


def test_a_removed_upstream_is_gone(extended: Extended, name: str, other_server: str) -> None:
    extended.client.put_upstream(upstream(name, other_server))

    extended.client.remove_upstream(name)

    assert name not in [one.name for one in extended.client.upstreams()]
    assert name not in [model.id for model in extended.client.models()]
    with pytest.raises(NotFound):
        extended.client.remove_upstream(name)


def test_an_upstream_is_listed_as_a_model(extended: Extended, name: str, other_server: str) -> None:
    extended.client.put_upstream(upstream(name, other_server, context=4096))

    listed = next(model for model in extended.client.models() if model.id == name)

    assert extended.client.model(name) == listed
    assert (listed.model_type, listed.model_engine, listed.context_length) == ("LLM", "upstream", 4096)
    assert listed.upstream is not None
    assert [(server.provider, server.url, server.model) for server in listed.upstream.servers] == [
        ("openai-compatible", other_server, "m")
    ]


@pytest.mark.parametrize(
    ("role", "kind"), [("sql", "LLM"), ("narrator", "LLM"), ("embedding", "embedding"), ("rerank", "rerank")]
)
def test_the_role_decides_the_type(extended: Extended, name: str, other_server: str, role: str, kind: str) -> None:
    extended.client.put_upstream(upstream(name, other_server, role=role))

    assert extended.client.model(name).model_type == kind


def test_each_server_is_a_replica(extended: Extended, name: str, other_server: str) -> None:
    with FakeXinference() as second:
        extended.client.put_upstream(upstream(name, other_server, second.endpoint))

        instance = instance_of(extended.client, name)

        assert instance is not None
        assert (instance.status, instance.replica) == ("READY", 2)
        assert [replica.worker_address for replica in instance.replica_statuses] == [
            other_server.removeprefix("http://"),
            second.endpoint.removeprefix("http://"),
        ]
        assert [replica.replica_id for replica in extended.client.replicas(name)] == [0, 1]


def test_an_upstream_answers_like_a_model(extended: Extended, name: str, other_server: str) -> None:
    extended.client.put_upstream(upstream(name, other_server))

    assert extended.client.chat(name, HELLO).text == "hello"


def test_an_upstream_stops_like_a_model(extended: Extended, name: str, other_server: str) -> None:
    extended.client.put_upstream(upstream(name, other_server))

    extended.client.terminate(name)

    assert name not in [one.name for one in extended.client.upstreams()]
    assert instance_of(extended.client, name) is None


def test_an_upstream_without_a_server_that_answers_is_listed_as_failed_with_the_reason(
    extended: Extended, name: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    if extended.fake and extended.fake.extension:
        extended.fake.extension.failing[url] = "nothing answers"
    extended.client.put_upstream(upstream(name, url))

    def failed() -> wire.Instance | None:
        instance = instance_of(extended.client, name)
        return instance if instance and instance.status == "ERROR" else None

    assert wait_until(failed).error_message
    found = told(extended.client, name)
    health = found.health_of(found.servers[0])
    assert health.state == "failing"
    assert health.reason
    extended.client.remove_upstream(name)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"servers": []}, "servers"),
        ({"servers": [{"provider": "ollama", "url": "http://127.0.0.1:9", "model": "m"}], "rolle": "sql"}, "rolle"),
        (
            {"servers": [{"provider": "ollama", "url": "127.0.0.1:9", "model": "m"}]},
            "is no http:// or https:// address",
        ),
    ],
    ids=["no server", "unknown field", "no address"],
)
def test_an_upstream_that_is_wrong_is_rejected_with_a_sentence(
    extended: Extended, name: str, body: dict[str, object], said: str
) -> None:
    transport = Transport(extended.client.endpoint)

    with pytest.raises(Rejected, match=said) as caught:
        transport.request(Call("PUT", f"/biai/upstreams/{name}", body), object)

    assert caught.value.status == 400
    transport.close()


def test_the_uid_of_a_model_that_xinference_runs_is_refused(extended: Extended, other_server: str) -> None:
    with pytest.raises(Rejected, match=f"`{extended.native}`") as caught:
        extended.client.put_upstream(upstream(extended.native, other_server))

    assert caught.value.status == 409


def test_what_a_launch_proved_is_told_and_taken_back(extended: Extended, name: str) -> None:
    proved = ServedModel(
        uid=name,
        spec="coder",
        recipe="cpu",
        role="sql",
        tags=["qwen3-coder:30b"],
        defaults={"temperature": 0},
        verified_at="2026-11-22T12:00:00+00:00",
        checks=[{"asked": "How many?", "problem": None}],
    )

    extended.client.put_served_model(proved)
    extended.client.put_served_model(proved)
    extended.client.forget_served_model(name)

    with pytest.raises(NotFound):
        extended.client.forget_served_model(name)


def test_the_status_of_the_endpoint_tells_what_each_worker_offers(extended: Extended) -> None:
    told = extended.client.endpoint_status().workers

    assert told is not None
    assert {worker.address for worker in told} == set(extended.client.status().workers)
    for facts in (worker.facts for worker in told):
        assert facts.error is None
        assert facts.cpu is not None
        assert facts.cpu.threads
        assert facts.disk is not None
        assert facts.disk.free
        assert facts.engines is not None
        assert "llama.cpp" in facts.engines
        assert facts.virtual_env is False
        assert facts.registrations is not None
        assert set(facts.registrations) == {"LLM", "embedding", "rerank"}
        assert facts.gpu_devices is not None


def test_the_status_of_the_endpoint_tells_how_the_supervisor_runs(extended: Extended) -> None:
    told = extended.client.endpoint_status().supervisor

    assert told is not None
    assert told.cpus
    assert told.launched in ("local", "supervisor")
    assert told.health_check is not None
    assert told.health_check.enabled
    assert told.health_check.interval * told.health_check.threshold > 1


def test_a_model_that_was_proved_and_is_gone_is_told_as_stopped(extended: Extended, name: str) -> None:
    extended.client.put_served_model(ServedModel(uid=name, spec="sql-coder", recipe="bundled", role="sql"))

    (told,) = (model for model in extended.client.endpoint_status().models if model.uid == name)

    assert (told.kind, told.state, told.spec) == ("native", "stopped", "sql-coder")
    extended.client.forget_served_model(name)


def test_a_worker_that_answers_is_not_forgotten(extended: Extended) -> None:
    (address,) = extended.client.status().workers

    with pytest.raises(Rejected, match="answers"):
        extended.client.forget_worker(address)

    assert list(extended.client.status().workers) == [address]


def test_an_unknown_worker_cannot_be_forgotten(extended: Extended) -> None:
    with pytest.raises(NotFound):
        extended.client.forget_worker("127.0.0.1:1")
