"""How much memory a model takes in each recipe and quantization, and on which devices there is room for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from biai_xinf.catalogue import Entry
from biai_xinf.estimate import Estimate, estimate
from biai_xinf.hardware import Worker
from biai_xinf.memory import Need
from biai_xinf.needs import context_of, estimate_of, need_of
from biai_xinf.shapes import LocalWeights
from biai_xinf.specs import EngineRecipe, PublishedWeights, Recipe

# Errors of SQL are errors of single tokens, so it gets more bits than prose; vectors get nearly all of them.
PREFERRED = {
    "sql": ("q6_k", "q5_k_m", "q4_k_m"),
    "narrator": ("q4_k_m",),
    "chat": ("q4_k_m",),
    "embedding": ("q8_0", "f16"),
    "rerank": ("q8_0", "f16"),
}
_CONTEXTS = (4096, 8192, 16384, 32768)
_PARALLEL = (1, 4, 8)


@dataclass(frozen=True)
class Room:
    """A device, and the bytes that stay free on it; fewer than none where it is too small, None where unknown."""

    device: str
    spare: int | None


@dataclass(frozen=True)
class RecipeFit:
    """One recipe. `need` is None where its memory is not known, and nothing where another server runs it.

    `told` says that the figure is the spec's own, `estimated` has the parts where the model's shape is known.
    """

    recipe: Recipe
    context: int | None
    parallel: int | None
    estimated: Estimate | None
    need: Need | None
    told: bool
    rooms: tuple[Room, ...]


@dataclass(frozen=True)
class QuantizationFit:
    """One published GGUF quantization of a size, on llama.cpp; `advised` is the one to take here."""

    weights: PublishedWeights
    quantization: str
    files: int | None
    context: int
    parallel: int
    need: Need
    rooms: tuple[Room, ...]
    advised: bool = False


@dataclass(frozen=True)
class LocalFit:
    """Weights of this machine on one engine, with one context and parallelism."""

    engine: str
    context: int
    parallel: int
    estimated: Estimate
    rooms: tuple[Room, ...]


def recipe_fits(entry: Entry, workers: Sequence[Worker], context: int | None, parallel: int | None) -> list[RecipeFit]:
    """Every recipe of a spec, best first; context and parallelism are the recipe's own where they are None."""
    return [
        _recipe_fit(entry, recipe, workers, context, parallel)
        if isinstance(recipe, EngineRecipe)
        else RecipeFit(recipe, recipe.requires.context, None, None, Need(), True, ())
        for recipe in entry.spec.recipes
    ]


def quantization_fits(
    entry: Entry, workers: Sequence[Worker], context: int | None, parallel: int | None
) -> list[QuantizationFit]:
    """The GGUF quantizations of every size that has several, and which to take of each."""
    several = [weights for weights in entry.spec.weights if len(weights.formats.get("ggufv2", {})) > 1]
    return [fit for weights in several for fit in _quantizations(entry, weights, workers, context, parallel)]


def local_fits(
    local: LocalWeights, workers: Sequence[Worker], context: int | None, parallel: int | None
) -> list[LocalFit]:
    """Weights of this machine on the engines that load them, for usual contexts unless one is given."""
    longest = local.shape.max_context
    contexts = [usual for usual in _CONTEXTS if longest is None or usual <= longest] or [longest or _CONTEXTS[0]]
    gpus = _gpus(workers)
    return [
        LocalFit(engine, tokens, requests, estimated, rooms(estimated.need, workers))
        for engine in _engines(local)
        for tokens in ([context] if context else contexts)
        for requests in ([parallel] if parallel else _PARALLEL)
        for estimated in [_local_estimate(local, engine, tokens, requests, gpus)]
    ]


def rooms(need: Need, workers: Iterable[Worker]) -> tuple[Room, ...]:
    """What a replica that takes `need` leaves free of each device it may run on, by the memory that is free now.

    Of a worker whose RAM is too small for its part, the RAM; of one with fewer GPUs than it needs, nothing.
    """
    return tuple(room for worker in workers for room in _rooms_of(need, worker))


def has_room(fit: RecipeFit | QuantizationFit | LocalFit) -> bool:
    """Whether a device is known to have room for it."""
    return any(room.spare is not None and room.spare >= 0 for room in fit.rooms)


