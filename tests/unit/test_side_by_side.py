"""Changes of different workers go on at once, those of one worker one after the other."""

from __future__ import annotations

import threading
import time

import pytest

from biai_xinf.errors import Interrupted
from biai_xinf.plan import Action, Change
from biai_xinf.side_by_side import side_by_side, workers_of
from biai_xinf.state import Launch


def launch(uid: str, *workers: str) -> Change:
    devices = [{"devices": [{"worker_ip": worker, "n_gpu": "auto"}]} for worker in workers]
    body = {"model_uid": uid, "replica": len(workers), "replica_config": devices}
    return Change(Action.LAUNCH, uid, "is not running", launch=Launch(body, "LLM"))


def test_a_worker_has_one_change_at_a_time_and_different_workers_are_busy_together() -> None:
    changes = [launch("a", "north"), launch("b", "north"), launch("c", "south")]
    both_busy, seen, busy = threading.Event(), [], set()
    lock = threading.Lock()

    def work(change: Change, stopped: threading.Event) -> str:
        mine = workers_of(change)
        with lock:
            assert not busy & mine, f"{mine & busy} had two changes"
            busy.update(mine)
            seen.append(set(busy))
            if len(busy) == 2:
                both_busy.set()
        both_busy.wait(10)
        with lock:
            busy.difference_update(mine)
        return change.uid.upper()

    done = side_by_side(changes, work)

    assert done == {"a": "A", "b": "B", "c": "C"}
    assert {"north", "south"} in seen


def test_a_change_of_two_workers_waits_for_both() -> None:
    order = []

    def work(change: Change, stopped: threading.Event) -> None:
        order.append(f"{change.uid} begins")
        time.sleep(0.05 if change.uid == "b" else 0)
        order.append(f"{change.uid} ends")

    side_by_side([launch("a", "north"), launch("b", "south"), launch("both", "north", "south")], work)

    assert order.index("both begins") > max(order.index("a ends"), order.index("b ends"))


def test_an_interrupt_begins_nothing_new_and_lets_what_was_begun_take_itself_back() -> None:
    began, took_back = [], []

    def work(change: Change, stopped: threading.Event) -> None:
        began.append(change.uid)
        if change.uid == "a":
            raise Interrupted("a person pressed Ctrl-C")
        assert stopped.wait(10)
        took_back.append(change.uid)
        raise Interrupted(f"the launch of `{change.uid}` was stopped; nothing of it remains")

    with pytest.raises(Interrupted) as raised:
        side_by_side([launch("b", "south"), launch("a", "north"), launch("c", "north")], work)

    assert sorted(began) == ["a", "b"]
    assert took_back == ["b"]
    assert raised.value.details == [
        "the launch of `b` was stopped; nothing of it remains",
        "a person pressed Ctrl-C",
    ]
