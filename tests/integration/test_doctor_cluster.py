"""`doctor` on a cluster: every trap it looks for, set up on the fake, with the words a person reads."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from biai_xinf import __version__
from biai_xinf.credentials import Credentials, save_credentials
from biai_xinf.doctor import CHECKS, sight
from biai_xinf.units import GIB
from biai_xinf.upstreams import ServedModel
from tests.commandline import run
from tests.fake_extension import FakeExtension
from tests.fake_xinference import FakeWorker, FakeXinference, Launching

NORTH, SOUTH = "10.0.0.1:20001", "10.0.0.2:20001"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Nobody answers there, and nobody should be waited for.
    monkeypatch.setattr(sight, "_CONNECT_PATIENCE_S", 0.01)


def worker(address: str, **more: Any) -> FakeWorker:
    facts = {"biai_xinf": __version__, "engines": {"llama.cpp": "2026.10"}, "virtual_env": False, "gpus": []}
    facts |= more.pop("facts", {})
    return FakeWorker(address, facts={"disk": {"total": 900 * GIB, "free": 500 * GIB}, **facts}, **more)


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    with FakeXinference([worker(NORTH), worker(SOUTH)], extension=True) as server:
        assert server.extension is not None
        server.extension.version = __version__
        server.supervisor_address = "10.0.0.1:9998"
        yield server


def extension(fake: FakeXinference) -> FakeExtension:
    assert fake.extension is not None
    return fake.extension


def findings(fake: FakeXinference, *words: str) -> dict[str, dict[str, Any]]:
    told = json.loads(run("--endpoint", fake.endpoint, "doctor", "--json", *words).stdout)
    return {finding["name"]: finding for finding in told}


def found(fake: FakeXinference, name: str, *words: str) -> tuple[str, str]:
    """How one thing is, and the evidence."""
    finding = findings(fake, *words)[name]
    assert (finding["hint"] is not None) or finding["health"] in ("well", "skipped", "unknown"), "no way to mend it"
    return finding["health"], finding["seen"]


# All of them


def test_every_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in CHECKS]

    assert len(names) == len(set(names)) >= 20


def test_in_a_good_cluster_nothing_is_doubtful_but_what_belongs_to_this_machine(fake: FakeXinference) -> None:
    fake.run("coder", replica=2)

    told = findings(fake)

    here = {"python", "xinference", "engines", "proxy", "disk", "hub"}
    # An endpoint on loopback whose supervisor is at another address: authentication is off for those beyond.
    ill = {name: one["seen"] for name, one in told.items() if one["health"] not in ("well", "skipped")}
    assert set(ill) - here == {"access"}, ill


def test_what_is_well_and_concerns_few_is_shown_on_demand_only(fake: FakeXinference) -> None:
    short = run("--endpoint", fake.endpoint, "doctor")
    whole = run("--endpoint", fake.endpoint, "doctor", "--all")

    assert "heartbeat" not in short.stdout
    assert "ok    heartbeat   every worker was heard of in the last 1 s\n" in whole.stdout
    assert "skip  token       it asks for no login\n" in whole.stdout
    tally = short.stderr.strip()
    assert tally.startswith(whole.stderr.strip() + "; `--all` shows the ")
    assert tally.endswith(" others, which are well")


# The endpoint


def test_a_supervisor_whose_threads_are_used_up_is_told_by_the_answer_that_never_comes(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biai_xinf.doctor.sight.LARGE_ANSWER_PATIENCE_S", 0.2)
    fake.slow["/v1/model_registrations/LLM"] = 1

    health, seen = found(fake, "supervisor-threads")

    assert health == "ill"
    assert seen.endswith(" s, small requests do: its threads are used up")


def test_a_worker_that_hangs_is_not_taken_for_a_supervisor_without_threads(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biai_xinf.doctor.sight.LARGE_ANSWER_PATIENCE_S", 0.2)
    fake.slow["/v1/model_registrations/LLM"] = 1
    fake.workers[1].silent_s = 40

    health, seen = found(fake, "supervisor-threads")

    assert health == "unknown"
    assert seen.endswith(f"it asks all workers, and {SOUTH} does not answer")


@pytest.mark.parametrize(
    ("told", "names", "health"),
    [
        ({"cpus": 2, "launched": None}, 5, "doubtful"),
        ({"cpus": 2, "launched": "supervisor"}, 5, "well"),
        ({"cpus": 8, "launched": None}, 5, "well"),
        # What was answered, was answered.
        ({"cpus": 2, "launched": None}, 171, "well"),
    ],
    ids=["too few", "ours", "many", "answered"],
)
def test_few_processors_are_doubtful_where_something_else_started_the_supervisor(
    told: dict[str, Any], names: int, health: str, fake: FakeXinference
) -> None:
    extension(fake).supervisor |= told
    fake.builtin["LLM"] = [f"model-{number}" for number in range(names)]

    assert found(fake, "supervisor-threads")[0] == health


def test_authentication_that_is_off_is_doubtful_where_others_get_in(fake: FakeXinference) -> None:
    health, seen = found(fake, "access")
    fake.supervisor_address = "127.0.0.1:9998"

    assert (health, seen.partition(":")[0]) == (
        "doubtful",
        "authentication is off, and 10.0.0.1 is reached from beyond this machine",
    )
    assert found(fake, "access") == ("well", "authentication is off, and only this machine gets in")


def token(expires_in: float) -> str:
    claims = json.dumps({"exp": time.time() + expires_in})
    return f"e30.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.x"


@pytest.mark.parametrize(
    ("access", "refresh", "health", "says"),
    [
        (1200, "refresh", "well", "the saved login of `ada` ends in 7 days"),
        (-6.9 * 86400, None, "ill", None),
        (600, None, "doubtful", "the saved login of `ada` ends in 0.2 h; a token that has expired counts as a failed"),
    ],
    ids=["fresh", "expired", "cannot be renewed"],
)
def test_a_login_that_ends_soon_is_told_before_it_bans_anybody(
    access: float, refresh: str | None, health: str, says: str | None
) -> None:
    with FakeXinference(auth=True) as fake:
        assert fake.auth is not None
        saved = token(access)
        fake.auth._access[saved] = "ada"
        credentials = Credentials(username="ada", access_token=saved, refresh_token=refresh)
        save_credentials(fake.endpoint, credentials)

        told = findings(fake)

    if says is None:
        assert told["login"]["health"] == health
    else:
        assert told["token"]["health"] == health
        assert told["token"]["seen"].startswith(says)


def test_an_address_that_is_locked_out_is_told_and_nothing_more_is_asked() -> None:
    with FakeXinference(auth=True) as fake:
        assert fake.auth is not None
        fake.auth.failures = 10

        told = findings(fake)

    assert list(told)[-1] == "login"
    assert told["login"]["health"] == "ill"
    assert "an hour" in told["login"]["hint"]


@pytest.mark.parametrize(
    ("ahead", "health", "says"),
    [
        (0, "well", r"the supervisor's clock agrees with this one"),
        (
            400,
            "doubtful",
            r"the supervisor's clock is (399|400) s ahead of this one: logins end at other times than .*",
        ),
        (-400, "doubtful", r"the supervisor's clock is 40[01] s behind this one: .*"),
    ],
    ids=["right", "ahead", "behind"],
)
def test_a_clock_that_is_wrong_is_doubtful(ahead: float, health: str, says: str, fake: FakeXinference) -> None:
    fake.clock_ahead_s = ahead

    told, seen = found(fake, "clock")

    assert told == health
    assert re.fullmatch(says, seen)


def test_an_address_that_is_every_address_cannot_be_reached_by_the_others(fake: FakeXinference) -> None:
    fake.supervisor_address = "0.0.0.0:9998"

    assert found(fake, "addresses") == (
        "ill",
        "0.0.0.0:9998 is every address and none, and is told to the others as it is",
    )


def test_a_worker_on_loopback_is_reached_from_its_own_machine_only(fake: FakeXinference) -> None:
    fake.workers.append(worker("127.0.0.1:20001"))

    assert found(fake, "addresses") == (
        "doubtful",
        "127.0.0.1:20001 is reached from its own machine only, the others are not on it",
    )


@pytest.mark.parametrize(
    ("told", "health", "says"),
    [
        ({"interval": 2, "timeout": 6, "threshold": 3}, "well", "after about 6 s (3 times 2 s)"),
        ({"interval": 30, "timeout": 10, "threshold": 5}, "doubtful", "after about 150 s (5 times 30 s)"),
        ({"interval": 5, "timeout": 10, "threshold": 5, "enabled": False}, "ill", "a dead worker is asked for ever"),
    ],
    ids=["ours", "slow", "off"],
)
def test_how_soon_a_death_is_noticed_is_told(
    told: dict[str, Any], health: str, says: str, fake: FakeXinference
) -> None:
    extension(fake).supervisor["health_check"] = told

    found_health, seen = found(fake, "detection")

    assert found_health == health
    assert says in seen


def test_without_the_extension_a_death_costs_500s() -> None:
    with FakeXinference([FakeWorker(NORTH), FakeWorker(SOUTH)]) as fake:
        health, seen = found(fake, "detection")

    assert health == "doubtful"
    assert seen.startswith("a dead worker may be missed 5 times, and without the extension its models answer 500")


def test_xinferences_own_autostart_is_doubtful_in_a_cluster(fake: FakeXinference) -> None:
    fake.autostart = ["coder"]
    health, seen = found(fake, "autostart")
    del fake.workers[1]

    assert health == "doubtful"
    assert seen.startswith("Xinference launches `coder` by itself; with several workers it may start a model twice")
    assert found(fake, "autostart") == ("well", "Xinference launches `coder` by itself")


def test_a_worker_of_another_version_is_broken(fake: FakeXinference) -> None:
    fake.workers[1].version = "4.0.2"

    assert found(fake, "versions") == ("ill", f"the supervisor runs 4.1.0, but {SOUTH} runs 4.0.2")


# The workers


@pytest.mark.parametrize(
    ("silent_s", "health", "says"),
    [
        # The clock of the answer is told to the second.
        (3, "well", r"every worker was heard of in the last [234] s"),
        (40, "doubtful", rf"{SOUTH} was last heard of (39|4[01]) s ago"),
        (300, "ill", rf"{SOUTH} was last heard of (299|30[01]) s ago, and is still counted on"),
    ],
    ids=["heard of", "silent", "gone"],
)
def test_a_worker_that_is_silent_is_told(silent_s: float, health: str, says: str, fake: FakeXinference) -> None:
    fake.workers[1].silent_s = silent_s

    told, seen = found(fake, "heartbeat")

    assert told == health
    assert re.fullmatch(says, seen)


def test_a_worker_whose_memory_is_nearly_exhausted_is_told_with_figures(fake: FakeXinference) -> None:
    fake.workers[1].memory_free = GIB // 2

    assert found(fake, "worker-memory") == ("doubtful", f"{SOUTH} has 512 MiB free of 64 GiB")


@pytest.mark.parametrize(("free", "health"), [(500, "well"), (10, "doubtful"), (1, "ill")])
def test_a_worker_whose_disk_is_nearly_full_is_told(free: int, health: str, fake: FakeXinference) -> None:
    fake.workers[1] = worker(SOUTH, facts={"disk": {"total": 900 * GIB, "free": free * GIB}})

    told, seen = found(fake, "worker-disks")

    assert told == health
    assert health == "well" or seen == f"{SOUTH} has {free} GiB free"


def test_a_worker_that_does_not_tell_of_itself_is_named(fake: FakeXinference) -> None:
    fake.workers[1].facts = None

    assert found(fake, "worker-facts") == ("doubtful", f"{SOUTH}: it runs without the extension `biai_xinf`")


def test_engines_that_launches_install_need_an_index_in_reach(fake: FakeXinference) -> None:
    fake.workers[1] = worker(SOUTH, facts={"virtual_env": True})

    assert found(fake, "packages") == (
        "doubtful",
        f"the first launch of each engine installs it at {SOUTH}, and from here not even huggingface.co is in reach",
    )


def test_a_worker_that_joined_late_lacks_the_registrations(fake: FakeXinference) -> None:
    fake.registered["LLM"] = {"qwen-a": {}, "qwen-b": {}}
    well = found(fake, "registrations")
    fake.workers[1].lacks = ("qwen-b",)

    assert well == ("well", "2 custom models, known to 2 workers alike")
    assert found(fake, "registrations") == ("doubtful", f"{SOUTH} lacks `qwen-b`")


# The models


@pytest.mark.parametrize(
    ("minutes", "looks_left", "leaked", "health", "says"),
    [
        (5, 1000, False, "well", "1 being launched"),
        (60, 500, False, "doubtful", "`coder` is at 50% after 60 min"),
        (60, 1000, True, "ill", "being launched without progress: `coder` for 60 min"),
    ],
    ids=["young", "slow", "its uid has leaked"],
)
def test_a_launch_that_takes_long_is_told_from_one_that_hangs(
    minutes: int, looks_left: int, leaked: bool, health: str, says: str, fake: FakeXinference
) -> None:
    model = fake.run("coder")
    model.status, model.looks_left, model.launching = "CREATING", looks_left, Launching(looks=1000)
    model.launched_s_ago, model.forgotten = minutes * 60, leaked

    assert found(fake, "stuck-launches") == (health, says)


def test_rows_of_launches_that_were_taken_back_are_counted(fake: FakeXinference) -> None:
    model = fake.run("coder")
    model.status = "ERROR"
    model.replicas[0]["status"] = "ERROR"

    assert found(fake, "leftovers") == (
        "well",
        "1 rows of launches that were taken back (`coder`); they take nothing",
    )


def test_a_model_that_xinference_has_forgotten_may_hold_memory(fake: FakeXinference) -> None:
    model = fake.run("coder")
    model.launched_s_ago = 60
    fake.cancel("coder")

    assert found(fake, "forgotten-models") == (
        "doubtful",
        "Xinference says `coder` is ready, and does not list it: it may still hold memory",
    )


def test_replicas_that_are_gone_are_missed(fake: FakeXinference) -> None:
    model = fake.run("coder", replica=3)
    model.replicas[2]["status"] = "TERMINATED"

    assert found(fake, "replicas") == ("doubtful", "`coder` has 2 of 3")


def test_replicas_on_one_worker_beside_an_empty_one_are_doubtful(fake: FakeXinference) -> None:
    model = fake.run("coder", replica=2)
    well = found(fake, "spread")
    model.replicas[1]["worker_address"] = NORTH

    assert well[0] == "well"
    assert found(fake, "spread") == ("doubtful", f"2 of `coder` on {NORTH}, while another worker has none")


def test_a_model_that_no_replica_serves_is_broken(fake: FakeXinference) -> None:
    fake.run("coder").replicas[0]["status"] = "TERMINATED"

    assert found(fake, "serving")[0] == "ill"


def test_the_endpoint_knows_of_a_dead_replica_before_xinference_does(fake: FakeXinference) -> None:
    fake.run("coder")
    target = {"name": "coder-rep0", "state": "failing", "reason": "nothing listens at 10.0.0.1:40001"}
    extension(fake).told = [{"uid": "coder", "kind": "native", "state": "failing", "targets": [target]}]

    assert found(fake, "serving") == ("ill", "no replica serves `coder` (nothing listens at 10.0.0.1:40001)")


def test_a_model_that_was_lost_with_its_worker_is_remembered(fake: FakeXinference) -> None:
    extension(fake).served["coder"] = ServedModel(uid="coder", spec="sql-coder", recipe="bundled", role="sql")
    gone = found(fake, "lost-models")
    fake.run("coder")

    assert gone == ("doubtful", "`coder` was launched, and is gone though nobody stopped it")
    assert found(fake, "lost-models")[0] == "well"


# A cluster file


@pytest.fixture
def written(fake: FakeXinference, tmp_path: Path) -> Callable[..., str]:
    def write(endpoint: str | None = None, **more: Any) -> str:
        models = [{"spec": "sql-coder", "replicas": 2}]
        content = {"endpoint": endpoint or fake.endpoint, "models": models, **more}
        path = tmp_path / "cluster.yaml"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    return write


def test_a_cluster_that_is_as_its_file_says_is_well(fake: FakeXinference, written: Callable[..., str]) -> None:
    fake.run("sql-coder", replica=2)

    told = findings(fake, written(workers={"north": {"address": NORTH}, "south": {"address": SOUTH}}))

    assert [told[name]["seen"] for name in told if name.startswith("file-")] == [
        f"it is of {fake.endpoint}",
        "2 of 2 workers have joined",
        "1 of 1 run",
        "the file pins no embedder",
        "nothing runs that the file does not name",
    ]


def test_workers_and_models_of_the_file_that_are_missing_are_named(
    fake: FakeXinference, written: Callable[..., str]
) -> None:
    fake.run("notes")
    path = written(workers={"north": {"address": NORTH}, "west": {"address": "10.0.0.3:20001"}})

    told = findings(fake, path)

    assert [(told[name]["health"], told[name]["seen"]) for name in told if name.startswith("file-")] == [
        ("well", f"it is of {fake.endpoint}"),
        ("ill", f"1 of 2 workers have not joined: `west` (10.0.0.3:20001); {SOUTH} is in no line of it"),
        ("ill", "1 of 1 are not as the file says: `sql-coder` does not run"),
        ("skipped", "the file pins no embedder"),
        ("doubtful", "`notes` runs and is not in the file: its memory is not planned with"),
    ]


def test_another_endpoint_than_the_files_is_doubtful(fake: FakeXinference, written: Callable[..., str]) -> None:
    health, seen = found(fake, "file-endpoint", written(endpoint="http://10.0.0.9:9997"))

    assert (health, seen) == ("doubtful", f"the file is of http://10.0.0.9:9997, this is {fake.endpoint}")


def test_fewer_replicas_than_the_file_wishes_are_told(fake: FakeXinference, written: Callable[..., str]) -> None:
    fake.run("sql-coder", replica=1)

    health, seen = found(fake, "file-models", written())

    assert (health, seen) == ("ill", "1 of 1 are not as the file says: `sql-coder` has 1 of 2 replicas")


# RPC ports


def test_rpc_ports_that_answer_who_is_none_of_the_cluster_are_doubtful() -> None:
    from biai_xinf.doctor.endpoint import ENDPOINT
    from biai_xinf.doctor.sight import Port, Seen
    from biai_xinf.state import Hub

    (check,) = (check for check in ENDPOINT if check.name == "open-ports")
    seen = {"endpoint": "http://10.0.0.1:9997", "auth": True, "now": 0.0, "workers": (), "models": ()}

    def told(*ports: Port) -> tuple[str, str]:
        verdict = check.look(Seen(**seen, hub=Hub("hub", None), on_this_machine=False, ports=ports))  # type: ignore[arg-type]
        return verdict.health.value, verdict.seen

    assert told(Port(NORTH, answers=True, ours=False), Port(SOUTH, answers=False, ours=False)) == (
        "warn",
        "1 of 2 RPC ports answer this machine, which is none of the cluster's: 10.0.0.1:20001; they know no password, "
        "as `/metrics` and `/status`",
    )
    assert told(Port(NORTH, answers=True, ours=True)) == (
        "ok",
        "1 of 1 RPC ports answer this machine, which is one of the cluster's",
    )
    assert told(Port(NORTH, answers=False, ours=False))[0] == "ok"
