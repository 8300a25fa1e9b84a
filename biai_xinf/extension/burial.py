"""Takes a worker that does not answer any more out of the cluster, before Xinference's own count of silence ends.

`remove_worker` is what a worker that stops orderly says to the supervisor: its replicas get no more requests. It has to
name its incarnation, as Xinference 4.1 calls the one life of a worker, so that is asked for while it lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.workers import TIMEOUT_S, WORKER_UID, worker_addresses


class Burial:
    """The workers that live, by address, and what it takes to bury one."""

    def __init__(self, get_supervisor_ref: Callable[[], Awaitable[Any]]) -> None:
        self._supervisor = get_supervisor_ref
        self._incarnations: dict[str, str | None] = {}

    async def call_the_roll(self) -> None:
        """Ask every worker for its incarnation; of one that does not answer the last one stays."""
        addresses = await worker_addresses(self._supervisor)
        told = await asyncio.gather(*map(_incarnation, addresses), return_exceptions=True)
        kept = {address: self._incarnations.get(address) for address in addresses}
        living = {address: one for address, one in zip(addresses, told, strict=True) if isinstance(one, str)}
        self._incarnations = {**kept, **living}

    async def bury(self, address: str) -> None:
        """Remove a dead worker; ApiError 404 where there is none of that address, 409 where it answers."""
        import xoscar

        if address not in await worker_addresses(self._supervisor):
            raise ApiError(404, f"no worker is at `{address}`")
        try:
            await _incarnation(address)
        except Exception:  # noqa: BLE001  however the actor system says it, the worker does not answer
            supervisor = await self._supervisor()
            incarnation = self._incarnations.get(address)
            await xoscar.wait_for(supervisor.remove_worker(address, incarnation=incarnation), TIMEOUT_S)
        else:
            raise ApiError(409, f"the worker at `{address}` answers")


async def _incarnation(address: str) -> str:
    import xoscar

    async def asked() -> str:
        worker = await xoscar.actor_ref(address=address, uid=WORKER_UID)
        told: str = await worker.worker_incarnation()
        return told

    answer: str = await xoscar.wait_for(asked(), TIMEOUT_S)
    return answer
