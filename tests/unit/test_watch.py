"""Turns of a watch on a fake Xinference, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from biai_xinf import execute
from biai_xinf.client import Client
from biai_xinf.state import Desired, DesiredModel
from biai_xinf.watch import Event, Watch
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
    """A watch of one model `sql`, what it said, and its clock."""

    def __init__(self, fake: FakeXinference) -> None:
        one = {**recipe("cpu", gib=4), "model_path": "/srv/coder.gguf"}
        self.now = 0.0
        self.events: list[Event] = []
        desired = Desired((DesiredModel("sql", entry(one, folder=Path("/specs"))),))
        self.watch = Watch(Client(fake.endpoint), desired, lambda: self.now, self.events.append)

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
