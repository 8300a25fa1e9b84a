"""Where we keep what belongs to this user: specs, logins, and the state and logs of the local Xinference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def home(environ: Mapping[str, str] | None = None) -> Path:
    """`BIAI_XINF_HOME`, or `~/.biai-xinf`; absolute."""
    chosen = (os.environ if environ is None else environ).get("BIAI_XINF_HOME")
    return (Path(chosen).expanduser() if chosen else Path.home() / ".biai-xinf").absolute()
