"""`biai-xinf logs` on a fake Xinference: elsewhere, on this machine, and as it grows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from biai_xinf import local, processes
from biai_xinf.cli import logs
from biai_xinf.local import LocalService
from tests.commandline import run
from tests.fake_xinference import FakeWorker, FakeXinference, Launching

NORTH, SOUTH = "10.0.0.1:20001", "10.0.0.2:20001"
EVENT = "2026-11-22T16:27:42Z  INFO     Launch model\n"


def entry(message: str, level: str = "INFO") -> str:
    return (
        f"2026-11-27T12:12:03.971Z {level} xinference.core.worker pid:9 role:worker address:{NORTH} node:vm {message}\n"
    )


def shown(message: str, level: str = "INFO") -> str:
    return f"2026-11-27T12:12:03.971Z  {level:<7}  {message}\n"


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    with FakeXinference([FakeWorker(NORTH), FakeWorker(SOUTH)]) as server:
        server.run("coder", replica=2)
        server.logs = {
            NORTH: entry("coder-rep0 is loading") + entry("notes-rep0 is loading"),
            SOUTH: entry("coder-rep1 is loading"),
            "supervisor": entry(f"Worker dead. address: {SOUTH}", "ERROR"),
        }
        yield server


def test_a_model_is_told_with_its_replicas_events_and_lines_of_its_workers(fake: FakeXinference) -> None:
    result = run("--endpoint", fake.endpoint, "logs", "coder")

    assert result.exit_code == 0
    assert result.stdout == (
        "REPLICA  WORKER          STATE  REASON\n"
        f"0        {NORTH}  ready  -\n"
        f"1        {SOUTH}  ready  -\n"
        "\n" + EVENT + shown("coder-rep0 is loading") + shown("coder-rep1 is loading")
    )
    assert f"log of {NORTH}:\n" in result.stderr
    assert "what the engine itself prints is not among them" in result.stderr


def test_a_replica_that_failed_is_told_with_its_reason(fake: FakeXinference) -> None:
    fake.launches["broken"] = Launching(0, fails_with="no space left on device")
    fake.engines["LLM", "broken"] = {"vLLM": []}
    fake.post_model({"model_name": "broken", "model_uid": "broken", "model_engine": "vLLM"}, "false")

    result = run("--endpoint", fake.endpoint, "logs", "broken")

    assert f"0        {NORTH}  error  no space left on device\n" in result.stdout
    assert f"\nlog of {NORTH}:\n  nothing about `broken`\n" in result.stderr


def test_the_log_of_one_worker_and_of_the_supervisor(fake: FakeXinference) -> None:
    worker = run("--endpoint", fake.endpoint, "logs", "--worker", NORTH, "-n", "1")
    supervisor = run("--endpoint", fake.endpoint, "logs")

    assert worker.stdout == shown("notes-rep0 is loading")
    assert supervisor.stdout == shown(f"Worker dead. address: {SOUTH}", "ERROR")


def test_a_worker_that_is_gone_has_its_log_to_itself(fake: FakeXinference) -> None:
    del fake.workers[1]

    result = run("--endpoint", fake.endpoint, "logs", "coder", "--json")

    told = json.loads(result.stdout)
    assert [one["source"] for one in told["logs"]] == [NORTH]
    assert told["elsewhere"][0] == f"{SOUTH} is no worker any more: its log is on that machine only"
    assert [replica["worker_address"] for replica in told["replicas"]] == [NORTH, SOUTH]


def test_a_worker_that_died_a_moment_ago_does_not_hide_the_others(fake: FakeXinference) -> None:
    fake.mute = {SOUTH}

    result = run("--endpoint", fake.endpoint, "logs", "coder")

    assert result.exit_code == 0
    assert shown("coder-rep0 is loading") in result.stdout
    why = "Worker logs are unavailable"
    assert f"\n{SOUTH} does not hand out its log ({why}): it is on that machine\n" in result.stderr


def test_a_model_that_nobody_knows_is_told_with_the_one_that_may_be_meant(fake: FakeXinference) -> None:
    result = run("--endpoint", fake.endpoint, "logs", "codr")

    assert result.exit_code == 1
    assert result.stderr == (
        "error: nothing is told of a model `codr`\n\nhint: did you mean `coder`? `biai-xinf status` shows them all\n"
    )


def test_an_application_may_not_read_logs_and_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeXinference(auth=True) as fake:
        assert fake.auth is not None
        fake.auth.api_keys.append("xf-key")
        monkeypatch.setenv("BIAI_XINF_API_KEY", "xf-key")
        fake.run("coder")

        result = run("--endpoint", fake.endpoint, "logs", "coder")

    assert result.exit_code == 0
    assert "ready" in result.stdout
    assert result.stderr == "only a user with the right `logs:list` may read the logs: `biai-xinf login`\n"


def test_on_this_machine_the_engines_own_lines_are_among_them(fake: FakeXinference, own_home: Path) -> None:
    me = processes.find(os.getpid())
    assert me is not None
    log = own_home / "log"
    log.write_text(entry("coder-rep0 is loading") + "0.00.747.581 E load_model: no luck\n", encoding="utf-8")
    local._write_state(LocalService(fake.endpoint, me.pid, me.birth, log, False, 0.0, own_home, False))

    result = run("--endpoint", fake.endpoint, "logs", "coder")

    assert result.stdout.endswith(EVENT + shown("coder-rep0 is loading") + "  0.00.747.581 E load_model: no luck\n")
    assert result.stderr == f"\nlog of {log}:\n"


def test_what_is_written_while_it_follows_is_told_until_ctrl_c(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([True, True])

    def while_waiting(_: float) -> None:
        if next(looks, None) is None:
            raise KeyboardInterrupt
        fake.logs[SOUTH] += entry("coder-rep1 is ready")

    monkeypatch.setattr(logs, "sleep", while_waiting)

    text = run("--endpoint", fake.endpoint, "logs", "coder", "--follow")
    looks = iter([True])
    data = run("--endpoint", fake.endpoint, "logs", "coder", "--follow", "--json", "-n", "0")

    assert text.exit_code == data.exit_code == 130
    assert text.stdout.endswith(shown("coder-rep1 is ready") * 2)
    assert json.loads(data.stdout) == {
        "source": SOUTH,
        "text": "coder-rep1 is ready",
        "at": "2026-11-27T12:12:03.971Z",
        "level": "INFO",
        "engine": False,
    }
