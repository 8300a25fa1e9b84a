"""The log of the local Xinference: everything it and its children print."""

from __future__ import annotations

import os
import re
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

KEPT = 5
# `2026-11-22T16:07:54.870Z ERROR xinference.core.worker pid:1 role:local address:... node:vm message`
_PREFIX = re.compile(r"^\d{4}-\S+ [A-Z]+ \S+ pid:\d+ .*?node:\S+ ")
# `0.00.006.393 E llama_model_load: error loading model: ...`
_LLAMA_CPP_ERROR = re.compile(r"^\d+\.\d\d\.\d{3}\.\d{3} E (\S.*?)\s*$", re.MULTILINE)
_REFUSAL = re.compile(r"^(\S+) ERROR xinference\.core\.supervisor .* extensions must match\b", re.MULTILINE)
_ERROR = re.compile(r"^(\d{4}-\S+ (ERROR|CRITICAL) |[\w.]*(Error|Exception|Exit)(:|$)|\S+: error:)")


def new(directory: Path, started: float) -> Path:
    """A file name for a service started at that time (seconds since the epoch); deletes the oldest logs."""
    directory.mkdir(exist_ok=True, mode=0o700)
    for old in sorted(directory.glob("xinference-*.log"))[: -(KEPT - 1)]:
        old.unlink(missing_ok=True)
    return directory / time.strftime("xinference-%Y%m%d-%H%M%S.log", time.localtime(started))


def open_private(log: Path) -> IO[bytes]:
    """For its owner only: it holds the setup token, and what models are launched with."""
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")


def find_setup_token(log: Path) -> str | None:
    """The token in Xinference's first-run notice, with which its first admin is created; None without one."""
    tokens = re.findall(r"^\s*Setup token: (\S+)\s*$", _read(log), re.MULTILINE)
    return tokens[-1] if tokens else None


def last_words(log: Path) -> str:
    """The line that tells best why the process ended: its last error, else its last line."""
    lines = [line.rstrip() for line in _read(log).splitlines() if line.strip(" ^~-=")]
    errors = [line for line in lines if _ERROR.match(line)]
    flush_left = [line for line in lines if not line.startswith(" ")]
    last = (errors or flush_left or lines or ["it wrote nothing"])[-1]
    return _PREFIX.sub("", last)[:500]


def engine_errors(log: Path, since: int = 0) -> list[str]:
    """What llama.cpp says went wrong, each line once, from byte `since` of the log on.

    Xinference 4.1 passes on no more of it than `Failed to init server, please check the input params.`
    """
    return list(dict.fromkeys(_LLAMA_CPP_ERROR.findall(_read(log, since))))


def last_refusal(log: Path) -> float | None:
    """When a worker was last turned away for having other extensions, in seconds since the epoch; None if never.

    Such a worker tries again every 15 s for as long as it runs (Xinference 4.1.0).
    """
    times = _REFUSAL.findall(_read(log))
    if not times:
        return None
    return datetime.strptime(times[-1], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


def size(log: Path) -> int:
    """How much was written so far, in bytes."""
    return log.stat().st_size if log.exists() else 0


def read_from(log: Path, since: int) -> bytes:
    """What was written from byte `since` on; nothing where the log is gone."""
    try:
        with log.open("rb") as file:
            file.seek(since)
            return file.read()
    except OSError:
        return b""


def _read(log: Path, since: int = 0) -> str:
    return read_from(log, since).decode("utf-8", errors="replace")
