"""A check is data: a question about what was seen, and its answer with the evidence and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

from biai_xinf.errors import XinferenceError

S = TypeVar("S")
T = TypeVar("T")


class Health(Enum):
    """How a thing is; the value is what is shown."""

    WELL = "ok"
    DOUBTFUL = "warn"
    ILL = "FAIL"
    UNKNOWN = "?"
    SKIPPED = "skip"


@dataclass(frozen=True)
class Verdict:
    """The answer of one check: the evidence, and what to do about it."""

    health: Health
    seen: str
    hint: str | None = None


@dataclass(frozen=True)
class Check(Generic[S]):
    """A question; `title` is shown, `name` is its own. What is `quiet` is shown only where something is wrong."""

    name: str
    look: Callable[[S], Verdict]
    title: str
    quiet: bool = True


@dataclass(frozen=True)
class Finding:
    """What one check saw, and what to do about it."""

    check: str
    health: Health
    seen: str
    hint: str | None
    name: str
    quiet: bool

    @property
    def worth_showing(self) -> bool:
        """Whether a person should see it who did not ask for everything."""
        return self.health is not Health.SKIPPED and not (self.quiet and self.health is Health.WELL)


def findings(checks: Sequence[Check[S]], about: S) -> Iterator[Finding]:
    """Every check made, one after the other."""
    for check in checks:
        verdict = check.look(about)
        yield Finding(check.title, verdict.health, verdict.seen, verdict.hint, check.name, check.quiet)


def well(seen: str) -> Verdict:
    """All is as it should be."""
    return Verdict(Health.WELL, seen)


def doubtful(seen: str, hint: str | None = None) -> Verdict:
    """It works, and may not do so for long, or not as well as it could."""
    return Verdict(Health.DOUBTFUL, seen, hint)


def ill(seen: str, hint: str | None = None) -> Verdict:
    """Something does not work."""
    return Verdict(Health.ILL, seen, hint)


def unknown(seen: str, hint: str | None = None) -> Verdict:
    """It would matter, and cannot be seen."""
    return Verdict(Health.UNKNOWN, seen, hint)


def skipped(why: str) -> Verdict:
    """The question does not arise here."""
    return Verdict(Health.SKIPPED, why)


# What a server said, or how it failed to say it.
Answer: TypeAlias = "T | XinferenceError"


def listed(things: Iterable[str], most: int = 5) -> str:
    """The first of them, and how many more there are: a line that stays one in a large cluster."""
    names = list(things)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
