"""Each fault of Xinference that we repair, on a stock Xinference and on ours side by side.

A test that fails because stock does right is good news: the repair it names can go, with its part of
`docs/extension.md`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from biai_xinf import local_server
from biai_xinf.local import LocalService
from biai_xinf.ports import is_free
from tests.launched import answers, ask, connection, launched

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("xinference") is None, reason="needs biai-xinf[server]"),
]

# asyncio sizes its default executor by this; on a machine with two it changes nothing.
TWO_CPUS = """
import os
os.cpu_count = os.process_cpu_count = lambda: 2
"""
ROUNDS, REQUESTS = 4, 15


@pytest.fixture(scope="module")
def stock_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with launched(tmp_path_factory.mktemp("stock"), "local", stock=True) as service:
        yield service


@pytest.fixture(scope="module")
def our_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with launched(tmp_path_factory.mktemp("ours"), "local", stock=False) as service:
        yield service


def test_widen_default_executor_lets_a_supervisor_on_two_cpus_answer_at_length(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(TWO_CPUS, encoding="utf-8")

    with (
        launched(tmp_path / "stock", "supervisor", stock=True, PYTHONPATH=str(site)) as stock,
        launched(tmp_path / "ours", "supervisor", stock=False, PYTHONPATH=str(site)) as ours,
    ):
        assert answers(ours.endpoint, "/v1/models/prompts")
        assert not answers(stock.endpoint, "/v1/models/prompts")
        # It is not that it died.
        assert answers(stock.endpoint, "/v1/cluster/auth")


@pytest.mark.skipif(sys.platform != "linux", reason="a delayed acknowledgement takes 40 ms on Linux")
def test_send_small_replies_at_once_saves_a_kept_connection_the_wait(
    stock_local: LocalService, our_local: LocalService
) -> None:
    connections = {"stock": connection(stock_local.endpoint), "ours": connection(our_local.endpoint)}
    took: dict[str, list[float]] = {"stock": [], "ours": []}

    for _ in range(ROUNDS):
        for name, asked in connections.items():
            for _ in range(REQUESTS):
                begun = time.perf_counter()
                assert ask(asked, "/v1/cluster/auth")[0] == 200
                took[name].append(time.perf_counter() - begun)

    print({name: f"{median(found) * 1000:.2f} ms" for name, found in took.items()})
    assert median(took["stock"]) > 5 * median(took["ours"])


def test_the_gate_answers_head_as_ollama_clients_ask_it(stock_local: LocalService, our_local: LocalService) -> None:
    assert ask(connection(stock_local.endpoint), "/", "HEAD")[0] == 405
    assert ask(connection(our_local.endpoint), "/", "HEAD")[0] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="the ports that Linux gives to clients")
def test_keep_ports_from_clients_keeps_a_call_from_reaching_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    import xoscar.utils

    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert last < xoscar.utils.HIGH_PORT_BOUND
    # Linux gives clients the even ones first.
    stock_port = next(port for port in range(first + first % 2, last, 2) if is_free(port))

    monkeypatch.setattr(xoscar.utils, "HIGH_PORT_BOUND", xoscar.utils.HIGH_PORT_BOUND)
    local_server.keep_ports_from_clients()
    ours = xoscar.utils.get_next_port()

    assert reaches_itself(stock_port, tries=4 * (last - first))
    assert not reaches_itself(ours, tries=4 * (last - first))


def reaches_itself(port: int, tries: int) -> bool:
    """Whether one of so many calls to a port where nobody listens gets that port as its own."""
    for _ in range(tries):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)) as call:
            return bool(call.getsockname() == call.getpeername())
    return False
