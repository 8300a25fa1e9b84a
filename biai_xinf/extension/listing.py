"""What we know in Xinference's own lists, so that its Web UI and every client see one set of models: upstreams among
its own, and of its own what one request may hold as they were launched, where Xinference tells their family's."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

from biai_xinf.extension.balance import Health
from biai_xinf.upstreams import ServedModel, Upstream, UpstreamServer

HealthOf = Callable[[UpstreamServer], Health]
_ABILITIES = {"LLM": ["chat", "generate"], "embedding": ["embed"], "rerank": ["rerank"]}


def as_launched(entry: dict[str, Any], served: ServedModel | None) -> dict[str, Any]:
    """Xinference's own entry of `GET /v1/models`, or answer of `GET /v1/models/{uid}`."""
    return entry if served is None or served.context is None else {**entry, "context_length": served.context}


def model_entry(upstream: Upstream) -> dict[str, Any]:
    """The entry of `GET /v1/models`, and with the id left out the answer of `GET /v1/models/{uid}`."""
    first = upstream.servers[0]
    return {
        "id": upstream.name,
        "object": "model",
        "created": 0,
        "owned_by": first.provider,
        "model_type": upstream.model_type,
        "model_name": upstream.name,
        "model_engine": "upstream",
        "model_format": None,
        "model_size_in_billions": None,
        "quantization": None,
        "model_ability": _ABILITIES[upstream.model_type],
        "model_lang": [],
        "context_length": upstream.context,
        "replica": len(upstream.servers),
        "address": urlsplit(first.url).netloc,
        "accelerators": [],
        "upstream": upstream.model_dump(mode="json", exclude={"name"}),
    }


def instance_entry(upstream: Upstream, health_of: HealthOf) -> dict[str, Any]:
    """The entry of `GET /v1/models/instances`."""
    replicas = replica_entries(upstream, health_of)
    ready = any(replica["status"] == "READY" for replica in replicas)
    return {
        "model_name": upstream.name,
        "model_uid": upstream.name,
        "model_version": None,
        "model_ability": _ABILITIES[upstream.model_type],
        "replica": len(upstream.servers),
        "status": "READY" if ready else "ERROR",
        "instance_created_ts": 0,
        "n_worker": 1,
        "replica_statuses": replicas,
    }


def replica_entries(upstream: Upstream, health_of: HealthOf) -> list[dict[str, Any]]:
    """The answer of `GET /v1/models/{uid}/replicas`: one entry per server."""
    entries = []
    for index, server in enumerate(upstream.servers):
        health = health_of(server)
        failing = health.state == "failing"
        entries.append(
            {
                "replica_id": index,
                "replica_model_uid": f"{upstream.name}-{index}",
                "worker_address": urlsplit(server.url).netloc,
                "status": "ERROR" if failing else "READY",
                "model_state": "error" if failing else "ready",
                "created_ts": 0,
                "error_message": health.reason if failing else None,
                "replica_uid": None,
                "gpu_idx": None,
            }
        )
    return entries


def health_entry(server: UpstreamServer, health: Health) -> dict[str, Any]:
    """One server's health, as `GET /biai/upstreams` tells it."""
    return {
        "url": server.url,
        "model": server.model,
        "state": health.state,
        "reason": health.reason,
        "in_flight": health.in_flight,
        "since": _iso(health.since) if health.since else None,
    }


def _iso(clock: float) -> str:
    """A time of `time.monotonic()` as UTC in ISO 8601."""
    at = datetime.now(timezone.utc) - timedelta(seconds=time.monotonic() - clock)
    return at.isoformat(timespec="seconds")
