"""Types the commands of a document into a shell of their own: fresh homes, no hub, and what they started is ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

BIN = Path(sys.executable).parent


class Shell:
    """As a context manager, so that a local Xinference never outlives it."""

    def __init__(self, folder: Path) -> None:
        self.environ = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "BIAI_XINF_HOME": str(folder / "biai-xinf"),
            "XINFERENCE_HOME": str(folder / "xinference"),
            # The documents show a machine that no model hub can be reached from.
            "HF_HUB_OFFLINE": "1",
        }

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run("biai-xinf down")

    def run(self, command: str) -> str:
        """What the command prints on a terminal: stdout and stderr in the order they were written."""
        done = subprocess.run(
            command,
            shell=True,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=600,
        )
        return done.stdout
