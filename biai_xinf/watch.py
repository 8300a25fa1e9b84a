"""Keep a cluster as its file says: the pipeline again and again, a turn at a time, with a word for what happened.

A turn looks and decides; what takes time is done beside it, at most one thing on each worker, so that the next turn
sees the next machine die. Nothing is kept but in memory: a watch that was killed begins anew, and finds in the cluster
what it had begun.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Literal

from biai_xinf import pulse
from biai_xinf.attendance import Attendance
from biai_xinf.client import Client
from biai_xinf.errors import AuthFailed, BadFile, BiaiXinfError, NothingFits, OtherVectors, UidTaken, XinferenceError
from biai_xinf.observe import observe
from biai_xinf.patience import Patience
from biai_xinf.plan import Action, Change, Plan, make_plan
from biai_xinf.progress import Report, silent
from biai_xinf.reconcile import Outcome, carry_out
from biai_xinf.side_by_side import free_to_begin, workers_of
from biai_xinf.state import Cluster, Desired

# Workers tell a supervisor that was restarted within this time what they still run (Xinference 4.1.0: every 5 s).
_SETTLED_S = 30

Kind = Literal["cluster", "ready", "doing", "failed", "refused"]


@dataclass(frozen=True)
class Event:
    """Something worth a line; `uid` is None where it is about the cluster."""

    uid: str | None
    what: str
    kind: Kind = "cluster"


@dataclass(frozen=True)
class Seen:
    """What the last turn found, for metrics: `as_wished` of `wished` models run with all their replicas."""

    reachable: bool
    workers: int = 0
    wished: int = 0
    as_wished: int = 0
    busy: int = 0


def beside(work: Callable[[], None]) -> None:
    """Do it in a thread of its own, which ends with the process: what it began at Xinference goes on there."""
    threading.Thread(target=work, daemon=True).start()


class Watch:
    """The turns of one watch; `now` is a clock in seconds, `tell` is called with every event once.

    `begin` starts what takes time; `is_silent` says at which addresses no worker listens.
    """

    def __init__(
        self,
        client: Client,
        desired: Desired,
        now: Callable[[], float],
        tell: Callable[[Event], None],
        begin: Callable[[Callable[[], None]], None] = beside,
        is_silent: Callable[[Sequence[str]], frozenset[str]] = pulse.silent,
    ) -> None:
        self._client, self._desired, self._tell_now, self._begin = client, desired, tell, begin
        self._patience = Patience(now)
        self._attendance = Attendance(client, desired, self._tell_of_worker, is_silent)
        self._under_way: dict[str, Change] = {}
        self._done: SimpleQueue[Outcome] = SimpleQueue()
        self._said: dict[str, str] = {}
        self.seen = Seen(reachable=False, wished=len(desired.models))

    def turn(self) -> None:
        """Look once, and begin what it takes; AuthFailed where the login is refused: it is not sent again.

        Everything else another turn may find mended.
        """
        self._judge_what_is_done()
        try:
            cluster = self._look()
            plan = make_plan(self._desired, cluster)
        except (NothingFits, OtherVectors, UidTaken) as error:
            self._tell(self._desired.models[0].uid, error.message, "refused", error.details)
            return
        except AuthFailed:
            raise
        except BadFile as error:
            # `pins.json` of our home: nothing is launched while nobody knows what its vectors have to be.
            self._tell(None, error.message)
            return
        except XinferenceError as error:
            self.seen = replace(self.seen, reachable=False)
            self._tell(None, error.message)
            return
        if not self._is_settled(cluster):
            self._tell(None, "the supervisor has just started, its workers have not told yet what they run")
            return
        self._tell(None, "the cluster answers")
        self._tell_of(plan)
        self._begin_what_is_due(plan, cluster)
        self.seen = self._summary(plan, cluster)

    def _look(self) -> Cluster:
        """The cluster, once the dead are out of it and those that joined know all."""
        # First of all: of what runs on a dead worker Xinference 4.1 tells nothing but an error.
        self._attendance.bury_the_dead(sorted(self._client.status().workers))
        cluster = observe(self._client, self._desired)
        there = {worker.address for worker in cluster.workers}
        self._attendance.note(there, launching=bool(self._under_way))
        return cluster

    def _is_settled(self, cluster: Cluster) -> bool:
        """Whether what the supervisor tells of its workers' models is all there is to tell."""
        there = {worker.address for worker in cluster.workers}
        everyone = bool(self._desired.workers) and self._desired.workers <= there
        return everyone or cluster.uptime is None or cluster.uptime >= _SETTLED_S

    def _tell_of(self, plan: Plan) -> None:
        for refused in plan.refused:
            self._tell(refused.uid, refused.error.message, "refused", refused.error.details)
        for change in plan.changes:
            if change.action is not Action.KEEP or change.uid in self._under_way:
                continue
            if change.as_wished:
                self._patience.runs(change.uid)
                self._tell(change.uid, "is ready", "ready")
            elif not change.pending:
                self._tell(change.uid, change.reason)

    def _begin_what_is_due(self, plan: Plan, cluster: Cluster) -> None:
        busy = {worker for change in self._under_way.values() for worker in workers_of(change)}
        busy |= {
            replica.worker for model in cluster.models for replica in model.replicas if replica.phase == "launching"
        }
        due = [change for change in plan.changes if self._is_due(change)]
        for change in free_to_begin(due, busy, len(self._under_way)):
            self._tell(change.uid, f"{change.reason}: {_DOES[change.action]}", "doing")
            self._under_way[change.uid] = change
            self._begin(lambda change=change: self._carry_out(plan, change))  # type: ignore[misc]
        # What was begun in this very thread is done.
        self._judge_what_is_done()

    def _is_due(self, change: Change) -> bool:
        if change.uid in self._under_way or (change.action is Action.KEEP and not change.pending):
            return False
        if change.action is Action.LAUNCH and (lasted := self._patience.went_away_after(change.uid)) is not None:
            self._fail(change.uid, f"went away {lasted:.0f} s after it was ready")
        return not self._patience.is_resting(change.uid)

    def _carry_out(self, plan: Plan, change: Change) -> None:
        def teller(_: Change) -> AbstractContextManager[Report]:
            return nullcontext(silent)

        try:
            (outcome,) = carry_out(self._client, replace(plan, changes=(change,)), self._desired, teller)
        except Exception as error:  # noqa: BLE001  a thread ends here, and its change must not stay under way for ever
            outcome = Outcome(change, error=BiaiXinfError(f"{type(error).__name__}: {error}"))
        self._done.put(outcome)

    def _judge_what_is_done(self) -> None:
        while True:
            try:
                outcome = self._done.get_nowait()
            except Empty:
                return
            self._under_way.pop(outcome.change.uid, None)
            self._judge(outcome)

    def _judge(self, outcome: Outcome) -> None:
        uid = outcome.change.uid
        if isinstance(outcome.error, UidTaken):
            # A model whose process died is made anew by Xinference itself; until it shows that, only the uid is taken.
            self._tell(uid, "is still held by Xinference", "failed")
        elif outcome.error is not None:
            self._fail(uid, outcome.error.message)
        elif outcome.change.action is Action.TERMINATE:
            self._tell(uid, "is stopped")
        else:
            self._patience.became_ready(uid)
            self._tell(uid, "is ready", "ready")

    def _fail(self, uid: str, why: str) -> None:
        self._tell(uid, f"{why}; tried again in {self._patience.failed(uid):.0f} s", "failed")

    def _summary(self, plan: Plan, cluster: Cluster) -> Seen:
        # One that answers, but was not checked yet, is none.
        as_wished = sum(change.as_wished and change.uid not in self._under_way for change in plan.changes)
        return Seen(True, len(cluster.workers), len(self._desired.models), as_wished, len(self._under_way))

    def _tell_of_worker(self, address: str, what: str) -> None:
        self._say(address, Event(None, f"{address} {what}"))

    def _tell(self, uid: str | None, what: str, kind: Kind = "cluster", details: Sequence[str] = ()) -> None:
        """Details, such as free bytes, change all the time: a change of theirs is not worth a line."""
        told = [what, *(" ".join(detail.split()) for detail in details)]
        self._say(uid or "", Event(uid, "; ".join(told), kind), what)

    def _say(self, about: str, event: Event, what: str | None = None) -> None:
        """Tell it, unless it is what was told last about the same."""
        if self._said.get(about) != (what or event.what):
            self._said[about] = what or event.what
            self._tell_now(event)


_DOES = {
    Action.LAUNCH: "launching it",
    Action.SCALE: "scaling it",
    Action.RELAUNCH: "launching it anew",
    Action.TERMINATE: "stopping it",
    Action.KEEP: "waiting for it",
}
