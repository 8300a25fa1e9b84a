from __future__ import annotations

import socket

from biai_xinf import pulse


def test_a_worker_is_silent_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as other:
        there = f"127.0.0.1:{listening.getsockname()[1]}"
        gone = f"127.0.0.1:{other.getsockname()[1]}"
        other.close()

        assert pulse.silent([there, gone]) == {gone}


def test_without_workers_nobody_is_silent() -> None:
    assert pulse.silent([]) == frozenset()


def test_an_address_that_is_none_is_silent() -> None:
    assert pulse.silent(["nonsense"]) == {"nonsense"}
