"""What clients notice when machines die: a cluster of two workers under load, one of them killed.

`python bench/drills.py replay` needs biai-xinf[server,test] in the Python that runs it; `docs/performance.md`
explains the figures. Everything happens on loopback, with servers and homes of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import requests
from measure import clean_up_when_terminated, finish, free_port, say

from biai_xinf.catalogue import shipped_specs
from biai_xinf.client import Client
from biai_xinf.errors import XinferenceError

UID = "drill-sql"
START_S = 240.0
LAUNCH_S = 300.0


@dataclass(frozen=True)
class Drill:
    """How long the load lasts and when the worker dies, in seconds; `clients` ask one question after the other."""

    lasts_s: float
    kill_after_s: float
    clients: int = 4


THOROUGH = Drill(lasts_s=60, kill_after_s=10)
QUICK = Drill(lasts_s=30, kill_after_s=6)


@dataclass
class Tally:
    """What the clients got: answers by status, what the rest said, and streams that broke after they had begun."""

    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    broken_streams: int = 0

    @property
    def asked(self) -> int:
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Requests without a good answer; a stream that had begun cannot be replayed, and counts."""
        return self.asked - self.statuses["good"]


@dataclass(frozen=True)
class Machines:
    """A supervisor and two workers, each a process tree of its own."""

    endpoint: str
    workers: tuple[psutil.Process, psutil.Process]


