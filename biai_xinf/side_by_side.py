"""Changes carried out at once: as many as touch different workers, so that no machine starts two engines together."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

from biai_xinf.errors import Interrupted
from biai_xinf.plan import Change
from biai_xinf.state import Launch, Scaling

T = TypeVar("T")
# Each thread mostly waits for Xinference; this many ask it a few times a second.
_MOST_AT_ONCE = 16


def side_by_side(changes: Sequence[Change], work: Callable[[Change, Event], T]) -> dict[str, T]:
    """What `work` made of each change, by uid; the event it is given is set when a person interrupts.

    An interrupt begins nothing new, and waits for what was begun to take itself back; Interrupted says what remains.
    """
    stopped = Event()
    if len(changes) == 1:
        return {changes[0].uid: work(changes[0], stopped)}
    waiting, running, done = list(changes), dict[Future[T], Change](), dict[str, T]()
    with ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="change") as threads:
        try:
            while waiting or running:
                busy = {worker for change in running.values() for worker in workers_of(change)}
                for change in free_to_begin(waiting, busy, len(running)):
                    waiting.remove(change)
                    running[threads.submit(work, change, stopped)] = change
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done[running.pop(future).uid] = future.result()
        except (KeyboardInterrupt, Interrupted):
            stopped.set()
            raise _interrupted(running) from None
    return done


def free_to_begin(waiting: Sequence[Change], busy: Set[str], running: int) -> list[Change]:
    """Those that touch no worker that is busy, nor one another's, beside so many that run."""
    taken = set(busy)
    begin: list[Change] = []
    for change in waiting:
        if running + len(begin) >= _MOST_AT_ONCE:
            break
        if not taken & workers_of(change):
            begin.append(change)
            taken |= workers_of(change)
    return begin


def workers_of(change: Change) -> set[str]:
    """The workers that a change makes busy; none where it only stops or waits."""
    if not isinstance(change.launch, (Launch, Scaling)):
        return set()
    body = change.launch.body
    named = {device["worker_ip"] for replica in body.get("replica_config", []) for device in replica["devices"]}
    return named | set(filter(None, str(body.get("worker_ip") or "").split(",")))


def _interrupted(running: dict[Future[T], Change]) -> Interrupted:
    """What became of the changes that were under way, once they have all ended."""
    ends = {change.uid: future.exception() for future, change in running.items()}
    said = [str(error) or f"`{uid}` was left as it is" for uid, error in ends.items() if error is not None]
    hint = "`biai-xinf plan` shows what is left to do"
    return Interrupted("stopped before everything was done", details=said, hint=hint)
