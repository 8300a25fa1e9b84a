"""Collects what the operator page shows: from Xinference, from what requests found, from the workers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from biai_xinf.extension.listing import model_entry, replica_entries
from biai_xinf.extension.status import Seen, TargetHealth
from biai_xinf.extension.workers import worker_facts

if TYPE_CHECKING:
    from biai_xinf.extension.endpoint import Endpoint

log = logging.getLogger(__name__)

T = TypeVar("T")
# A part that takes longer is left out: the page is most needed when something hangs.
PART_S = 5.0


async def survey(endpoint: Endpoint) -> Seen:
    """All that is known now; what cannot be learned in time is left out."""
    clock = time.monotonic()
    upstreams = list(endpoint.registry.upstreams.values())
    health = endpoint.relay.health
    natives, instances, workers = await asyncio.gather(
        _in_time(endpoint.natives.all(), {}),
        _in_time(_instances(endpoint), []),
        _in_time(worker_facts(endpoint.supervisor), None),
    )
    listed = [{"id": uid, **entry} for uid, entry in natives.items()]
    replicas = {one["model_uid"]: one["replica_statuses"] for one in instances}
    return Seen(
        now=datetime.now(timezone.utc),
        models=[*listed, *map(model_entry, upstreams)],
        replicas=replicas | {up.name: replica_entries(up, health) for up in upstreams},
        replica_health={
            replica.name: TargetHealth.of_replica(replica, clock)
            for uid in replicas
            for replica in endpoint.replicas.known(uid)
        },
        upstreams=upstreams,
        server_health={
            (server.url, server.model): TargetHealth.of_server(health(server), clock)
            for upstream in upstreams
            for server in upstream.servers
        },
        served=list(endpoint.registry.served.values()),
        figures=endpoint.recorder.stats.summary(),
        workers=workers,
    )


async def _instances(endpoint: Endpoint) -> list[dict[str, Any]]:
    instances: list[dict[str, Any]] = await (await endpoint.supervisor()).get_instance_info(None, None)
    return instances


async def _in_time(part: Awaitable[T], otherwise: T) -> T:
    task = asyncio.ensure_future(part)
    done, _ = await asyncio.wait({task}, timeout=PART_S)
    try:
        # A call to another process that hangs cannot be cancelled; it is let go.
        return task.result() if done else otherwise
    except Exception:
        log.warning("a part of the status could not be learned", exc_info=True)
        return otherwise
