"""`biai-xinf status`: the models and machines of the cluster, from one sweep of reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.hardware import Gpu, Worker
from biai_xinf.observe import observe
from biai_xinf.state import Cluster, ObservedModel
from biai_xinf.units import format_size

UNKNOWN = "unknown"


@click.command("status")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--wide", is_flag=True, help="Also ask each worker for its processor, disk, GPUs and engines.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that can be seen as JSON.")
@click.pass_obj
def command(endpoint: str | None, path: Path | None, wide: bool, as_json: bool) -> None:
    """Show the models and machines of the cluster.

    With a cluster FILE: what differs from it and why, and the memory that its models take.
    """
    if path is not None:
        if wide:
            raise click.UsageError("--wide goes without a FILE")
        # Imported here: without a file, the catalogue and the planner are not needed.
        from biai_xinf.cli.status_file import status_of_file

        status_of_file(path, endpoint, as_json=as_json)
        return
    with connect(endpoint) as client:
        # The workers are only asked on demand: one that hangs is waited for.
        cluster = observe(client, with_facts=wide or as_json)
    if as_json:
        show_json(as_data(cluster))
        return
    if cluster.models:
        show(table(["MODEL", "STATE", "WEIGHTS", "ENGINE", "REPLICAS"], _model_rows(cluster.models)))
        show()
    show(table(["WORKER", "CPUS", "MEMORY", "GPUS"], _worker_rows(cluster.workers)))
    if wide:
        show()
        show(table(["WORKER", "PROCESSOR", "FREE DISK", "GPU FACTS", "ENGINES"], _fact_rows(cluster.workers)))
    say()
    say(_what_is_true_now(cluster))


def as_data(cluster: Cluster) -> dict[str, object]:
    """A cluster for machines; memory in bytes, null where it is unknown."""
    return {
        "endpoint": cluster.endpoint,
        "models": [asdict(model) for model in cluster.models],
        "workers": [_worker_data(worker) for worker in cluster.workers],
    }


def _worker_data(worker: Worker) -> dict[str, object]:
    return {**asdict(worker), "cpu_flags": None if worker.cpu_flags is None else sorted(worker.cpu_flags)}


def _what_is_true_now(cluster: Cluster) -> str:
    ready = sum(model.phase == "ready" for model in cluster.models)
    models = f"{ready} of {len(cluster.models)} models ready" if cluster.models else "no model runs"
    following = "biai-xinf doctor" if ready < len(cluster.models) else "biai-xinf launch sql-coder"
    return f"{models} at {cluster.endpoint}" + (
        "" if ready and ready == len(cluster.models) else f"; next: {following}"
    )


def _model_rows(models: Iterable[ObservedModel]) -> list[list[str]]:
    """One row per model: uid, state, what it is, engine, and where its replicas are."""
    return [[model.uid, model.phase, _model_name(model), _engine(model), _where(model)] for model in models]


def _engine(model: ObservedModel) -> str:
    """The engine that runs it, or what its upstream servers are."""
    if not model.servers:
        return model.engine or "-"
    return f"upstream: {', '.join(dict.fromkeys(server.provider for server in model.servers))}"


def _model_name(model: ObservedModel) -> str:
    """What a running model is, as far as Xinference tells."""
    if model.servers:
        return ", ".join(dict.fromkeys(server.model for server in model.servers))
    if model.weights is None:
        return "-"
    parts = (model.weights.model_name, model.weights.model_format, model.weights.quantization)
    return " ".join(part for part in parts if part)


def _where(model: ObservedModel) -> str:
    """The replicas of a model, each with its worker and whatever is wrong with it."""
    shown = []
    for replica in model.replicas:
        state = "" if replica.phase == "ready" else f" {replica.phase}"
        reason = f": {replica.reason}" if replica.reason else ""
        shown.append(f"{replica.worker or 'no worker yet'}{state}{reason}")
    return ", ".join(shown) or "-"


def _worker_rows(workers: Iterable[Worker]) -> list[list[str]]:
    """One row per worker: address, processors, memory and GPUs; unknown facts as such."""
    return [
        [
            worker.address,
            UNKNOWN if worker.cpus is None else str(worker.cpus),
            worker_memory(worker),
            gpu_memory(worker),
        ]
        for worker in workers
    ]


def worker_memory(worker: Worker) -> str:
    """Free and total memory, or that it is unknown."""
    if worker.memory_free is None or worker.memory_total is None:
        return UNKNOWN
    return f"{format_size(worker.memory_free)} free of {format_size(worker.memory_total)}"


def gpu_memory(worker: Worker) -> str:
    """Every GPU with its free and total memory."""
    shown = []
    for gpu in worker.gpus:
        memory = "memory unknown"
        if gpu.free is not None and gpu.total is not None:
            memory = f"{format_size(gpu.free)} free of {format_size(gpu.total)}"
        shown.append(f"{gpu.index}: {gpu.name or UNKNOWN}, {memory}")
    return "; ".join(shown) or "none"


def _fact_rows(workers: Iterable[Worker]) -> list[list[str]]:
    """One row per worker of what only the extension tells: processor, disk, what its GPUs can do, engines."""
    return [
        [
            worker.address,
            worker.cpu_model or UNKNOWN,
            UNKNOWN if worker.disk_free is None else format_size(worker.disk_free),
            _gpu_facts(worker),
            _engines(worker),
        ]
        for worker in workers
    ]


def _gpu_facts(worker: Worker) -> str:
    shown = [f"{gpu.index}: {_can(gpu)}" for gpu in worker.gpus]
    shown += [f"{gpu.name or UNKNOWN}, not placed on, {_can(gpu)}" for gpu in worker.unplaced_gpus]
    return "; ".join(shown) or "none"


def _can(gpu: Gpu) -> str:
    capability = gpu.compute_capability
    if capability and capability[0].isdigit():
        capability = f"compute capability {capability}"
    known = [capability, f"driver {gpu.driver}" if gpu.driver else None]
    return ", ".join(filter(None, known)) or UNKNOWN


def _engines(worker: Worker) -> str:
    if worker.engines is None:
        return "installed when launched" if worker.virtual_env else UNKNOWN
    return ", ".join(f"{engine} {version}" for engine, version in sorted(worker.engines.items())) or "none"
