"""Who listens on a port of this machine: nobody, an Xinference, an Ollama, or something else."""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import urllib.error
import urllib.request

LOOPBACK = "127.0.0.1"


def is_free(port: int, address: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port of ours now; PermissionError where only root may.

    OSError where this machine has no such address.
    """
    with socket.socket() as visitor:
        visitor.settimeout(1)
        # Asked first: macOS lets a second server bind to loopback beside one that listens on every address.
        if visitor.connect_ex((address, port)) == 0:
            return False
    with socket.socket() as listener:
        if os.name == "posix":
            # As servers do: connections a stopped server left in TIME_WAIT do not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def next_free(port: int, address: str = LOOPBACK) -> int | None:
    """The first free port after this one; None where the next hundred are all taken."""
    return next((other for other in range(port + 1, min(port + 101, 65536)) if is_free(other, address)), None)


def who_answers(port: int) -> str:
    """What listens there, in words, as far as it tells within two seconds a question."""
    base = f"http://{LOOPBACK}:{port}"
    page = _get(base)
    if page is None:
        return "a program that does not speak HTTP"
    if _has(base + "/v1/cluster/auth", "auth"):
        return "another Xinference"
    if "Ollama is running" in page:
        return "an Ollama"
    if _has(base + "/v1/models", "data"):
        return "an OpenAI-compatible server"
    return "a web server"


def worker_joined(endpoint: str) -> bool:
    """Whether an Xinference with a worker answers at the endpoint; `/status` is open to everyone."""
    status = _json(endpoint + "/status")
    return isinstance(status, dict) and bool(status.get("workers"))


def needs_administrator(endpoint: str) -> bool:
    """Whether an Xinference with authentication still waits for its first user."""
    state = _json(endpoint + "/v1/admin/setup/status")
    return isinstance(state, dict) and state.get("needs_setup") is True


def _has(url: str, key: str) -> bool:
    answer = _json(url)
    return isinstance(answer, dict) and key in answer


def _json(url: str) -> object:
    try:
        return json.loads(_get(url) or "null")
    except ValueError:
        return None


def _get(url: str) -> str | None:
    """The text at a URL of this machine, empty where the server refuses; None where no HTTP came back."""
    # A proxy of the user must not be asked about this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return str(answer.read(65536), "utf-8", "replace")
    except urllib.error.HTTPError as error:
        error.close()
        return ""
    except (OSError, http.client.HTTPException):
        return None
