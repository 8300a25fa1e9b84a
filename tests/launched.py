"""A real Xinference in any role, stock or ours, started by our launcher and ended with all its children."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from biai_xinf import local, ports
from biai_xinf.local import LocalService

PATIENCE_S = 20.0


@contextmanager
def launched(folder: Path, role: str, *, stock: bool, **environ: str) -> Iterator[LocalService]:
    """One that answers, in the environment `up` gives it and in homes of its own below `folder`."""
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "biai_xinf.local_server", *["--stock"] * stock, role]
    command += ["--host", ports.LOOPBACK, "--port", str(port)]
    homes = {"BIAI_XINF_HOME": str(folder / "biai"), "XINFERENCE_HOME": str(folder / "xinference")}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XINFERENCE_AUTH_ADVANCED", "XINFERENCE_EXTENSIONS"):
            patch.delenv(name, raising=False)
        for name, value in {**homes, **environ}.items():
            patch.setenv(name, value)
        # A supervisor has no worker of its own to wait for.
        probe = (lambda endpoint: answers(endpoint, "/status")) if role == "supervisor" else ports.worker_joined
        service = local.start(port, stock=stock, command=command, probe=probe)
        try:
            yield service
        finally:
            local.stop(service, timeout_s=10)


def connection(endpoint: str) -> http.client.HTTPConnection:
    """One that is kept from request to request."""
    return http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=PATIENCE_S)


def ask(asked: http.client.HTTPConnection, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body of one answer."""
    asked.request(method, path)
    with asked.getresponse() as answer:
        return answer.status, answer.read()


def answers(endpoint: str, path: str) -> bool:
    """Whether a good answer comes within PATIENCE_S."""
    try:
        return ask(connection(endpoint), path)[0] == 200
    except OSError:
        return False
