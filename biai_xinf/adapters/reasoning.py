"""Leaves the reasoning of a model out of its answer while that still streams in, wherever the pieces are cut."""

from __future__ import annotations

_BEGIN, _END = "<think>", "</think>"


class Spoken:
    """`feed` takes each piece as it comes and gives what of it may be shown; `end` gives the rest.

    What may be the beginning of a tag is held back until it is known. `reasoning` says that the model reasons already.
    """

    def __init__(self, reasoning: bool = False) -> None:
        self._reasoning = reasoning
        self._held = ""
        self._begun = False

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        self._held += piece
        shown = ""
        while True:
            tag = _END if self._reasoning else _BEGIN
            before, found, after = self._held.partition(tag)
            if not found:
                break
            shown += "" if self._reasoning else before
            self._held, self._reasoning = after, not self._reasoning
        kept = _beginning_of(tag, self._held)
        shown += "" if self._reasoning else self._held[: len(self._held) - kept]
        self._held = self._held[len(self._held) - kept :]
        return self._from_its_beginning(shown)

    def end(self) -> str:
        """What was held back, and turned out to be no tag."""
        rest, self._held = ("" if self._reasoning else self._held), ""
        return self._from_its_beginning(rest)

    def _from_its_beginning(self, shown: str) -> str:
        """Without the blanks that stand between the reasoning and the answer."""
        shown = shown if self._begun else shown.lstrip()
        self._begun = self._begun or bool(shown)
        return shown


def _beginning_of(tag: str, text: str) -> int:
    """How many characters at the end of the text may become the tag."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
