"""`doctor` on the extension: off, of another version, refusing workers, with upstreams that fail."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

import pytest

from biai_xinf import __version__, local, processes
from biai_xinf.local import LocalService
from biai_xinf.upstreams import Upstream, UpstreamServer
from tests.commandline import run
from tests.fake_extension import FakeExtension, Refused
from tests.fake_xinference import FakeGpu, FakeWorker, FakeXinference

SWITCH = "XINFERENCE_EXTENSIONS=biai_xinf.extension:create"
OLLAMA, VLLM = "http://ollama.internal:11434", "http://vllm.internal:8000"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    with FakeXinference(extension=True) as server:
        assert server.extension is not None
        server.extension.version = __version__
        yield server


def found(fake: FakeXinference, check: str) -> tuple[int, list[str]]:
    """The exit code, and what one check printed."""
    result = run("--endpoint", fake.endpoint, "doctor")
    # A hint stands indented below its finding.
    findings = re.split(r"\n(?=\S)", result.stdout.rstrip())
    kept = [line for finding in findings if finding[6:].startswith(f"{check} ") for line in finding.splitlines()]
    return result.exit_code, kept


def runs_here(fake: FakeXinference, own_home: Path, *, stock: bool = False) -> LocalService:
    """Let the fake be the local Xinference of this user."""
    me = processes.find(os.getpid())
    assert me is not None
    service = LocalService(fake.endpoint, me.pid, me.birth, own_home / "log", False, 0.0, own_home, stock)
    local._write_state(service)
    return service


def test_the_extension_is_on(fake: FakeXinference) -> None:
    assert found(fake, "extension") == (0, [f"ok    extension   {__version__} is on"])


def test_another_version_of_it_is_doubtful(fake: FakeXinference) -> None:
    assert fake.extension is not None
    fake.extension.version = "0.0.9"

    assert found(fake, "extension") == (
        0,
        [
            f"warn  extension   the endpoint runs 0.0.9, but this is biai-xinf {__version__}",
            "                  hint: install the same version everywhere, then restart Xinference",
        ],
    )


def test_a_worker_with_another_version_is_named(fake: FakeXinference) -> None:
    fake.workers = [
        FakeWorker("10.0.0.1:1", facts={"biai_xinf": __version__}),
        FakeWorker("10.0.0.2:1", facts={"biai_xinf": "0.0.9"}),
        FakeWorker("10.0.0.3:1", facts={"error": "no answer within 3 s"}),
    ]

    code, lines = found(fake, "extension")

    assert code == 0
    assert lines[0] == f"warn  extension   the endpoint runs {__version__}, but 10.0.0.2:1 runs 0.0.9"


def test_a_cluster_without_it_is_told_how_to_switch_it_on() -> None:
    with FakeXinference() as fake:
        code, lines = found(fake, "extension")

    assert code == 0
    assert lines == [
        "warn  extension   off: no upstreams, no Ollama routes, no replay when a replica dies",
        f"                  hint: start supervisor and workers with {SWITCH}",
    ]
    assert fake.extension is None


@pytest.mark.parametrize(
    ("stock", "lines"),
    [
        (True, ["?     extension   off, Xinference was started with `biai-xinf up --stock`"]),
        (
            False,
            [
                "warn  extension   off: no upstreams, no Ollama routes, no replay when a replica dies",
                "                  hint: `biai-xinf down`, then `biai-xinf up`",
            ],
        ),
    ],
    ids=["as asked", "started by an older biai-xinf"],
)
def test_a_local_service_without_it_says_why(stock: bool, lines: list[str], own_home: Path) -> None:
    with FakeXinference() as fake:
        runs_here(fake, own_home, stock=stock)

        assert found(fake, "extension") == (0, lines)


def test_an_extension_that_fails_is_told_apart_from_none(fake: FakeXinference, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(extension: FakeExtension) -> str:
        raise Refused(500, "no space left on device")

    # A property of the class wins over the instance's own attribute.
    monkeypatch.setattr(FakeExtension, "version", property(broken, lambda extension, value: None), raising=False)

    assert found(fake, "extension") == (
        1,
        [
            "FAIL  extension   Xinference answers, but not its extension: no space left on device",
            "                  hint: Xinference's log says what failed",
        ],
    )


def test_a_supervisor_without_workers_is_told_how_the_extension_keeps_them_out(fake: FakeXinference) -> None:
    fake.workers = []

    assert found(fake, "workers") == (
        1,
        [
            "FAIL  workers     no worker has joined",
            "                  hint: a worker must reach the supervisor, be reached by it, and be started with the same "
            "XINFERENCE_EXTENSIONS; the log of one that was not says `Worker and supervisor extensions must match`",
        ],
    )


def refuse(log: Path, seconds_ago: float) -> None:
    """The line Xinference 4.1.0 writes."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - seconds_ago)) + ".121Z"
    log.write_text(
        f"{stamp} ERROR xinference.core.supervisor pid:9 role:local address:127.0.0.1:2 node:vm [request 1] Leave "
        "add_worker, error: Worker and supervisor extensions must match, elapsed time: 0 s\n",
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("workers", "code", "seen"),
    [
        ([], 1, "FAIL  workers     no worker has joined; one is refused, its extensions are not the supervisor's"),
        (
            [FakeWorker()],
            0,
            "warn  workers     127.0.0.1:20001 has 60 GiB of memory free, no GPU; one is refused, its extensions are "
            "not the supervisor's",
        ),
    ],
    ids=["alone", "beside another"],
)
def test_a_worker_that_the_local_supervisor_refuses_is_seen_in_its_log(
    workers: list[FakeWorker], code: int, seen: str, fake: FakeXinference, own_home: Path
) -> None:
    refuse(runs_here(fake, own_home).log, seconds_ago=5)
    fake.workers = workers

    assert found(fake, "workers") == (
        code,
        [
            seen,
            f"                  hint: start every worker as the supervisor: with {SWITCH}, or without after `up --stock`",
        ],
    )


