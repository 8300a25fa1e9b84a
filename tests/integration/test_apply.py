"""`plan FILE` and `apply FILE` on a fake Xinference with two workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from biai_xinf import execute
from tests.builders import recipe, spec_data
from tests.commandline import Result, run
from tests.fake_xinference import GIB, FakeWorker, FakeXinference, Launching, option

RIGHT = "SELECT COUNT(*) FROM customers"
NORTH, SOUTH = "127.0.0.1:20001", "127.0.0.1:20002"
MODELS = """\
models:
  - spec: coder
    uid: sql
    where: {workers: [north]}
  - spec: coder
    uid: spare
    recipes: [cpu]
"""


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    with FakeXinference([FakeWorker(NORTH, memory_free=16 * GIB), FakeWorker(SOUTH, memory_free=16 * GIB)]) as server:
        server.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        for uid in ("sql", "spare", "coder"):
            server.chat[uid] = lambda body: f"```sql\n{RIGHT};\n```"
        yield server


@pytest.fixture(autouse=True)
def spec(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(execute, "_POLL_S", 0)
    (own_home / "specs").mkdir()
    one = {**recipe("cpu", gib=4), "model_path": "/srv/coder.gguf"}
    (own_home / "specs" / "coder.yaml").write_text(yaml.safe_dump(spec_data(one)), encoding="utf-8")


@pytest.fixture
def file(fake: FakeXinference, tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    workers = f'workers:\n  north: {{address: "{NORTH}"}}\n  south: {{address: "{SOUTH}"}}\n'
    path.write_text(f"endpoint: {fake.endpoint}\n{workers}{MODELS}", encoding="utf-8")
    return path


def words(result: Result) -> str:
    return result.stderr.splitlines()[-1]


def test_apply_makes_the_cluster_what_the_file_says_and_a_second_one_does_nothing(
    fake: FakeXinference, file: Path
) -> None:
    first = run("apply", str(file))
    changed = list(fake.mutating_calls)
    second = run("apply", str(file))

    assert first.exit_code == 0, first.stderr
    assert sorted(fake.models) == ["spare", "sql"]
    assert {body["model_uid"]: body["worker_ip"] for body in fake.launch_bodies} == {"sql": NORTH, "spare": SOUTH}
    assert words(first) == f"the cluster at {fake.endpoint} is as the file says"
    assert second.exit_code == 0, second.stderr
    assert fake.mutating_calls == changed
    assert words(second) == f"the cluster at {fake.endpoint} is as the file says, and was before"


def test_one_that_fails_does_not_stop_the_others_and_the_exit_code_tells(fake: FakeXinference, file: Path) -> None:
    fake.launches["sql"] = Launching(fails_with="RuntimeError: no space left on device")

    result = run("apply", str(file), "--json")

    assert result.exit_code == 1
    assert words(result) == "1 of 2 models are not as the file says; see above"
    done = {one["uid"]: one["error"] for one in json.loads(result.stdout)["changes"]}
    assert done["spare"] is None
    assert "no space left" in done["sql"]


def test_what_finds_no_room_is_refused_while_the_others_are_launched(fake: FakeXinference, file: Path) -> None:
    fake.workers[0].memory_free = 2 * GIB

    result = run("apply", str(file))

    assert result.exit_code == 1
    assert sorted(fake.models) == ["spare"]
    assert "! sql  no recipe of `coder` fits this cluster" in result.stderr
    assert "cpu: needs 4 GiB of free memory, the most is 2 GiB" in result.stderr


def test_what_the_file_does_not_name_is_left_alone_unless_pruned(fake: FakeXinference, file: Path) -> None:
    fake.run("somebody-elses")

    kept, pruned = run("apply", str(file)), run("apply", str(file), "--prune")

    assert "left alone: somebody-elses" in kept.stderr
    assert "- somebody-elses  is stopped" in pruned.stderr
    assert "somebody-elses" not in [model for model in fake.models if fake.models[model].is_known]


def test_a_kept_plan_is_carried_out_as_it_was_read(fake: FakeXinference, file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "plan.json"

    planned = run("plan", str(file), "--out", str(kept), "--detailed-exitcode")
    applied = run("apply", str(kept))

    assert planned.exit_code == 3, planned.stderr
    assert words(planned) == f"next: biai-xinf apply {kept}"
    assert applied.exit_code == 0, applied.stderr
    assert sorted(fake.models) == ["spare", "sql"]


def test_a_kept_plan_is_refused_when_the_cluster_has_moved_on(fake: FakeXinference, file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "plan.json"
    run("plan", str(file), "--out", str(kept))
    run("apply", str(file))
    before = list(fake.mutating_calls)

    result = run("apply", str(kept))

    assert result.exit_code == 1
    assert result.stderr.startswith("error: the cluster is not as it was when this was planned\n")
    assert "  sql: then launch, now keep\n" in result.stderr
    assert fake.mutating_calls == before


def test_a_kept_plan_is_refused_when_its_file_was_changed(file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "plan.json"
    run("plan", str(file), "--out", str(kept))
    file.write_text(file.read_text(encoding="utf-8") + "unmanaged: prune\n", encoding="utf-8")

    result = run("apply", str(kept))

    assert result.stderr.startswith(f"error: {file.resolve()}: was changed since it was planned\n")


def test_something_else_is_no_plan(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("[1, 2]", encoding="utf-8")

    assert run("apply", str(other)).stderr.startswith(f"error: {other}: is no plan\n")


def test_a_variable_that_the_file_names_must_be_set(file: Path) -> None:
    auth = "auth: {username: NO_SUCH_USER, password: NO_SUCH_PASSWORD}\n"
    file.write_text(file.read_text(encoding="utf-8") + auth, encoding="utf-8")

    result = run("apply", str(file))

    assert result.stderr.startswith("error: not set in the environment: `NO_SUCH_USER`, `NO_SUCH_PASSWORD`\n")


def test_options_of_a_spec_do_not_go_with_a_file(file: Path) -> None:
    assert run("plan", str(file), "--upgrade").exit_code == 2
    assert run("plan", "coder", "--prune").exit_code == 2