def main() -> None:
    """Run the drill on our endpoint and on stock Xinference, and print both."""
    arguments = _arguments()
    clean_up_when_terminated()
    drill = QUICK if arguments.quick else THOROUGH
    ours, replayed = _replay(drill, stock=False)
    stock, _ = _replay(drill, stock=True)
    results: dict[str, object] = {
        "failed_share": round(ours.failed / ours.asked, 4),
        "failed_though_replayable": ours.failed - ours.broken_streams,
        "stock_failed_share": round(stock.failed / stock.asked, 4),
        "replayed": replayed,
        "requests": ours.asked,
        "stock_requests": stock.asked,
    }
    if not arguments.as_json:
        for name, value in results.items():
            print(f"{name:>26} {value}")
    finish(results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drill", choices=["replay"], help="one of two workers is killed while clients ask")
    parser.add_argument("--quick", action="store_true", help="half the load, for a first look")
    parser.add_argument("--json", action="store_true", dest="as_json", help="only the last line")
    return parser.parse_args()


def _replay(drill: Drill, *, stock: bool) -> tuple[Tally, int]:
    say(f"starting {'stock Xinference' if stock else 'our endpoint'}: a supervisor and two workers")
    with tempfile.TemporaryDirectory(prefix="drill-") as folder, _machines(Path(folder), stock) as machines:
        _launch_on_both(machines)
        say(f"{drill.clients} clients ask for {drill.lasts_s:g} s, a worker dies after {drill.kill_after_s:g} s")
        tally = asyncio.run(_load(machines, drill))
        replayed = 0 if stock else _replays(machines.endpoint)
    say(f"{tally.asked} requests, {tally.failed} failed, {replayed} replayed; {dict(tally.errors.most_common(5))}")
    return tally, replayed


@contextlib.contextmanager
def _machines(folder: Path, stock: bool) -> Iterator[Machines]:
    port, inner = free_port(), free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        options = ["--host", "127.0.0.1", "--port", str(port), "--supervisor-port", str(inner)]
        stack.enter_context(_process(folder / "supervisor", stock, "supervisor", *options))
        _wait(lambda client: client.auth_enabled() is False, endpoint)
        workers = []
        for name in ("one", "two"):
            options = ["-e", endpoint, "--host", "127.0.0.1", "--worker-port", str(free_port())]
            workers.append(stack.enter_context(_process(folder / name, stock, "worker", *options)))
        _wait(lambda client: len(client.status().workers) == 2, endpoint)
        yield Machines(endpoint, (workers[0], workers[1]))


@contextlib.contextmanager
def _process(home: Path, stock: bool, *command: str) -> Iterator[psutil.Process]:
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XINFERENCE_", "BIAI_XINF_"))}
    environment = {
        **kept,
        "XINFERENCE_HOME": str(home),
        "XINFERENCE_AUTH_ADVANCED": "0",
        "XINFERENCE_ENABLE_VIRTUAL_ENV": "0",
        "XINFERENCE_MODEL_SRC": "huggingface",
        "XINFERENCE_TOKEN_ROUTER_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
    }
    arguments = [sys.executable, "-m", "biai_xinf.local_server", *(["--stock"] if stock else []), *command]
    with (home / "log").open("wb") as log:
        child = subprocess.Popen(arguments, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=home)
    process = psutil.Process(child.pid)
    try:
        yield process
    finally:
        _kill(process)
        child.wait(30)


def _kill(process: psutil.Process) -> None:
    """The end of a machine: every process of it at once, without a word."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=30)


def _wait(ready: Any, endpoint: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(XinferenceError), Client(endpoint) as client:
            if ready(client):
                return
        time.sleep(0.5)
    raise SystemExit(f"{endpoint} was not ready within {START_S:g} s")


def _launch_on_both(machines: Machines) -> None:
    """The bundled model, one replica on each worker."""
    specs = shipped_specs()
    registration = json.loads((specs / "registrations" / "biai-demo-sql.json").read_text(encoding="utf-8"))
    with Client(machines.endpoint) as client:
        client.register("LLM", registration)
        workers = sorted(client.status().workers)
        body = {
            "model_uid": UID,
            "model_name": registration["model_name"],
            "model_engine": "llama.cpp",
            "model_format": "ggufv2",
            "model_size_in_billions": "0_005",
            "quantization": "q8_0",
            "model_path": str(specs / "bundled" / "biai-demo-sql-q8_0.gguf"),
            "context_length": 512,
            "n_parallel": 2,
            "n_threads": 1,
            "replica": 2,
            "replica_config": [{"devices": [{"worker_ip": worker, "n_gpu": "auto"}]} for worker in workers],
        }
        client.launch(body, wait_ready=True, timeout=LAUNCH_S)


async def _load(machines: Machines, drill: Drill) -> Tally:
    tally = Tally()
    ends = time.monotonic() + drill.lasts_s
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        url = f"{machines.endpoint}/v1/chat/completions"
        clients = [_client(session, url, ends, stream=index % 2 == 1, tally=tally) for index in range(drill.clients)]
        await asyncio.gather(_die(machines, drill), *clients)
    return tally


async def _die(machines: Machines, drill: Drill) -> None:
    await asyncio.sleep(drill.kill_after_s)
    await asyncio.to_thread(_kill, machines.workers[0])


async def _client(session: aiohttp.ClientSession, url: str, ends: float, *, stream: bool, tally: Tally) -> None:
    body = {"model": UID, "messages": [{"role": "user", "content": "How many orders are there?"}]}
    body |= {"max_tokens": 24, "temperature": 0, "stream": stream}
    while time.monotonic() < ends:
        begun = False
        try:
            async with session.post(url, json=body) as response:
                raw = b""
                async for chunk in response.content.iter_any():
                    begun = begun or (stream and b'"content"' in chunk)
                    raw += chunk
            reason = _reason(response.status, raw, stream)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            reason = type(error).__name__
        tally.statuses["failed" if reason else "good"] += 1
        if reason:
            tally.errors[reason] += 1
            tally.broken_streams += begun
            # A client that was refused waits a little before it asks again.
            await asyncio.sleep(0.05)


def _reason(status: int, raw: bytes, stream: bool) -> str | None:
    """Why an answer is none; None for a good one."""
    if status != 200:
        return f"{status} {raw[:120].decode(errors='replace')}"
    if stream:
        return None if b"[DONE]" in raw and b'"error"' not in raw else f"200 {raw[-120:].decode(errors='replace')}"
    with contextlib.suppress(ValueError, LookupError):
        if json.loads(raw)["choices"][0]["message"]["content"] is not None:
            return None
    return f"200 {raw[:120].decode(errors='replace')}"


def _replays(endpoint: str) -> int:
    text = requests.get(f"{endpoint}/metrics", timeout=10).text
    counts = re.findall(r"^xinference:biai_replays_total\{[^}]*\} ([0-9.e+]+)$", text, re.MULTILINE)
    return round(sum(map(float, counts)))


if __name__ == "__main__":
    main()
