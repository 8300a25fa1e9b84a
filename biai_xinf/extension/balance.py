"""Which server of an upstream gets the next request, and which are left alone for now. Pure: it is told the time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from biai_xinf.upstreams import UpstreamServer

# A server that answers wrongly may do so for one bad request; one that cannot be reached is gone at once.
FAILURES_UNTIL_AVOIDED = 3
# How long a failing server is left alone before one request tries it again, doubled at each failed try.
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0

State = Literal["ok", "failing", "unknown"]


@dataclass
class Health:
    """What is known of one server. Times in seconds of the clock that the caller uses throughout."""

    state: State = "unknown"
    reason: str | None = None
    since: float = 0.0
    in_flight: int = 0
    served: int = 0
    failures: int = 0
    pause_s: float = 0.0
    retry_at: float = 0.0
    probed_at: float = float("-inf")

    def succeeded(self, now: float) -> None:
        """It answered."""
        if self.state != "ok":
            self.state, self.reason, self.since = "ok", None, now
        self.failures, self.pause_s = 0, 0.0

    def failed(self, reason: str, now: float, *, gone: bool) -> None:
        """It did not answer as it should; `gone`: nothing answered there at all."""
        self.failures += 1
        self.reason = reason
        if gone or self.failures >= FAILURES_UNTIL_AVOIDED or self.state == "failing":
            if self.state != "failing":
                self.state, self.since = "failing", now
            self.pause_s = min(self.pause_s * 2 or FIRST_PAUSE_S, LONGEST_PAUSE_S)
            self.retry_at = now + self.pause_s

    def may_be_tried(self, now: float) -> bool:
        """Whether a request may go there: a failing server gets one at a time, after its pause."""
        return self.state != "failing" or (now >= self.retry_at and self.in_flight == 0)


def choose(
    servers: Sequence[UpstreamServer], health: Sequence[Health], tried: Collection[int], now: float
) -> int | None:
    """The index of the server for the next request: the fewest requests in flight for its weight, then the fewest
    served for its weight.

    A failing server whose pause is over is tried only when no other is left. None when there is nobody to ask.
    """
    open_to = [i for i in range(len(servers)) if i not in tried and health[i].may_be_tried(now)]
    if not open_to:
        return None

    def load(i: int) -> tuple[bool, float, float, int]:
        weight = servers[i].weight
        return health[i].state == "failing", health[i].in_flight / weight, health[i].served / weight, i

    return min(open_to, key=load)
