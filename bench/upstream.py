"""What an upstream behind Xinference's endpoint costs, beside no proxy, the least proxy and LiteLLM's.

`python bench/upstream.py` needs biai-xinf[server,test] in the Python that runs it; `docs/performance.md` explains
the figures. Everything happens on loopback, with servers and homes of its own. LiteLLM gets an environment of its
own under `--cache`, from the package index, once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
import requests
from load import Found, Load, Streamed, Task
from measure import (
    clean_up_when_terminated,
    environment,
    finish,
    free_port,
    in_turn,
    print_results,
    rounded,
    say,
    xinference,
)
from mock_upstream import MODEL

from biai_xinf.catalogue import load_entry, shipped_specs
from biai_xinf.client import Client
from biai_xinf.execute import register
from biai_xinf.reconcile import prepare
from biai_xinf.state import Desired, DesiredModel, Launch

Results = dict[str, object]
HERE = Path(__file__).resolve().parent
EXTENSION = "biai_xinf.extension:create"
LITELLM = "litellm[proxy]==1.106.2"
UID = "bench-sql"
# What `xinference-local` serves with: its host's plain asyncio loop, and the parser uvicorn itself would take.
SERVER = ("--loop", "asyncio", "--http", "auto")
# About what a question with a small schema takes.
PROMPT = "Answer with SQL for this schema. " + "CREATE TABLE orders (id INTEGER, name TEXT, amount REAL); " * 24
CHUNKS, GAP_MS = 20, 10
CONCURRENCY = 16


@dataclass(frozen=True)
class Rounds:
    """How often each subject is measured, and how much each time."""

    latency: int
    requests: int
    throughput: int
    streaming: int
    streams: int
    native: int
    questions: int


THOROUGH = Rounds(latency=20, requests=500, throughput=15, streaming=8, streams=15, native=12, questions=120)
QUICK = Rounds(latency=8, requests=250, throughput=5, streaming=3, streams=5, native=5, questions=60)
# LiteLLM takes some 25 ms for a request: fewer of them, and a longer window for as many answers.
SLOW_SHARE, SLOW_WINDOW_S, WINDOW_S = 15, 2.0, 1.0


@dataclass(frozen=True)
class Subject:
    """A way to the mock: its base address, the process it starts with, and what starting took."""

    endpoint: str
    model: str = MODEL
    pid: int | None = None
    start_s: float = 0.0
    slow: bool = False

    def task(self, prompt: str = PROMPT, stream: bool = False, **how: Any) -> Task:
        """A load of chat requests."""
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        return Task(f"{self.endpoint}/v1/chat/completions", {**body, "stream": True} if stream else body, **how)

    def family(self) -> list[psutil.Process]:
        """Its processes as they are now."""
        if self.pid is None:
            return []
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]

    def cpu_s(self) -> float:
        """User and system time of its processes so far."""
        total = 0.0
        for process in self.family():
            # One may end between being listed and being looked at.
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total


def main() -> None:
    """Measure everything, and print it for people and for machines."""
    arguments = _arguments()
    clean_up_when_terminated()
    rounds = QUICK if arguments.quick else THOROUGH
    with tempfile.TemporaryDirectory() as folder, environment(**_nobodys(folder)), contextlib.ExitStack() as stack:
        load = stack.enter_context(contextlib.closing(Load()))
        subjects, skipped = start(stack, Path(folder), arguments.cache, set(arguments.without))
        results = measure_subjects(load, subjects, rounds)
        if "ours" in subjects:
            stock = stack.enter_context(_xinference(Path(folder) / "stock", extension=""))
            results |= compare_with_stock(load, subjects["ours"], stock, rounds, "native" not in arguments.without)
    results |= {"skipped": skipped}
    if not arguments.as_json:
        print_results(results)
    finish(rounded(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", dest="as_json", action="store_true", help="print nothing but the JSON line")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: minutes less, and more noise")
    parser.add_argument("--without", action="append", default=[], choices=("ours", "native", "litellm"))
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "biai-xinf-bench", help="where LiteLLM is installed"
    )
    return parser.parse_args()


def _nobodys(folder: str) -> dict[str, str]:
    """The environment of a user who has set nothing, and whose machine is all there is: no model hub."""
    return {"BIAI_XINF_HOME": folder, "XINFERENCE_AUTH_ADVANCED": "0", "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1"}


def start(
    stack: contextlib.ExitStack, folder: Path, cache: Path, without: set[str]
) -> tuple[dict[str, Subject], dict[str, str]]:
    """All ways to one mock, started one after the other so that start times are comparable; and what was left out."""
    direct = stack.enter_context(_server([sys.executable, str(HERE / "mock_upstream.py")], "/v1/models"))
    subjects = {"direct": replace(direct, pid=None), "passthrough": stack.enter_context(_passthrough(direct))}
    skipped = dict.fromkeys(sorted(without), "left out as asked")
    if "litellm" not in without:
        try:
            subjects["litellm"] = stack.enter_context(_litellm(direct, folder, cache))
        except CannotInstall as error:
            say(f"without LiteLLM: {error}")
            skipped["litellm"] = str(error)
    if "ours" not in without:
        subjects["ours"] = stack.enter_context(_xinference(folder / "ours", EXTENSION))
        server = {"provider": "openai-compatible", "url": direct.endpoint, "model": MODEL}
        put = requests.put(
            f"{subjects['ours'].endpoint}/biai/upstreams/{MODEL}", json={"servers": [server]}, timeout=30
        )
        put.raise_for_status()
    return subjects, skipped


def _passthrough(upstream: Subject) -> contextlib.AbstractContextManager[Subject]:
    command = [sys.executable, "-m", "uvicorn", "passthrough:app", "--app-dir", str(HERE), *SERVER]
    quiet = ["--no-access-log", "--log-level", "warning", "--port"]
    return _server([*command, *quiet], "/v1/models", UPSTREAM=upstream.endpoint)


class CannotInstall(Exception):
    """A proxy that is to be measured beside ours is not to be had here."""


def _litellm(upstream: Subject, folder: Path, cache: Path) -> contextlib.AbstractContextManager[Subject]:
    command = _installed_litellm(cache)
    configuration = folder / "litellm.yaml"
    configuration.write_text(
        f"model_list:\n- model_name: {MODEL}\n  litellm_params:\n    model: openai/{MODEL}\n"
        f"    api_base: {upstream.endpoint}/v1\n    api_key: none\n"
    )
    say("starting LiteLLM")
    # Without authentication, as the others; and without a look at the internet for prices.
    settings = {
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    options = ["--config", str(configuration), "--host", "127.0.0.1", "--num_workers", "1", "--port"]
    starting = _server([str(command), *options], "/health/liveliness", **settings)
    return _slow(starting)


@contextlib.contextmanager
def _slow(starting: contextlib.AbstractContextManager[Subject]) -> Iterator[Subject]:
    with starting as subject:
        yield replace(subject, slow=True)


def _installed_litellm(cache: Path) -> Path:
    home = cache / f"{LITELLM.replace('[proxy]==', '-')}-py{sys.version_info.major}.{sys.version_info.minor}"
    command, complete = home / "bin" / "litellm", home / "complete"
    if complete.exists():
        return command
    say(f"installing {LITELLM} into {home}, once")
    venv.create(home, clear=True, with_pip=True)
    install = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", LITELLM]
    done = subprocess.run(install, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise CannotInstall(f"pip install {LITELLM}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    complete.touch()
    return command


@contextlib.contextmanager
def _server(command: Sequence[str], probe: str, **variables: str) -> Iterator[Subject]:
    """A server that takes its port as the last word, from its start until it answers `probe`; ended afterwards."""
    port, begun = free_port(), time.perf_counter()
    process = subprocess.Popen(
        [*command, str(port)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait(process, endpoint + probe)
        yield Subject(endpoint, pid=process.pid, start_s=time.perf_counter() - begun)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen[bytes], url: str, timeout_s: float = 180) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=5).ok:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start")


@contextlib.contextmanager
def _xinference(folder: Path, extension: str) -> Iterator[Subject]:
    say(f"starting Xinference {'with the extension' if extension else 'without an extension'}")
    begun = time.perf_counter()
    with environment(XINFERENCE_EXTENSIONS=extension), xinference(folder) as service:
        yield Subject(service.endpoint, pid=service.pid, start_s=time.perf_counter() - begun)


def measure_subjects(load: Load, subjects: Mapping[str, Subject], rounds: Rounds) -> Results:
    """Latency, throughput and streams of every way to the mock, in turn; what the goals are about comes first."""
    say(f"latency at concurrency 1, throughput at {CONCURRENCY}, streams: {', '.join(subjects)}")
    found = {name: Results(start_s=subject.start_s) for name, subject in subjects.items()}
    for measure in (measure_latency, measure_throughput, measure_streams):
        for name, figures in measure(load, subjects, rounds).items():
            found[name] |= figures
    for name, subject in subjects.items():
        found[name] |= memory(subject)
    return {**_added(found), "subjects": found}


def measure_latency(load: Load, subjects: Mapping[str, Subject], rounds: Rounds) -> dict[str, Results]:
    """One request at a time."""

    def batch(subject: Subject) -> Callable[[], Found]:
        number = max(rounds.requests // (SLOW_SHARE if subject.slow else 1), 1)
        return partial(load.put, subject.task(requests=number))

    turns = in_turn(rounds.latency, {name: batch(subject) for name, subject in subjects.items()})
    return {name: _percentiles("", [one for f in found for one in f.latencies_ms]) for name, found in turns.items()}


def measure_throughput(load: Load, subjects: Mapping[str, Subject], rounds: Rounds) -> dict[str, Results]:
    """Answers per second with all connections busy, and the CPU each took the subject's processes."""

    def window(subject: Subject) -> Callable[[], tuple[float, float]]:
        task = subject.task(connections=CONCURRENCY, seconds=SLOW_WINDOW_S if subject.slow else WINDOW_S, warm_ups=1)
        return partial(_busy, load, subject, task)

    turns = in_turn(rounds.throughput, {name: window(subject) for name, subject in subjects.items()})
    return {
        name: {
            "rates": [rate for rate, _ in found],
            "rate": median(rate for rate, _ in found),
            "cpu_us": median(cpu_s for _, cpu_s in found) * 1e6,
        }
        for name, found in turns.items()
    }


