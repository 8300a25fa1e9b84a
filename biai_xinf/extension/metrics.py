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
        self._series: dict[tuple[str, str, bool], _Series] = {}

    def record(self, served: Served) -> None:
        """Count an answer of an upstream server; those of native models are counted by their workers."""
        series = self._series_of(served)
        if series is None:
            return
        series.requests.add(1)
        series.duration.observe(served.duration_s)
        if served.error is not None:
            series.errors.add(1)
        else:
            first = served.first_byte_s if served.stream else served.duration_s
            if first is not None:
                series.first_token.observe(first)
        if served.prompt_tokens:
            series.input_tokens.add(served.prompt_tokens)
        if served.completion_tokens:
            series.output_tokens.add(served.completion_tokens)
            series.generated_tokens.add(served.completion_tokens)

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

    def _series_of(self, served: Served) -> _Series | None:
        key = served.model, served.target, served.stream
        upstream = self._upstream_of(served.model)
        known = self._series.get(key)
        if known is not None and known.upstream is upstream:
            return known
        # Whatever else has been changed or removed goes too.
        self._series = {key: one for key, one in self._series.items() if one.upstream is self._upstream_of(key[0])}
        servers = upstream.servers if upstream else ()
        index = next((index for index, server in enumerate(servers) if server.url == served.target), None)
        collectors = _collectors() if index is not None else None
        if upstream is None or index is None or collectors is None:
            return None
        series = self._series[key] = _Series.of(upstream, index, served.stream, collectors)
        return series


class _Line:
    """What a collector holds for one set of labels, found once.

    The collector's own methods check the labels and write them as JSON at every call: 16 us for all that a request
    counts, 3 with this (aioprometheus 23.12).
    """

    def __init__(self, collector: Any, labels: Labels) -> None:
        self._collector, self._labels = collector, labels
        self._values, self._key = collector.values.store, collector.values.__keytransform__(labels)

    def add(self, amount: int) -> None:
        """To a counter."""
        self._values[self._key] = self._values.get(self._key, 0) + amount

    def observe(self, value: float) -> None:
        """In a histogram."""
        histogram = self._values.get(self._key)
        if histogram is None:
            self._collector.observe(self._labels, value)
        else:
            histogram.observe(value)


@dataclass(frozen=True)
class _Series:
    """Where the answers of one upstream server are counted, streams apart from others."""

    upstream: Upstream
    requests: _Line
    errors: _Line
    duration: _Line
    first_token: _Line
    input_tokens: _Line
    output_tokens: _Line
    generated_tokens: _Line

    @classmethod
    def of(cls, upstream: Upstream, index: int, stream: bool, collectors: _Collectors) -> _Series:
        labels = _labels(upstream, index)
        by_stream = {**labels, "stream": "true" if stream else "false"}
        return cls(
            upstream,
            requests=_Line(collectors.requests, by_stream),
            errors=_Line(collectors.errors, labels),
            duration=_Line(collectors.duration, labels),
            first_token=_Line(collectors.first_token, by_stream),
            input_tokens=_Line(collectors.input_tokens, labels),
            output_tokens=_Line(collectors.output_tokens, labels),
            generated_tokens=_Line(collectors.generated_tokens, labels),
        )


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
    # A collector that is made otherwise is to fail here, not at a request.
    _Line(collector, {})
    return collector
