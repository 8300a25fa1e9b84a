"""Turns of a watch on a fake Xinference, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from biai_xinf import execute
from biai_xinf.catalogue import Entry
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials
from biai_xinf.errors import AuthFailed
from biai_xinf.state import Desired, DesiredModel
from biai_xinf.watch import Event, Watch
from biai_xinf.wire import Progress
from tests.builders import entry, recipe
from tests.fake_xinference import GIB, FakeWorker, FakeXinference, Launching, option

RIGHT = "SELECT COUNT(*) FROM customers"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeXinference]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(execute, "_POLL_S", 0)
    with FakeXinference([FakeWorker(memory_free=16 * GIB)]) as server:
        server.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        server.chat["sql"] = lambda body: f"```sql\n{RIGHT};\n```"
        yield server


class Watched:
    """A watch of one model `sql`, what it said, its clock, and what it has begun."""

    def __init__(self, fake: FakeXinference, *, inline: bool = True, **wish: Any) -> None:
        one = {**recipe("cpu", gib=4), "model_path": "/srv/coder.gguf"}
        self.now = 0.0
        self.events: list[Event] = []
        self.begun: list[Callable[[], None]] = []
        self.silent: set[str] = set()
        entry_ = wish.pop("entry", None) or entry(one, folder=Path("/specs"))
        workers = wish.pop("expected", frozenset())
        self.watch = Watch(
            Client(fake.endpoint),
            Desired((DesiredModel("sql", entry_, **wish),), workers=workers),
            lambda: self.now,
            self.events.append,
            begin=(lambda work: work()) if inline else self.begun.append,
            is_silent=lambda addresses: frozenset(self.silent & set(addresses)),
        )

    def turn(self) -> list[tuple[str | None, str]]:
        self.events.clear()
        self.watch.turn()
        return [(event.uid, event.what) for event in self.events]


def test_what_is_missing_is_launched_and_then_left_alone(fake: FakeXinference) -> None:
    watched = Watched(fake)

    first = watched.turn()
    changed = list(fake.mutating_calls)
    second = watched.turn()

    assert first == [(None, "the cluster answers"), ("sql", "is not running: launching it"), ("sql", "is ready")]
    assert second == []
    assert fake.mutating_calls == changed


def test_a_model_that_vanished_is_launched_again(fake: FakeXinference) -> None:
    watched = Watched(fake)
    watched.turn()
    watched.now = 3600.0

    fake.models.clear()

    assert watched.turn() == [("sql", "is not running: launching it"), ("sql", "is ready")]


def test_one_that_fails_rests_twice_as_long_after_each_failure(fake: FakeXinference) -> None:
    watched = Watched(fake)
    fake.launches["sql"] = Launching(fails_with="RuntimeError: no space left on device")

    first = watched.turn()
    resting = watched.turn()
    watched.now = 5.0
    second = watched.turn()
    del fake.launches["sql"]
    watched.now = 15.0
    third = watched.turn()

    assert first[-1] == ("sql", "`sql` did not load: RuntimeError: no space left on device; tried again in 5 s")
    assert resting == []
    assert second[-1] == ("sql", "`sql` did not load: RuntimeError: no space left on device; tried again in 10 s")
    assert third[-1] == ("sql", "is ready")


def test_a_supervisor_that_goes_away_and_comes_back_is_told_once_each(fake: FakeXinference) -> None:
    watched = Watched(fake)
    watched.turn()
    away = Client("http://127.0.0.1:9")
    there, watched.watch._client = watched.watch._client, away

    gone, still_gone = watched.turn(), watched.turn()
    watched.watch._client = there

    assert gone == [(None, "nothing answers at `http://127.0.0.1:9`")]
    assert still_gone == []
    assert watched.turn() == [(None, "the cluster answers")]


def test_what_finds_no_room_is_told_once_though_free_memory_moves(fake: FakeXinference) -> None:
    watched = Watched(fake)
    fake.workers[0].memory_free = 2 * GIB
    first = watched.turn()

    fake.workers[0].memory_free = 3 * GIB

    assert first[-1][0] == "sql"
    assert first[-1][1].startswith("no recipe of `coder` fits this cluster; cpu: needs 4 GiB")
    assert watched.turn() == []


def test_a_uid_that_runs_something_else_is_left_alone(fake: FakeXinference) -> None:
    fake.run("sql", model_name="another")
    watched = Watched(fake)
    before = list(fake.mutating_calls)

    (event,) = watched.turn()

    assert event[0] == "sql"
    assert "which is no recipe of `coder`" in event[1]
    assert fake.mutating_calls == before


NORTH, SOUTH = "127.0.0.1:20001", "127.0.0.1:20002"


def two_workers(fake: FakeXinference) -> None:
    fake.workers = [FakeWorker(address, memory_free=16 * GIB, facts={}) for address in (NORTH, SOUTH)]


def where(fake: FakeXinference) -> list[tuple[int, str, str]]:
    replicas = fake.models["sql"].replicas
    return [(one["replica_id"], one["worker_address"], one["status"]) for one in replicas]


def test_a_turn_does_not_wait_for_what_it_began(fake: FakeXinference) -> None:
    watched = Watched(fake, inline=False)

    first, second = watched.turn(), watched.turn()
    (launch,) = watched.begun
    launch()

    assert first[-1] == ("sql", "is not running: launching it")
    assert second == []
    assert watched.turn() == [("sql", "is ready")]
    assert len(watched.begun) == 1


def test_a_launch_that_somebody_else_began_is_waited_for(fake: FakeXinference) -> None:
    fake.launches["sql"] = Launching(looks=5)
    body = {"model_uid": "sql", "model_name": "coder", "model_engine": "llama.cpp", "quantization": "q-cpu"}
    Client(fake.endpoint).launch({**body, "model_format": "ggufv2", "model_size_in_billions": 7})
    before = list(fake.mutating_calls)

    said = Watched(fake).turn()

    assert said[1:] == [("sql", "is being launched already: waiting for it"), ("sql", "is ready")]
    assert fake.mutating_calls == before


def test_a_dead_worker_is_buried_at_once_and_its_replica_restored_on_the_other(fake: FakeXinference) -> None:
    assert fake.extension is None
    with FakeXinference(extension=True) as fake:
        fake.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        fake.chat["sql"] = lambda body: f"```sql\n{RIGHT};\n```"
        two_workers(fake)
        watched = Watched(fake, replicas=2)
        watched.turn()
        assert where(fake) == [(0, NORTH, "READY"), (1, SOUTH, "READY")]
        assert fake.extension is not None

        fake.extension.dead.add(SOUTH)
        watched.silent.add(SOUTH)
        said = watched.turn()

    assert said == [
        (None, f"{SOUTH} is dead; its replicas get no more requests"),
        ("sql", "runs recipe cpu, 1 of 2 replicas: scaling it"),
        ("sql", "is ready"),
    ]
    assert where(fake) == [(0, NORTH, "READY"), (1, NORTH, "READY")]


def test_a_worker_out_of_our_reach_that_the_endpoint_reaches_is_asked_about_once(fake: FakeXinference) -> None:
    with FakeXinference(extension=True) as fake:
        fake.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        fake.chat["sql"] = lambda body: f"```sql\n{RIGHT};\n```"
        two_workers(fake)
        watched = Watched(fake)
        watched.silent.add(SOUTH)

        watched.turn()
        said = watched.turn()

        asked = [call for call in fake.calls if call[1].startswith("/biai/workers/")]
    assert said == []
    assert len(asked) == 1


def test_without_the_extension_a_dead_worker_is_told_and_restored_once_xinference_notices(
    fake: FakeXinference,
) -> None:
    two_workers(fake)
    watched = Watched(fake, replicas=2)
    watched.turn()

    watched.silent.add(SOUTH)
    first, still = watched.turn(), watched.turn()
    fake.lose_worker(SOUTH)
    noticed = watched.turn()

    assert first[0] == (None, f"{SOUTH} does not answer; Xinference will notice by itself, and asks it until then")
    assert still == []
    assert noticed == [
        (None, f"{SOUTH} left"),
        ("sql", "runs recipe cpu, 1 of 2 replicas: scaling it"),
        ("sql", "is ready"),
    ]


def test_a_worker_that_joins_is_told_of_the_registrations_it_missed(fake: FakeXinference) -> None:
    watched = Watched(fake, entry=registered_entry())
    watched.turn()
    before = list(fake.mutating_calls)

    fake.workers.append(FakeWorker(SOUTH, memory_free=16 * GIB))
    said = watched.turn()

    assert said == [(None, f"{SOUTH} joined, and was told of 1 registered model")]
    assert fake.mutating_calls[len(before) :] == [
        ("DELETE", "/v1/model_registrations/LLM/coder"),
        ("POST", "/v1/model_registrations/LLM"),
    ]


def test_a_supervisor_that_just_started_is_given_time_to_hear_from_its_workers(fake: FakeXinference) -> None:
    fake.uptime = 3
    watched = Watched(fake)

    first, second = watched.turn(), watched.turn()
    assert fake.mutating_calls == []
    fake.uptime = 30
    third = watched.turn()

    assert first == [(None, "the supervisor has just started, its workers have not told yet what they run")]
    assert second == []
    assert third[-1] == ("sql", "is ready")


def test_it_need_not_wait_where_every_expected_worker_is_there(fake: FakeXinference) -> None:
    fake.uptime = 3

    assert Watched(fake, expected=frozenset({NORTH})).turn()[-1] == ("sql", "is ready")


def test_one_that_goes_away_soon_after_it_was_ready_rests_first(fake: FakeXinference) -> None:
    watched = Watched(fake)
    watched.turn()

    watched.now = 4.0
    fake.models.clear()
    gone = watched.turn()
    watched.now = 9.0
    back = watched.turn()
    watched.now = 10.0
    fake.models.clear()
    again = watched.turn()

    assert gone == [("sql", "went away 4 s after it was ready; tried again in 5 s")]
    assert back == [("sql", "is not running: launching it"), ("sql", "is ready")]
    assert again == [("sql", "went away 1 s after it was ready; tried again in 10 s")]


def registered_entry() -> Entry:
    one = {**recipe("cpu", gib=4), "model_path": "/srv/coder.gguf", "registration": "registrations/coder.json"}
    return entry(one, folder=Path("/specs"))


def test_a_replica_on_a_worker_that_joined_unseen_is_registered_there_first(fake: FakeXinference) -> None:
    Watched(fake, entry=registered_entry()).turn()
    two_workers(fake)
    fake.late.add(SOUTH)

    said = Watched(fake, entry=registered_entry(), replicas=2).turn()

    assert said[-1] == ("sql", "is ready")
    assert where(fake) == [(0, NORTH, "READY"), (1, SOUTH, "READY")]


def test_a_launch_on_a_worker_that_joined_unseen_is_registered_there_first(fake: FakeXinference) -> None:
    Watched(fake, entry=registered_entry()).turn()
    fake.models.clear()
    two_workers(fake)
    fake.late.add(SOUTH)

    said = Watched(fake, entry=registered_entry(), workers=frozenset({SOUTH})).turn()

    assert said[-1] == ("sql", "is ready")
    assert fake.models["sql"].body["worker_ip"] == SOUTH


def test_a_refused_login_ends_it_after_one_try() -> None:
    with FakeXinference(auth=True) as guarded:
        client = Client(guarded.endpoint, Credentials(api_key="sk-wrong"))
        watch = Watch(client, Desired((DesiredModel("sql", registered_entry()),)), lambda: 0.0, lambda _: None)

        for _ in range(3):
            with pytest.raises(AuthFailed):
                watch.turn()

        refused = [call for call in guarded.calls if call == ("GET", "/v1/models/instances")]
    assert len(refused) == 1


def test_a_process_that_xinference_starts_again_is_waited_for_and_not_launched(fake: FakeXinference) -> None:
    Watched(fake).turn()
    watched = Watched(fake, inline=False)
    watched.turn()
    before = list(fake.mutating_calls)

    fake.lose_process("sql")
    gone, still = watched.turn(), watched.turn()
    fake.made_anew("sql")
    (wait,) = watched.begun
    wait()

    assert gone == [("sql", "is being launched already: waiting for it")]
    assert still == []
    assert watched.turn() == [("sql", "is ready")]
    assert fake.mutating_calls == before


def test_the_row_of_a_launch_that_nobody_carries_on_is_no_model(fake: FakeXinference) -> None:
    leaked = fake.run("sql", model_name="coder")
    leaked.status, leaked.forgotten = "CREATING", True
    leaked.looks_left, leaked.launched_s_ago = 10**6, 3600

    said = Watched(fake).turn()

    assert said[-2:] == [("sql", "is not running: launching it"), ("sql", "is ready")]


def test_a_launch_that_makes_no_progress_is_taken_back_and_tried_again(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "_STALLED_S", 0)
    fake.launches["sql"] = Launching(looks=10**6)
    monkeypatch.setattr(Client, "progress", lambda client, uid: Progress(progress=0.1, stage="loading"))
    watched = Watched(fake)

    stuck = watched.turn()[-1]

    assert stuck == ("sql", "`sql` was loading without progress for 0 minutes, and was taken back; tried again in 5 s")
    assert ("POST", "/v1/models/sql/cancel") in fake.mutating_calls
