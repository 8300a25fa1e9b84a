"""Which workers are there: the dead are taken out of the cluster at once, those that join are told what they missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from biai_xinf import pulse
from biai_xinf.client import Client
from biai_xinf.errors import Forbidden, NoExtension, NotFound, Rejected
from biai_xinf.execute import register_again
from biai_xinf.state import Desired


class Attendance:
    """The workers of one cluster, from turn to turn; `tell(address, what)` is called with what happened to one.

    `is_silent` says at which addresses no worker listens.
    """

    def __init__(
        self,
        client: Client,
        desired: Desired,
        tell: Callable[[str, str], None],
        is_silent: Callable[[Sequence[str]], frozenset[str]] = pulse.silent,
    ) -> None:
        self._client, self._desired, self._tell, self._is_silent = client, desired, tell, is_silent
        self._there: frozenset[str] | None = None
        # Those that are silent to us and were not buried: the endpoint reaches them, or cannot be asked.
        self._left: frozenset[str] = frozenset()

    def bury_the_dead(self, addresses: Sequence[str]) -> None:
        """Let the endpoint take out those that died."""
        silent = self._is_silent(addresses)
        self._left &= silent
        for address in sorted(silent - self._left):
            self._bury(address)

    def _bury(self, address: str) -> None:
        try:
            self._client.forget_worker(address)
        except (Rejected, NotFound):
            self._left |= {address}
        except (NoExtension, Forbidden):
            self._left |= {address}
            self._tell(address, "does not answer; Xinference will notice by itself, and asks it until then")
        else:
            if self._there is not None:
                self._there -= {address}
            self._tell(address, "is dead; its replicas get no more requests")

    def note(self, addresses: Set[str], *, launching: bool) -> None:
        """Say who came and went, and tell those that joined of the registrations they missed: Xinference does not.

        Registering takes a moment in which a launch would not find its model: while `launching` they are told later.
        """
        before, there = self._there, frozenset(addresses)
        self._there = there
        if before is None:
            return
        for address in sorted(before - there):
            self._tell(address, "left")
        joined = sorted(there - before)
        if joined and launching:
            self._there = there.difference(joined)
        elif joined:
            known = self._register_again()
            told = f", and was told of {known} registered model{'s' * (known != 1)}" if known else ""
            for address in joined:
                self._tell(address, f"joined{told}")

    def _register_again(self) -> int:
        ours = {
            (want.entry.spec.model_type, str(registration["model_name"])): registration
            for want in self._desired.models
            for registration in want.entry.registrations.values()
        }
        known = [key for key in ours if self._client.registration(*key) is not None]
        for model_type, name in known:
            register_again(self._client, model_type, ours[model_type, name])
        return len(known)
