"""`launch`, `plan`, `stop` and `status` on a fake Xinference; `tests/contract` holds the fake to the real one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from biai_xinf import execute
from biai_xinf.client import Client
from biai_xinf.plan import Change
from biai_xinf.wire import Progress
from tests.builders import recipe, spec_data
from tests.commandline import Result, run
from tests.fake_xinference import GIB, FakeGpu, FakeWorker, FakeXinference, Launching, option

QUESTION = "How many customers?"
RIGHT, WRONG = "SELECT COUNT(*) FROM customers", "SELECT COUNT(*) FROM orders"


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """A cluster with one GPU, on which the spec `coder` finds a recipe and answers right."""
    with FakeXinference([FakeWorker(gpus=[FakeGpu("L4", 24 * GIB)])]) as server:
        server.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-gpu", "q-cpu")], "vLLM": "not installed"}
        server.chat["coder"] = lambda body: f"```sql\n{RIGHT};\n```"
        yield server


@pytest.fixture(autouse=True)
def spec(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own spec `coder`: three recipes, of which the second fits the GPU."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(execute, "_POLL_S", 0)
    folder = own_home / "specs"
    folder.mkdir()
    recipes = recipe("huge", gpus=1, gib=80), recipe("gpu", gpus=1, gib=20), recipe("cpu", gib=4)
    for one in recipes:
        # Nothing to fetch, so the test does not depend on a hub.
        one["model_path"] = "/srv/coder.gguf"
    file = folder / "coder.yaml"
    file.write_text(yaml.safe_dump(spec_data(*recipes)), encoding="utf-8")
    return file


def at(fake: FakeXinference, *words: str) -> Result:
    return run("--endpoint", fake.endpoint, *words)


def test_launch_takes_the_best_recipe_that_fits_and_says_why_no_better_one(fake: FakeXinference) -> None:
    result = at(fake, "launch", "coder")

    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[:7] == [
        "+ coder  recipe gpu: coder 7B ggufv2 q-gpu on llama.cpp",
        "    huge  needs a GPU with 80 GiB free, the most is 24 GiB",
        "  > gpu   fits on 127.0.0.1:20001 (GPU 0)",
        "    cpu   a better recipe fits",
        "",
        "1 to launch",
        "",
    ]
    assert "`coder` is ready" in result.stderr
    assert fake.launch_bodies[0]["replica_config"] == [
        {"devices": [{"worker_ip": "127.0.0.1:20001", "n_gpu": 1, "gpu_idx": [0]}]}
    ]


def test_launch_says_how_to_use_the_model(fake: FakeXinference) -> None:
    said = at(fake, "launch", "coder").stdout

    assert f"OpenAI base URL   {fake.endpoint}/v1   (model `coder`)" in said
    assert f"curl {fake.endpoint}/v1/chat/completions" in said
    assert f'client = OpenAI(base_url="{fake.endpoint}/v1", api_key="none")' in said
    assert said.endswith('next: biai-xinf ask "How many orders were cancelled in 2024?" --db demo\n')


def test_launching_twice_makes_no_second_mutating_call(fake: FakeXinference) -> None:
    at(fake, "launch", "coder")

    fake.calls.clear()
    result = at(fake, "launch", "coder", "--json")

    assert fake.mutating_calls == []
    reads = ["/status", "/v1/models/instances", "/v1/models"]
    # The last one sees whether there is an extension to tell what was proved.
    assert [path for _, path in fake.calls] == [*reads, "/v1/chat/completions", "/biai/version"]
    assert json.loads(result.stdout)["action"] == "keep"
    assert result.exit_code == 0


def test_plan_shows_the_same_and_changes_nothing(fake: FakeXinference) -> None:
    planned = at(fake, "plan", "coder")

    assert fake.mutating_calls == []
    assert planned.stdout.strip() == "\n".join(at(fake, "launch", "coder").stderr.splitlines()[:6])


def test_plan_exits_with_3_where_there_is_something_to_do(fake: FakeXinference) -> None:
    assert at(fake, "plan", "coder", "--detailed-exitcode").exit_code == 3
    at(fake, "launch", "coder")
    assert at(fake, "plan", "coder", "--detailed-exitcode").exit_code == 0


def test_plan_as_json_holds_the_body_that_will_be_sent(fake: FakeXinference) -> None:
    (change,) = json.loads(at(fake, "plan", "coder", "--json").stdout)["changes"]
    at(fake, "launch", "coder")

    assert change["body"] == fake.launch_bodies[0]
    assert [recipe["taken"] for recipe in change["recipes"]] == [False, True, False]


def test_a_model_is_loaded_when_its_replicas_are_whatever_is_said_of_the_model(fake: FakeXinference) -> None:
    fake.launches["coder"] = Launching(looks=5, ready_before_its_replicas=True)

    result = at(fake, "launch", "coder")

    assert result.exit_code == 0, result.stderr
    assert fake.models["coder"].status == "READY"


def test_nothing_fits_lists_every_recipe_with_its_reason(fake: FakeXinference) -> None:
    fake.workers = [FakeWorker(memory_free=2 * GIB)]

    result = at(fake, "launch", "coder")

    assert (result.exit_code, result.stderr) == (
        1,
        "error: no recipe of `coder` fits this cluster\n"
        "  huge, gpu: needs a GPU, no worker has one\n"
        "  cpu:       needs 4 GiB of free memory, the most is 2 GiB\n"
        "\n"
        "hint: `biai-xinf doctor` shows what each worker offers\n",
    )


def test_no_worker_is_a_reason_too(fake: FakeXinference) -> None:
    fake.workers = []

    assert "huge to cpu (3 recipes): no worker is there to run it" in at(fake, "launch", "coder").stderr


def test_a_model_that_answers_wrong_is_reported_and_not_left_as_ready(fake: FakeXinference) -> None:
    fake.chat["coder"] = lambda body: WRONG

    result = at(fake, "launch", "coder")

    assert result.exit_code == 1
    assert result.stderr.endswith(
        "error: `coder` answers, but 1 of 1 checks of its probe came out wrong\n"
        f"  {QUESTION}: wrong rows from `{WRONG}`\n"
        "\n"
        "hint: it was stopped again; another recipe may do better: `biai-xinf plan` lists them\n"
    )
    assert json.loads(at(fake, "status", "--json").stdout)["models"] == []


def test_a_running_model_that_answers_wrong_is_reported_and_left_alone(fake: FakeXinference) -> None:
    at(fake, "launch", "coder")
    fake.chat["coder"] = lambda body: "I do not know."

    result = at(fake, "launch", "coder")

    assert result.exit_code == 1
    assert "no SQL in `I do not know.`" in result.stderr
    assert "it was running before and was left alone" in result.stderr
    assert "coder" in fake.models


@pytest.mark.parametrize(
    ("reason", "said", "hint"),
    [
        ("Failed to init server, please check the input params.", "Failed to init server", "log of the worker"),
        ("OSError: [Errno 28] No space left on device", "No space left on device", "free some disk"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "CUDA out of memory", "another recipe needs less"),
        (
            "Traceback (most recent call last):\n  File x\nValueError: unknown architecture",
            "ValueError: unknown",
            "log",
        ),
    ],
)
def test_a_launch_that_fails_gives_the_engines_own_reason(
    fake: FakeXinference, reason: str, said: str, hint: str
) -> None:
    fake.launches["coder"] = Launching(looks=2, fails_with=reason)

    result = at(fake, "launch", "coder")

    assert result.exit_code == 1
    error = result.stderr[result.stderr.index("error: ") :]
    assert error.startswith("error: `coder` did not load: ")
    assert said in error.splitlines()[0]
    assert hint in error
    assert "pid=" not in error


def test_a_launch_that_hangs_is_given_up(fake: FakeXinference, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.launches["coder"] = Launching(looks=10**6)
    monkeypatch.setattr(Client, "progress", lambda *_: Progress(progress=0.5, stage="loading"))
    monkeypatch.setattr(execute, "_STALLED_S", 0)

    result = at(fake, "launch", "coder")

    assert result.exit_code == 1
    assert "error: `coder` was loading without progress for 0 minutes, and was taken back\n\nhint: " in result.stderr


def test_a_failed_launch_can_be_tried_again(fake: FakeXinference) -> None:
    fake.launches["coder"] = Launching(fails_with="no luck")
    at(fake, "launch", "coder")
    fake.launches["coder"] = Launching()

    assert at(fake, "launch", "coder").exit_code == 0


def test_a_uid_that_runs_something_else_is_left_alone(fake: FakeXinference) -> None:
    fake.run("coder", model_name="other", model_format="ggufv2", quantization="q8_0", model_engine="llama.cpp")

    result = at(fake, "launch", "coder")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: `coder` runs other ggufv2 q8_0 on llama.cpp, which is no recipe of `coder`")
    assert fake.mutating_calls == []


def test_of_two_launches_of_one_uid_at_once_one_launches_and_both_wait_for_it(fake: FakeXinference) -> None:
    fake.launches["coder"] = Launching(looks=40)
    words = [sys.executable, "-m", "biai_xinf", "--endpoint", fake.endpoint, "launch", "coder"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + 60
        while not fake.launch_bodies and time.monotonic() < deadline:
            time.sleep(0.01)

        second = at(fake, "launch", "coder")

        assert (first.wait(timeout=60), second.exit_code) == (0, 0)
    assert "= coder  is being launched already" in second.stderr
    assert len(fake.launch_bodies) == 1


def test_a_uid_that_somebody_took_a_moment_ago_is_said_so(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken_meanwhile(client: Client, change: Change, report: execute.Report) -> None:
        fake.run("coder", model_name="other")
        execute.execute(client, change, report)

    monkeypatch.setattr("biai_xinf.reconcile.execute", taken_meanwhile)

    result = at(fake, "launch", "coder")

    assert result.exit_code == 1
    assert "error: `coder` is launched already, by somebody else\n\nhint: `biai-xinf status`" in result.stderr


def test_an_interrupted_launch_is_taken_back(fake: FakeXinference, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.launches["coder"] = Launching(looks=10**6)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(Client, "progress", _interrupt)
        result = at(fake, "launch", "coder")

    assert result.exit_code == 1
    assert result.stderr.endswith("error: the launch of `coder` was stopped; nothing of it remains\n")
    assert fake.mutating_calls[1] == ("POST", "/v1/models/coder/cancel")
    assert "no model runs" in at(fake, "status").stderr


def test_an_interrupted_check_says_that_the_model_runs_unchecked(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Client, "chat", _interrupt)

    result = at(fake, "launch", "coder")

    assert result.exit_code == 1
    assert "error: `coder` is loaded, but its answers were not checked\n\nhint: " in result.stderr


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_registration_is_made_once_and_mended_when_it_differs(fake: FakeXinference, spec: Path) -> None:
    (spec.parent / "coder.json").write_text(json.dumps(_registration(context_length=2048)))
    data = yaml.safe_load(spec.read_text())
    for one in data["recipes"]:
        one["registration"] = "coder.json"
    spec.write_text(yaml.safe_dump(data))
    fake.engines.clear()

    at(fake, "launch", "coder")
    at(fake, "stop", "coder")
    at(fake, "launch", "coder")
    assert [call for call in fake.mutating_calls if "registrations" in call[1]] == [
        ("POST", "/v1/model_registrations/LLM")
    ]

    at(fake, "stop", "coder")
    (spec.parent / "coder.json").write_text(json.dumps(_registration(context_length=4096)))
    at(fake, "launch", "coder")
    assert fake.registered["LLM"]["coder"]["context_length"] == 4096


def _registration(context_length: int) -> dict[str, object]:
    specs = [
        {"model_format": "ggufv2", "model_size_in_billions": 7, "quantization": f"q-{name}"} for name in ("gpu", "cpu")
    ]
    return {"version": 2, "model_name": "coder", "context_length": context_length, "model_specs": specs}


def test_stop_stops_a_model(fake: FakeXinference) -> None:
    at(fake, "launch", "coder")

    result = at(fake, "stop", "coder")

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "`coder` is stopped")
    assert json.loads(at(fake, "status", "--json").stdout)["models"] == []


def test_stop_of_an_unknown_uid_offers_the_closest(fake: FakeXinference) -> None:
    at(fake, "launch", "coder")

    result = at(fake, "stop", "codr")

    assert (result.exit_code, result.stderr) == (
        1,
        "error: no model runs as `codr`\n\nhint: did you mean `coder`? `biai-xinf status` shows them all\n",
    )


def test_status_shows_models_and_machines_from_one_sweep_of_reads(fake: FakeXinference) -> None:
    at(fake, "launch", "coder")
    fake.launches["bad"] = Launching(0, fails_with="no luck")
    fake.calls.clear()

    result = at(fake, "status")

    assert result.stdout.splitlines() == [
        "MODEL  STATE  WEIGHTS             ENGINE     REPLICAS",
        "coder  ready  coder ggufv2 q-gpu  llama.cpp  127.0.0.1:20001",
        "",
        "WORKER           CPUS  MEMORY                 GPUS",
        "127.0.0.1:20001  8     60 GiB free of 64 GiB  0: L4, 24 GiB free of 24 GiB",
    ]
    assert [path for _, path in fake.calls] == ["/status", "/v1/models/instances", "/v1/models"]


def test_status_as_json_keeps_bytes_and_unknowns(fake: FakeXinference) -> None:
    at(fake, "launch", "coder")

    seen = json.loads(at(fake, "status", "--json").stdout)

    (worker,) = seen["workers"]
    assert worker["gpus"] == [
        {
            "index": 0,
            "total": 24 * GIB,
            "free": 24 * GIB,
            "name": "L4",
            "compute_capability": None,
            "driver": None,
        }
    ]
    assert (worker["engines"], worker["cpu_flags"], worker["disk_free"]) == (None, None, None)
    assert seen["models"][0]["weights"]["quantization"] == "q-gpu"


FACTS = {
    "biai_xinf": "0.1.0",
    "cpu": {"model": "AMD EPYC 7B13", "threads": 8, "flags": ["avx2", "fma"]},
    "disk": {"path": "/models", "total": 900 * GIB, "free": 300 * GIB},
    "gpus": [
        {"index": 0, "name": "L4", "compute_capability": "8.9", "driver": "570.133.20"},
        {"index": 1, "name": "Quadro P2000", "compute_capability": "6.1", "driver": "570.133.20"},
    ],
    "gpu_devices": [0],
    "engines": {"vLLM": "0.32.0", "llama.cpp": "2026.10.11549"},
    "virtual_env": False,
}


def test_status_asks_the_workers_for_more_when_told_to() -> None:
    other = FakeWorker("127.0.0.1:20002")
    installing = FakeWorker("127.0.0.1:20003", facts={**FACTS, "gpus": [], "virtual_env": True})
    told = FakeWorker(gpus=[FakeGpu("L4", 24 * GIB)], facts=FACTS)
    with FakeXinference([told, other, installing], extension=True) as fake:
        wide = at(fake, "status", "--wide").stdout.splitlines()
        seen = json.loads(at(fake, "status", "--json").stdout)["workers"][0]

    headings, first, second, third = wide[wide.index("") + 1 :]
    assert headings.split("  ")[0] == "WORKER"
    assert first == (
        "127.0.0.1:20001  AMD EPYC 7B13  300 GiB    0: compute capability 8.9, driver 570.133.20; "
        "Quadro P2000, not placed on, compute capability 6.1, driver 570.133.20  llama.cpp 2026.10.11549, vLLM 0.32.0"
    )
    assert second.split() == ["127.0.0.1:20002", "unknown", "unknown", "none", "unknown"]
    assert third.endswith("  installed when launched")
    assert seen["engines"] == FACTS["engines"]
    assert seen["cpu_flags"] == ["avx2", "fma"]


def test_ui_prints_the_page_that_was_asked_for(fake: FakeXinference) -> None:
    assert at(fake, "ui", "--print").stdout == f"{fake.endpoint}/running-model\n"
    assert at(fake, "ui", "cluster", "--print").stdout == f"{fake.endpoint}/cluster-information\n"
    assert at(fake, "ui", "--model", "coder", "--print").stdout == f"{fake.endpoint}/running-model/coder\n"


def test_ui_tells_both_addresses_where_the_extension_runs_and_opens_either() -> None:
    with FakeXinference(extension=True) as server:
        web_ui, operator = f"{server.endpoint}/running-model", f"{server.endpoint}/biai"

        usual, page = at(server, "ui", "--print"), at(server, "ui", "operator", "--print")
        of_model = at(server, "ui", "operator", "--model", "coder", "--print")

    assert (usual.stdout, usual.stderr) == (f"{web_ui}\n", f"operator page: {operator}\n")
    assert (page.stdout, page.stderr) == (f"{operator}\n", f"Web UI: {web_ui}\n")
    assert (of_model.stdout, of_model.stderr) == (f"{operator}#model-coder\n", f"Web UI: {web_ui}/coder\n")


def test_ui_says_so_where_there_is_no_operator_page(fake: FakeXinference) -> None:
    result = at(fake, "ui", "operator", "--print")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: `{fake.endpoint}` runs without the biai-xinf extension, whose page this is\n\n"
        "hint: `biai-xinf up` starts a local one with it; `biai-xinf doctor` says what a cluster lacks\n"
    )


def test_ui_opens_the_page_in_a_browser_and_says_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    with FakeXinference(extension=True) as server:
        result = at(server, "ui", "operator")

    assert opened == [f"{server.endpoint}/biai"]
    assert result.stderr.splitlines()[-1] == (
        "no browser could be opened here; open the address above in one that reaches it"
    )


def test_doctor_finds_nothing_broken_in_a_good_cluster(fake: FakeXinference) -> None:
    result = at(fake, "doctor")

    assert result.exit_code == 0, result.stdout
    assert "ok    workers     127.0.0.1:20001 has 60 GiB of memory free, GPU 0 L4 24 GiB free" in result.stdout


def test_doctor_finds_a_failed_launch_and_missing_workers(fake: FakeXinference) -> None:
    fake.launches["coder"] = Launching(fails_with="no luck")
    at(fake, "launch", "coder")
    fake.workers = []

    result = at(fake, "doctor")

    assert result.exit_code == 1
    assert "FAIL  workers     no worker has joined" in result.stdout
    assert "FAIL  models      `coder`: " in result.stdout


def test_auth_on_and_no_key_says_so_and_tries_once() -> None:
    with FakeXinference(auth=True) as fake:
        result = at(fake, "status")

        assert result.exit_code == 1
        assert "BIAI_XINF_API_KEY" in result.stderr
        assert len([call for call in fake.calls if call[1].startswith("/v1/models")]) <= 1


def test_a_wrong_key_is_tried_once_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIAI_XINF_API_KEY", "xf-wrong")
    with FakeXinference(auth=True) as fake:
        result = at(fake, "launch", "coder")

        assert result.exit_code == 1
        assert "xf-wrong" not in result.stderr
        assert len([call for call in fake.calls if call[1].startswith("/v1/")]) <= 2
