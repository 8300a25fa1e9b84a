"""Replicas as requests find them: dead ones are avoided until they answer, and Xinference's handlers notice nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from biai_xinf.extension import replicas as module
from biai_xinf.extension.replicas import ATTEMPT, Attempt, NoReplica, ReplicaGone, Replicas, RoutedSupervisor


class ServerClosed(Exception):
    """Named as xoscar names it."""


class FakeModel:
    """A model actor; `dead` makes every call fail as those of a killed process do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.hangs = False
        self.calls: list[str] = []

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.dead:
            raise ServerClosed(f"Remote server of {self.name} closed")

    async def get_pid(self) -> int:
        self._called("get_pid")
        await self._unless_it_hangs()
        return 1

    async def _unless_it_hangs(self) -> None:
        while self.hangs:
            await asyncio.sleep(0.01)

    async def is_vllm_backend(self) -> bool:
        self._called("is_vllm_backend")
        return False

    async def chat(self, text: str) -> str:
        self._called("chat")
        await self._unless_it_hangs()
        if text == "too long":
            raise ValueError("prompt is too long")
        return self.name

    async def generate(self, text: str) -> AsyncIterator[str]:
        async def words() -> AsyncIterator[str]:
            yield self.name
            await self._unless_it_hangs()
            self._called("generate")

        return words()


class FakeCluster:
    """A supervisor and its workers, two replicas each on a worker of its own."""

    def __init__(self) -> None:
        self.models = {f"sql-{i}": FakeModel(f"sql-{i}") for i in range(2)}
        self.asked: list[str] = []
        self.n_worker = 1
        self.hangs = False

    async def get_instance_info(self, model_name: str | None, model_uid: str) -> list[dict[str, Any]]:
        self.asked.append("get_instance_info")
        if model_uid != "sql":
            return []
        statuses = [
            {"replica_model_uid": name, "worker_address": f"10.0.0.{i}:2000", "status": "READY"}
            for i, name in enumerate(self.models)
        ]
        return [{"n_worker": self.n_worker, "replica_statuses": statuses}]

    async def get_model(self, name: str, **_: Any) -> Any:
        self.asked.append(f"get_model {name}")
        while self.hangs:
            await asyncio.sleep(0.01)
        if name == "unknown":
            raise ValueError(f"Model not found in the model list, uid: {name}")
        if name == "restarting":
            raise RuntimeError(f"Model {name} is in error state")
        if name in self.models and self.models[name].dead:
            raise ConnectionRefusedError("refused")
        return self.models.get(name, "routed by Xinference")

    async def describe_model(self, name: str, **_: Any) -> dict[str, Any]:
        self.asked.append(f"describe_model {name}")
        return {"model_name": "m"}

    async def other(self) -> str:
        return "supervisor"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    fake = FakeCluster()

    async def worker(_: str) -> FakeCluster:
        return fake

    monkeypatch.setattr(module, "_worker", worker)
    return fake


def routed(cluster: FakeCluster) -> tuple[Replicas, RoutedSupervisor]:
    async def supervisor() -> FakeCluster:
        return cluster

    known = Replicas(supervisor)
    return known, RoutedSupervisor(cluster, known)


async def ask(supervisor: RoutedSupervisor, text: str = "hi", avoid: tuple[str, ...] = ()) -> tuple[Attempt, Any]:
    attempt = Attempt(avoid=avoid)
    token = ATTEMPT.set(attempt)
    try:
        return attempt, await (await supervisor.get_model("sql")).chat(text)
    except Exception as error:  # noqa: BLE001  the test's own answer
        return attempt, error
    finally:
        ATTEMPT.reset(token)


def test_requests_are_spread_over_replicas_with_one_look_at_the_table(cluster: FakeCluster) -> None:
    async def scenario() -> None:
        _, supervisor = routed(cluster)
        answers = [(await ask(supervisor))[1] for _ in range(4)]
        assert sorted(answers) == ["sql-0", "sql-0", "sql-1", "sql-1"]
        assert sorted(cluster.asked) == ["get_instance_info", "get_model sql-0", "get_model sql-1"]

    asyncio.run(scenario())


def test_a_replica_that_died_is_told_from_a_request_that_failed(cluster: FakeCluster) -> None:
    async def scenario() -> None:
        _, supervisor = routed(cluster)
        attempt, error = await ask(supervisor, "too long")
        assert (attempt.lost, str(error)) == (False, "prompt is too long")
        for model in cluster.models.values():
            model.dead = True
        attempt, error = await ask(supervisor, avoid=("sql-0",))
        assert attempt.lost
        attempt, error = await ask(supervisor)
        assert attempt.lost

    asyncio.run(scenario())


def test_a_replica_that_cannot_be_reached_is_passed_over_before_anything_is_sent(cluster: FakeCluster) -> None:
    async def scenario() -> None:
        known, supervisor = routed(cluster)
        cluster.models["sql-0"].dead = True
        assert [(await ask(supervisor))[1] for _ in range(3)] == ["sql-1"] * 3
        assert [replica.reason for replica in known.known("sql")] == ["ConnectionRefusedError: refused", None]

    asyncio.run(scenario())


def test_a_lost_replica_is_avoided_until_it_answers(cluster: FakeCluster) -> None:
    async def scenario() -> None:
        known, supervisor = routed(cluster)
        await ask(supervisor)
        await ask(supervisor)
        cluster.models["sql-1"].dead = True
        known.lost(next(one for one in known.known("sql") if one.name == "sql-1"), "killed")

        await known.probe()
        assert [one.name for one in known.healthy("sql")] == ["sql-0"]

        cluster.models["sql-1"].dead = False
        await known.probe()
        assert [one.name for one in known.healthy("sql")] == ["sql-0", "sql-1"]

    asyncio.run(scenario())


