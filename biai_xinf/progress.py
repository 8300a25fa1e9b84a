"""How long work tells how far it is; who listens is the caller's business."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Called while work goes on: how far it is (0 to 1, None where unknown), and what is done now.

    `detail` changes all the time, such as bytes loaded down: it is worth a place on a terminal, and no line of its own.
    """

    def __call__(self, fraction: float | None, stage: str, detail: str = "") -> None: ...


def silent(fraction: float | None, stage: str, detail: str = "") -> None:
    """A report that nobody reads."""
