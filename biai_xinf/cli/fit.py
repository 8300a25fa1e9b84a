"""`biai-xinf fit`: how much memory a model takes, and where there is room for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from biai_xinf.catalogue import Entry, find, load_catalogue
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.cli.render import weights
from biai_xinf.errors import NotXinference, Unreachable
from biai_xinf.estimate import Estimate
from biai_xinf.fits import (
    LocalFit,
    QuantizationFit,
    RecipeFit,
    Room,
    has_room,
    local_fits,
    quantization_fits,
    recipe_fits,
)
from biai_xinf.hardware import Worker
from biai_xinf.memory import Need
from biai_xinf.observe import observe
from biai_xinf.shapes import LocalWeights, read_local
from biai_xinf.specs import UpstreamRecipe
from biai_xinf.this_machine import this_machine
from biai_xinf.units import format_size

UNKNOWN = "unknown"


@click.command("fit")
@click.argument("model", metavar="MODEL")
@click.option("--context", type=click.IntRange(1), metavar="N", help="Tokens one request may hold, prompt and answer.")
@click.option("--parallel", type=click.IntRange(1), metavar="N", help="Requests served at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, in bytes.")
@click.pass_obj
def command(endpoint: str | None, model: str, context: int | None, parallel: int | None, as_json: bool) -> None:
    """Show how much memory a model takes, and where there is room for it.

    MODEL is a spec's name, or the path of a `.gguf` file or of a model's folder (`./name`). The machines are the
    cluster's if one answers, else this one.
    """
    if _is_path(model):
        local = read_local(Path(model))
        workers = _workers(endpoint)
        found = local_fits(local, workers, context, parallel)
        if as_json:
            show_json(_local_data(model, local, workers, found))
        else:
            _show_local(local, found)
        return
    entry = find(load_catalogue(), model)
    workers = _workers(endpoint)
    recipes = recipe_fits(entry, workers, context, parallel)
    quantizations = quantization_fits(entry, workers, context, parallel)
    if as_json:
        show_json(_spec_data(entry, workers, recipes, quantizations))
    else:
        _show_spec(entry, recipes, quantizations)


def _is_path(model: str) -> bool:
    return "/" in model or "\\" in model or model.lower().endswith(".gguf")


def _workers(endpoint: str | None) -> Sequence[Worker]:
    """The cluster's; this machine where no endpoint was named and none answers."""
    try:
        with connect(endpoint) as client:
            return observe(client).workers
    except (Unreachable, NotXinference):
        if endpoint:
            raise
    say("no Xinference answers, so this is what this machine has free")
    say()
    return [this_machine()]


# A spec


def _show_spec(entry: Entry, recipes: Sequence[RecipeFit], quantizations: Sequence[QuantizationFit]) -> None:
    headings = ["RECIPE", "LOADS", "CONTEXT", "WEIGHTS", "KV CACHE", "BUFFERS", "TOTAL", "BASIS", "ROOM"]
    show(table(headings, [_recipe_row(fit) for fit in recipes]))
    if quantizations:
        show()
        headings = ["GGUF", "TAKE", "CONTEXT", "FILES", "TOTAL", "ROOM"]
        show(table(headings, [_quantization_row(fit) for fit in quantizations]))
    say()
    ours = [fit for fit in recipes if not isinstance(fit.recipe, UpstreamRecipe)]
    said = f"there is room for {sum(map(has_room, ours))} of {len(ours)} recipes of `{entry.spec.name}`"
    say(f"{said}; next: biai-xinf plan {entry.spec.name}")


def _recipe_row(fit: RecipeFit) -> list[str]:
    recipe, loads = fit.recipe, weights(fit.recipe)
    if isinstance(recipe, UpstreamRecipe):
        return [recipe.name, loads, "-", "-", "-", "-", "-", "-", "takes no memory here"]
    parts = _parts(fit.estimated) if fit.estimated else [UNKNOWN] * 3
    basis = "the spec's" if fit.told else "estimated" if fit.estimated else UNKNOWN
    room = _rooms(fit.rooms) if fit.need else UNKNOWN
    return [recipe.name, loads, _times(fit.context, fit.parallel), *parts, _total(fit.need), basis, room]


