"""`.env` files: a setting is changed in its line, and every other byte stays what it was.

The rules are those by which BIAI saves its own settings, and those of python-dotenv, which reads them: the last line of
a key counts, `export` may stand before it, a quoted value may go over several lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_BINDING = re.compile(
    rb"(?P<lead>[^\S\r\n]*(?:export[^\S\r\n]+)?)(?P<key>[^=#\s]+)"
    # A key alone is one without a value.
    rb"(?:[^\S\r\n]*=[^\S\r\n]*|(?=[^\S\r\n]*(?:#|[\r\n]|\Z)))"
)
_QUOTED = re.compile(rb"""'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)\"""", re.DOTALL)
_NOTHING_MORE = re.compile(rb"[^\S\r\n]*(?:#[^\r\n]*)?(?:[\r\n]|\Z)")
_REST = re.compile(rb"[^\r\n]*")
_ENDING = re.compile(rb"\r\n|\n|\r|\Z")
_COMMENT = re.compile(rb"\s+#.*|^#.*")
# What any reader takes as it stands, without quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+,=~-]+")


def settings_of(content: bytes) -> dict[str, str]:
    """What a `.env` file sets, as it is read."""
    return {
        line.key.decode("utf-8", "replace"): line.value.decode("utf-8", "replace")
        for line in _lines(content)
        if line.key is not None
    }


def with_settings(content: bytes, settings: Mapping[str, str]) -> bytes:
    """The file with these settings: in the lines that had them, else below all others; ValueError for an odd value."""
    for key, value in settings.items():
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"{key} cannot be `{value}`: it has characters that would have to be quoted")
    written = b"".join(_rewritten(line, settings) for line in _lines(content))
    missing = [key for key in settings if key not in settings_of(content)]
    return _appended(written, [f"{key}={settings[key]}".encode() for key in missing])


@dataclass(frozen=True)
class _Line:
    """One line, or the several of a quoted value; `key` is None where it sets nothing."""

    raw: bytes
    ending: bytes
    key: bytes | None = None
    value: bytes = b""
    lead: bytes = b""


def _lines(content: bytes) -> Iterator[_Line]:
    start = 0
    while start < len(content):
        binding = _BINDING.match(content, start)
        after = binding.end() if binding else start
        quoted = _QUOTED.match(content, after) if binding else None
        end = _end(_REST, content, quoted.end() if quoted else after)
        raw, following = content[start:end], _end(_ENDING, content, end)
        ending = content[end:following]
        if binding is None or (quoted and not _NOTHING_MORE.match(content, quoted.end())):
            yield _Line(raw, ending)
        else:
            value = _unquoted(quoted) if quoted else _COMMENT.sub(b"", content[after:end]).strip()
            yield _Line(raw, ending, binding["key"], value, binding["lead"])
        start = following


def _unquoted(quoted: re.Match[bytes]) -> bytes:
    return quoted[1] if quoted[1] is not None else quoted[2]


def _rewritten(line: _Line, settings: Mapping[str, str]) -> bytes:
    wanted = settings.get(line.key.decode("utf-8", "replace")) if line.key is not None else None
    if line.key is None or wanted is None or line.value == wanted.encode():
        return line.raw + line.ending
    return line.lead + line.key + b"=" + wanted.encode() + line.ending


def _appended(content: bytes, lines: list[bytes]) -> bytes:
    """With lines below; one that ended without a line's end still does."""
    if not lines:
        return content
    ends = [line.ending for line in _lines(content) if line.ending]
    newline = ends[0] if ends else b"\n"
    if not content:
        return b"".join(line + newline for line in lines)
    ended = content.endswith((b"\n", b"\r"))
    below = newline.join(lines)
    return content + below + newline if ended else content + newline + below


def _end(pattern: re.Pattern[bytes], content: bytes, start: int) -> int:
    found = pattern.match(content, start)
    return found.end() if found else start
