"""Look at a cluster: one sweep of reads, turned into plain values that the pure modules decide on."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from biai_xinf import wire
from biai_xinf.client import Client
from biai_xinf.endpoint import is_loopback
from biai_xinf.errors import Forbidden, NotFound, XinferenceError
from biai_xinf.hardware import Gpu, Worker
from biai_xinf.hub import hub_from_here
from biai_xinf.pins import read_pins
from biai_xinf.state import Cluster, Desired, ObservedModel, Offers, Phase, Replica, Server, Weights

if TYPE_CHECKING:
    from biai_xinf.specs import EngineRecipe, ModelType, Recipe

# Within seconds of a launch the supervisor knows its uid.
_SURELY_KNOWN_S = 60
_UNTOLD: tuple[None] = (None,)
_PHASES: dict[str, Phase] = {
    "CREATING": "launching",
    "LOADING": "launching",
    "UPDATING": "launching",
    "READY": "ready",
    "ERROR": "failed",
    "TERMINATING": "stopping",
}
# Xinference 4.1 still tells of the replicas of a worker that it took for dead.
_REPLICA_PHASES: dict[str, Phase] = {**_PHASES, "TERMINATED": "gone"}


def observe(client: Client, desired: Desired | None = None, *, with_facts: bool = False) -> Cluster:
    """The cluster as it is now; for models that may have to be launched, also what they could be launched from.

    What only the extension tells of the workers, such as their engines, is one more read: made where something
    may be launched, or with `with_facts`.
    """
    status = client.status()
    hardware = status.workers
    models = _with_replicas(client, _models(client))
    here = is_loopback(client.endpoint)
    candidates = _candidates(desired, models) if desired else []
    recipes, upstreams = _apart(candidates) if candidates else ([], False)
    facts = _facts(client) if recipes or with_facts else {}
    workers = tuple(worker_of(address, status, facts.get(address)) for address, status in hardware.items())
    pins = read_pins(client.endpoint) if desired else ()
    if not candidates:
        return Cluster(client.endpoint, here, workers, models, uptime=status.uptime, pins=pins)
    extension = client.extension() if upstreams else None
    return Cluster(
        client.endpoint,
        here,
        workers,
        models,
        cached=_cached(client) if recipes else None,
        offers=_offers(client, recipes),
        # Whether workers elsewhere reach a hub cannot be told from here.
        hub=hub_from_here() if here and any(recipe.model_path is None for _, recipe in recipes) else None,
        extension=extension.biai_xinf if extension else None,
        uptime=status.uptime,
        pins=pins,
    )


def ready_model(client: Client, uid: str) -> ObservedModel | None:
    """One model that is ready, without its replicas; None where Xinference knows none of that name."""
    try:
        return _model(uid, "ready", None, client.model(uid))
    except NotFound:
        return None


def _candidates(desired: Desired, models: tuple[ObservedModel, ...]) -> list[tuple[ModelType, Recipe]]:
    """The recipes that could be launched: none of a model that is there and will be kept."""
    there = {model.uid for model in models if model.phase in ("ready", "launching")}
    return [
        (want.entry.spec.model_type, recipe)
        for want in desired.models
        if want.uid not in there or want.upgrade or want.recipes
        for recipe in want.entry.spec.recipes
        if want.allows(recipe.name)
    ]


def _apart(
    candidates: list[tuple[ModelType, Recipe]],
) -> tuple[list[tuple[ModelType, EngineRecipe]], bool]:
    """The recipes that engines launch, and whether there are others."""
    # Imported here: `status` has no candidates, and starts faster without the catalogue.
    from biai_xinf.specs import EngineRecipe

    launched = [(kind, recipe) for kind, recipe in candidates if isinstance(recipe, EngineRecipe)]
    return launched, len(launched) < len(candidates)


def _facts(client: Client) -> dict[str, wire.WorkerFacts]:
    """What each worker says of its machine; nothing where the endpoint has no extension, refuses or is slow."""
    try:
        workers = client.endpoint_status().workers or []
    except XinferenceError:
        return {}
    return {worker.address: worker.facts for worker in workers}


def worker_of(address: str, status: wire.WorkerStatus, facts: wire.WorkerFacts | None = None) -> Worker:
    """A worker as Xinference reports it, with what only the extension told."""
    told, cpu = facts or wire.WorkerFacts(), status.cpu or wire.CpuStatus()
    processor, disk = told.cpu or wire.CpuFacts(), told.disk or wire.DiskFacts()
    gpus, unplaced = _gpus(status, told)
    return Worker(
        address=address,
        cpus=None if cpu.total is None else int(cpu.total),
        memory_total=cpu.memory_total,
        memory_free=cpu.memory_available,
        gpus=gpus,
        cpu_model=processor.model,
        cpu_flags=processor.flags,
        disk_total=disk.total,
        disk_free=disk.free,
        # Where launches install what they need, what is installed now refuses nothing.
        engines=told.engines if told.virtual_env is False else None,
        virtual_env=told.virtual_env,
        unplaced_gpus=unplaced,
    )


def _gpus(status: wire.WorkerStatus, told: wire.WorkerFacts) -> tuple[tuple[Gpu, ...], tuple[Gpu, ...]]:
    """The GPUs that models are placed on, and the others of the machine."""
    others = {gpu.index: gpu for gpu in told.gpus or []}
    places = {int(place): gpu for place, gpu in status.gpus.items()}
    placed = []
    for place, gpu in sorted(places.items()):
        index = _launched_on(place, told.gpu_devices)
        placed.append(_gpu(index, gpu, others.pop(index, wire.GpuFacts(index=index))))
    return tuple(placed), tuple(_gpu(index, wire.GpuStatus(), gpu) for index, gpu in others.items())


def _launched_on(place: int, devices: list[int] | None) -> int:
    return devices[place] if devices and place < len(devices) else place


def _gpu(index: int, gpu: wire.GpuStatus, told: wire.GpuFacts) -> Gpu:
    # Of a GPU whose memory it cannot read, Xinference makes up the name too.
    known = gpu.mem_total is not None
    return Gpu(
        index=index,
        total=gpu.mem_total if known else told.memory_total,
        free=gpu.mem_free if known else told.memory_free,
        name=gpu.name if known else told.name or gpu.name,
        compute_capability=told.compute_capability,
        driver=told.driver,
    )


def _models(client: Client) -> tuple[ObservedModel, ...]:
    instances, details = client.instances(), {model.id: model for model in client.models()}
    models = []
    for instance in instances:
        detail = details.get(instance.model_uid)
        phase = _phase(instance)
        if phase == "failed" and not instance.error_message and not (detail and detail.upstream):
            # Nothing failed: a process died, and is started again; or a launch was cancelled.
            phase = "launching" if is_started_again(client, instance) else None
        elif phase == "launching" and _is_leaked(client, instance):
            phase = None
        if phase is not None:
            models.append(_model(instance.model_uid, phase, instance, detail))
    # After a restart of the supervisor its workers' models answer, though their instances are forgotten.
    known = {instance.model_uid for instance in instances if instance.status not in ("ERROR", "TERMINATED")}
    known |= {model.uid for model in models}
    forgotten = [_model(uid, "ready", None, model) for uid, model in details.items() if uid not in known]
    return tuple(sorted([*models, *forgotten], key=lambda model: model.uid))


def is_started_again(client: Client, instance: wire.Instance) -> bool:
    """Whether the process of a model died and Xinference makes it anew, which it shows as an ERROR without a reason.

    A cancelled launch looks the same, but its progress is that of a uid nobody knows (4.1.0).
    """
    unexplained = instance.status == "ERROR" and not instance.error_message
    return unexplained and client.progress(instance.model_uid).stage != "pending"


def _is_leaked(client: Client, instance: wire.Instance) -> bool:
    """Whether it is only the row of a launch that nobody carries on: one of too many workers, refused (4.1.0)."""
    created = instance.instance_created_ts
    if instance.status != "CREATING" or created is None or time.time() - created < _SURELY_KNOWN_S:
        return False
    return client.progress(instance.model_uid).stage == "pending"


def _with_replicas(client: Client, models: tuple[ObservedModel, ...]) -> tuple[ObservedModel, ...]:
    """The models, with the replicas that a restarted supervisor forgot, as the workers tell of them."""
    if all(model.replicas or model.is_upstream for model in models):
        return models
    try:
        workers = client.workers()
    except Forbidden:
        return models

    def found(uid: str) -> tuple[Replica, ...]:
        return tuple(
            Replica(worker.address, "ready", number=number) for worker in workers for number in worker.replicas_of(uid)
        )

    return tuple(
        model if model.replicas or model.is_upstream else replace(model, replicas=found(model.uid)) for model in models
    )


def _phase(instance: wire.Instance) -> Phase | None:
    loading = instance.status == "READY" and instance.replicas_are("CREATING", "LOADING")
    return "launching" if loading else _PHASES.get(instance.status)


def _model(uid: str, phase: Phase, instance: wire.Instance | None, detail: wire.RunningModel | None) -> ObservedModel:
    replicas = [
        Replica(
            worker=status.worker_address or "",
            phase=_REPLICA_PHASES.get(status.status, "stopping"),
            reason=status.error_message,
            number=status.replica_id,
            gpus=tuple(status.gpu_idx or ()),
        )
        for status in (instance.replica_statuses if instance else [])
    ]
    servers = detail.upstream.servers if detail and detail.upstream else []
    return ObservedModel(
        uid=uid,
        phase=phase,
        model_type=detail.model_type if detail else None,
        weights=_weights(detail) if detail and not servers else None,
        engine=detail.model_engine if detail else None,
        replicas=tuple(replicas),
        context=detail.context_length if detail else None,
        servers=tuple(Server(server.provider, server.url, server.model, server.key_env) for server in servers),
    )


def _weights(told: wire.RunningModel | wire.CachedModel) -> Weights | None:
    if told.model_name is None:
        return None
    size = told.model_size_in_billions
    return Weights(told.model_name, told.model_format, None if size is None else str(size), told.quantization)


def _cached(client: Client) -> frozenset[Weights] | None:
    try:
        cached = client.cached_models()
    except Forbidden:
        return None
    return frozenset(weights for model in cached if (weights := _weights(model)) is not None)


def _offers(client: Client, recipes: list[tuple[ModelType, EngineRecipe]]) -> dict[tuple[ModelType, str], Offers]:
    names = {(kind, recipe.model.model_name) for kind, recipe in recipes if recipe.registration is None}
    return {
        (kind, name): {engine: _offer(name, told) for engine, told in client.engines(kind, name).items()}
        for kind, name in sorted(names)
    }


def _offer(name: str, told: list[wire.EngineOption] | str) -> tuple[Weights, ...] | str:
    if isinstance(told, str):
        return told
    return tuple(
        Weights(
            option.model_name or name,
            option.model_format,
            None if option.model_size_in_billions is None else str(option.model_size_in_billions),
            quantization,
        )
        for option in told
        for quantization in (option.quantizations or _UNTOLD)
    )