def test_no_replica_left_is_said_in_a_way_xinference_does_not_take_for_an_unknown_model(cluster: FakeCluster) -> None:
    async def scenario() -> None:
        _, supervisor = routed(cluster)
        for model in cluster.models.values():
            model.dead = True
        attempt, error = await ask(supervisor)
        assert isinstance(error, NoReplica)
        assert not isinstance(error, ValueError)
        assert attempt.lost
        assert attempt.replica is None

    asyncio.run(scenario())


def test_a_stream_that_breaks_says_so_and_frees_its_place(cluster: FakeCluster) -> None:
    async def scenario() -> None:
        _, supervisor = routed(cluster)
        attempt = Attempt()
        ATTEMPT.set(attempt)
        stream = await (await supervisor.get_model("sql")).generate("hi")
        assert attempt.replica is not None
        assert attempt.replica.in_flight == 1
        cluster.models[attempt.replica.name].dead = True
        with pytest.raises(ServerClosed):
            [word async for word in stream]
        assert attempt.lost
        assert attempt.replica.in_flight == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_replica_that_hangs_is_given_up_though_its_connection_stays_open(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)

    async def scenario() -> None:
        known, supervisor = routed(cluster)
        attempt = Attempt(avoid=("sql-1",))
        ATTEMPT.set(attempt)
        model = await supervisor.get_model("sql")
        answer = await model.generate("hi") if stream else model.chat("hi")
        if stream:
            assert await answer.__anext__() == "sql-0"
        cluster.models["sql-0"].hangs = cluster.hangs = True
        waiting = asyncio.ensure_future(answer.__anext__() if stream else answer)
        for _ in range(module.MISSES):
            await asyncio.sleep(0)
            await known.watch()
        with pytest.raises(ReplicaGone):
            await asyncio.wait_for(waiting, 1)
        assert attempt.lost
        assert [one.name for one in known.healthy("sql")] == ["sql-1"]
        cluster.models["sql-0"].hangs = cluster.hangs = False
        await known.probe()
        assert [one.name for one in known.healthy("sql")] == ["sql-0", "sql-1"]

    asyncio.run(scenario())


@pytest.mark.parametrize(("longest", "healthy"), [(300.0, 2), (0.1, 1)], ids=["computes", "hangs"])
def test_a_replica_that_is_silent_beside_a_worker_that_lives_computes_for_so_long(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, longest: float, healthy: int
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    monkeypatch.setattr(module, "COMPUTES_S", longest)

    async def scenario() -> None:
        known, supervisor = routed(cluster)
        ATTEMPT.set(Attempt(avoid=("sql-1",)))
        model = await supervisor.get_model("sql")
        cluster.models["sql-0"].hangs = True
        waiting = asyncio.ensure_future(model.chat("hi"))
        for _ in range(2 * module.MISSES):
            await asyncio.sleep(0)
            await known.watch()
        assert len(known.healthy("sql")) == healthy
        cluster.models["sql-0"].hangs = False
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(scenario())


def test_a_stream_is_ended_where_it_came_from_and_never_by_a_destructor(cluster: FakeCluster) -> None:
    ended: list[str] = []

    class Events:
        """As xoscar's iterator: its destructor makes a call to the replica and waits for it."""

        _gc_destroy = True

        def __aiter__(self) -> Events:
            return self

        async def __anext__(self) -> str:
            raise StopAsyncIteration

        async def destroy(self) -> None:
            ended.append("by us")

    events = Events()

    async def generate(text: str) -> Events:
        return events

    async def scenario() -> None:
        _, supervisor = routed(cluster)
        for model in cluster.models.values():
            model.generate = generate  # type: ignore[assignment, method-assign]
        ATTEMPT.set(Attempt())
        async for _ in await (await supervisor.get_model("sql")).generate("hi"):
            pass
        await asyncio.sleep(0.01)
        assert ended == ["by us"]
        assert not events._gc_destroy

    asyncio.run(scenario())


def test_facts_of_a_replica_are_asked_once_and_again_after_it_was_lost(cluster: FakeCluster) -> None:
    async def scenario() -> None:
        known, supervisor = routed(cluster)
        for _ in range(2):
            ATTEMPT.set(Attempt(avoid=("sql-1",)))
            model = await supervisor.get_model("sql")
            assert await model.is_vllm_backend() is False
            await supervisor.describe_model("sql")
        assert cluster.models["sql-0"].calls == ["is_vllm_backend"]
        assert cluster.asked.count("describe_model sql-0") == 1
        known.lost(known.known("sql")[0], "killed")
        assert known.known("sql")[0].facts == {}

    asyncio.run(scenario())


def test_what_is_not_ours_to_route_goes_to_xinference(cluster: FakeCluster) -> None:
    async def scenario() -> None:
        _, supervisor = routed(cluster)
        assert await supervisor.get_model("sql") == "routed by Xinference"  # outside any request
        ATTEMPT.set(Attempt())
        assert await supervisor.get_model("other") == "routed by Xinference"
        assert await supervisor.other() == "supervisor"
        cluster.n_worker = 2
        _, sharded = routed(cluster)
        assert await sharded.get_model("sql") == "routed by Xinference"

    asyncio.run(scenario())


@pytest.mark.parametrize(("name", "lost"), [("unknown", False), ("restarting", True)])
def test_a_model_whose_only_replica_is_down_is_told_from_an_unknown_one(
    cluster: FakeCluster, name: str, lost: bool
) -> None:
    async def scenario() -> None:
        _, supervisor = routed(cluster)
        attempt = Attempt()
        ATTEMPT.set(attempt)
        with pytest.raises((ValueError, RuntimeError)):
            await supervisor.get_model(name)
        assert attempt.lost is lost

    asyncio.run(scenario())
