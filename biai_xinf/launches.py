"""What is sent to launch a placed recipe, in the words of Xinference 4.1's `POST /v1/models`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from biai_xinf.catalogue import Entry
from biai_xinf.forms import KEPT_OFF_GPUS, cpu_cache_gib
from biai_xinf.memory import Form, Placement
from biai_xinf.resolve import Placed
from biai_xinf.specs import EngineRecipe, UpstreamRecipe
from biai_xinf.state import Cluster, DesiredModel, Launch, UpstreamLaunch
from biai_xinf.upstreams import Upstream

# Xinference's name for `parallel` differs by engine; engines left out have no such option.
_PARALLEL = {
    "llama.cpp": "n_parallel",
    "vLLM": "max_num_seqs",
    "SGLang": "max_running_requests",
    "Transformers": "max_num_seqs",
}
# The engines' own names for the context. Xinference answers 400 where one contradicts `context_length`.
_CONTEXT = {"llama.cpp": "n_ctx", "vLLM": "max_model_len", "vllm": "max_model_len"}


def launch_of(want: DesiredModel, placed: Placed, threads: int | None = None) -> Launch:
    """The launch of a recipe at its places; `threads` is the model's share of the processors, None: all of them."""
    entry, recipe = want.entry, placed.recipe
    body: dict[str, Any] = {
        "model_uid": want.uid,
        "model_type": entry.spec.model_type,
        "model_engine": recipe.engine,
        **recipe.model.model_dump(exclude_none=True),
        **_sizing(recipe, entry.spec.model_type, recipe.requires.context, recipe.requires.parallel),
        **_shares(recipe, placed.form, threads),
        **_options(want, recipe),
        **_where(placed),
    }
    if (gib := cpu_cache_gib(want, recipe)) is not None:
        body["envs"] = {**body.get("envs", {}), "VLLM_CPU_KVCACHE_SPACE": str(gib)}
    if (path := entry.model_path(recipe)) is not None:
        body["model_path"] = path
    return Launch(body, entry.spec.model_type, entry.registrations.get(recipe.name))


def upstream_of(entry: Entry, recipe: UpstreamRecipe, uid: str) -> UpstreamLaunch:
    """The upstream that serves the spec's model under `uid`."""
    upstream = Upstream(
        name=uid,
        role=entry.spec.role,
        servers=[recipe.upstream],
        context=recipe.requires.context,
        defaults=entry.spec.defaults,
    )
    return UpstreamLaunch(upstream)


def share_threads(launched: Mapping[str, Placed], cluster: Cluster) -> dict[str, int]:
    """Threads per model that runs on processors beside others: an equal part of those of its workers.

    llama.cpp takes all of them unless it is told. A model that is alone, or on a worker whose processors nobody
    counted, is left out; what runs on a worker with GPUs is taken to run on these.
    """
    cpus = {worker.address: worker.cpus for worker in cluster.workers}
    without_gpus = {worker.address for worker in cluster.workers if not worker.gpus}
    models = Counter(
        replica.worker
        for model in cluster.models
        if model.uid not in launched and not model.is_upstream
        for replica in model.replicas
        if replica.worker in without_gpus and replica.phase != "failed"
    )
    for placed in launched.values():
        models.update(worker for placement in placed.placements if not placement.gpus for worker in placement.workers)
    shares = {}
    for uid, placed in launched.items():
        workers = {placement.worker for placement in placed.placements if not placement.gpus}
        counted = [(count, models[worker]) for worker in workers if (count := cpus[worker]) is not None]
        if counted and len(counted) == len(workers) and any(beside > 1 for _, beside in counted):
            shares[uid] = min(max(1, count // beside) for count, beside in counted)
    return shares


def _sizing(recipe: EngineRecipe, model_type: str, context: int | None, parallel: int | None) -> dict[str, Any]:
    sizing: dict[str, Any] = {}
    # Xinference answers 400 to `context_length` for embedding and rerank models.
    if context is not None and model_type == "LLM":
        sizing["context_length"] = context
    if parallel is not None and recipe.engine in _PARALLEL:
        sizing[_PARALLEL[recipe.engine]] = parallel
    return sizing


def _shares(recipe: EngineRecipe, form: Form, threads: int | None) -> dict[str, Any]:
    """Its part of each device, and how it is split over them: an engine would take all of what it finds."""
    shares: dict[str, Any] = {}
    if threads is not None and recipe.engine == "llama.cpp":
        shares["n_threads"] = threads
    if form.share is not None:
        shares["gpu_memory_utilization"] = form.share
    gpus = form.need.gpus
    if recipe.engine == "vLLM" and not gpus:
        # Xinference 4.1 counts the GPUs it found, and vLLM refuses to split a model over none.
        shares["tensor_parallel_size"] = 1
    if recipe.engine == "vLLM" and gpus * form.workers > 1:
        shares["tensor_parallel_size"] = gpus
        shares["pipeline_parallel_size"] = form.workers
    if recipe.engine == "SGLang" and gpus * form.workers > 1:
        shares["tp_size"] = gpus * form.workers
    return shares


def _options(want: DesiredModel, recipe: EngineRecipe) -> dict[str, Any]:
    """The recipe's options, but for what the wish wants otherwise."""
    options = dict(recipe.engine_options)
    model_type = want.entry.spec.model_type
    if want.context is not None and recipe.engine in _CONTEXT:
        options.pop(_CONTEXT[recipe.engine], None)
        if model_type != "LLM":
            slots = want.parallel or options.get("n_parallel", 1) if recipe.engine == "llama.cpp" else 1
            options[_CONTEXT[recipe.engine]] = want.context * slots
            # llama.cpp refuses a text that is longer than its batch.
            options |= {key: max(options[key], want.context) for key in ("n_batch", "n_ubatch") if key in options}
    return options | _sizing(recipe, model_type, want.context, want.parallel)


def _where(placed: Placed) -> dict[str, Any]:
    """Explicit placement: left alone, Xinference ignores memory when it picks a device."""
    form, placements = placed.form, placed.placements
    first = placements[0]
    if form.workers > 1:
        # `replica_config` knows one worker per replica; here each worker takes the same GPU indexes.
        spans = {"n_worker": form.workers, "worker_ip": ",".join(first.workers)}
        return {"replica": 1, **spans, "n_gpu": len(first.gpus), "gpu_idx": list(first.gpus)}
    if not form.need.gpus and len(placements) == 1:
        return {"worker_ip": first.worker, "n_gpu": None}
    where: dict[str, Any] = {
        "replica": len(placements),
        "replica_config": [{"devices": [device(placement, cpu="auto")]} for placement in placements],
    }
    if not form.need.gpus and placed.recipe.engine in KEPT_OFF_GPUS:
        # `replica_config` has no word for "no GPU": 0 is refused, and `auto` takes one where there is one, unless
        # the worker reads this.
        where["device"] = "cpu"
    return where


def device(placement: Placement, cpu: int | str) -> dict[str, Any]:
    """A place as `replica_config` tells it; `cpu` is its word for no GPU: 0 when scaling, `auto` when launching."""
    if not placement.gpus:
        return {"worker_ip": placement.worker, "n_gpu": cpu}
    return {"worker_ip": placement.worker, "n_gpu": len(placement.gpus), "gpu_idx": list(placement.gpus)}
