"""How long work tells how far it is; who listens is the caller's business."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Called while work goes on: how far it is (0 to 1, None where unknown), and what is done now."""

    def __call__(self, fraction: float | None, stage: str) -> None: ...


def silent(fraction: float | None, stage: str) -> None:
    """A report that nobody reads."""
