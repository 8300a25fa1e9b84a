"""The doctor: look at this machine and the cluster, and say of each thing whether it is well, and what mends it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import metadata

from biai_xinf import local
from biai_xinf.client import Client
from biai_xinf.errors import AuthFailed, Banned, Forbidden, XinferenceError
from biai_xinf.hardware import Worker
from biai_xinf.hub import hub_from_here
from biai_xinf.observe import observe
from biai_xinf.state import Cluster
from biai_xinf.units import GIB, format_size

SUPPORTED = "4.1"
ENGINES = {"llama.cpp": "xllamacpp", "Transformers": "transformers", "vLLM": "vllm"}
# The smallest recipe that is no demonstration downloads about 2 GB.
LITTLE_DISK, TOO_LITTLE_DISK = 20 * GIB, 2 * GIB


class Health(Enum):
    """How a thing is; the value is what is shown."""

    WELL = "ok"
    DOUBTFUL = "warn"
    ILL = "FAIL"
    UNKNOWN = "?"


@dataclass(frozen=True)
class Finding:
    """What one check saw, and what to do about it."""

    check: str
    health: Health
    seen: str
    hint: str | None = None


def examine(client: Client) -> Iterator[Finding]:
    """All findings in order: this machine first, then the cluster as far as it can be reached."""
    for look in (_python, _xinference, _engines, _proxy, _disk, _hub):
        yield look()
    yield (answers := _answers(client))
    if answers.health is Health.ILL:
        return
    yield (login := _login(client))
    if login.health is Health.ILL:
        return
    yield _versions(client)
    cluster = observe(client)
    yield _workers(cluster)
    yield _models(cluster)


def _python() -> Finding:
    seen = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", Health.WELL, seen)


def _xinference() -> Finding:
    version = _installed("xinference")
    if version is None:
        seen, hint = (
            "not installed in this Python",
            "pip install 'biai-xinf[server]', to run one on this machine",
        )
        return Finding("xinference", Health.DOUBTFUL, seen, hint)
    if not version.startswith(SUPPORTED + "."):
        seen = f"{version} is installed, biai-xinf is tested with {SUPPORTED}"
        return Finding("xinference", Health.DOUBTFUL, seen, f"pip install 'xinference=={SUPPORTED}.*'")
    return Finding("xinference", Health.WELL, f"{version} is installed")


def _engines() -> Finding:
    found = {engine: version for engine, package in ENGINES.items() if (version := _installed(package))}
    seen = ", ".join(f"{engine} ({ENGINES[engine]} {version})" for engine, version in found.items())
    if not found:
        hint = "pip install 'biai-xinf[server]', to run models on this machine"
        return Finding("engines", Health.DOUBTFUL, "none is installed in this Python", hint)
    return Finding("engines", Health.WELL, seen)


def _proxy() -> Finding:
    proxy = next(
        (name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if os.environ.get(name)),
        None,
    )
    exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if proxy and not any(part.strip() in ("*", "127.0.0.1") for part in exceptions.split(",")):
        seen = f"{proxy} is set and NO_PROXY lacks 127.0.0.1; OpenAI clients will ask the proxy for local models"
        return Finding("proxy", Health.DOUBTFUL, seen, "export NO_PROXY=127.0.0.1,localhost")
    return Finding("proxy", Health.WELL, f"{proxy} is set, 127.0.0.1 goes around it" if proxy else "none is set")


def _disk() -> Finding:
    home = local.xinference_home()
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    seen = f"{format_size(free)} free for models in {home}"
    hint = "set XINFERENCE_HOME to a larger disk, or remove what `xinference cached` lists"
    if free < TOO_LITTLE_DISK:
        return Finding("disk", Health.ILL, seen, hint)
    if free < LITTLE_DISK:
        return Finding("disk", Health.DOUBTFUL, seen, hint)
    return Finding("disk", Health.WELL, seen)


def _hub() -> Finding:
    hub = hub_from_here()
    if hub.in_reach:
        return Finding("model hub", Health.WELL, f"{hub.host} is in reach")
    seen = f"{hub.host} is out of reach from here; only cached weights and the bundled model can be launched"
    return Finding("model hub", Health.DOUBTFUL, seen, "HF_ENDPOINT names a mirror, HTTPS_PROXY a proxy")


def _answers(client: Client) -> Finding:
    try:
        auth = client.auth_enabled()
    except XinferenceError as error:
        return Finding("endpoint", Health.ILL, error.message, error.hint)
    return Finding("endpoint", Health.WELL, f"{client.endpoint} answers, authentication is {'on' if auth else 'off'}")


def _login(client: Client) -> Finding:
    try:
        client.models()
    except (AuthFailed, Forbidden, Banned) as error:
        return Finding("login", Health.ILL, error.message, error.hint)
    return Finding("login", Health.WELL, "models can be listed")


def _versions(client: Client) -> Finding:
    try:
        version = client.version()
        nodes = {node.ip_address: node.software_version for node in client.cluster_info()}
    except (AuthFailed, Forbidden) as error:
        return Finding("versions", Health.UNKNOWN, error.message, "an administrator can see them")
    other = [f"{address} runs {found}" for address, found in nodes.items() if found not in (None, version)]
    if other:
        seen = f"the supervisor runs {version}, but {', '.join(other)}"
        return Finding("versions", Health.ILL, seen, "install the same version everywhere")
    if not version.startswith(SUPPORTED + "."):
        seen = f"the cluster runs {version}, biai-xinf is tested with {SUPPORTED}"
        return Finding("versions", Health.DOUBTFUL, seen)
    return Finding("versions", Health.WELL, f"supervisor and workers run {version}")


def _workers(cluster: Cluster) -> Finding:
    if not cluster.workers:
        hint = "look into the workers' logs; a worker must reach the supervisor and be reached by it"
        return Finding("workers", Health.ILL, "no worker has joined", hint)
    return Finding("workers", Health.WELL, "; ".join(map(_offer, cluster.workers)))


def _offer(worker: Worker) -> str:
    ram = "memory unknown" if worker.memory_free is None else f"{format_size(worker.memory_free)} of memory free"
    gpus = [
        f"GPU {gpu.index} {gpu.name or ''} {'' if gpu.free is None else format_size(gpu.free) + ' free'}".strip()
        for gpu in worker.gpus
    ]
    return f"{worker.address} has {', '.join([ram, *gpus]) if gpus else f'{ram}, no GPU'}"


def _models(cluster: Cluster) -> Finding:
    failed = [model for model in cluster.models if model.phase == "failed"]
    if failed:
        reasons = [f"`{m.uid}`: {next((r.reason for r in m.replicas if r.reason), 'no reason given')}" for m in failed]
        return Finding(
            "models",
            Health.ILL,
            "; ".join(reasons),
            "biai-xinf launch tries again; the entry of a failure stays until then",
        )
    ready = sum(model.phase == "ready" for model in cluster.models)
    return Finding("models", Health.WELL, f"{ready} of {len(cluster.models)} ready" if cluster.models else "none runs")


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
