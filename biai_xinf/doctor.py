"""The doctor: look at this machine and the cluster, and say of each thing whether it is well, and what mends it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import metadata

from biai_xinf import __version__, local, local_log, wire
from biai_xinf.client import Client
from biai_xinf.errors import AuthFailed, Banned, Forbidden, NoExtension, XinferenceError
from biai_xinf.hardware import Gpu, Worker
from biai_xinf.hub import hub_from_here
from biai_xinf.observe import observe
from biai_xinf.state import Cluster
from biai_xinf.units import GIB, format_size

SUPPORTED = "4.1"
ENGINES = {"llama.cpp": "xllamacpp", "Transformers": "transformers", "vLLM": "vllm"}
# The oldest GPU that vLLM's wheels have code for, built for CUDA 12 or newer (docs.vllm.ai, "GPU", of 0.14), and the
# oldest branch of Nvidia's driver that runs any CUDA 12 (docs.nvidia.com, "CUDA Toolkit Release Notes").
VLLM_CAPABILITY, CUDA_12_DRIVER = (7, 0), 525
# The smallest recipe that is no demonstration downloads about 2 GB.
LITTLE_DISK, TOO_LITTLE_DISK = 20 * GIB, 2 * GIB
# A worker that is refused tries again every 15 s (Xinference 4.1.0).
REFUSED_LATELY_S = 60
SWITCH = "XINFERENCE_EXTENSIONS=biai_xinf.extension:create"


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
    yield _extension(client)
    cluster = observe(client, with_facts=True)
    yield _workers(cluster, _refused_lately(client))
    for look_at_all in (_without_engine, _different_engines, _old_gpus, _unseen_gpus):
        if finding := look_at_all(cluster.workers):
            yield finding
    yield _models(cluster)
    yield from _upstreams(client)


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


def _extension(client: Client) -> Finding:
    try:
        running = client.extension()
    except XinferenceError as error:
        seen, hint = f"Xinference answers, but not its extension: {error.message}", "Xinference's log says what failed"
        return Finding("extension", Health.ILL, seen, hint)
    if running is None:
        return _extension_off(_service_at(client))
    others = [f"{who} runs {version}" for who, version in _worker_versions(client) if version != running.biai_xinf]
    if running.biai_xinf != __version__:
        others.append(f"this is biai-xinf {__version__}")
    if others:
        seen = f"the endpoint runs {running.biai_xinf}, but {', '.join(others)}"
        hint = "install the same version everywhere, then restart Xinference"
        return Finding("extension", Health.DOUBTFUL, seen, hint)
    return Finding("extension", Health.WELL, f"{running.biai_xinf} is on")


def _worker_versions(client: Client) -> Iterator[tuple[str, str]]:
    """Address and extension of each worker that tells it, to whom may see it."""
    try:
        workers = client.endpoint_status().workers or []
    except XinferenceError:
        return
    for worker in workers:
        # Xinference compares the names of extensions when a worker joins, not their versions.
        if worker.facts.biai_xinf:
            yield worker.address, worker.facts.biai_xinf


def _extension_off(service: local.LocalService | None) -> Finding:
    if service and service.stock:
        return Finding("extension", Health.UNKNOWN, "off, Xinference was started with `biai-xinf up --stock`")
    seen = "off: no upstreams, no Ollama routes, no replay when a replica dies"
    hint = "`biai-xinf down`, then `biai-xinf up`" if service else f"start supervisor and workers with {SWITCH}"
    return Finding("extension", Health.DOUBTFUL, seen, hint)


def _service_at(client: Client) -> local.LocalService | None:
    """The local Xinference, if that is the one we look at."""
    service = local.running()
    return service if service and service.endpoint == client.endpoint else None


def _refused_lately(client: Client) -> bool:
    """Whether a worker is being turned away, which only the supervisor's log tells."""
    service = _service_at(client)
    refusal = local_log.last_refusal(service.log) if service else None
    return refusal is not None and time.time() - refusal < REFUSED_LATELY_S


def _workers(cluster: Cluster, refused_lately: bool) -> Finding:
    joined = "; ".join(map(_offer, cluster.workers))
    if refused_lately:
        seen = f"{joined or 'no worker has joined'}; one is refused, its extensions are not the supervisor's"
        hint = f"start every worker as the supervisor: with {SWITCH}, or without after `up --stock`"
        return Finding("workers", Health.DOUBTFUL if joined else Health.ILL, seen, hint)
    if not joined:
        hint = (
            "a worker must reach the supervisor, be reached by it, and be started with the same XINFERENCE_EXTENSIONS;"
            " the log of one that was not says `Worker and supervisor extensions must match`"
        )
        return Finding("workers", Health.ILL, "no worker has joined", hint)
    return Finding("workers", Health.WELL, joined)


def _offer(worker: Worker) -> str:
    ram = "memory unknown" if worker.memory_free is None else f"{format_size(worker.memory_free)} of memory free"
    gpus = [
        f"GPU {gpu.index} {gpu.name or ''} {'' if gpu.free is None else format_size(gpu.free) + ' free'}".strip()
        for gpu in worker.gpus
    ]
    return f"{worker.address} has {', '.join([ram, *gpus]) if gpus else f'{ram}, no GPU'}"


