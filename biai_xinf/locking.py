"""A file that one process at a time holds: the system lets go of it with the process, so it is never stale."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_LOOK_AGAIN_S = 0.02


@contextlib.contextmanager
def locked(path: Path, deadline: float) -> Iterator[None]:
    """Hold `path`, which is made where there is none; other threads wait like other processes.

    TimeoutError where others have held it until `deadline`, by `time.monotonic`; another OSError where it cannot be
    written, or its file system knows no locks.
    """
    with path.open("a") as file:
        while not _lock(file):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"others have held {path} all the while")
            time.sleep(_LOOK_AGAIN_S)
        try:
            yield
        finally:
            # Closing is not enough where the process was forked meanwhile.
            _unlock(file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
