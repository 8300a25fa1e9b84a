"""Who is told what was served: the operator page's figures and Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from biai_xinf.extension.metrics import Metrics
from biai_xinf.extension.registry import Registry
from biai_xinf.extension.stats import Served, Stats


class Recorder:
    """Notes every try at a request, replays and fallbacks included."""

    def __init__(self, registry: Registry) -> None:
        self.stats = Stats()
        self.metrics = Metrics(lambda name: registry.upstreams.get(name))

    @contextmanager
    def in_flight(self, model: str, target: str) -> Iterator[None]:
        """While a request is with `target`."""
        self.stats.enter(model, target)
        try:
            yield
        finally:
            self.stats.leave(model, target)

    def record(self, served: Served) -> None:
        """One try, well ended or not."""
        self.stats.record(served)
        self.metrics.record(served)

    def replayed(self, model: str) -> None:
        """A request went to another replica because one died."""
        self.metrics.replayed(model)

    def fell_back(self, model: str, fallback: str) -> None:
        """Another model answered in its place."""
        self.metrics.fell_back(model, fallback)
