"""What was served lately, kept in memory for the operator page: latency, tokens and errors per model and target."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

# Long enough to see a slow model answer a few times, short enough to show what is wrong now.
WINDOW_S = 300.0
# Per model and target; 25 of them lie above a p95. One takes 240 bytes, and a summary half a microsecond for each.
KEPT = 500
# Models and replicas come and go while the process lives: 200 full ones are about 25 MB.
MOST_TARGETS = 200
# An error is one line on a page.
ERROR_LENGTH = 300


@dataclass(frozen=True)
class Served:
    """One answered request. Times in seconds; tokens as the server counted them, None where it did not.

    `model` is the uid or upstream that served it, whatever name the client used; `target` is where: a replica
    (`sql-coder-0`) or an upstream server's URL. `error` is one line, None when the answer was good.
    """

    model: str
    target: str
    status: int
    stream: bool
    duration_s: float
    first_byte_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Failure:
    """What went wrong last, at `at` in seconds since 1970; it may lie before the window."""

    at: float
    status: int
    error: str


@dataclass(frozen=True)
class Figures:
    """What was served in the last `covered_s` seconds: WINDOW_S, or less where more than KEPT requests came in it.

    A request that was tried at two targets counts at both. Times are those of good answers, in seconds, the first
    byte's those of good streams. `tokens_per_s` is the speed one client sees: completion tokens by the time their
    answers took. None where nothing was measured.
    """

    covered_s: float
    requests: int
    errors: int
    in_flight: int
    latency_p50_s: float | None
    latency_p95_s: float | None
    first_byte_p50_s: float | None
    first_byte_p95_s: float | None
    tokens_per_s: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    last_error: Failure | None


@dataclass(frozen=True)
class ModelFigures:
    """A model's figures in all, and per target that it was served by."""

    total: Figures
    targets: Mapping[str, Figures]


class _Sample(NamedTuple):
    at: float
    duration_s: float
    first_byte_s: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    failed: bool


@dataclass
class _Target:
    samples: deque[_Sample] = field(default_factory=lambda: deque(maxlen=KEPT))
    in_flight: int = 0
    used_at: float = 0.0
    last_error: Failure | None = None

    def covered_s(self, now: float) -> float:
        full = len(self.samples) == KEPT
        return min(WINDOW_S, max(0.0, now - self.samples[0].at)) if full else WINDOW_S


class Stats:
    """The latest requests of every model and target. For one thread; `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._targets: dict[tuple[str, str], _Target] = {}

    def record(self, served: Served) -> None:
        """Remember one answer."""
        target = self._target(served.model, served.target)
        now = target.used_at
        failed = served.error is not None
        target.samples.append(
            _Sample(
                now,
                served.duration_s,
                served.first_byte_s if served.stream else None,
                served.prompt_tokens,
                served.completion_tokens,
                failed,
            )
        )
        if served.error is not None:
            target.last_error = Failure(now, served.status, served.error[:ERROR_LENGTH])

    def enter(self, model: str, target: str) -> None:
        """A request is on its way to a target; `leave` must follow."""
        self._target(model, target).in_flight += 1

    def leave(self, model: str, target: str) -> None:
        """A request that entered is over."""
        known = self._targets.get((model, target))
        if known is not None and known.in_flight:
            known.in_flight -= 1

    def summary(self) -> dict[str, ModelFigures]:
        """What every model served within the window."""
        now = self._clock()
        models: dict[str, dict[str, _Target]] = {}
        for (model, target), known in self._targets.items():
            models.setdefault(model, {})[target] = known
        return {model: _model_figures(targets, now) for model, targets in models.items()}

    def _target(self, model: str, target: str) -> _Target:
        key = model, target
        known = self._targets.get(key)
        if known is None:
            if len(self._targets) >= MOST_TARGETS:
                self._forget_one()
            known = self._targets[key] = _Target()
        known.used_at = self._clock()
        return known

    def _forget_one(self) -> None:
        # A busy one goes only where all are: its requests then leave uncounted.
        oldest = min(self._targets, key=lambda key: (self._targets[key].in_flight > 0, self._targets[key].used_at))
        del self._targets[oldest]


def _model_figures(targets: Mapping[str, _Target], now: float) -> ModelFigures:
    each = {name: _figures([target], now) for name, target in targets.items()}
    total = next(iter(each.values())) if len(each) == 1 else _figures(targets.values(), now)
    return ModelFigures(total, each)


def _figures(targets: Iterable[_Target], now: float) -> Figures:
    targets = list(targets)
    # One span for all of them, or a busy target would weigh less than an idle one.
    covered_s = min(target.covered_s(now) for target in targets)
    recent = [one for target in targets for one in target.samples if one.at >= now - covered_s]
    good = [one for one in recent if not one.failed]
    latency = sorted(one.duration_s for one in good)
    first_byte = sorted(one.first_byte_s for one in good if one.first_byte_s is not None)
    return Figures(
        covered_s=covered_s,
        requests=len(recent),
        errors=len(recent) - len(good),
        in_flight=sum(target.in_flight for target in targets),
        latency_p50_s=percentile(latency, 0.50),
        latency_p95_s=percentile(latency, 0.95),
        first_byte_p50_s=percentile(first_byte, 0.50),
        first_byte_p95_s=percentile(first_byte, 0.95),
        tokens_per_s=_tokens_per_s(good),
        prompt_tokens=_sum(one.prompt_tokens for one in recent),
        completion_tokens=_sum(one.completion_tokens for one in recent),
        last_error=max(
            (target.last_error for target in targets if target.last_error), key=lambda failure: failure.at, default=None
        ),
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value that `share` of an ascending sequence lies below, interpolated between neighbours; None of nothing."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _tokens_per_s(good: Sequence[_Sample]) -> float | None:
    counted = [one for one in good if one.completion_tokens]
    seconds = sum(one.duration_s for one in counted)
    return sum(one.completion_tokens or 0 for one in counted) / seconds if seconds > 0 else None


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
