"""A file that takes the place of another in one step: who reads it finds the old one or the new one, never a half."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """What is written to the stream becomes `path`, once all of it was; nothing is left where that fails.

    The new file is its owner's alone from the first byte (tempfile creates 0600). Meanwhile its path is the stream's
    `name`. OSError where it cannot be written.
    """
    beside = f".{path.name}-"
    stream = tempfile.NamedTemporaryFile(dir=path.parent, prefix=beside, delete=False)  # noqa: SIM115  closed below
    temporary = Path(stream.name)
    try:
        with stream:
            yield stream
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
