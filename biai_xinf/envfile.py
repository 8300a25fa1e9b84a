"""`.env` files: a setting is changed in its line, and every other byte stays what it was.

The rules are those by which BIAI saves its own settings, and those of python-dotenv 1.2.4, which reads them: the last
line of a key counts, `export` may stand before it, a quoted value may go over several lines, and a line with a quote
left open, or with more behind a quoted value, sets nothing.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_BOM = "\ufeff"
_BLANK = r"[^\S\r\n]"
_NAME = rf"{_BLANK}*(?:export{_BLANK}+|(?!export{_BLANK}))(?:'(?P<quoted>[^']+)'|(?P<plain>[^=#\s'][^=#\s]*))"
_EQUALS = rf"(?P<equals>{_BLANK}*={_BLANK}*)"
_QUOTED = r"""'(?P<single>(?:\\.|[^'\\])*)'|"(?P<double>(?:\\.|[^"\\])*)\""""
# A `#` begins a comment only behind a blank.
_BARE = rf"""(?P<bare>(?:[^\s'"][^\r\n]*?)??)(?={_BLANK}*(?:[\r\n]|\Z)|{_BLANK}+#|(?<={_BLANK})#)"""
_BEHIND = rf"(?P<behind>{_BLANK}*(?:#[^\r\n]*)?(?:\r\n|\n|\r|\Z))"
# A key alone is one without a value.
_SETTING = re.compile(rf"(?P<name>{_NAME})(?:{_EQUALS}(?:{_QUOTED}|{_BARE}))?{_BEHIND}", re.DOTALL)
_NO_SETTING = re.compile(rf"(?:{_NAME}(?:{_EQUALS}(?:{_QUOTED})?)?)?[^\r\n]*(?:\r\n|\n|\r|\Z)", re.DOTALL)
_ENDING = re.compile(r"\r\n|\n|\r")
_ESCAPES = {"single": re.compile(r"\\[\\']"), "double": re.compile(r"\\[\\'\"abfnrtv]")}
# What any reader takes as it stands, without quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+,=~\[\]-]+")


def settings_of(content: bytes) -> dict[str, str]:
    """What a `.env` file sets, as it is read; a byte that is no UTF-8 is a surrogate."""
    return {line.key: line.value for line in _lines(_text(content)) if line.key is not None}


def with_settings(content: bytes, settings: Mapping[str, str]) -> bytes:
    """The file with these settings: in the lines that had them, else below all others; ValueError for an odd value."""
    for key, value in settings.items():
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"{key} cannot be `{value}`: it has characters that would have to be quoted")
    lines = list(_lines(_text(content)))
    written = "".join(_rewritten(line, settings) for line in lines)
    there = {line.key for line in lines}
    missing = [f"{key}={value}" for key, value in settings.items() if key not in there]
    return _appended(written, missing).encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class _Line:
    """One line, or the several of a quoted value; `key` is None where it sets nothing."""

    raw: str
    key: str | None = None
    value: str = ""
    before: str = ""
    behind: str = ""


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    if text.startswith(_BOM):
        yield _Line(_BOM)
        start = len(_BOM)
    while start < len(text):
        line = _line(text, start)
        yield line
        start += len(line.raw)


def _line(text: str, start: int) -> _Line:
    found = _SETTING.match(text, start)
    if found is None:
        other = _NO_SETTING.match(text, start)
        return _Line(other[0] if other else text[start:])
    before = found["name"] + (found["equals"] or "=")
    return _Line(found[0], found["quoted"] or found["plain"], _value(found), before, found["behind"])


def _value(found: re.Match[str]) -> str:
    for quotes, escape in _ESCAPES.items():
        if found[quotes] is not None:
            return escape.sub(lambda escaped: codecs.decode(escaped[0], "unicode-escape"), found[quotes])
    return found["bare"] or ""


def _rewritten(line: _Line, settings: Mapping[str, str]) -> str:
    wanted = settings.get(line.key) if line.key is not None else None
    if wanted is None or line.value == wanted:
        return line.raw
    blank = " " if line.behind.startswith("#") else ""
    return line.before + wanted + blank + line.behind


def _appended(text: str, lines: list[str]) -> str:
    """With lines below; one that ended without a line's end still does."""
    if not lines:
        return text
    ending = _ENDING.search(text)
    newline = ending[0] if ending else "\n"
    if not text:
        return "".join(line + newline for line in lines)
    ended = text.endswith(("\n", "\r"))
    below = newline.join(lines)
    return text + below + newline if ended else text + newline + below