def test_a_worker_refused_long_ago_is_forgotten(fake: FakeXinference, own_home: Path) -> None:
    refuse(runs_here(fake, own_home).log, seconds_ago=600)

    assert found(fake, "workers")[1][0].startswith("ok    workers")


# Upstreams


def serve(fake: FakeXinference, *servers: UpstreamServer, fallback: list[str] | None = None) -> None:
    assert fake.extension is not None
    fake.extension.upstreams["gpt"] = Upstream(name="gpt", servers=list(servers), fallback=fallback or [])


def fail(fake: FakeXinference, url: str, reason: str) -> None:
    assert fake.extension is not None
    fake.extension.failing[url] = reason


ollama = UpstreamServer(provider="ollama", url=OLLAMA, model="qwen3")
vllm = UpstreamServer(provider="vllm", url=VLLM, model="qwen3", key_env="VLLM_KEY")


def test_upstreams_that_answer_are_well(fake: FakeXinference) -> None:
    assert found(fake, "upstreams") == (0, ["ok    upstreams   none"])

    serve(fake, ollama)

    assert found(fake, "upstreams") == (0, ["ok    upstreams   `gpt`"])


def test_an_endpoint_without_the_extension_has_no_upstreams_to_look_at() -> None:
    with FakeXinference() as fake:
        assert found(fake, "upstreams") == (0, [])


def test_an_upstream_nobody_serves_is_broken(fake: FakeXinference) -> None:
    serve(fake, ollama)
    fail(fake, OLLAMA, "it cannot be reached (ClientConnectorError)")

    assert found(fake, "upstreams") == (
        1,
        [
            f"FAIL  upstreams   `gpt` at {OLLAMA}: it cannot be reached (ClientConnectorError)",
            "                  hint: `biai-xinf upstream check gpt` asks it anew",
        ],
    )


@pytest.mark.parametrize(
    ("servers", "fallback"),
    [((ollama, vllm), []), ((ollama,), ["sql-coder"])],
    ids=["another server", "another model"],
)
def test_an_upstream_that_something_else_serves_is_doubtful(
    servers: tuple[UpstreamServer, ...], fallback: list[str], fake: FakeXinference
) -> None:
    serve(fake, *servers, fallback=fallback)
    fail(fake, OLLAMA, "it cannot be reached")

    code, lines = found(fake, "upstreams")

    assert code == 0
    assert lines[0] == f"warn  upstreams   `gpt` at {OLLAMA}: it cannot be reached"


def test_a_key_that_is_not_set_is_told_with_where_to_set_it(fake: FakeXinference) -> None:
    serve(fake, vllm)
    fail(fake, VLLM, "the variable `VLLM_KEY` is not set where Xinference's API process runs")

    code, lines = found(fake, "upstreams")

    assert code == 1
    assert lines[1] == (
        "                  hint: set VLLM_KEY where Xinference starts, and restart it: it reads its environment once"
    )


# Engines and GPUs of the workers


