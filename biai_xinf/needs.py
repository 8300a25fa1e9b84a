"""What one replica of a recipe takes on its worker: the spec's own figures, else an estimate from the model's shape."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from biai_xinf.catalogue import Entry
from biai_xinf.errors import BadFile
from biai_xinf.estimate import Estimate, estimate
from biai_xinf.memory import Need
from biai_xinf.shapes import LocalWeights, Shape, read_local
from biai_xinf.specs import EngineRecipe


def need_of(
    entry: Entry,
    recipe: EngineRecipe,
    *,
    gpus: int | None = None,
    context: int | None = None,
    parallel: int | None = None,
) -> Need:
    """What one replica takes, per GPU when it is split over `gpus`; the recipe's own figures where they are None.

    Nothing, where neither the spec nor the model's shape tells.
    """
    requires = recipe.requires
    count = requires.gpus if gpus is None else gpus
    told = requires.vram if count else requires.memory
    if told is not None:
        return Need(memory=requires.memory or 0, gpus=count, vram=requires.vram or 0)
    estimated = estimate_of(entry, recipe, gpus=gpus, context=context, parallel=parallel)
    need = estimated.need if estimated else Need(gpus=count)
    return need if requires.memory is None else Need(requires.memory, need.gpus, need.vram)


def estimate_of(
    entry: Entry,
    recipe: EngineRecipe,
    *,
    gpus: int | None = None,
    context: int | None = None,
    parallel: int | None = None,
) -> Estimate | None:
    """The parts of what one replica takes; None where the shape of its weights is not known."""
    known = _shape_and_size(entry, recipe)
    if known is None:
        return None
    shape, size = known
    at_once = parallel or recipe.requires.parallel
    # A launch tells the engine how many requests to take at once, and it takes memory for no more.
    told = {} if at_once is None else {"max_num_seqs": at_once}
    return estimate(
        shape,
        weights=size,
        model_format=recipe.model.model_format,
        quantization=recipe.model.quantization,
        engine=recipe.engine,
        context=context or context_of(entry, recipe, shape),
        parallel=at_once or 1,
        options={**told, **recipe.engine_options},
        gpus=recipe.requires.gpus if gpus is None else gpus,
    )


def context_of(entry: Entry, recipe: EngineRecipe, shape: Shape) -> int:
    """The tokens that one request may hold: as the recipe says, else all that the model was trained for."""
    published = entry.spec.published(recipe.model)
    trained = (published.context if published else None) or shape.max_context
    return recipe.requires.context or trained or _SHORTEST


# Of the models that BERT began, none reads less.
_SHORTEST = 512


def _shape_and_size(entry: Entry, recipe: EngineRecipe) -> tuple[Shape, int | None] | None:
    """Of the weights on this machine, if that is where they are; else as the spec tells what is published."""
    local = _on_this_machine(entry, recipe)
    if local is not None:
        return local.shape, local.size
    published = entry.spec.published(recipe.model)
    shape = entry.shapes.get(published.shape) if published else None
    if published is None or shape is None:
        return None
    return shape, published.formats[recipe.model.model_format][recipe.model.quantization]


def _on_this_machine(entry: Entry, recipe: EngineRecipe) -> LocalWeights | None:
    path = Path(entry.model_path(recipe) or "")
    return _read(path, path.stat().st_mtime_ns) if path.name and path.exists() else None


@lru_cache
def _read(path: Path, changed: int) -> LocalWeights | None:
    # A planner asks for the same file many times; `changed` makes a new file another question.
    del changed
    try:
        return read_local(path)
    except BadFile:
        # An engine may know architectures that we do not; `biai-xinf fit` says what is wrong with a file.
        return None
