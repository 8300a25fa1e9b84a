"""A dead worker is taken out of the cluster and a living one is not, with real actors in Xinference's place."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from biai_xinf.extension import burial as burial_module
from biai_xinf.extension.burial import Burial
from biai_xinf.extension.errors import ApiError
from tests.xinference_fixtures import free_port

xoscar = pytest.importorskip("xoscar", reason="comes with biai-xinf[server]")


class Living(xoscar.Actor):  # type: ignore[misc, name-defined]
    """A worker's `worker_incarnation()`, as Xinference 4.1's WorkerActor has it."""

    async def worker_incarnation(self) -> str:
        return "its-one-life"


class Supervisor:
    """Knows workers, and which it was told to remove."""

    def __init__(self, *addresses: str) -> None:
        self.nodes = [{"node_type": "Worker", "ip_address": address} for address in addresses]
        self.removed: list[tuple[str, str | None]] = []

    async def get_cluster_device_info(self) -> list[dict[str, Any]]:
        return self.nodes

    async def remove_worker(self, address: str, incarnation: str | None = None) -> None:
        self.removed.append((address, incarnation))


def burial_of(supervisor: Supervisor) -> Burial:
    async def get_supervisor_ref() -> Supervisor:
        return supervisor

    return Burial(get_supervisor_ref)


async def buried(supervisor: Supervisor, address: str) -> list[tuple[str, str | None]]:
    await burial_of(supervisor).bury(address)
    return supervisor.removed


def test_a_worker_that_does_not_answer_is_removed() -> None:
    address = f"127.0.0.1:{free_port()}"

    assert asyncio.run(buried(Supervisor(address), address)) == [(address, None)]


def test_it_is_removed_under_the_incarnation_that_it_told_while_it_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(address: str) -> str:
        raise ConnectionRefusedError(address)

    async def asked() -> tuple[str, list[tuple[str, str | None]]]:
        pool = await xoscar.create_actor_pool("127.0.0.1", n_process=0)
        async with pool:
            address = str(pool.external_address)
            await xoscar.create_actor(Living, uid="worker", address=address)
            supervisor = Supervisor(address)
            burial = burial_of(supervisor)
            await burial.call_the_roll()
        monkeypatch.setattr(burial_module, "_incarnation", gone)
        await burial.call_the_roll()
        await burial.bury(address)
        return address, supervisor.removed

    address, removed = asyncio.run(asked())

    assert removed == [(address, "its-one-life")]


def test_a_worker_that_answers_is_left_where_it_is() -> None:
    async def asked() -> tuple[ApiError, list[tuple[str, str | None]]]:
        pool = await xoscar.create_actor_pool("127.0.0.1", n_process=0)
        async with pool:
            await xoscar.create_actor(Living, uid="worker", address=pool.external_address)
            supervisor = Supervisor(pool.external_address)
            with pytest.raises(ApiError) as refused:
                await buried(supervisor, pool.external_address)
        return refused.value, supervisor.removed

    error, removed = asyncio.run(asked())

    assert (error.status, removed) == (409, [])


def test_an_address_that_nobody_knows_is_not_found() -> None:
    with pytest.raises(ApiError) as refused:
        asyncio.run(buried(Supervisor(), "10.0.0.9:20001"))

    assert refused.value.status == 404