GPU = {"index": 0, "name": "L4", "compute_capability": "8.9", "driver": "570.133.20"}
L4 = [FakeGpu("L4", 24 * 2**30)]


def machine(address: str, *gpus: dict[str, object], engines: dict[str, str] | None = None) -> FakeWorker:
    facts = {"biai_xinf": __version__, "gpus": list(gpus), "gpu_devices": [0], "engines": engines or {}}
    return FakeWorker(address, gpus=L4 if gpus else [], facts={**facts, "virtual_env": False})


def well(fake: FakeXinference) -> list[str]:
    """What is said of the workers' engines and GPUs; the engines of this machine are another line."""
    _, *others = found(fake, "engines")[1]
    # Where this machine has none, its line has a hint.
    return [*dropwhile(lambda line: line.startswith(" "), others), *found(fake, "GPUs")[1]]


def test_workers_that_can_run_what_we_launch_need_no_word(fake: FakeXinference) -> None:
    fake.workers = [machine("10.0.0.1:1", GPU, engines={"vLLM": "0.32.0"}), FakeWorker("10.0.0.2:1")]

    assert well(fake) == []


def test_a_worker_without_any_engine_is_doubtful(fake: FakeXinference) -> None:
    fake.workers = [machine("10.0.0.1:1", engines={"vLLM": "0.32.0"}), machine("10.0.0.2:1")]

    assert well(fake) == [
        "warn  engines     no engine is installed at 10.0.0.2:1, and launches there install none",
        "                  hint: `pip install 'biai-xinf[server]'` there and restart it, or start it with "
        "XINFERENCE_ENABLE_VIRTUAL_ENV=1",
    ]


def test_engines_of_different_versions_are_told_but_not_builds_of_one(fake: FakeXinference) -> None:
    fake.workers = [
        machine("10.0.0.1:1", engines={"vLLM": "0.32.0", "llama.cpp": "2026.10"}),
        machine("10.0.0.2:1", engines={"vLLM": "0.32.0+cpu", "llama.cpp": "2026.9"}),
    ]

    assert well(fake) == [
        "warn  engines     llama.cpp is 2026.10 at 10.0.0.1:1 and 2026.9 at 10.0.0.2:1",
        "                  hint: what was verified on one version is unknown on another",
    ]


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"name": "Tesla P100", "compute_capability": "6.0"}, "has compute capability 6.0, vLLM needs 7.0"),
        ({"driver": "510.85.02"}, "has driver 510.85.02, vLLM needs 525 or newer"),
        ({"compute_capability": "12.0"}, None),
        ({"compute_capability": "gfx942", "driver": "6.7.0"}, None),
        ({"compute_capability": None, "driver": None}, None),
    ],
    ids=["GPU", "driver", "newest", "AMD", "unknown"],
)
def test_a_gpu_too_old_for_vllm_is_doubtful_where_vllm_is(
    told: dict[str, object], problem: str | None, fake: FakeXinference
) -> None:
    fake.workers = [machine("10.0.0.1:1", {**GPU, **told}, engines={"vLLM": "0.32.0"})]
    seen = well(fake)
    fake.workers = [machine("10.0.0.1:1", {**GPU, **told}, engines={"llama.cpp": "2026.10"})]

    assert well(fake) == []
    # The name is Xinference's own.
    assert seen == (
        [
            f"warn  GPUs        GPU 0 of 10.0.0.1:1, L4, {problem}",
            "                  hint: recipes of llama.cpp may run there; a driver that is too old can be renewed",
        ]
        if problem
        else []
    )


def test_a_gpu_that_xinference_does_not_see_is_doubtful(fake: FakeXinference) -> None:
    blind = machine("10.0.0.1:1", GPU, engines={"llama.cpp": "2026.10"})
    blind.gpus = []
    fake.workers = [blind]

    assert well(fake) == [
        "warn  GPUs        Xinference places nothing on L4 of 10.0.0.1:1: its PyTorch is built without GPUs, or was "
        "told of none",
        "                  hint: install a PyTorch for that GPU, or set CUDA_VISIBLE_DEVICES to it",
    ]


def test_the_gpu_of_a_mac_needs_no_word(fake: FakeXinference) -> None:
    metal = {"index": 0, "name": "Apple M3 Pro", "compute_capability": "Metal 3"}
    mac = machine("10.0.0.1:1", metal, engines={"MLX": "0.31.0"})
    mac.gpus = []
    fake.workers = [mac]

    assert well(fake) == []
