"""Plans and recipes as text."""

from __future__ import annotations

from biai_xinf.memory import Placement
from biai_xinf.plan import Action, Change, Plan
from biai_xinf.resolve import Resolution
from biai_xinf.specs import Recipe, Requires, UpstreamRecipe
from biai_xinf.units import format_size


def plan_text(plan: Plan) -> str:
    """The whole plan: every change with its reason, every recipe with its verdict, and the tally."""
    lines = [line for change in plan.changes for line in _change(change)]
    if plan.unmanaged:
        lines += [f"  left alone: {', '.join(plan.unmanaged)}"]
    return "\n".join([*lines, "", plan.tally()])


def _change(change: Change) -> list[str]:
    if change.resolution is None or change.recipe is None:
        return [f"{change.action.value} {change.uid}  {change.reason}"]
    lines = [f"{change.action.value} {change.uid}  recipe {change.recipe.name}: {weights(change.recipe)}"]
    if change.action is Action.RELAUNCH:
        how = "replaced between two requests" if change.in_place else "interrupted"
        lines.append(f"    {change.reason}, which is {how}")
    return lines + _verdicts(change.resolution)


def _verdicts(resolution: Resolution) -> list[str]:
    width = max(len(verdict.recipe.name) for verdict in resolution.verdicts)
    lines = []
    for verdict in resolution.verdicts:
        taken = verdict.reason is None
        said = _taken(resolution) if taken else verdict.reason
        lines.append(f"  {'>' if taken else ' '} {verdict.recipe.name:<{width}}  {said}")
        lines += [f"    {'':<{width}}  {line}" for line in (evidence(verdict.recipe) if taken else [])]
    return lines


def _taken(resolution: Resolution) -> str:
    if resolution.placement is None:
        return "takes no memory here: the server runs the model already"
    return f"fits on {place(resolution.placement)}"


def weights(recipe: Recipe) -> str:
    """What a recipe loads, and on which engine; or which server runs it already."""
    if isinstance(recipe, UpstreamRecipe):
        return f"{recipe.upstream.model} at {recipe.upstream.url} ({recipe.upstream.provider})"
    model = recipe.model
    size = "" if model.model_size_in_billions is None else f" {str(model.model_size_in_billions).replace('_', '.')}B"
    return f"{model.model_name}{size} {model.model_format} {model.quantization} on {recipe.engine}"


def evidence(recipe: Recipe) -> list[str]:
    """What runs of ours showed of a recipe."""
    shown = ["a demonstration: it knows the demo shop and nothing else"] if recipe.demonstration else []
    for run in recipe.verified:
        if run.accuracy:
            shown.append(f"measured on {run.hardware}, {run.on}: {run.accuracy}")
    return shown


def place(placement: Placement) -> str:
    """Where a replica goes."""
    if not placement.gpus:
        return f"{placement.worker} (CPU)"
    return f"{placement.worker} (GPU {', '.join(map(str, placement.gpus))})"


def requires(needed: Requires) -> str:
    """What a recipe needs, in one cell of a table."""
    parts = []
    if needed.gpus and needed.vram is not None:
        parts.append(f"{needed.gpus} GPU x {format_size(needed.vram)}")
    if needed.memory is not None:
        parts.append(f"{format_size(needed.memory)} RAM")
    return ", ".join(parts) or "-"
