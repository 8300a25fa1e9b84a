"""What Xinference and its engines log, line by line: which lines are about one model, without what is noise.

Xinference 4.1 writes `2026-11-22T16:07:54.870Z ERROR xinference.core.worker pid:1 role:local address:... node:vm
message`, tracebacks below it, and ids for tracing behind it. Engines print as they like, without a model's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ENTRY = re.compile(r"(\d{4}-\d\d-\d\dT\S+) ([A-Z]+) \S+ pid:(\d+) .*?node:\S+ (.*)")
_IDS = re.compile(r' request_id="[^"]*" correlation_id=.*$')
# Every call between its actors, with all that was passed.
_CALL = re.compile(r"\[request [^\]]*\] (Enter|Leave) (?!.*, error: )")
# llama.cpp: `0.00.006.393 E llama_model_load: ...`; vLLM: `(EngineCore pid=12) ERROR 11-22 16:07:54 [core.py:1] ...`
_ENGINE = re.compile(r"\d+\.\d\d\.\d{3}\.\d{3} ([A-Z]) |(?:\([\w ]+pid=\d+\) )?(INFO|WARNING|ERROR) \d\d-\d\d ")
_LEVELS = {"E": "ERROR", "W": "WARNING", "I": "INFO", "D": "DEBUG"}


@dataclass(frozen=True)
class Line:
    """One line worth showing; `at` is UTC, ISO 8601. An engine's own lines tell no time and no model."""

    text: str
    at: str | None = None
    level: str | None = None
    engine: bool = False


class Reader:
    """Reads a log as it grows; with `uid` only what is about that model, and with `engines` what engines print.

    A process that loads a model is known from then on by its id, for most of what it says names no model.
    """

    def __init__(self, uid: str | None = None, *, engines: bool = True) -> None:
        self._names = None if uid is None else re.compile(rf"(?<![\w.-]){re.escape(uid)}(-rep\d+|-\d+)?(?![\w-]|\.\w)")
        self._loads = None if uid is None else re.compile(rf"ModelActor\({re.escape(uid)}-(rep)?\d+\)")
        self._engines = engines
        self._pids: set[str] = set()
        self._keeping = False
        self._rest = ""

    def feed(self, text: str) -> list[Line]:
        """The lines worth showing of what was written since; half a line waits for its end."""
        *lines, self._rest = (self._rest + text).split("\n")
        self._pids |= set(self._loaders(lines))
        return [line for one in lines if (line := self._line(one.rstrip("\r"))) is not None]

    def _loaders(self, lines: list[str]) -> Iterator[str]:
        for line in lines:
            if self._loads and self._loads.search(line) and (entry := _ENTRY.match(line)):
                yield entry[3]

    def _line(self, line: str) -> Line | None:
        if entry := _ENTRY.match(line):
            at, level, pid, message = entry.groups()
            self._keeping = not _CALL.match(message) and self._is_about(message, pid)
            return Line(_IDS.sub("", message), at, level) if self._keeping else None
        if engine := _ENGINE.match(line):
            level = engine[2] or _LEVELS.get(engine[1])
            return Line(line, level=level, engine=True) if self._engines else None
        return Line(line) if self._keeping and line.strip(" ^~-=") else None

    def _is_about(self, message: str, pid: str) -> bool:
        return self._names is None or pid in self._pids or bool(self._names.search(message))
