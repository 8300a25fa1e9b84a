"""Keep a cluster as its file says: the pipeline again and again, a turn at a time, with a word for what happened.

A turn that finds everything in order reads and changes nothing. What fails is tried again after a pause that grows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from biai_xinf.client import Client
from biai_xinf.errors import NothingFits, UidTaken, XinferenceError
from biai_xinf.plan import Action, Change
from biai_xinf.progress import silent
from biai_xinf.reconcile import Outcome, carry_out, prepare
from biai_xinf.state import Desired

# Seconds before a model that failed is tried again: twice as long after each failure.
_FIRST_REST, _LONGEST_REST = 5.0, 300.0
_READY = "is ready"


@dataclass(frozen=True)
class Event:
    """Something worth a line; `uid` is None where it is about the cluster."""

    uid: str | None
    what: str


@dataclass
class _Rest:
    """A model that failed `failures` times, and is left alone until `until`."""

    failures: int
    until: float


class Watch:
    """The turns of one watch; `now` is a clock in seconds, `tell` is called with every event once."""

    def __init__(
        self, client: Client, desired: Desired, now: Callable[[], float], tell: Callable[[Event], None]
    ) -> None:
        self._client, self._desired, self._now, self._tell_now = client, desired, now, tell
        self._resting: dict[str, _Rest] = {}
        self._said: dict[str | None, str] = {}

    def turn(self) -> None:
        """Look once, and do what it takes; raises nothing that another turn may find mended."""
        try:
            _, plan = prepare(self._client, self._desired)
        except (NothingFits, UidTaken) as error:
            self._tell(self._desired.models[0].uid, error.message, error.details)
            return
        except XinferenceError as error:
            self._tell(None, error.message)
            return
        self._tell(None, "the cluster answers")
        for refused in plan.refused:
            self._tell(refused.uid, refused.error.message, refused.error.details)
        for change in plan.changes:
            if change.action is Action.KEEP:
                as_wished = change.recipe is not None and change.reason == f"runs recipe {change.recipe.name}"
                self._tell(change.uid, _READY if as_wished else change.reason)
        due = tuple(change for change in plan.changes if change.action is not Action.KEEP and self._is_due(change))
        for change in due:
            self._tell(change.uid, f"{change.reason}: {_DOES[change.action]}")
        for outcome in carry_out(
            self._client, replace(plan, changes=due), self._desired, lambda _: nullcontext(silent)
        ):
            self._judge(outcome)

    def _is_due(self, change: Change) -> bool:
        rest = self._resting.get(change.uid)
        return rest is None or rest.until <= self._now()

    def _judge(self, outcome: Outcome) -> None:
        uid = outcome.change.uid
        if outcome.error is None:
            self._resting.pop(uid, None)
            self._tell(uid, "is stopped" if outcome.change.action is Action.TERMINATE else _READY)
            return
        failures = self._resting[uid].failures + 1 if uid in self._resting else 1
        pause = min(_LONGEST_REST, _FIRST_REST * 2 ** (failures - 1))
        self._resting[uid] = _Rest(failures, self._now() + pause)
        self._tell(uid, f"{outcome.error.message}; tried again in {pause:.0f} s")

    def _tell(self, uid: str | None, what: str, details: Sequence[str] = ()) -> None:
        """Say it, unless it is what was said of it last; details, such as free bytes, change all the time."""
        if self._said.get(uid) != what:
            self._said[uid] = what
            self._tell_now(Event(uid, "; ".join([what, *details])))


_DOES = {Action.LAUNCH: "launching it", Action.RELAUNCH: "launching it anew", Action.TERMINATE: "stopping it"}
