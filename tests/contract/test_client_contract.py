"""Xinference without authentication, as the client sees it: the fake and the real server pass the same tests."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import Any, Literal

import psutil
import pytest

from biai_xinf import wire
from biai_xinf.client import Client
from biai_xinf.errors import (
    AlreadyRunning,
    LaunchFailed,
    NotFound,
    NotReady,
    NotXinference,
    Rejected,
    ServerFailed,
)
from biai_xinf.observe import is_started_again
from biai_xinf.transport import Call, Transport
from tests.contract.conftest import LOAD_TIMEOUT_S, Target, wait_until
from tests.fake_xinference import Launching
from tests.tiny_models import WIDTH

HELLO = [{"role": "user", "content": "hello"}]


def instance_of(client: Client, uid: str) -> wire.Instance | None:
    return next((instance for instance in client.instances() if instance.model_uid == uid), None)


def settled(client: Client, uid: str) -> wire.Instance:
    """The instance once its launch has ended, one way or the other."""

    def look() -> wire.Instance | None:
        instance = instance_of(client, uid)
        return instance if instance and instance.status in ("READY", "ERROR") else None

    return wait_until(look)


# The cluster


def test_it_says_whether_it_asks_for_credentials(client: Client) -> None:
    assert client.auth_enabled() is False


def test_it_tells_its_version(client: Client) -> None:
    assert re.match(r"4\.1\.", client.version())


def test_it_tells_the_address_at_which_workers_talk_to_it(client: Client) -> None:
    host, _, port = client.supervisor_address().rpartition(":")

    assert host == "127.0.0.1"
    socket.create_connection((host, int(port)), timeout=10).close()


def test_status_tells_each_workers_memory_in_bytes(client: Client) -> None:
    status = client.status()

    for address, worker in status.workers.items():
        assert re.fullmatch(r"[\w.]+:\d+", address)
        assert worker.cpu is not None
        assert worker.cpu.total is not None
        assert worker.cpu.total >= 1
        assert worker.cpu.memory_total is not None
        assert worker.cpu.memory_available is not None
        assert 2**30 < worker.cpu.memory_available <= worker.cpu.memory_total


def test_status_tells_when_each_worker_was_last_heard_of(client: Client) -> None:
    now = time.time()

    for worker in client.status().workers.values():
        assert worker.update_time is not None
        assert abs(now - worker.update_time) < 30
        assert worker.failure_remaining_count is not None
        assert worker.failure_remaining_count >= 1


def test_an_answer_tells_the_clock_of_the_server(client: Client) -> None:
    client.auth_enabled()

    assert client.clock_ahead is not None
    assert abs(client.clock_ahead) < 5


def test_nothing_is_launched_by_itself_at_first(client: Client) -> None:
    assert client.autostart() == []


def test_the_log_of_each_process_can_be_read_on(target: Target) -> None:
    client = target.client
    if target.fake:
        target.fake.logs["supervisor"] = "2026-11-27T11:59:22.771Z INFO xinference.core.supervisor started\n"
    sources = client.log_sources()

    assert sources[0].role in ("supervisor", "local")
    assert {source.id for source in sources if source.role == "worker"} <= set(client.status().workers)
    first = client.log(sources[0].id)
    assert "xinference.core" in first.text
    assert len(client.log(sources[0].id, first.cursor).text) < len(first.text)


def test_a_log_of_nobody_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        client.log("127.0.0.1:1")


def test_cluster_info_names_the_workers_as_status_does(client: Client) -> None:
    nodes = client.cluster_info()

    workers = {node.ip_address for node in nodes if node.node_type == "Worker"}
    assert workers == set(client.status().workers)
    assert all(node.software_version == client.version() for node in nodes if node.node_type == "Worker")


# Unknown names


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda client, uid: client.model(uid), id="model"),
        pytest.param(lambda client, uid: client.terminate(uid), id="terminate"),
        pytest.param(lambda client, uid: client.cancel(uid), id="cancel"),
        pytest.param(lambda client, uid: client.chat(uid, HELLO), id="chat"),
        pytest.param(lambda client, uid: client.embed(uid, ["hello"]), id="embed"),
        pytest.param(lambda client, uid: client.rerank(uid, "hello", ["hello"]), id="rerank"),
    ],
)
def test_an_unknown_uid_is_not_found(client: Client, name: str, call: Callable[[Client, str], Any]) -> None:
    with pytest.raises(NotFound) as caught:
        call(client, name)

    assert name in caught.value.message
    assert "address=" not in caught.value.message


def test_an_unknown_uid_has_no_replicas_events_or_progress(client: Client, name: str) -> None:
    assert client.replicas(name) == []
    assert client.events(name) == []
    assert client.progress(name) == wire.Progress(progress=0.0, stage="pending")


def test_a_question_to_an_unknown_uid_is_answered_from_a_cache_the_second_time(stock: Client, name: str) -> None:
    with pytest.raises(NotFound):
        stock.chat(name, HELLO)

    with pytest.raises(NotFound) as caught:
        stock.chat(name, HELLO)

    found = f"Model not found in the model list, uid: {name} (cached, retry after 10.0s)"
    assert (caught.value.message, caught.value.status) == (found, 404)


def test_a_uid_that_is_no_path_step_reaches_no_route(client: Client) -> None:
    with pytest.raises(NotXinference):
        client.model("a/b")


# Registrations and engines


def test_a_registered_family_can_be_read_back(target: Target, name: str) -> None:
    target.register_llm(name)

    family = target.client.registration("LLM", name)

    assert family is not None
    assert (family["model_name"], family["context_length"], family["is_builtin"]) == (name, 2048, False)
    assert wire.Registration(model_name=name, is_builtin=False) in target.client.registrations("LLM")


def test_a_registered_family_keeps_keys_that_xinference_does_not_know(target: Target, name: str) -> None:
    target.register_llm(f"{name}-a")
    family = target.client.registration("LLM", f"{name}-a")
    assert family is not None

    target.client.register("LLM", {**family, "model_name": name, "biai": {"hash": "123"}})

    again = target.client.registration("LLM", name)
    assert again is not None
    assert again["biai"] == {"hash": "123"}


def test_a_name_is_registered_once(target: Target, name: str) -> None:
    target.register_llm(name)
    family = target.client.registration("LLM", name)
    assert family is not None

    with pytest.raises(Rejected) as caught:
        target.client.register("LLM", family)

    assert (caught.value.message, caught.value.status) == (f"Model {name} already registered", 400)


def test_a_family_without_its_name_is_rejected(client: Client) -> None:
    with pytest.raises(Rejected) as caught:
        client.register("LLM", {})

    assert "for CustomLLMFamilyV2" in caught.value.message
    assert "model_name" in caught.value.details


def test_an_unregistered_family_is_gone(target: Target, name: str) -> None:
    target.register_llm(name)

    target.client.unregister("LLM", name)

    assert target.client.registration("LLM", name) is None
    assert target.client.engines("LLM", name) == {}


def test_to_unregister_an_unknown_family_is_no_error(client: Client, name: str) -> None:
    client.unregister("LLM", name)


def test_model_types_are_case_sensitive(client: Client) -> None:
    with pytest.raises(Rejected, match="Unsupported model type: llm"):
        client.registrations("llm")  # type: ignore[arg-type]  # what a person may write


def test_engines_tell_what_they_load_or_why_they_cannot(target: Target, name: str) -> None:
    target.register_llm(name)

    engines = target.client.engines("LLM", name)

    told = wire.EngineOption(model_name=name, model_format="ggufv2", model_size_in_billions=1, quantizations=["f16"])
    assert engines["llama.cpp"] == [told]
    assert isinstance(engines["MLX"], str)


def test_an_embedding_engines_one_quantization_is_a_list_too(target: Target, name: str) -> None:
    target.register_embedding(name)

    engines = target.client.engines("embedding", name)

    told = wire.EngineOption(model_name=name, model_format="ggufv2", quantizations=["f16"])
    assert engines["llama.cpp"] == [told]


def test_an_unknown_name_has_no_engines(client: Client, name: str) -> None:
    assert client.engines("LLM", name) == {}


@pytest.mark.parametrize("kind", ["LLM", "embedding"])
def test_a_registered_family_keeps_its_description(
    target: Target, name: str, kind: Literal["LLM", "embedding"]
) -> None:
    (target.register_llm if kind == "LLM" else target.register_embedding)(f"{name}-a")
    family = target.client.registration(kind, f"{name}-a")
    assert family is not None

    target.client.register(kind, {**family, "model_name": name, "model_description": "Writes SQL."})

    again = target.client.registration(kind, name)
    assert again is not None
    assert again["model_description"] == "Writes SQL."


# Launch forms


def test_a_launch_form_is_filled_with_the_newest_entry_of_its_model(client: Client, name: str) -> None:
    values = {"model_uid": "a", "n_gpu": None, "gpu_idx": [0], "replica_config": [{"devices": [{"n_gpu": "auto"}]}]}

    client.record_launch(name, "a", values)
    client.record_launch(f"{name}-other", "a", {"n_gpu": 1})

    (kept,) = client.launch_history(name)
    assert kept == wire.RecordedLaunch(model_name=name, model_uid="a", data=values, autostart_enabled=False)


def test_a_launch_form_keeps_one_entry_for_each_uid(client: Client, name: str) -> None:
    for uid, replica in (("a", 1), ("b", 1), ("a", 2)):
        client.record_launch(name, uid, {"replica": replica})

    assert sorted((kept.model_uid, kept.data["replica"]) for kept in client.launch_history(name)) == [
        ("a", 2),
        ("b", 1),
    ]


def test_what_the_web_ui_kept_of_its_own_does_not_outlive_what_we_record(client: Client, name: str) -> None:
    transport = Transport(client.endpoint)
    of_the_web_ui = {"model_name": name, "model_uid": "a", "data": {"n_gpu": 1}, "ui_data": {"n_gpu": "auto"}}
    transport.request(Call("POST", "/v1/launch_history", of_the_web_ui), object)

    client.record_launch(name, "a", {"n_gpu": None})

    (kept,) = transport.request(Call("GET", "/v1/launch_history", params={"model_name": name}), list[dict[str, Any]])
    assert (kept["data"], kept["ui_data"], kept["is_owner"]) == ({"n_gpu": None}, {}, True)
    transport.close()


def test_an_entry_without_a_model_name_is_rejected(client: Client) -> None:
    with pytest.raises(Rejected, match="model_name is required"):
        client.record_launch("", "a", {})


# Launches that cannot work


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Invalid input. Please specify the `model_name` field."),
        ({"model_name": "x"}, "Invalid input. Please specify the `model_engine` field."),
        (
            {"model_name": "x", "model_engine": "vLLM", "replica": 0},
            "Invalid input. The `replica` field must be at least 1.",
        ),
    ],
    ids=["no name", "no engine", "no replica"],
)
def test_an_incomplete_launch_is_rejected(client: Client, body: dict[str, Any], said: str) -> None:
    with pytest.raises(Rejected) as caught:
        client.launch(body)

    assert caught.value.message == said


def test_a_launch_of_an_unknown_name_is_accepted_and_shows_as_a_failed_instance(client: Client, name: str) -> None:
    uid = client.launch({"model_uid": name, "model_name": name, "model_engine": "llama.cpp"})

    instance = settled(client, uid)
    assert instance.status == "ERROR"
    assert instance.error_message == (f"Model not found, name: {name}, format: None, size: None, quantization: None")


def test_a_launch_of_an_unknown_name_is_not_found_if_one_waits(client: Client, name: str) -> None:
    body = {"model_uid": name, "model_name": name, "model_engine": "llama.cpp"}

    with pytest.raises(NotFound) as caught:
        client.launch(body, wait_ready=True)

    assert caught.value.status == 400


def test_an_engine_that_cannot_run_the_model_is_rejected_if_one_waits(target: Target, name: str) -> None:
    body = target.register_llm(name)

    with pytest.raises(Rejected) as caught:
        target.client.launch({**body, "model_engine": "vLLM"}, wait_ready=True)

    assert caught.value.message == f"Model {name} cannot be run on engine vLLM."


def test_a_damaged_file_fails_with_the_engines_reason_and_frees_the_uid(target: Target, name: str) -> None:
    client, body = target.client, target.register_llm(name, damaged=True)

    with pytest.raises(LaunchFailed) as caught:
        client.launch(body, wait_ready=True, timeout=LOAD_TIMEOUT_S)

    # llama.cpp says more on stderr, that is in the worker's own log, and nowhere in the API.
    reason = "Failed to init server, please check the input params."
    assert caught.value.message == f"`{name}` did not load: {reason}"
    instance = instance_of(client, name)
    assert instance is not None
    assert (instance.status, instance.error_message) == ("ERROR", reason)
    assert [replica.error_message for replica in client.replicas(name)] == [reason]
    assert [event.event_content for event in client.events(name)] == ["Launch model"]
    with pytest.raises(NotFound):
        client.terminate(name)
    assert client.launch(body) == name
    assert settled(client, name).status == "ERROR"


# A model's life


def test_a_launched_model_is_taken_but_does_not_answer_until_it_is_ready(target: Target, name: str) -> None:
    client, body = target.client, target.register_llm(name)
    if target.fake:
        # Every refused question below is a look at the launch.
        target.fake.launches[name] = Launching(looks=20)

    assert client.launch(body) == name

    instance = instance_of(client, name)
    assert instance is not None
    assert (instance.status, instance.model_name, instance.replica) == ("CREATING", name, 1)
    for too_early in (lambda: client.model(name), lambda: client.chat(name, HELLO)):
        with pytest.raises(NotReady) as caught:
            too_early()
        assert caught.value.status == 503
    with pytest.raises(AlreadyRunning) as taken:
        client.launch(body)
    assert taken.value.message == f"Model is already in the model list, uid: {name}"
    with pytest.raises(NotFound, match=f"uid: {name}-rep0"):
        client.terminate(name)
    assert settled(client, name).status == "READY"
    assert client.progress(name).progress == 1.0
    client.terminate(name)
    assert wait_until(lambda: instance_of(client, name) is None or None)
    assert [replica.status for replica in client.replicas(name)] == ["TERMINATED"]
    with pytest.raises(NotFound):
        client.model(name)


def test_a_cancelled_launch_shows_as_failed_without_a_reason_and_frees_the_uid(target: Target, name: str) -> None:
    client, body = target.client, target.register_llm(name)
    if target.fake:
        target.fake.launches[name] = Launching(looks=20)
    client.launch(body)

    client.cancel(name)

    instance = settled(client, name)
    assert (instance.status, instance.error_message) == ("ERROR", None)
    with pytest.raises(NotFound):
        client.cancel(name)


def test_a_ready_model_is_listed_with_what_it_was_launched_from(client: Client, ready_llm: str) -> None:
    model = client.model(ready_llm)

    assert model == next(listed for listed in client.models() if listed.id == ready_llm)
    told = (model.model_type, model.model_name, model.model_engine, model.model_format, model.quantization)
    assert told == ("LLM", ready_llm, "llama.cpp", "ggufv2", "f16")
    assert (model.model_size_in_billions, model.replica) == (1, 1)
    # What was registered: the 512 of the launch are told nowhere.
    assert model.context_length == 2048


def test_a_ready_models_replicas_are_where_the_instance_says(client: Client, ready_llm: str) -> None:
    (replica,) = client.replicas(ready_llm)

    assert (replica.replica_model_uid, replica.status) == (f"{ready_llm}-rep0", "READY")
    assert replica.worker_address in client.status().workers
    instance = instance_of(client, ready_llm)
    assert instance is not None
    (same,) = instance.replica_statuses
    assert (same.worker_address, same.model_state) == (replica.worker_address, "ready")


def test_a_ready_model_answers(client: Client, ready_llm: str) -> None:
    answer = client.chat(ready_llm, HELLO, max_tokens=4, temperature=0)

    assert isinstance(answer.text, str)
    assert answer.finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens is not None
    assert answer.usage.completion_tokens <= 4


def test_the_uid_of_a_ready_model_is_taken(target: Target, ready_llm: str) -> None:
    with pytest.raises(AlreadyRunning):
        target.client.launch({"model_uid": ready_llm, "model_name": ready_llm, "model_engine": "llama.cpp"})


def test_a_ready_model_is_left_alone_by_cancel(client: Client, ready_llm: str) -> None:
    client.cancel(ready_llm)

    assert client.model(ready_llm).id == ready_llm


def test_an_embedding_model_answers_a_vector_per_input(target: Target, name: str) -> None:
    client = target.client
    client.launch(target.register_embedding(name), wait_ready=True, timeout=LOAD_TIMEOUT_S)

    vectors = client.embed(name, ["one", "twenty", "one"])

    assert [len(vector) for vector in vectors] == [WIDTH] * 3
    assert vectors[0] == pytest.approx(vectors[2], rel=1e-3)
    assert vectors[0] != pytest.approx(vectors[1], rel=1e-3)
    assert client.model(name).dimensions == WIDTH
    client.terminate(name)


# Bad habits


def test_a_malformed_request_fails_as_text_and_the_next_one_works(stock: Client) -> None:
    transport = Transport(stock.endpoint)

    for _ in range(3):
        with pytest.raises(ServerFailed) as caught:
            transport.request(Call("POST", "/v1/chat/completions", {}), object)
        state = transport.request(Call("GET", "/v1/cluster/auth"), wire.AuthState)

        assert (caught.value.status, caught.value.message) == (
            500,
            "2 validation errors for CreateChatCompletion",
        )
        missing = "field required (type=value_error.missing)"
        assert caught.value.details == ["messages", missing, "model", missing]
        assert state.auth is False
    transport.close()


# Replicas


def replicas_of(client: Client, uid: str) -> dict[int, str]:
    return {replica.replica_id: replica.status for replica in client.replicas(uid)}


def test_a_replica_is_added_where_it_is_wished_and_taken_away_again(target: Target, name: str) -> None:
    client = target.client
    client.launch(target.register_llm(name), wait_ready=True, timeout=LOAD_TIMEOUT_S)
    (worker,) = client.workers()

    client.add_replicas(name, [{"devices": [{"worker_ip": worker.address, "n_gpu": 0}]}])
    both = replicas_of(client, name)
    client.remove_replica(name, 0)

    assert both == {0: "READY", 1: "READY"}
    assert replicas_of(client, name) == {1: "READY"}
    (worker,) = client.workers()
    assert worker.replicas_of(name) == [1]
    client.terminate(name)


def test_an_unknown_replica_cannot_be_removed(client: Client, ready_llm: str) -> None:
    with pytest.raises(NotFound):
        client.remove_replica(ready_llm, 7)


def test_no_replica_is_added_to_an_unknown_model(client: Client, name: str) -> None:
    with pytest.raises(NotFound):
        client.add_replicas(name, [{"devices": [{"worker_ip": "127.0.0.1:1", "n_gpu": 0}]}])


def test_the_last_replica_ends_the_model(target: Target, name: str) -> None:
    client = target.client
    client.launch(target.register_llm(name), wait_ready=True, timeout=LOAD_TIMEOUT_S)

    client.remove_replica(name, 0)

    assert instance_of(client, name) is None


def test_a_model_whose_process_died_is_an_error_without_a_reason_until_it_is_made_anew(
    target: Target, name: str
) -> None:
    client = target.client
    client.launch(target.register_llm(name), wait_ready=True, timeout=LOAD_TIMEOUT_S)

    if target.fake:
        target.fake.lose_process(name)
    else:
        kill_process_of(name)
    died = wait_until(lambda: found if (found := instance_of(client, name)) and found.status == "ERROR" else None)
    stage, again = client.progress(name).stage, is_started_again(client, died)
    if target.fake:
        target.fake.made_anew(name)

    assert died.error_message is None
    assert stage != "pending"
    assert again
    wait_until(lambda: ((found := instance_of(client, name)) and found.status == "READY") or None)
    client.terminate(name)


def kill_process_of(uid: str) -> None:
    """Xinference names the process of a replica after it."""
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0] == f"Model: {uid}-rep0":
            process.kill()
