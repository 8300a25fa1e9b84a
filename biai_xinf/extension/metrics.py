"""Upstream models in Xinference's own Prometheus endpoint, under the names and labels that its dashboards know.

Models that Xinference runs are counted by their workers; here only what no worker sees. Names and labels are listed
in `docs/operator-page.md`.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from biai_xinf.extension.balance import State
from biai_xinf.extension.stats import Served
from biai_xinf.upstreams import Upstream, UpstreamServer

log = logging.getLogger(__name__)

Labels = dict[str, str]


class Metrics:
    """Counts for `GET /metrics` of this process; does nothing where Xinference's metrics are off.

    To be used once the server runs: before it does, Xinference takes its workers' metrics out of this process.
    `upstream_of` gives the upstream of a name, None for any other model.
    """

    def __init__(self, upstream_of: Callable[[str], Upstream | None]) -> None:
        self._upstream_of = upstream_of

    def record(self, served: Served) -> None:
        """Count an answer of an upstream server; those of native models are counted by their workers."""
        found = self._server(served)
        collectors = _collectors() if found else None
        if found is None or collectors is None:
            return
        labels = _labels(*found)
        by_stream = {**labels, "stream": "true" if served.stream else "false"}
        _add(collectors.requests, by_stream, 1)
        collectors.duration.observe(labels, served.duration_s)
        if served.error is not None:
            _add(collectors.errors, labels, 1)
        else:
            first = served.first_byte_s if served.stream else served.duration_s
            if first is not None:
                collectors.first_token.observe(by_stream, first)
        if served.prompt_tokens:
            _add(collectors.input_tokens, labels, served.prompt_tokens)
        if served.completion_tokens:
            _add(collectors.output_tokens, labels, served.completion_tokens)
            _add(collectors.generated_tokens, labels, served.completion_tokens)

    def replayed(self, model: str) -> None:
        """Count a request that goes to another replica."""
        if collectors := _collectors():
            collectors.replays.inc({"model_uid": model})

    def fell_back(self, model: str, fallback: str) -> None:
        """Count a request for one model that another one answers."""
        if collectors := _collectors():
            collectors.fallbacks.inc({"model_uid": model, "fallback": fallback})

    def show_health(self, states: Iterable[tuple[Upstream, int, State]]) -> None:
        """What is known of every upstream server, by its place in its upstream; all others are no longer shown."""
        if collectors := _collectors():
            collectors.up.values.clear()
            for upstream, index, state in states:
                if state != "unknown":
                    collectors.up.set(_labels(upstream, index), 1 if state == "ok" else 0)

    def _server(self, served: Served) -> tuple[Upstream, int] | None:
        upstream = self._upstream_of(served.model)
        servers = upstream.servers if upstream else ()
        index = next((index for index, server in enumerate(servers) if server.url == served.target), None)
        return None if upstream is None or index is None else (upstream, index)


def _add(counter: Any, labels: Labels, amount: int) -> None:
    # `counter.add` checks the names of all labels anew: 13 us instead of 3, five times a request (aioprometheus 23.12)
    counter.values[labels] = counter.values.get(labels, 0) + amount


def _labels(upstream: Upstream, index: int) -> Labels:
    """Those of `ModelActor._metrics_labels` (Xinference 4.1.0), which one dashboard query must find in both."""
    server = upstream.servers[index]
    return {
        "model_type": upstream.model_type,
        "model_uid": upstream.name,
        "replica_index": str(index),
        "model_name": server.model,
        "engine": server.provider,
        "worker_address": host_and_port(server),
        "format": "",
        "quantization": "none",
        "gpu_index": "",
    }


def host_and_port(server: UpstreamServer) -> str:
    """Where a server is, without the path of its address, which may hold a token."""
    return urlsplit(server.url).netloc


@dataclass(frozen=True)
class _Collectors:
    requests: Any
    errors: Any
    duration: Any
    first_token: Any
    input_tokens: Any
    output_tokens: Any
    generated_tokens: Any
    up: Any
    replays: Any
    fallbacks: Any


@functools.cache
def _collectors() -> _Collectors | None:
    """None where they are off, or where this Xinference has none of these."""
    try:
        return _found()
    except (ImportError, AttributeError):
        log.exception("requests to upstream servers are not counted: this Xinference has other metrics than 4.1")
        return None


def _found() -> _Collectors | None:
    # Only in Xinference's process, where they are loaded.
    from xinference.constants import is_metrics_disabled
    from xinference.core import metrics

    if is_metrics_disabled():
        return None
    return _Collectors(
        requests=_shown(metrics, "model_request_total"),
        errors=_shown(metrics, "model_request_errors_total"),
        duration=_shown(metrics, "model_request_duration_seconds"),
        first_token=_shown(metrics, "time_to_first_token_seconds"),
        input_tokens=_shown(metrics, "input_tokens_total_counter"),
        output_tokens=_shown(metrics, "output_tokens_total_counter"),
        generated_tokens=_shown(metrics, "generate_tokens_total"),
        up=metrics.Gauge("xinference:biai_upstream_up", "Whether an upstream server answers (1) or is avoided (0)."),
        replays=metrics.Counter("xinference:biai_replays_total", "Requests sent to another replica because one died."),
        fallbacks=metrics.Counter(
            "xinference:biai_fallbacks_total", "Requests answered by another model in a model's place."
        ),
    )


def _shown(metrics: ModuleType, name: str) -> Any:
    """A collector of Xinference's, put back into the registry."""
    collector = getattr(metrics, name)
    # Prometheus' registry and classes, as Xinference imported them.
    if all(known is not collector for known in metrics.REGISTRY.get_all()):
        metrics.REGISTRY.register(collector)
    return collector
