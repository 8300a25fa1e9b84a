"""What the workers of this Xinference say of their machines, asked from the process that serves the API.

The supervisor keeps what they said when they joined, but shows it to nobody; the workers themselves answer again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# A worker that is busy answers between two steps of its event loop; one that is gone never does.
TIMEOUT_S = 3.0
# `WorkerActor.default_uid()` of Xinference 4.1, whose module takes seconds to import.
WORKER_UID = "worker"
_EXTENSION = "biai_xinf"


async def worker_facts(get_supervisor_ref: Callable[[], Awaitable[Any]]) -> dict[str, dict[str, Any]]:
    """Per worker address what `machine.facts()` says there, or `{"error": why not}`; within twice TIMEOUT_S.

    `gpu_devices` beside it are the indices of the GPUs that Xinference may launch models on.

    `get_supervisor_ref` is that of Xinference's `APIExtensionContext`. Raises what the supervisor raises, and
    TimeoutError when it does not answer.
    """
    addresses = await worker_addresses(get_supervisor_ref)
    return dict(zip(addresses, await asyncio.gather(*map(_ask, addresses)), strict=True))


async def worker_addresses(get_supervisor_ref: Callable[[], Awaitable[Any]]) -> list[str]:
    """The workers that the supervisor counts; raises as `worker_facts` does."""
    import xoscar

    async def known() -> list[dict[str, Any]]:
        supervisor = await get_supervisor_ref()
        nodes: list[dict[str, Any]] = await supervisor.get_cluster_device_info()
        return nodes

    # asyncio's own `wait_for` waits for ever for the cancellation to reach a process that hangs.
    nodes = await xoscar.wait_for(known(), TIMEOUT_S)
    return [node["ip_address"] for node in nodes if node["node_type"] == "Worker"]


async def _ask(address: str) -> dict[str, Any]:
    import xoscar

    async def resources() -> dict[str, Any]:
        worker = await xoscar.actor_ref(address=address, uid=WORKER_UID)
        answer: dict[str, Any] = await worker.get_extension_resources()
        return answer

    try:
        told = await xoscar.wait_for(resources(), TIMEOUT_S)
    except asyncio.TimeoutError:
        return {"error": f"no answer within {TIMEOUT_S:g} s"}
    except Exception as error:  # noqa: BLE001  whatever another process raised, it is one worker's and only told
        return {"error": str(error) or type(error).__name__}
    facts = told["extensions"].get(_EXTENSION)
    if not facts:
        return {"error": f"it runs without the extension `{_EXTENSION}`"}
    return {**facts, "gpu_devices": told["gpu_devices"]}
