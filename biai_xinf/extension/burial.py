"""Takes a worker that does not answer any more out of the cluster, before Xinference's own count of silence ends.

`remove_worker` is what a worker that stops orderly says to the supervisor: its replicas get no more requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.workers import TIMEOUT_S, WORKER_UID, worker_addresses


async def bury(address: str, get_supervisor_ref: Callable[[], Awaitable[Any]]) -> None:
    """Remove a dead worker; ApiError 404 where there is none of that address, 409 where it answers."""
    import xoscar

    if address not in await worker_addresses(get_supervisor_ref):
        raise ApiError(404, f"no worker is at `{address}`")
    if await _answers(address):
        raise ApiError(409, f"the worker at `{address}` answers")
    supervisor = await get_supervisor_ref()
    await xoscar.wait_for(supervisor.remove_worker(address), TIMEOUT_S)


async def _answers(address: str) -> bool:
    import xoscar

    async def ping() -> None:
        worker = await xoscar.actor_ref(address=address, uid=WORKER_UID)
        await worker.ping()

    try:
        await xoscar.wait_for(ping(), TIMEOUT_S)
    except Exception:  # noqa: BLE001  however the actor system says it, the worker does not answer
        return False
    return True