def _without_engine(workers: tuple[Worker, ...]) -> Finding | None:
    """The first of four looks that only find what is wrong: where facts are unknown they find nothing."""
    bare = [worker.address for worker in workers if worker.engines is not None and not worker.engines]
    if not bare:
        return None
    seen = f"no engine is installed at {', '.join(bare)}, and launches there install none"
    hint = "`pip install 'biai-xinf[server]'` there and restart it, or start it with XINFERENCE_ENABLE_VIRTUAL_ENV=1"
    return Finding("engines", Health.DOUBTFUL, seen, hint)


def _different_engines(workers: tuple[Worker, ...]) -> Finding | None:
    found: dict[str, dict[str, list[str]]] = {}
    for worker in workers:
        for engine, version in (worker.engines or {}).items():
            # A build for processors is another build of the same version.
            found.setdefault(engine, {}).setdefault(version.partition("+")[0], []).append(worker.address)
    differing = {engine: versions for engine, versions in sorted(found.items()) if len(versions) > 1}
    if not differing:
        return None
    seen = "; ".join(f"{engine} is {_at_each(versions)}" for engine, versions in differing.items())
    return Finding("engines", Health.DOUBTFUL, seen, "what was verified on one version is unknown on another")


def _at_each(versions: dict[str, list[str]]) -> str:
    return " and ".join(f"{version} at {', '.join(addresses)}" for version, addresses in versions.items())


def _old_gpus(workers: tuple[Worker, ...]) -> Finding | None:
    old = [
        f"GPU {gpu.index} of {worker.address}, {gpu.name or 'unknown'}, {problem}"
        for worker in workers
        if worker.engines is None or "vLLM" in worker.engines
        for gpu in worker.gpus
        if (problem := _too_old_for_vllm(gpu))
    ]
    if not old:
        return None
    hint = "recipes of llama.cpp may run there; a driver that is too old can be renewed"
    return Finding("GPUs", Health.DOUBTFUL, "; ".join(old), hint)


def _too_old_for_vllm(gpu: Gpu) -> str | None:
    # AMD's capabilities are names of architectures, `gfx942`, and their drivers are numbered otherwise.
    capability = re.fullmatch(r"(\d+)\.(\d+)", gpu.compute_capability or "")
    if capability is None:
        return None
    if (int(capability[1]), int(capability[2])) < VLLM_CAPABILITY:
        return f"has compute capability {capability[0]}, vLLM needs {'.'.join(map(str, VLLM_CAPABILITY))}"
    branch = re.match(r"\d+", gpu.driver or "")
    if branch and int(branch[0]) < CUDA_12_DRIVER:
        return f"has driver {gpu.driver}, vLLM needs {CUDA_12_DRIVER} or newer"
    return None


def _unseen_gpus(workers: tuple[Worker, ...]) -> Finding | None:
    unseen = [
        f"{gpu.name or 'a GPU'} of {worker.address}"
        for worker in workers
        if not worker.gpus
        for gpu in worker.unplaced_gpus
        # Apple's GPUs are used without being placed on.
        if not (gpu.compute_capability or "").startswith("Metal")
    ]
    if not unseen:
        return None
    seen = f"Xinference places nothing on {', '.join(unseen)}: its PyTorch is built without GPUs, or was told of none"
    return Finding("GPUs", Health.DOUBTFUL, seen, "install a PyTorch for that GPU, or set CUDA_VISIBLE_DEVICES to it")


def _models(cluster: Cluster) -> Finding:
    models = [model for model in cluster.models if not model.is_upstream]
    failed = [model for model in models if model.phase == "failed"]
    if failed:
        reasons = [f"`{m.uid}`: {next((r.reason for r in m.replicas if r.reason), 'no reason given')}" for m in failed]
        return Finding(
            "models",
            Health.ILL,
            "; ".join(reasons),
            "biai-xinf launch tries again; the entry of a failure stays until then",
        )
    ready = sum(model.phase == "ready" for model in models)
    return Finding("models", Health.WELL, f"{ready} of {len(models)} ready" if models else "none runs")


def _upstreams(client: Client) -> Iterator[Finding]:
    try:
        upstreams = client.upstreams()
    except NoExtension:
        return
    except XinferenceError as error:
        yield Finding("upstreams", Health.UNKNOWN, error.message, error.hint)
        return
    failing = [upstream for upstream in upstreams if any(one.state == "failing" for one in upstream.health)]
    yield from map(_failing, failing)
    if not failing:
        yield Finding("upstreams", Health.WELL, ", ".join(f"`{one.name}`" for one in upstreams) or "none")


def _failing(upstream: wire.Upstream) -> Finding:
    health = [(server, upstream.health_of(server)) for server in upstream.servers]
    failures = [(server, one.reason or "no reason given") for server, one in health if one.state == "failing"]
    seen = "; ".join(f"`{upstream.name}` at {server.url}: {reason}" for server, reason in failures)
    unset = {server.key_env for server, reason in failures if server.key_env and f"`{server.key_env}` is not" in reason}
    hint = f"`biai-xinf upstream check {upstream.name}` asks it anew"
    if unset:
        hint = f"set {', '.join(sorted(unset))} where Xinference starts, and restart it: it reads its environment once"
    still_served = len(failures) < len(upstream.servers) or bool(upstream.fallback)
    return Finding("upstreams", Health.DOUBTFUL if still_served else Health.ILL, seen, hint)


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
