"""Which server of an upstream is asked: properties of the choice, and the life of one server's health."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.extension.balance import FAILURES_UNTIL_AVOIDED, FIRST_PAUSE_S, LONGEST_PAUSE_S, Health, choose
from biai_xinf.upstreams import UpstreamServer


def server(index: int, weight: int = 1) -> UpstreamServer:
    return UpstreamServer(provider="vllm", url=f"http://host-{index}:8000", model="m", weight=weight)


def test_requests_one_after_the_other_are_spread_by_weight() -> None:
    servers, health = [server(0, 3), server(1, 1)], [Health(), Health()]

    for _ in range(40):
        index = choose(servers, health, (), now=0)
        assert index is not None
        health[index].served += 1

    assert [one.served for one in health] == [30, 10]


def test_the_server_with_the_fewest_in_flight_for_its_weight_is_asked() -> None:
    servers = [server(0, 2), server(1, 1)]

    assert choose(servers, [Health(in_flight=3), Health(in_flight=2)], (), now=0) == 0
    assert choose(servers, [Health(in_flight=3), Health(in_flight=1)], (), now=0) == 1


def test_a_server_that_was_tried_is_not_asked_again() -> None:
    assert choose([server(0), server(1)], [Health(), Health()], {0}, now=0) == 1
    assert choose([server(0), server(1)], [Health(), Health()], {0, 1}, now=0) is None


def test_a_server_that_is_gone_is_avoided_at_once_and_tried_by_one_request_after_its_pause() -> None:
    health = Health()

    health.failed("refused", now=10, gone=True)

    assert not health.may_be_tried(10 + FIRST_PAUSE_S - 0.1)
    assert health.may_be_tried(10 + FIRST_PAUSE_S)
    health.in_flight = 1
    assert not health.may_be_tried(10 + FIRST_PAUSE_S)


def test_a_server_that_answers_wrongly_is_avoided_only_when_it_does_so_again_and_again() -> None:
    health = Health()

    for _ in range(FAILURES_UNTIL_AVOIDED - 1):
        health.failed("500", now=0, gone=False)
    assert health.state != "failing"
    health.failed("500", now=0, gone=False)

    assert health.state == "failing"
    health.succeeded(5)
    assert (health.state, health.reason, health.since) == ("ok", None, 5)


def test_a_healthy_server_is_asked_before_one_whose_pause_is_over() -> None:
    back, well = Health(), Health(state="ok", in_flight=50)
    back.failed("refused", now=0, gone=True)

    assert choose([server(0), server(1)], [back, well], (), now=1000) == 1


@given(st.lists(st.booleans(), min_size=1, max_size=50))
def test_pauses_grow_while_it_fails_and_never_beyond_the_longest(outcomes: list[bool]) -> None:
    health, now = Health(), 0.0

    for good in outcomes:
        now += 1000
        before = health.pause_s
        if good:
            health.succeeded(now)
            assert health.pause_s == 0
        else:
            health.failed("refused", now, gone=True)
            assert before <= health.pause_s <= LONGEST_PAUSE_S
            assert health.retry_at == now + health.pause_s


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9), st.booleans()), min_size=1, max_size=8),
    st.sets(st.integers(0, 7)),
)
def test_whoever_is_chosen_may_be_tried_and_nobody_is_chosen_only_if_nobody_may(
    facts: list[tuple[int, int, bool]], tried: set[int]
) -> None:
    servers = [server(i, weight) for i, (weight, _, _) in enumerate(facts)]
    health = [Health(in_flight=busy) for _, busy, _ in facts]
    for one, (_, _, down) in zip(health, facts, strict=True):
        if down:
            one.failed("refused", now=0, gone=True)

    index = choose(servers, health, tried, now=0.5)

    possible = {i for i in range(len(servers)) if i not in tried and not facts[i][2]}
    assert (index is None) == (not possible)
    assert index is None or index in possible
