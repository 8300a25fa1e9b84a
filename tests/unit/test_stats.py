"""What the operator page says of speed and errors, against Python's own statistics and by hand."""

from __future__ import annotations

import statistics
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.extension.stats import (
    ERROR_LENGTH,
    KEPT,
    MOST_TARGETS,
    WINDOW_S,
    Failure,
    Figures,
    Served,
    Stats,
    percentile,
)

NOTHING = Figures(WINDOW_S, 0, 0, 0, None, None, None, None, None, None, None, None)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def served(model: str = "sql", target: str = "sql-0", **more: object) -> Served:
    return Served(**{"model": model, "target": target, "status": 200, "stream": False, "duration_s": 1.0, **more})  # type: ignore[arg-type]


def test_good_and_bad_answers_of_two_targets_are_summed_up_for_each_and_for_the_model() -> None:
    clock = Clock()
    stats = Stats(clock)

    stats.record(served(duration_s=1.0, prompt_tokens=100, completion_tokens=20))
    stats.record(served(duration_s=3.0, prompt_tokens=300, completion_tokens=40, stream=True, first_byte_s=0.5))
    clock.now += 10
    stats.record(served(target="http://b:8000", status=502, duration_s=9.0, error="it cannot be reached"))

    found = stats.summary()
    failure = Failure(clock.now, 502, "it cannot be reached")
    assert list(found) == ["sql"]
    assert found["sql"].targets == {
        "sql-0": Figures(WINDOW_S, 2, 0, 0, 2.0, pytest.approx(2.9), 0.5, 0.5, 15.0, 400, 60, None),
        "http://b:8000": Figures(WINDOW_S, 1, 1, 0, None, None, None, None, None, None, None, failure),
    }
    assert found["sql"].total == Figures(WINDOW_S, 3, 1, 0, 2.0, pytest.approx(2.9), 0.5, 0.5, 15.0, 400, 60, failure)


def test_what_is_older_than_the_window_no_longer_counts_but_the_last_error_is_still_told() -> None:
    clock = Clock()
    stats = Stats(clock)
    stats.record(served(status=500, error="no luck"))
    failure = Failure(clock.now, 500, "no luck")

    clock.now += WINDOW_S
    within = stats.summary()["sql"].total
    clock.now += 0.1
    after = stats.summary()["sql"].total

    assert (within.requests, within.errors) == (1, 1)
    assert after == Figures(WINDOW_S, 0, 0, 0, None, None, None, None, None, None, None, failure)


def test_a_busy_target_says_how_little_time_its_figures_cover_and_its_model_covers_no_more() -> None:
    clock = Clock()
    stats = Stats(clock)
    stats.record(served(target="idle"))
    clock.now += 100
    for _ in range(KEPT + 500):
        clock.now += 0.01
        stats.record(served(target="busy"))

    found = stats.summary()["sql"]

    assert found.targets["busy"].covered_s == pytest.approx(0.01 * (KEPT - 1))
    assert found.targets["busy"].requests == KEPT
    assert (found.targets["idle"].covered_s, found.targets["idle"].requests) == (WINDOW_S, 1)
    assert (found.total.covered_s, found.total.requests) == (found.targets["busy"].covered_s, KEPT)


def test_requests_in_flight_are_counted_until_they_leave_and_never_below_zero() -> None:
    stats = Stats()

    stats.enter("sql", "sql-0")
    stats.enter("sql", "sql-0")
    stats.enter("sql", "sql-1")
    stats.leave("sql", "sql-0")
    stats.leave("sql", "nobody")
    busy = stats.summary()["sql"]
    for _ in range(3):
        stats.leave("sql", "sql-0")

    assert busy.total.in_flight == 2
    assert {name: one.in_flight for name, one in busy.targets.items()} == {"sql-0": 1, "sql-1": 1}
    assert stats.summary()["sql"].targets["sql-0"] == NOTHING


def test_memory_is_bounded_however_many_models_come_and_go() -> None:
    clock = Clock()
    stats = Stats(clock)
    stats.enter("busy", "one")
    for number in range(MOST_TARGETS + 50):
        clock.now += 1
        stats.record(served(model=f"model-{number}", error="x" * 10_000, status=500))

    found = stats.summary()

    assert len(found) == MOST_TARGETS
    assert "busy" in found
    assert "model-0" not in found
    assert f"model-{MOST_TARGETS + 49}" in found
    assert all(len(one.total.last_error.error) == ERROR_LENGTH for one in found.values() if one.total.last_error)


def test_embeddings_have_no_speed_in_tokens() -> None:
    stats = Stats()

    stats.record(served(prompt_tokens=7, completion_tokens=0))

    found = stats.summary()["sql"].total
    assert (found.tokens_per_s, found.prompt_tokens, found.completion_tokens) == (None, 7, 0)


@given(st.lists(st.floats(0, 1e6), min_size=2), st.integers(1, 99))
def test_percentiles_are_those_of_the_standard_library(values: list[float], hundredths: int) -> None:
    expected = statistics.quantiles(values, n=100, method="inclusive")[hundredths - 1]

    assert percentile(sorted(values), hundredths / 100) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_lie_among_the_values_and_in_order(values: list[float]) -> None:
    p50, p95 = (percentile(sorted(values), share) for share in (0.5, 0.95))

    assert p50 is not None
    assert p95 is not None
    assert min(values) <= p50 <= p95 <= max(values) or p50 == pytest.approx(p95)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 100), st.booleans()), max_size=50))
def test_a_model_counts_what_its_targets_count(answers: list[tuple[str, float, bool]]) -> None:
    stats = Stats(Clock())
    for target, seconds, good in answers:
        stats.record(served(target=target, duration_s=seconds, error=None if good else "bad"))

    for found in stats.summary().values():
        assert found.total.requests == sum(one.requests for one in found.targets.values()) == len(answers)
        assert found.total.errors == sum(not good for _, _, good in answers)


def test_no_value_is_the_percentile_of_nothing() -> None:
    assert percentile([], 0.5) is None


@pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer is what would be measured")
def test_recording_costs_microseconds() -> None:
    stats, one = Stats(), served(prompt_tokens=1, completion_tokens=2)

    def cost_of_a_thousand() -> float:
        begun = time.perf_counter()
        for _ in range(1000):
            stats.record(one)
        return time.perf_counter() - begun

    # The best of many: other processes only ever make it slower.
    assert min(cost_of_a_thousand() for _ in range(30)) < 1000 * 20e-6
