"""The workers: whether they are there and heard of, what room they have, and whether they can run what we launch."""

from __future__ import annotations

import re
from collections.abc import Iterable

from biai_xinf.doctor.endpoint import SWITCH
from biai_xinf.doctor.finding import Check, Verdict, doubtful, ill, listed, skipped, unknown, well
from biai_xinf.doctor.machine import LITTLE_DISK, TOO_LITTLE_DISK
from biai_xinf.doctor.sight import Seen
from biai_xinf.hardware import Gpu, Worker
from biai_xinf.units import GIB, format_size

# The oldest GPU that vLLM's wheels have code for, built for CUDA 12 or newer (docs.vllm.ai, "GPU", of 0.14), and the
# oldest branch of Nvidia's driver that runs any CUDA 12 (docs.nvidia.com, "CUDA Toolkit Release Notes").
VLLM_CAPABILITY, CUDA_12_DRIVER = (7, 0), 525
# Every model is a process of its own, of 750 MB before it has loaded anything (Xinference 4.1.0).
LITTLE_MEMORY, LITTLE_SHARE = GIB, 0.05
# Xinference takes a worker for dead after less than a minute, unless it was told not to look.
LONG_SILENT_S = 120


def _workers(seen: Seen) -> Verdict:
    joined = "; ".join(map(_offer, seen.workers))
    if seen.refused_lately:
        refused = f"{joined or 'no worker has joined'}; one is refused, its extensions are not the supervisor's"
        hint = f"start every worker as the supervisor: with {SWITCH}, or without after `up --stock`"
        return doubtful(refused, hint) if joined else ill(refused, hint)
    if not joined:
        hint = (
            "a worker must reach the supervisor, be reached by it, and be started with the same XINFERENCE_EXTENSIONS;"
            " the log of one that was not says `Worker and supervisor extensions must match`"
        )
        return ill("no worker has joined", hint)
    return well(joined)


def _offer(worker: Worker) -> str:
    ram = "memory unknown" if worker.memory_free is None else f"{format_size(worker.memory_free)} of memory free"
    gpus = [
        f"GPU {gpu.index} {gpu.name or ''} {'' if gpu.free is None else format_size(gpu.free) + ' free'}".strip()
        for gpu in worker.gpus
    ]
    return f"{worker.address} has {', '.join([ram, *gpus]) if gpus else f'{ram}, no GPU'}"


def _heartbeat(seen: Seen) -> Verdict:
    ages = [seen.supervisor_now - one.update_time for one in seen.reported.values() if one.update_time is not None]
    if not ages:
        return skipped("no worker has reported")
    late = seen.silent
    if not late:
        return well(f"every worker was heard of in the last {max(1, *ages):.0f} s")
    seen_there = listed(f"{address} was last heard of {age:.0f} s ago" for address, age in late.items())
    hint = "its log says why; `biai-xinf watch` brings its models back elsewhere"
    if max(late.values()) > LONG_SILENT_S:
        return ill(f"{seen_there}, and is still counted on", hint)
    return doubtful(seen_there, hint)


def _memory(seen: Seen) -> Verdict:
    known = [worker for worker in seen.workers if worker.memory_free is not None]
    if not known:
        return skipped("no worker tells")
    full = [
        f"{worker.address} has {format_size(worker.memory_free or 0)} free of {format_size(worker.memory_total or 0)}"
        for worker in known
        if (worker.memory_free or 0) < max(LITTLE_MEMORY, LITTLE_SHARE * (worker.memory_total or 0))
    ]
    if full:
        hint = (
            "stop a model there; Xinference places the next one without a look at memory, `biai-xinf launch` does not"
        )
        return doubtful(listed(full), hint)
    return well(f"the fullest worker has {format_size(min(worker.memory_free or 0 for worker in known))} free")


def _disks(seen: Seen) -> Verdict:
    free = {worker.address: worker.disk_free for worker in seen.workers if worker.disk_free is not None}
    if seen.service and len(seen.workers) == 1:
        return skipped("it is the disk of this machine")
    if not free:
        return skipped("no worker tells")
    full = [f"{address} has {format_size(size)} free" for address, size in free.items() if size < LITTLE_DISK]
    if full:
        hint = (
            "`DELETE /v1/cache/models` or Xinference's Web UI (Cache) frees weights, XINFERENCE_HOME names another disk"
        )
        return (ill if min(free.values()) < TOO_LITTLE_DISK else doubtful)(listed(full), hint)
    return well(f"the fullest disk has {format_size(min(free.values()))} free")


def _facts(seen: Seen) -> Verdict:
    """Whether every worker tells of its machine; what it does not tell refuses nothing, and warns of nothing."""
    if not seen.facts:
        return skipped("only the extension asks them")
    mute = [f"{address}: {told.error}" for address, told in seen.facts.items() if told.error]
    if mute:
        hint = f"start it as the supervisor, with {SWITCH}; one that is busy answers later"
        return doubtful(listed(mute), hint)
    return well(f"{len(seen.facts)} of {len(seen.reported)} tell what their machine is")


