"""Admins in Xinference's Web UI, on the fake: what they find in its forms, and what becomes of what they do there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from biai_xinf import execute
from tests.builders import MODEL, recipe, spec_data
from tests.commandline import Result, run
from tests.fake_xinference import GIB, FakeWorker, FakeXinference, option

WORKER = "127.0.0.1:20001"
RIGHT, WRONG = "SELECT COUNT(*) FROM customers", "SELECT COUNT(*) FROM orders"
RECORDED = ("POST", "/v1/launch_history")
FORM = {
    "model_uid": "coder",
    "model_type": "LLM",
    "model_engine": "llama.cpp",
    **MODEL,
    "quantization": "q-cpu",
    "worker_ip": WORKER,
    "n_gpu": None,
    "model_path": "/srv/coder.gguf",
}


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """A cluster without GPUs, on which the spec `coder` finds a recipe and answers right under two uids."""
    with FakeXinference([FakeWorker(WORKER, memory_free=16 * GIB)]) as server:
        server.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu", "q-other")]}
        for uid in ("coder", "sql"):
            server.chat[uid] = lambda body: f"```sql\n{RIGHT};\n```"
        yield server


@pytest.fixture(autouse=True)
def spec(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(execute, "_POLL_S", 0)
    (own_home / "specs").mkdir()
    file = own_home / "specs" / "coder.yaml"
    file.write_text(yaml.safe_dump(spec_data({**recipe("cpu", gib=4), "model_path": "/srv/coder.gguf"})))
    return file


@pytest.fixture
def file(fake: FakeXinference, tmp_path: Path) -> Path:
    """A cluster file that wants `coder` under the uid `sql`."""
    path = tmp_path / "cluster.yaml"
    path.write_text(f"endpoint: {fake.endpoint}\nmodels:\n  - {{spec: coder, uid: sql}}\n", encoding="utf-8")
    return path


@pytest.fixture
def registered(fake: FakeXinference, spec: Path) -> Path:
    """The spec's recipe is of a model that Xinference's catalogue lacks; the value is its registration."""
    data = yaml.safe_load(spec.read_text())
    data["recipes"][0]["registration"] = "coder.json"
    spec.write_text(yaml.safe_dump(data))
    family = spec.parent / "coder.json"
    weights = {"model_format": "ggufv2", "model_size_in_billions": 7, "quantization": "q-cpu"}
    family.write_text(
        json.dumps({"version": 2, "model_name": "coder", "context_length": 2048, "model_specs": [weights]})
    )
    fake.engines.clear()
    return family


def at(fake: FakeXinference, *words: str) -> Result:
    return run("--endpoint", fake.endpoint, *words)


# Launch forms


def test_what_was_launched_fills_in_the_launch_form_of_its_model(fake: FakeXinference) -> None:
    result = at(fake, "launch", "coder")

    assert result.exit_code == 0, result.stderr
    assert fake.launch_history.entries == {("coder", "coder"): {"data": FORM, "ui_data": {}}}
    assert fake.mutating_calls == [("POST", "/v1/models"), RECORDED]


def test_what_runs_already_is_recorded_no_second_time(fake: FakeXinference, file: Path) -> None:
    first = run("apply", str(file))
    changed = list(fake.mutating_calls)
    second = run("apply", str(file))

    assert (first.exit_code, second.exit_code) == (0, 0), first.stderr + second.stderr
    assert changed.count(RECORDED) == 1
    assert fake.mutating_calls == changed


def test_a_model_that_answered_wrong_fills_in_no_form(fake: FakeXinference) -> None:
    fake.chat["coder"] = lambda body: WRONG

    assert at(fake, "launch", "coder").exit_code == 1
    assert fake.launch_history.entries == {}


def test_a_form_that_cannot_be_filled_in_is_a_warning(fake: FakeXinference) -> None:
    fake.launch_history.fails_with = "database is locked"

    result = at(fake, "launch", "coder")

    assert result.exit_code == 0, result.stderr
    said = "the Web UI's launch form does not know how `coder` was launched: database is locked"
    assert f"warning: {said}" in result.stderr.splitlines()


def test_what_xinference_starts_by_itself_is_left_as_it_is(fake: FakeXinference) -> None:
    kept = {"data": {"worker_ip": "127.0.0.1"}, "ui_data": {}}
    fake.launch_history.entries["coder", "coder"] = kept
    fake.launch_history.autostart.add(("coder", "coder"))

    launched = at(fake, "launch", "coder")
    at(fake, "stop", "coder")
    prefilled = at(fake, "ui", "--prefill", "coder", "--print")

    assert (launched.exit_code, prefilled.exit_code) == (0, 0), launched.stderr
    assert fake.launch_history.entries == {("coder", "coder"): kept}
    assert prefilled.stderr == "Xinference starts `coder` by itself, so its launch form was left as it is\n"


def test_a_form_is_filled_in_before_anything_was_launched(fake: FakeXinference) -> None:
    result = at(fake, "ui", "--prefill", "coder", "--print")

    assert (result.exit_code, result.stdout) == (0, f"{fake.endpoint}/launch-model/llm\n")
    assert result.stderr == "the launch form of `coder` holds recipe cpu; Launch on its card opens it\n"
    assert fake.launch_history.entries == {("coder", "coder"): {"data": FORM, "ui_data": {}}}
    assert fake.mutating_calls == [RECORDED]


def test_a_model_that_the_catalogue_lacks_is_registered_for_its_form(fake: FakeXinference, registered: Path) -> None:
    result = at(fake, "ui", "--prefill", "coder", "--print")

    assert (result.exit_code, result.stdout) == (0, f"{fake.endpoint}/launch-model/custom?activeType=LLM\n")
    assert fake.mutating_calls == [("POST", "/v1/model_registrations/LLM"), RECORDED]


def test_the_form_of_a_model_that_runs_is_left_as_it_is(fake: FakeXinference) -> None:
    at(fake, "launch", "coder")
    changed = list(fake.mutating_calls)

    result = at(fake, "ui", "--prefill", "coder", "--print")

    assert (result.exit_code, result.stdout) == (0, f"{fake.endpoint}/running-model/coder\n")
    assert result.stderr == "`coder` runs recipe cpu: its launch form was left as it is\n"
    assert fake.mutating_calls == changed


def test_the_page_of_a_filled_form_is_found_by_itself(fake: FakeXinference) -> None:
    assert at(fake, "ui", "operator", "--prefill", "coder").exit_code == 2


# Registrations


def test_a_registration_without_a_description_takes_that_of_its_spec(fake: FakeXinference, registered: Path) -> None:
    at(fake, "launch", "coder")

    assert fake.registered["LLM"]["coder"]["model_description"] == "Writes SQL."


def test_a_registration_edited_in_the_web_ui_is_mended_but_for_its_description(
    fake: FakeXinference, registered: Path
) -> None:
    at(fake, "launch", "coder")
    at(fake, "stop", "coder")

    fake.registered["LLM"]["coder"]["model_description"] = "Ours, ask Ann."
    at(fake, "launch", "coder")
    assert fake.registered["LLM"]["coder"]["model_description"] == "Ours, ask Ann."
    at(fake, "stop", "coder")

    fake.registered["LLM"]["coder"]["context_length"] = 512
    at(fake, "launch", "coder")
    assert fake.registered["LLM"]["coder"]["context_length"] == 2048


# What is launched there


def test_a_model_launched_from_the_filled_form_is_kept(fake: FakeXinference, file: Path) -> None:
    fake.run("sql", **{**FORM, "model_uid": "sql"})

    result = run("plan", str(file), "--detailed-exitcode")

    assert result.exit_code == 0, result.stderr
    assert "sql  runs recipe cpu" in result.stderr + result.stdout


def test_a_model_launched_under_another_name_is_shown_as_unmanaged_and_left_alone(
    fake: FakeXinference, file: Path
) -> None:
    fake.run("anns-model", **FORM)

    planned, applied = run("plan", str(file), "--json"), run("apply", str(file))
    shown = at(fake, "status", "--json")

    assert json.loads(planned.stdout)["unmanaged"] == ["anns-model"]
    assert "left alone: anns-model" in applied.stderr
    assert fake.models["anns-model"].is_known
    assert [model["uid"] for model in json.loads(shown.stdout)["models"]] == ["anns-model", "sql"]


def test_something_else_under_a_uid_of_the_file_is_drift_that_nobody_overwrites(
    fake: FakeXinference, file: Path
) -> None:
    fake.run("sql", **{**FORM, "quantization": "q-other"})

    result = run("apply", str(file))

    assert result.exit_code == 1
    assert "`sql` runs coder ggufv2 q-other on llama.cpp, which is no recipe of `coder`" in result.stderr
    assert fake.mutating_calls == []


def test_what_was_stopped_in_the_web_ui_is_launched_again(fake: FakeXinference, file: Path) -> None:
    run("apply", str(file))
    fake.delete_model("sql")

    result = run("apply", str(file))

    assert result.exit_code == 0, result.stderr
    assert fake.models["sql"].is_known
