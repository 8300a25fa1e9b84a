"""The command blocks of our documents, and how a real output is compared with the one that is written there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run: times, sizes of free memory, ports of workers, process ids, versions.
_VARYING = [
    (re.compile(r"\S+/\.?(xinference|biai-xinf)\b"), r"~/.\1"),
    (re.compile(r"\d+(\.\d+)? s\b"), "N s"),
    (re.compile(r"\d+(\.\d+)? (TiB|GiB|MiB|KiB)\b"), "N GiB"),
    (re.compile(r"127\.0\.0\.1:(?!9997)\d+"), "127.0.0.1:PORT"),
    (re.compile(r"pid \d+"), "pid N"),
    (re.compile(r"\b\d+\.\d+\.\d+(\.\d+)?\b"), "N.N.N"),
    (re.compile(r"Python N.N.N on .*"), "Python N.N.N on SYSTEM"),
    # The number of processors in the table of workers.
    (re.compile(r"(127\.0\.0\.1:PORT) \d+ N GiB"), r"\1 N N GiB"),
]


@dataclass(frozen=True)
class Block:
    """One fenced block of a document."""

    document: str
    line: int
    language: str
    text: str

    def commands(self) -> list[tuple[str, str]]:
        """Of a `console` block: each command after `$ `, and what is written below it."""
        parts = re.split(r"^\$ (.*)\n", self.text, flags=re.MULTILINE)[1:]
        return list(zip(parts[::2], parts[1::2], strict=True))


def blocks(document: Path) -> list[Block]:
    """All fenced blocks of a document that name a language."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(document.name, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _BLOCK.finditer(text)
    ]


def steadied(output: str) -> list[str]:
    """The lines of an output with everything that varies from run to run made the same."""
    lines = [" ".join(line.split()) for line in output.strip().splitlines()]
    for pattern, name in _VARYING:
        lines = [pattern.sub(name, line) for line in lines]
    return lines
