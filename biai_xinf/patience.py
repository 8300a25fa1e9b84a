"""How long a model that failed is left alone: longer after each failure, until it has run for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Seconds before a model that failed is tried again: twice as long after each failure.
_FIRST_REST, _LONGEST_REST = 5.0, 300.0
# A model that is gone so soon after it was ready will most likely go again.
_SOON_S = 120.0


@dataclass
class _Rest:
    """A model that failed `failures` times, and is left alone until `until`."""

    failures: int
    until: float


class Patience:
    """The rests of all models, by uid; `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rests: dict[str, _Rest] = {}
        self._ready_since: dict[str, float] = {}

    def is_resting(self, uid: str) -> bool:
        """Whether it is still left alone."""
        return uid in self._rests and self._now() < self._rests[uid].until

    def failed(self, uid: str) -> float:
        """Let it rest; for so many seconds."""
        failures = self._rests[uid].failures + 1 if uid in self._rests else 1
        pause = min(_LONGEST_REST, _FIRST_REST * 2.0 ** (failures - 1))
        self._rests[uid] = _Rest(failures, self._now() + pause)
        return pause

    def became_ready(self, uid: str) -> None:
        """It was launched and answered right. Its failures are not forgotten yet."""
        self._ready_since[uid] = self._now()

    def runs(self, uid: str) -> None:
        """It was seen running: after a while that counts as mended."""
        since = self._ready_since.get(uid)
        if since is None or self._now() - since >= _SOON_S:
            self._rests.pop(uid, None)

    def went_away_after(self, uid: str) -> float | None:
        """The seconds that it was ready, told once, where they were few; None where they were not."""
        since = self._ready_since.pop(uid, None)
        lasted = None if since is None else self._now() - since
        return lasted if lasted is not None and lasted < _SOON_S else None
