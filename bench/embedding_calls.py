"""What an application pays for a vector by our adapter, beside a bare request and OpenAI's client.

`python bench/embedding_calls.py` needs biai-xinf[openai] in the Python that runs it. A server on loopback answers at
once, so that nothing is measured but the way there; `docs/performance.md` explains the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles

import openai
import requests
from measure import clean_up_when_terminated, environment, fast_loop, finish, free_port, in_turn, say, seconds
from mock_upstream import Connection, _whole

from biai_xinf.adapters.embedder import Embedder
from biai_xinf.adapters.source import Source
from biai_xinf.pins import keep_pin

UID, DIMENSIONS, TEXT = "bge-m3", 1024, "which orders were cancelled"
STORES = (1, 20)
HERE = Path(__file__).resolve()


def main() -> None:
    """Measure, explain to a person, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print nothing else")
    parser.add_argument("--quick", action="store_true", help="repeat less")
    arguments = parser.parse_args()
    if arguments.serve:
        fast_loop(serve(arguments.serve))
        return
    clean_up_when_terminated()
    with server() as endpoint:
        found = {f"pins_{count}": cost(endpoint, count, 300 if arguments.quick else 2000) for count in STORES}
    if not arguments.json:
        say(f"{'':<10}  ours p50  p99 (ms)  session p50  p99  openai p50  p99  added p50  to session  to openai")
        for name, one in found.items():
            columns = (f"{one[key]:8.3f}" for key in KEYS)
            say(f"{name:<10}  {'  '.join(columns)}")
    finish({name: {key: round(value, 3) for key, value in one.items()} for name, one in found.items()})


KEYS = (
    *(f"{name}_{percentile}_ms" for name in ("ours", "session", "openai") for percentile in ("p50", "p99")),
    *("added_p50_ms", "ratio_vs_session", "ratio_vs_openai"),
)


def cost(endpoint: str, stores: int, rounds: int) -> dict[str, float]:
    """Milliseconds of one call by each way, in turn, where so many stores rest on the model."""
    embedder, session = Embedder(Source(UID, endpoint)), requests.Session()
    client = openai.OpenAI(base_url=f"{endpoint}/v1", api_key="none")

    def by_session() -> object:
        body = {"model": UID, "input": [TEXT]}
        return session.post(f"{endpoint}/v1/embeddings", json=body, timeout=60).json()["data"][0]["embedding"]

    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: embedder.queries([TEXT]),
        "session": by_session,
        "openai": lambda: client.embeddings.create(model=UID, input=[TEXT]).data[0].embedding,
    }
    with tempfile.TemporaryDirectory() as home, environment(BIAI_XINF_HOME=home), session, client:
        seen = embedder.model()
        for number in range(stores):
            keep_pin(seen.pinned(f"/data/{number}", ["ddl"]))
        taken = in_turn(rounds, {name: lambda way=way: seconds(way) for name, way in ways.items()}, warm_ups=20)
    found = {}
    for name, times in taken.items():
        found[f"{name}_p50_ms"], found[f"{name}_p99_ms"] = median(times) * 1e3, quantiles(times, n=100)[98] * 1e3
    ours, bare, theirs = (found[f"{name}_p50_ms"] for name in ways)
    return {**found, "added_p50_ms": ours - bare, "ratio_vs_session": ours / bare, "ratio_vs_openai": ours / theirs}


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The address of a process that serves one embedder."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(HERE), "--serve", str(port)])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def serve(port: int) -> None:
    """Serve on loopback until terminated."""
    loop = asyncio.get_running_loop()
    await (await loop.create_server(Embedding, "127.0.0.1", port)).serve_forever()


class Embedding(Connection):
    """Answers as a stock Xinference with one embedder, always with the same vector."""

    def _answer(self, head: bytes, body: bytes) -> None:
        words = head.split(b" ", 2)
        self._transport.write(ANSWERS.get(b" ".join(words[:2]), NO_ROUTE))


_random = random.Random(0)
_VECTOR = [_random.gauss(0, DIMENSIONS**-0.5) for _ in range(DIMENSIONS)]
_MODEL = {"model_type": "embedding", "model_name": UID, "model_format": "ggufv2", "quantization": "Q8_0"}
_ENTRY = {"index": 0, "object": "embedding", "embedding": _VECTOR}
ANSWERS = {
    b"GET /v1/models": _whole({"object": "list", "data": [{"id": UID, "object": "model", **_MODEL}]}),
    f"GET /v1/models/{UID}".encode(): _whole({"address": "127.0.0.1:1", **_MODEL}),
    b"POST /v1/embeddings": _whole({"object": "list", "model": UID, "data": [_ENTRY]}),
}
NO_ROUTE = (
    b'HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n{"detail":"Not Found"}'
)


if __name__ == "__main__":
    main()