def _busy(load: Load, subject: Subject, task: Task) -> tuple[float, float]:
    """Answers per second, and CPU seconds for each."""
    before = subject.cpu_s()
    found = load.put(task)
    # Those of warming up and of the end are answered as well, and not counted.
    answered = len(found.latencies_ms) + 2 * task.connections
    return found.rate, (subject.cpu_s() - before) / answered


def measure_streams(load: Load, subjects: Mapping[str, Subject], rounds: Rounds) -> dict[str, Results]:
    """One stream at a time: its first event, and how late the others come after the mock sent them."""
    prompt = f"{CHUNKS} chunks, {GAP_MS} ms apart. {PROMPT}"
    turns = in_turn(
        rounds.streaming,
        {
            name: partial(load.put, subject.task(prompt, stream=True, requests=rounds.streams))
            for name, subject in subjects.items()
        },
    )
    return {name: _streamed([stream for found in turns[name] for stream in found.streams]) for name in subjects}


def _streamed(streams: Sequence[Streamed]) -> Results:
    return {
        "ttft_ms": median(stream.first_ms for stream in streams),
        **_percentiles("late_", [late for stream in streams for late in stream.late_ms]),
        "streams": len(streams),
        # One event for each chunk, the one that ends the text, and `[DONE]`.
        "streams_of_other_events": sum(stream.events != CHUNKS + 2 for stream in streams),
        # The mock sends its last two events at once, which may travel as one.
        "streams_rechunked": sum(not CHUNKS < stream.frames <= CHUNKS + 2 for stream in streams),
    }


