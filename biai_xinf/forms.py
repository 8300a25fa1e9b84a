"""The ways to lay a recipe on a cluster: which workers and GPUs may hold it, whole or split, and how much of each.

An engine that a worker is known to lack, and a GPU that is known to be too old, hold nothing; what is unknown refuses
nothing. The options named here are Xinference 4.1's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from biai_xinf.hardware import Gpu, Worker
from biai_xinf.memory import NO_GPU, Form, Ledger, Need
from biai_xinf.needs import estimate_of, need_of
from biai_xinf.specs import EngineRecipe
from biai_xinf.state import DesiredModel
from biai_xinf.units import GIB, format_size

# Engines that split a model's attention heads over the GPUs of a worker, and its layers or heads over workers.
_SPLITTING = ("vLLM", "SGLang")
_SPLITS = (2, 4, 8)
_MOST_WORKERS = 4
# vLLM leaves less than 5 % to the driver and to other processes at the risk of not starting.
_MOST_OF_A_GPU = 0.95
# Engines that Xinference starts without a GPU when they are given `device: cpu`, which llama.cpp itself ignores.
KEPT_OFF_GPUS = ("llama.cpp", "Transformers", "sentence_transformers", "flag")
# What SGLang takes of a GPU where the recipe does not say: Xinference gives its pool 79 to 88 %, the rest is workspace.
_SGLANG_TAKES = 0.9

Gpus = Mapping[str, Sequence[Gpu]]


def forms_of(
    want: DesiredModel, recipe: EngineRecipe, workers: Sequence[Worker], ledger: Ledger
) -> tuple[Form, ...] | str:
    """The forms that hold every replica while nothing else is placed, or why there are none.

    A model is split only where no single GPU holds it, and spans workers only where no single worker does.
    """
    able = _able(want, recipe, workers)
    if isinstance(able, str):
        return able
    if not recipe.requires.gpus:
        whole = [Form(_on_processors(want, recipe), {worker.address: () for worker in able})]
        return _fitting(whole, want, ledger) or _refusal(whole, recipe, want, ledger, workers, able)
    capable = _capable(recipe, able)
    if isinstance(capable, str):
        return capable
    whole = list(_on_gpus(want, recipe, capable, recipe.requires.gpus))
    fitting = (
        _fitting(whole, want, ledger)
        or _fitting(_split(want, recipe, capable), want, ledger)
        or _fitting(_spanning(want, recipe, capable), want, ledger)[:1]
    )
    if fitting:
        return fitting
    if not whole:
        return _too_much_of_a_gpu(_need(want, recipe, recipe.requires.gpus), recipe, capable)
    return _refusal(whole, recipe, want, ledger, workers, able)


def cpu_cache_gib(want: DesiredModel, recipe: EngineRecipe) -> int | None:
    """The whole GiB of cache that vLLM has to be told on processors: left alone, it takes 90 % of all memory.

    None where that is not how it runs, where the recipe tells it itself, and where the model's shape is not known.
    """
    cache = _cpu_cache(want, recipe)
    return math.ceil(cache / GIB) if cache else None


def _cpu_cache(want: DesiredModel, recipe: EngineRecipe) -> int:
    told = recipe.engine_options.get("envs", {})
    if recipe.requires.gpus or recipe.engine != "vLLM" or "VLLM_CPU_KVCACHE_SPACE" in told:
        return 0
    estimated = estimate_of(want.entry, recipe, gpus=0, context=want.context, parallel=want.parallel)
    return estimated.cache if estimated else 0


def _on_processors(want: DesiredModel, recipe: EngineRecipe) -> Need:
    need, gib = _need(want, recipe, 0), cpu_cache_gib(want, recipe)
    if gib is None or recipe.requires.memory is not None:
        return need
    return Need(need.memory + gib * GIB - _cpu_cache(want, recipe))


def _able(want: DesiredModel, recipe: EngineRecipe, workers: Sequence[Worker]) -> list[Worker] | str:
    """The workers that may run it and have its engine."""
    allowed = [worker for worker in workers if want.workers is None or worker.address in want.workers]
    if not allowed:
        named = ", ".join(f"`{address}`" for address in sorted(want.workers or ()))
        return f"of the workers it may run on none is there: {named}" if named else "no worker is there to run it"
    if recipe.requires.gpus and not any(worker.gpus for worker in allowed):
        return NO_GPU
    able = [worker for worker in allowed if _has_engine(worker, recipe)]
    if not able:
        who = f"`{allowed[0].address}` has no" if len(allowed) == 1 else "no worker has"
        return f"{who} {recipe.engine}{' for GPUs' if recipe.requires.gpus else ''}"
    if want.replicas == 1 or recipe.requires.gpus or recipe.engine in KEPT_OFF_GPUS:
        return able
    # Xinference 4.1 cannot launch several replicas beside a GPU without giving them one.
    without_gpus = [worker for worker in able if not worker.gpus]
    return without_gpus or f"several replicas of it on {recipe.engine} need workers without GPUs"


def _has_engine(worker: Worker, recipe: EngineRecipe) -> bool:
    if worker.engines is None:
        return True
    version = {name.lower(): version for name, version in worker.engines.items()}.get(recipe.engine.lower())
    # vLLM is built for processors or for GPUs.
    wrong_build = bool(recipe.requires.gpus) and version is not None and version.endswith("+cpu")
    return version is not None and not wrong_build


def _capable(recipe: EngineRecipe, workers: Iterable[Worker]) -> Gpus | str:
    """The GPUs that are new enough, by worker."""
    lowest = _version(recipe.requires.compute_capability)
    gpus = {worker.address: worker.gpus for worker in workers}
    if lowest is None:
        return gpus
    known = [found for all_gpus in gpus.values() for gpu in all_gpus if (found := _version(gpu.compute_capability))]
    capable = {
        address: tuple(gpu for gpu in there if (_version(gpu.compute_capability) or lowest) >= lowest)
        for address, there in gpus.items()
    }
    if any(gpus.values()) and not any(capable.values()):
        highest = ".".join(map(str, max(known)))
        return f"needs compute capability {recipe.requires.compute_capability}, the highest is {highest}"
    return capable


def _version(capability: str | None) -> tuple[int, int] | None:
    """Nvidia's numbers; what AMD and Apple say is not comparable."""
    found = re.fullmatch(r"(\d+)\.(\d+)", capability or "")
    return (int(found[1]), int(found[2])) if found else None


