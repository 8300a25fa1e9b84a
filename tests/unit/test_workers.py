"""Asking workers for their facts, with real actors in Xinference's place."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from biai_xinf.extension import workers

xoscar = pytest.importorskip("xoscar", reason="comes with biai-xinf[server]")

FACTS = {"biai_xinf": "0.1.0", "gpus": []}


class Answering(xoscar.Actor):  # type: ignore[misc, name-defined]
    """A worker's half of it: `get_extension_resources()` of Xinference 4.1's WorkerActor."""

    def __init__(self, extensions: dict[str, Any], delay_s: float = 0) -> None:
        super().__init__()
        self._extensions, self._delay_s = extensions, delay_s

    async def get_extension_resources(self) -> dict[str, Any]:
        await asyncio.sleep(self._delay_s)
        return {"address": self.address, "gpu_devices": [2, 3], "extensions": self._extensions}


class Supervisor:
    """Knows the workers at these addresses."""

    def __init__(self, addresses: list[str]) -> None:
        self.nodes = [
            {"node_type": "Supervisor", "ip_address": "127.0.0.1:1"},
            *({"node_type": "Worker", "ip_address": address} for address in addresses),
        ]

    async def get_cluster_device_info(self) -> list[dict[str, Any]]:
        return self.nodes


async def asked_of(supervisor: object) -> dict[str, dict[str, Any]]:
    async def get_supervisor_ref() -> object:
        return supervisor

    return await workers.worker_facts(get_supervisor_ref)


async def facts_of_one(extensions: dict[str, Any], delay_s: float = 0) -> list[dict[str, Any]]:
    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=0)
    async with pool:
        await xoscar.create_actor(Answering, extensions, delay_s, uid="worker", address=pool.external_address)
        found = await asked_of(Supervisor([pool.external_address]))
    return list(found.values())


def test_a_worker_tells_its_facts_and_the_gpus_it_may_use() -> None:
    assert asyncio.run(facts_of_one({"other": {}, "biai_xinf": FACTS})) == [{**FACTS, "gpu_devices": [2, 3]}]


def test_a_worker_without_our_extension_is_told_apart() -> None:
    error = "it runs without the extension `biai_xinf`"

    assert asyncio.run(facts_of_one({"other": {}})) == [{"error": error}]


def test_a_worker_that_is_gone_is_an_entry_of_its_own() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"

    found = asyncio.run(asked_of(Supervisor([address])))

    assert list(found) == [address]
    assert list(found[address]) == ["error"]


def test_a_worker_that_hangs_is_waited_for_no_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TIMEOUT_S", 0.2)
    begun = time.monotonic()

    found = asyncio.run(facts_of_one({"biai_xinf": FACTS}, delay_s=20))

    assert found == [{"error": "no answer within 0.2 s"}]
    assert time.monotonic() - begun < 20


def test_a_supervisor_that_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TIMEOUT_S", 0.2)

    class Hanging:
        async def get_cluster_device_info(self) -> None:
            await asyncio.sleep(20)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(asked_of(Hanging()))
