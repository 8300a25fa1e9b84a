"""Whether workers still listen at their own addresses: a dead process is noticed here before Xinference notices it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

# A machine in the same network accepts a connection in a millisecond; one without power never does.
_CONNECT_S = 1.0
# One refused connection may be a worker that is swapped for a newer one.
_SECOND_LOOK_S = 0.3
_AT_ONCE = 16


def silent(addresses: Iterable[str]) -> frozenset[str]:
    """The addresses (`host:port`) at which nothing accepts a connection, asked twice."""
    first = _refusing(sorted(addresses))
    if not first:
        return frozenset()
    time.sleep(_SECOND_LOOK_S)
    return frozenset(_refusing(first))


def _refusing(addresses: list[str]) -> list[str]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pulse") as threads:
        answers = list(threads.map(_accepts, addresses))
    return [address for address, accepts in zip(addresses, answers, strict=True) if not accepts]


def _accepts(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, ValueError):
        return False
    return True
