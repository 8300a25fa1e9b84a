"""Replicas that are missing or too many, as a plan tells of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from biai_xinf.cli.render import plan_text
from biai_xinf.errors import NothingFits
from biai_xinf.plan import Action, Plan, make_plan
from biai_xinf.state import Desired, ObservedModel, Replica, Scaling
from tests.builders import cluster, entry, recipe, running, want, worker

NORTH, SOUTH, EAST = "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"


def on(*replicas: Replica) -> ObservedModel:
    """The model of the recipe `only`, with these replicas."""
    return replace(running(), replicas=replicas)


def ready(number: int, address: str, *gpus: int) -> Replica:
    return Replica(address, "ready", number=number, gpus=gpus)


def planned(model: ObservedModel, *workers: object, **wish: object) -> Plan:
    desired = Desired((want(recipe("only", gib=4), **wish),))  # type: ignore[arg-type]
    return make_plan(desired, cluster(*workers, models=(model,)))  # type: ignore[arg-type]


def scaling(plan: Plan) -> Scaling:
    (change,) = plan.changes
    assert change.action is Action.SCALE
    assert isinstance(change.launch, Scaling)
    return change.launch


def test_a_missing_replica_is_started_where_none_runs() -> None:
    plan = planned(on(ready(0, NORTH)), worker(NORTH, ram=64), worker(SOUTH, ram=8), replicas=2)

    assert scaling(plan).devices == ({"worker_ip": SOUTH, "n_gpu": 0},)
    assert plan.changes[0].reason == "runs recipe only, 1 of 2 replicas"


def test_packed_it_is_started_beside_the_other() -> None:
    plan = planned(on(ready(0, NORTH)), worker(NORTH), worker(SOUTH), replicas=2, policy="pack")

    assert scaling(plan).devices == ({"worker_ip": NORTH, "n_gpu": 0},)


def test_a_survivor_takes_over_what_a_dead_worker_held_and_the_dead_row_is_cleared() -> None:
    dead = Replica(SOUTH, "gone", number=1)

    plan = planned(on(ready(0, NORTH), dead), worker(NORTH), replicas=2)

    assert scaling(plan).devices == ({"worker_ip": NORTH, "n_gpu": 0},)
    assert scaling(plan).drop == (1,)


def test_as_many_as_there_is_room_for_are_started() -> None:
    plan = planned(on(ready(0, NORTH)), worker(NORTH, ram=5), worker(SOUTH, ram=3), replicas=4)

    assert scaling(plan).devices == ({"worker_ip": NORTH, "n_gpu": 0},)
    assert plan.changes[0].reason == "runs recipe only, 1 of 4 replicas; there is room for 1 more"


def test_without_room_the_others_are_planned_and_this_one_is_refused() -> None:
    other = replace(want(recipe("only", gib=1), uid="other"))
    wish = want(recipe("only", gib=4), replicas=2)

    plan = make_plan(Desired((wish, other)), cluster(worker(NORTH, ram=2), models=(on(ready(0, NORTH)),)))

    assert [(change.action, change.uid) for change in plan.changes] == [(Action.LAUNCH, "other")]
    assert [refused.error.message for refused in plan.refused] == [
        "`coder` runs 1 of 2 replicas, and there is no room for another"
    ]
    assert plan.refused[0].error.details == ["needs 4 GiB of free memory, the most is 1 GiB"]


def test_a_model_that_is_asked_for_alone_is_refused_with_an_error() -> None:
    with pytest.raises(NothingFits, match="runs 1 of 2 replicas"):
        planned(on(ready(0, NORTH)), worker(NORTH, ram=2), replicas=2)


def test_what_does_not_run_at_all_comes_before_a_second_replica() -> None:
    first, second = want(recipe("only", gib=4), replicas=2), want(recipe("only", gib=4), uid="other")

    plan = make_plan(Desired((first, second)), cluster(worker(NORTH, ram=5), models=(on(ready(0, NORTH)),)))

    assert [(change.action, change.uid) for change in plan.changes] == [(Action.LAUNCH, "other")]


def test_replicas_of_one_model_share_no_gpu() -> None:
    wish = want(recipe("only", gpus=1, gib=4), replicas=2)
    two, one = worker(NORTH, gpus=(24, 24)), worker(NORTH, gpus=(24,))
    model = on(ready(0, NORTH, 0))

    plan = make_plan(Desired((wish,)), cluster(two, models=(model,)))

    assert scaling(plan).devices == ({"worker_ip": NORTH, "n_gpu": 1, "gpu_idx": [1]},)
    with pytest.raises(NothingFits, match="no room for another"):
        make_plan(Desired((wish,)), cluster(one, models=(model,)))


def test_of_too_many_the_latest_stop_where_most_of_them_run() -> None:
    model = on(ready(0, NORTH), ready(1, SOUTH), ready(2, SOUTH), ready(3, EAST))

    plan = planned(model, worker(NORTH), worker(SOUTH), worker(EAST), replicas=2)

    assert scaling(plan).drop == (2, 3)
    assert scaling(plan).devices == ()


def test_of_too_many_those_stop_first_that_run_where_they_may_not() -> None:
    model = on(ready(0, NORTH), ready(1, SOUTH))

    plan = planned(model, worker(NORTH), worker(SOUTH), replicas=1, workers=frozenset({SOUTH}))

    assert scaling(plan).drop == (0,)


def test_one_that_loads_is_counted_and_nothing_is_done_twice() -> None:
    model = on(ready(0, NORTH), Replica(SOUTH, "launching", number=1))

    plan = planned(model, worker(NORTH), worker(SOUTH), replicas=2)

    assert plan.is_empty
    assert not plan.changes[0].as_wished


def test_a_restarted_supervisor_that_forgot_the_replicas_changes_nothing() -> None:
    assert planned(on(), worker(NORTH), replicas=2).is_empty


def test_a_late_joiner_gets_the_registration_with_its_replica() -> None:
    wish = replace(want(replicas=2), entry=entry(recipe("only", registration="registrations/coder.json")))

    plan = make_plan(Desired((wish,)), cluster(worker(NORTH), worker(SOUTH), models=(on(ready(0, NORTH)),)))

    assert scaling(plan).registration == {"model_name": "coder"}


def test_the_plan_says_where_and_what_it_takes() -> None:
    dead = Replica(EAST, "gone", number=2)
    plan = planned(on(ready(0, NORTH), dead), worker(NORTH), worker(SOUTH), replicas=3)

    assert plan_text(plan).splitlines() == [
        "~ coder  runs recipe only, 1 of 3 replicas",
        f"    one more on {SOUTH} (CPU)",
        f"    one more on {NORTH} (CPU)",
        "    replica 2 is gone, and forgotten",
        "",
        f"  {NORTH} memory  16 GiB free, then 12 GiB",
        f"  {SOUTH} memory  16 GiB free, then 12 GiB",
        "",
        "1 to scale",
    ]
