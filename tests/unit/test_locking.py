"""A file that one process, and one thread, holds at a time."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from biai_xinf.locking import locked


def soon() -> float:
    return time.monotonic() + 30


def hold(path: Path, held: Any) -> None:
    with locked(path, soon()):
        held.set()
        time.sleep(600)


def test_what_another_process_holds_is_free_once_that_was_killed(tmp_path: Path) -> None:
    path, processes = tmp_path / "lock", multiprocessing.get_context("spawn")
    held = processes.Event()
    holder = processes.Process(target=hold, args=(path, held))
    holder.start()
    try:
        assert held.wait(60)

        with pytest.raises(TimeoutError, match="others have held"), locked(path, time.monotonic()):
            pass
    finally:
        holder.kill()
        holder.join()
    with locked(path, soon()):
        pass


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def enter() -> None:
        for _ in range(5):
            with locked(tmp_path / "lock", soon()):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                inside[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows forks no process")
def test_a_fork_that_lives_on_holds_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with locked(tmp_path / "lock", soon()):
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    try:
        with locked(tmp_path / "lock", time.monotonic()):
            pass
    finally:
        os.close(writing)
        os.waitpid(child, 0)
        os.close(reading)