def _rooms_of(need: Need, worker: Worker) -> list[Room]:
    memory = Room(f"{worker.address} RAM", _spare(worker.memory_free, need.memory))
    if not need.gpus or (worker.gpus and memory.spare is not None and memory.spare < 0):
        return [memory]
    if need.gpus == 1:
        return [Room(f"{worker.address} GPU {gpu.index}", _spare(gpu.free, need.vram)) for gpu in worker.gpus]
    free = sorted((gpu.free for gpu in worker.gpus if gpu.free is not None), reverse=True)
    if len(worker.gpus) < need.gpus:
        return []
    least = free[need.gpus - 1] if len(free) >= need.gpus else None
    return [Room(f"{worker.address} {need.gpus} GPUs", _spare(least, need.vram))]


def _spare(free: int | None, needed: int) -> int | None:
    return None if free is None else free - needed


def _recipe_fit(
    entry: Entry, recipe: EngineRecipe, workers: Sequence[Worker], context: int | None, parallel: int | None
) -> RecipeFit:
    requires = recipe.requires
    estimated = estimate_of(entry, recipe, context=context, parallel=parallel)
    told = (requires.vram if requires.gpus else requires.memory) is not None
    need = need_of(entry, recipe, context=context, parallel=parallel) if told or estimated else None
    return RecipeFit(
        recipe=recipe,
        context=context or requires.context,
        parallel=parallel or requires.parallel,
        estimated=estimated,
        need=need,
        told=told,
        rooms=rooms(need, workers) if need else (),
    )


def _quantizations(
    entry: Entry, weights: PublishedWeights, workers: Sequence[Worker], context: int | None, parallel: int | None
) -> list[QuantizationFit]:
    shape = entry.shapes[weights.shape]
    recipe = _like(entry, weights)
    context = context or (context_of(entry, recipe, shape) if recipe else _CONTEXTS[1])
    parallel = parallel or (recipe.requires.parallel if recipe else None) or 1
    fits = []
    for quantization, size in weights.formats["ggufv2"].items():
        need = estimate(
            shape,
            weights=size,
            model_format="ggufv2",
            quantization=quantization,
            engine="llama.cpp",
            context=context,
            parallel=parallel,
            options=recipe.engine_options if recipe and recipe.engine == "llama.cpp" else {},
            gpus=_gpus(workers),
        ).need
        fits.append(QuantizationFit(weights, quantization, size, context, parallel, need, rooms(need, workers)))
    return _advise(entry.spec.role, fits)


def _like(entry: Entry, weights: PublishedWeights) -> EngineRecipe | None:
    """The recipe whose context and parallelism these weights are judged by: one of theirs, on llama.cpp if there is."""
    recipes = [recipe for recipe in entry.spec.recipes if isinstance(recipe, EngineRecipe)]
    theirs = [recipe for recipe in recipes if entry.spec.published(recipe.model) is weights]
    return next((recipe for recipe in theirs if recipe.engine == "llama.cpp"), next(iter(theirs), None))


def _advise(role: str, fits: list[QuantizationFit]) -> list[QuantizationFit]:
    """Mark the best quantization that has room, or the smallest good one where none has."""
    by_name = {fit.quantization.lower(): fit for fit in fits}
    good = [by_name[name] for name in PREFERRED[role] if name in by_name]
    if not good:
        return fits
    advised = next(filter(has_room, good), good[-1])
    return [replace(fit, advised=fit is advised) for fit in fits]


def _engines(local: LocalWeights) -> tuple[str, ...]:
    if local.format == "ggufv2":
        return ("llama.cpp",)
    return ("sentence_transformers",) if local.shape.kind == "encoder" else ("vLLM", "Transformers")


def _local_estimate(local: LocalWeights, engine: str, context: int, parallel: int, gpus: int) -> Estimate:
    return estimate(
        local.shape,
        weights=local.size,
        model_format=local.format,
        quantization=local.quantization,
        engine=engine,
        context=context,
        parallel=parallel,
        options={},
        gpus=gpus,
    )


def _gpus(workers: Sequence[Worker]) -> int:
    return 1 if any(worker.gpus for worker in workers) else 0