def memory(subject: Subject) -> Results:
    """Its processes, and the memory that would be free without them (USS), or is their fair share (PSS; Linux)."""
    held = [process.memory_full_info() for process in subject.family()]
    return {
        "processes": len(held),
        "uss_mb": sum(one.uss for one in held) / 1e6,
        "pss_mb": sum(getattr(one, "pss", 0) for one in held) / 1e6,
    }


def compare_with_stock(load: Load, ours: Subject, stock: Subject, rounds: Rounds, native: bool) -> Results:
    """The extension beside the same Xinference without one: processes, memory, start, and its own models' speed."""
    beside = {"ours": memory(ours), "stock": memory(stock)}
    results: Results = {
        "extra_processes": int(str(beside["ours"]["processes"])) - int(str(beside["stock"]["processes"])),
        "stock": {"start_s": stock.start_s, **beside["stock"]},
    }
    return results | measure_native(load, ours, stock, rounds) if native else results


def measure_native(load: Load, ours: Subject, stock: Subject, rounds: Rounds) -> Results:
    """Answers per second of the bundled model, launched alike on both, and the CPU each took."""
    subjects = {"ours": replace(ours, model=UID), "stock": replace(stock, model=UID)}
    say("launching the bundled model on both")
    with ThreadPoolExecutor() as pool:
        list(pool.map(launch_bundled, (subject.endpoint for subject in subjects.values())))
    question = "CREATE TABLE orders (id INTEGER, name TEXT, amount REAL);\nHow many orders are there?"
    tasks = {
        name: subject.task(question, connections=4, requests=rounds.questions, warm_ups=1)
        for name, subject in subjects.items()
    }
    say("the bundled model on both")
    turns = in_turn(
        rounds.native, {name: partial(_busy, load, subject, tasks[name]) for name, subject in subjects.items()}
    )
    rates, cpu_s = ({name: [one[part] for one in found] for name, found in turns.items()} for part in (0, 1))
    return {
        "native_vs_stock": _ratio(rates["ours"], rates["stock"]),
        "native_cpu_vs_stock": _ratio(cpu_s["ours"], cpu_s["stock"]),
        "native_rates": rates["ours"],
        "native_rates_stock": rates["stock"],
    }