def _on_gpus(want: DesiredModel, recipe: EngineRecipe, gpus: Gpus, count: int, workers: int = 1) -> Iterator[Form]:
    """On `count` GPUs of each of so many workers: any, or only equal ones where the engine takes a share of each."""
    need = replace(_need(want, recipe, count * workers), gpus=count)
    if recipe.engine.lower() not in ("vllm", "sglang"):
        yield Form(need, _indexes(gpus), workers)
        return
    kinds = {(gpu.name, gpu.total): None for there in gpus.values() for gpu in there}
    for name, total in kinds:
        where = {
            worker: tuple(gpu.index for gpu in there if (gpu.name, gpu.total) == (name, total))
            for worker, there in gpus.items()
        }
        taken = _taken(recipe, need, total)
        if taken is not None:
            vram, share = taken
            yield Form(replace(need, vram=vram), {at: there for at, there in where.items() if there}, workers, share)
    if not kinds:
        yield Form(need, _indexes(gpus), workers)


def _taken(recipe: EngineRecipe, need: Need, total: int | None) -> tuple[int, float | None] | None:
    """The bytes of a GPU that its engine will take, and the share it must be told; None where that is not enough."""
    if not total or not need.vram:
        return need.vram, None
    if recipe.engine == "SGLang":
        return max(need.vram, math.ceil(total * recipe.engine_options.get("mem_fraction_static", _SGLANG_TAKES))), None
    told = recipe.engine_options.get("gpu_memory_utilization")
    if told is not None:
        return (math.ceil(total * told), None) if total * told >= need.vram else None
    # It takes 90 % unless told otherwise. A whole percent, so that people can check it.
    percent = math.ceil(100 * need.vram / total)
    return (math.ceil(total * percent / 100), percent / 100) if percent <= 100 * _MOST_OF_A_GPU else None


def _split(want: DesiredModel, recipe: EngineRecipe, gpus: Gpus) -> Iterator[Form]:
    """Over several GPUs of one worker."""
    for count in _SPLITS:
        if _can_be_split(want, recipe, count):
            yield from _on_gpus(want, recipe, gpus, count)


def _spanning(want: DesiredModel, recipe: EngineRecipe, gpus: Gpus) -> Iterator[Form]:
    """Over several workers, on GPUs of the same indexes: Xinference has one `gpu_idx` for all of them."""
    if want.replicas > 1:
        return
    for workers in range(2, min(len(gpus), _MOST_WORKERS) + 1):
        for count in (1, *_SPLITS):
            # vLLM gives each worker some layers, SGLang splits the heads over all GPUs.
            heads = count if recipe.engine == "vLLM" else count * workers
            if _can_be_split(want, recipe, heads):
                yield from _on_gpus(want, recipe, gpus, count, workers)


def _can_be_split(want: DesiredModel, recipe: EngineRecipe, count: int) -> bool:
    """Whether the attention heads can be dealt to so many GPUs.

    Never where the recipe says itself what one GPU holds, and where the model's shape is not known.
    """
    spec, requires = want.entry.spec, recipe.requires
    if recipe.engine not in _SPLITTING or requires.gpus != 1 or requires.vram is not None or spec.model_type != "LLM":
        return False
    published = spec.published(recipe.model)
    shape = want.entry.shapes.get(published.shape) if published else None
    if shape is None:
        return False
    return shape.heads % count == 0 and (shape.kv_heads % count == 0 or count % shape.kv_heads == 0)


def _need(want: DesiredModel, recipe: EngineRecipe, gpus: int) -> Need:
    return need_of(want.entry, recipe, gpus=gpus, context=want.context, parallel=want.parallel)


def _indexes(gpus: Gpus) -> dict[str, tuple[int, ...]]:
    return {worker: tuple(gpu.index for gpu in there) for worker, there in gpus.items()}


def _fitting(forms: Iterable[Form], want: DesiredModel, ledger: Ledger) -> tuple[Form, ...]:
    return tuple(form for form in forms if len(ledger.places(form, want.replicas)) == want.replicas)


def _refusal(
    forms: Sequence[Form],
    recipe: EngineRecipe,
    want: DesiredModel,
    ledger: Ledger,
    workers: Sequence[Worker],
    able: Sequence[Worker],
) -> str:
    """What is needed and the most there is, and whether a missing engine left workers out."""
    reason = ledger.refusal(forms, want.replicas)
    left_out = want.workers is None and len(able) < len(workers)
    return f"{reason} (on workers with {recipe.engine})" if left_out else reason


def _too_much_of_a_gpu(need: Need, recipe: EngineRecipe, gpus: Gpus) -> str:
    most = max((gpu.total or 0 for there in gpus.values() for gpu in there), default=0)
    share = recipe.engine_options.get("gpu_memory_utilization", _MOST_OF_A_GPU)
    may_take = format_size(int(share * most))
    return f"needs {format_size(need.vram)} of a GPU, the most {recipe.engine} may take of one is {may_take}"
