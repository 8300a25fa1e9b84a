"""The command line, run inside the test: what it printed where, and its exit code."""

from __future__ import annotations

import contextlib
import io
import signal
from dataclasses import dataclass

from biai_xinf.cli import group


@dataclass(frozen=True)
class Result:
    """One run of the command line."""

    exit_code: int
    stdout: str
    stderr: str


def run(*words: str) -> Result:
    """`biai-xinf WORDS`; an exception that a person would see as a traceback fails the test."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            group(list(words), prog_name="biai-xinf")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    return Result(code, out.getvalue(), err.getvalue())


def interruptible() -> None:
    """As `preexec_fn`: where the tests run in the background of a shell, children inherit an ignored SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
