"""This machine: Python, Xinference, engines, proxies, disk, and the way to a model hub."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from biai_xinf import local
from biai_xinf.doctor.finding import Check, Verdict, doubtful, ill, well
from biai_xinf.hub import hub_from_here
from biai_xinf.state import Hub
from biai_xinf.units import GIB, format_size

SUPPORTED = "4.1"
ENGINES = {"llama.cpp": "xllamacpp", "Transformers": "transformers", "vLLM": "vllm"}
# The smallest recipe that is no demonstration downloads about 2 GB.
LITTLE_DISK, TOO_LITTLE_DISK = 20 * GIB, 2 * GIB
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


@dataclass(frozen=True)
class Machine:
    """What was seen of this machine; `engines` holds the version of each engine that is installed."""

    python: str
    xinference: str | None
    engines: Mapping[str, str]
    proxy: str | None
    no_proxy: str
    models: Path
    disk_free: int
    hub: Hub


def look_at_machine() -> Machine:
    """Look; the model hub is given a few seconds."""
    models = local.xinference_home()
    existing = next(folder for folder in (models, *models.parents) if folder.exists())
    return Machine(
        python=f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        xinference=_installed("xinference"),
        engines={engine: version for engine, package in ENGINES.items() if (version := _installed(package))},
        proxy=next((name for name in _PROXIES if os.environ.get(name)), None),
        no_proxy=os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "",
        models=models,
        disk_free=shutil.disk_usage(existing).free,
        hub=hub_from_here(),
    )


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _xinference(machine: Machine) -> Verdict:
    version = machine.xinference
    if version is None:
        hint = "pip install 'biai-xinf[server]', to run one on this machine"
        return doubtful("not installed in this Python", hint)
    if not version.startswith(SUPPORTED + "."):
        seen = f"{version} is installed, biai-xinf is tested with {SUPPORTED}"
        return doubtful(seen, f"pip install 'xinference=={SUPPORTED}.*'")
    return well(f"{version} is installed")


def _engines(machine: Machine) -> Verdict:
    if not machine.engines:
        hint = "pip install 'biai-xinf[server]', to run models on this machine"
        return doubtful("none is installed in this Python", hint)
    return well(", ".join(f"{engine} ({ENGINES[engine]} {version})" for engine, version in machine.engines.items()))


def _proxy(machine: Machine) -> Verdict:
    proxy = machine.proxy
    around = any(part.strip() in ("*", "127.0.0.1") for part in machine.no_proxy.split(","))
    if proxy and not around:
        seen = f"{proxy} is set and NO_PROXY lacks 127.0.0.1; OpenAI clients will ask the proxy for local models"
        return doubtful(seen, "export NO_PROXY=127.0.0.1,localhost")
    return well(f"{proxy} is set, 127.0.0.1 goes around it" if proxy else "none is set")


def _disk(machine: Machine) -> Verdict:
    seen = f"{format_size(machine.disk_free)} free for models in {machine.models}"
    hint = "set XINFERENCE_HOME to a larger disk, or remove what `xinference cached` lists"
    if machine.disk_free < TOO_LITTLE_DISK:
        return ill(seen, hint)
    return doubtful(seen, hint) if machine.disk_free < LITTLE_DISK else well(seen)


def _hub(machine: Machine) -> Verdict:
    if machine.hub.in_reach:
        return well(f"{machine.hub.host} is in reach")
    seen = f"{machine.hub.host} is out of reach from here; only cached weights and the bundled model can be launched"
    return doubtful(seen, "HF_ENDPOINT names a mirror, HTTPS_PROXY a proxy")


MACHINE: tuple[Check[Machine], ...] = (
    Check("python", lambda machine: well(machine.python), "python", quiet=False),
    Check("xinference", _xinference, "xinference", quiet=False),
    Check("engines", _engines, "engines", quiet=False),
    Check("proxy", _proxy, "proxy", quiet=False),
    Check("disk", _disk, "disk", quiet=False),
    Check("hub", _hub, "model hub", quiet=False),
)
