"""Files of other programs that we change: the old one is kept once, the new one takes its place in one step."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

from biai_xinf.errors import BadFile
from biai_xinf.replacing import replacing


def read(path: Path) -> bytes | None:
    """What the file holds, None where there is none; BadFile where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror or error}") from error


def backup_of(path: Path) -> Path:
    """Where the file is kept as it was before we first changed it."""
    return path.with_name(f"{path.name}.before-biai-xinf")


def replace(path: Path, content: bytes, *, back_up: bool = True, secret: bool = False) -> Path | None:
    """Write the file, and return the copy of what was there, if one was made: that is once, and never written over.

    A new file that is `secret` is its owner's alone; one that is there keeps its mode. BadFile where it cannot be.
    """
    path = path.resolve()
    try:
        backup = _back_up(path) if back_up else None
        _write(path, content, secret)
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {error.strerror or error}") from error
    return backup


def diff(name: str, before: bytes | None, after: bytes) -> str:
    """The lines that change, as `diff -U0` writes them: those beside them may hold passwords."""
    old, new = (_lines(content or b"") for content in (before, after))
    lines = difflib.unified_diff(old, new, name if before is not None else "/dev/null", name, n=0, lineterm="")
    return "\n".join(lines)


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines()


def _back_up(path: Path) -> Path | None:
    backup = backup_of(path)
    if not path.exists() or backup.exists():
        return None
    shutil.copy2(path, backup)
    return backup


def _write(path: Path, content: bytes, secret: bool) -> None:
    with replacing(path) as stream:
        stream.write(content)
        if path.exists():
            shutil.copymode(path, stream.name)
        elif not secret:
            Path(stream.name).chmod(0o644)