def _without_engine(seen: Seen) -> Verdict:
    known = [worker for worker in seen.workers if worker.engines is not None]
    if not known:
        return skipped("no worker tells")
    bare = [worker.address for worker in known if not worker.engines]
    if bare:
        hint = (
            "`pip install 'biai-xinf[server]'` there and restart it, or start it with XINFERENCE_ENABLE_VIRTUAL_ENV=1"
        )
        return doubtful(f"no engine is installed at {', '.join(bare)}, and launches there install none", hint)
    return well(f"each of {len(known)} workers has an engine")


def _different_engines(seen: Seen) -> Verdict:
    found: dict[str, dict[str, list[str]]] = {}
    for worker in seen.workers:
        for engine, version in (worker.engines or {}).items():
            # A build for processors is another build of the same version.
            found.setdefault(engine, {}).setdefault(version.partition("+")[0], []).append(worker.address)
    if not found:
        return skipped("no worker tells")
    differing = {engine: versions for engine, versions in sorted(found.items()) if len(versions) > 1}
    if differing:
        told = "; ".join(f"{engine} is {_at_each(versions)}" for engine, versions in differing.items())
        return doubtful(told, "what was verified on one version is unknown on another")
    return well(f"one version each of {', '.join(found)}")


def _at_each(versions: dict[str, list[str]]) -> str:
    return " and ".join(f"{version} at {', '.join(addresses)}" for version, addresses in versions.items())


def _old_gpus(seen: Seen) -> Verdict:
    able = [worker for worker in seen.workers if worker.engines is None or "vLLM" in worker.engines]
    gpus = [(worker, gpu) for worker in able for gpu in worker.gpus]
    if not gpus:
        return skipped("vLLM has no GPU here")
    old = [
        f"GPU {gpu.index} of {worker.address}, {gpu.name or 'unknown'}, {problem}"
        for worker, gpu in gpus
        if (problem := _too_old_for_vllm(gpu))
    ]
    if old:
        hint = "recipes of llama.cpp may run there; a driver that is too old can be renewed"
        return doubtful("; ".join(old), hint)
    return well(f"{len(gpus)} GPUs, none known to be too old for vLLM")


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


def _unseen_gpus(seen: Seen) -> Verdict:
    unseen = list(_unplaced(seen.workers))
    if unseen:
        told = (
            f"Xinference places nothing on {', '.join(unseen)}: its PyTorch is built without GPUs, or was told of none"
        )
        return doubtful(told, "install a PyTorch for that GPU, or set CUDA_VISIBLE_DEVICES to it")
    if not seen.facts:
        return skipped("no worker tells")
    return well("no GPU is left out")


def _unplaced(workers: Iterable[Worker]) -> Iterable[str]:
    for worker in workers:
        for gpu in worker.unplaced_gpus:
            # Apple's GPUs are used without being placed on.
            if not worker.gpus and not (gpu.compute_capability or "").startswith("Metal"):
                yield f"{gpu.name or 'a GPU'} of {worker.address}"


def _packages(seen: Seen) -> Verdict:
    """Where launches install their engines, the first one needs a package index, and takes minutes."""
    known = [worker for worker in seen.workers if worker.virtual_env is not None]
    installing = [worker.address for worker in known if worker.virtual_env]
    if not known:
        return skipped("no worker tells")
    if not installing:
        return well("launches install nothing")
    told = f"the first launch of each engine installs it at {listed(installing)}"
    if seen.hub.in_reach is False:
        hint = "set XINFERENCE_ENABLE_VIRTUAL_ENV=0 there, and install the engines beside Xinference"
        return doubtful(f"{told}, and from here not even {seen.hub.host} is in reach", hint)
    return well(told)


def _registrations(seen: Seen) -> Verdict:
    """Xinference 4.1 lists the registrations of all workers as one, and gives none to a worker that joins later."""
    told = {address: facts.registrations for address, facts in seen.facts.items() if facts.registrations is not None}
    if len(seen.reported) < 2:
        return skipped("there is no second worker")
    if not told:
        return unknown("no worker tells which custom models it knows", f"start them with {SWITCH}")
    per_worker = {
        address: {(kind, name) for kind, names in known.items() for name in names} for address, known in told.items()
    }
    everything = set.union(*per_worker.values())
    lacking = [
        f"{address} lacks {listed(f'`{name}`' for _, name in sorted(everything - known))}"
        for address, known in per_worker.items()
        if known < everything
    ]
    if lacking:
        hint = (
            "Xinference gives none to a worker that joins later: unregister and register each again (running models"
            " stay); `biai-xinf apply` and `watch` do so for what they launch"
        )
        return doubtful(listed(lacking), hint)
    return well(f"{len(everything)} custom models, known to {len(per_worker)} workers alike")


WORKERS: tuple[Check[Seen], ...] = (
    Check("workers", _workers, "workers", quiet=False),
    Check("heartbeat", _heartbeat, "heartbeat"),
    Check("worker-memory", _memory, "memory"),
    Check("worker-disks", _disks, "disks"),
    Check("worker-facts", _facts, "facts"),
    Check("worker-engines", _without_engine, "engines"),
    Check("engine-versions", _different_engines, "engines"),
    Check("old-gpus", _old_gpus, "GPUs"),
    Check("unseen-gpus", _unseen_gpus, "GPUs"),
    Check("packages", _packages, "packages"),
    Check("registrations", _registrations, "registered"),
)