def launch_bundled(endpoint: str) -> None:
    """Launch the model that comes with biai-xinf, and wait until it is ready."""
    entry = load_entry(shipped_specs() / "sql-coder.yaml")
    with Client(endpoint) as client:
        _, plan = prepare(client, Desired((DesiredModel(UID, entry, "bundled", allow_demonstration=True),)))
        launch = plan.changes[0].launch
        assert isinstance(launch, Launch)
        register(client, launch)
        client.launch(launch.body, wait_ready=True, timeout=240)


def _added(found: Mapping[str, Mapping[str, Any]]) -> Results:
    """What ours adds to no proxy at all, and how it compares; without ours nothing is known."""
    direct, ours, least, litellm = (found.get(name) for name in ("direct", "ours", "passthrough", "litellm"))
    assert direct is not None
    return {
        "added_p50_ms": ours and ours["p50_ms"] - direct["p50_ms"],
        # To a usual direct answer, not to one of the slowest: what is unusual counts against us.
        "added_p99_ms": ours and ours["p99_ms"] - direct["p50_ms"],
        "ttft_added_ms": ours and ours["ttft_ms"] - direct["ttft_ms"],
        "throughput_vs_litellm": ours and litellm and _ratio(ours["rates"], litellm["rates"]),
        "throughput_vs_passthrough": ours and least and _ratio(ours["rates"], least["rates"]),
    }


def _ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """Of what was measured in the same round, so that a busy minute burdens both; the median over rounds."""
    return median(one / other for one, other in zip(ones, others, strict=True))


def _percentiles(prefix: str, values: Sequence[float]) -> Results:
    hundredths = quantiles(values, n=100)
    return {f"{prefix}p50_ms": hundredths[49], f"{prefix}p99_ms": hundredths[98]}


if __name__ == "__main__":
    main()