def _quantization_row(fit: QuantizationFit) -> list[str]:
    size = fit.weights.model_size_in_billions
    name = fit.weights.model_name + ("" if size is None else f" {str(size).replace('_', '.')}B")
    return [
        f"{name} {fit.quantization}",
        "this one" if fit.advised else "",
        _times(fit.context, fit.parallel),
        UNKNOWN if fit.files is None else format_size(fit.files),
        _total(fit.need),
        _rooms(fit.rooms),
    ]


# Weights of this machine


def _show_local(local: LocalWeights, found: Sequence[LocalFit]) -> None:
    shape = local.shape
    show(f"{shape.model_type}, {_counted(shape.parameters)} parameters, {local.format} {local.quantization}")
    show(f"{format_size(local.size)} of weights, {shape.layers} layers, context {shape.max_context or UNKNOWN}")
    show()
    headings = ["ENGINE", "CONTEXT", "WEIGHTS", "KV CACHE", "BUFFERS", "TOTAL", "ROOM"]
    rows = [
        [
            fit.engine,
            _times(fit.context, fit.parallel),
            *_parts(fit.estimated),
            _total(fit.estimated.need),
            _rooms(fit.rooms),
        ]
        for fit in found
    ]
    show(table(headings, rows))
    say()
    say(f"there is room for {sum(map(has_room, found))} of {len(found)} launches; all figures are estimates")


def _counted(parameters: int) -> str:
    return f"{parameters / 1e9:.2f} billion" if parameters >= 10**9 else f"{parameters / 1e6:.2f} million"


# Cells and data


def _times(context: int | None, parallel: int | None) -> str:
    """Context times requests at once, as far as somebody set them."""
    return "-" if context is None else f"{context} x {parallel or 1}"


def _parts(estimated: Estimate) -> list[str]:
    """Weights, KV cache, and what the engine and its process take beside them."""
    return [
        format_size(estimated.weights),
        format_size(estimated.cache),
        format_size(estimated.buffers + estimated.process),
    ]


def _total(need: Need | None) -> str:
    if need is None:
        return UNKNOWN
    if not need.gpus:
        return f"{format_size(need.memory)} RAM"
    memory = f", {format_size(need.memory)} RAM" if need.memory else ""
    return f"{need.gpus} GPU x {format_size(need.vram)}{memory}"


def _rooms(rooms: Sequence[Room]) -> str:
    return "; ".join(f"{room.device}: {_spare(room.spare)}" for room in rooms) or "no worker has the GPUs"


def _spare(spare: int | None) -> str:
    if spare is None:
        return UNKNOWN
    return f"fits, {format_size(spare)} to spare" if spare >= 0 else f"short by {format_size(-spare)}"


def _spec_data(
    entry: Entry, workers: Sequence[Worker], recipes: Sequence[RecipeFit], quantizations: Sequence[QuantizationFit]
) -> dict[str, object]:
    """For machines: sizes in bytes, null where unknown; `spare` is negative where memory is short."""
    return {
        "model": entry.spec.name,
        "machines": [worker.address for worker in workers],
        "recipes": [
            {
                "name": fit.recipe.name,
                "loads": weights(fit.recipe),
                "context": fit.context,
                "parallel": fit.parallel,
                "basis": "spec" if fit.told else "estimate" if fit.estimated else None,
                **_need_data(fit.estimated, fit.need, fit.rooms),
            }
            for fit in recipes
        ],
        "quantizations": [
            {
                "model_name": fit.weights.model_name,
                "model_size_in_billions": fit.weights.model_size_in_billions,
                "quantization": fit.quantization,
                "advised": fit.advised,
                "files": fit.files,
                "context": fit.context,
                "parallel": fit.parallel,
                **_need_data(None, fit.need, fit.rooms),
            }
            for fit in quantizations
        ],
    }


def _local_data(
    model: str, local: LocalWeights, workers: Sequence[Worker], found: Sequence[LocalFit]
) -> dict[str, object]:
    return {
        "model": model,
        "machines": [worker.address for worker in workers],
        "weights": asdict(local),
        "engines": [
            {
                "engine": fit.engine,
                "context": fit.context,
                "parallel": fit.parallel,
                **_need_data(fit.estimated, fit.estimated.need, fit.rooms),
            }
            for fit in found
        ],
    }


def _need_data(estimated: Estimate | None, need: Need | None, rooms: Sequence[Room]) -> dict[str, object]:
    return {
        "estimate": asdict(estimated) if estimated else None,
        "need": asdict(need) if need else None,
        "rooms": [asdict(room) for room in rooms],
    }
