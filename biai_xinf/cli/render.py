"""Plans and recipes as text, and plans as data."""

from __future__ import annotations

from dataclasses import asdict

from biai_xinf.catalogue import Entry
from biai_xinf.memory import Placement
from biai_xinf.needs import need_of
from biai_xinf.plan import Action, Change, Plan
from biai_xinf.resolve import Resolution, by_reason
from biai_xinf.specs import Recipe, UpstreamRecipe
from biai_xinf.state import Scaling
from biai_xinf.units import format_size


def plan_text(plan: Plan) -> str:
    """The whole plan: every change with its reason, every recipe with its verdict, and the tally."""
    lines = [line for change in plan.changes for line in _change(change)]
    for refused in plan.refused:
        lines += [f"! {refused.uid}  {refused.error.message}", *(f"    {detail}" for detail in refused.error.details)]
    if plan.unmanaged:
        lines += [f"  left alone: {', '.join(plan.unmanaged)}"]
    return "\n".join([*lines, *_memory(plan), "", plan.tally()])


def _memory(plan: Plan) -> list[str]:
    """Every device that the plan takes something of, where it takes of more than one."""
    taken = [booking for booking in plan.memory if booking.after != booking.before]
    if len(taken) < 2:
        return []
    names = [f"{one.worker} {'memory' if one.gpu is None else f'GPU {one.gpu}'}" for one in taken]
    width = max(map(len, names))
    free = [f"{format_size(one.before)} free, then {format_size(max(0, one.after))}" for one in taken]
    return ["", *(f"  {name:<{width}}  {line}" for name, line in zip(names, free, strict=True))]


def plan_data(plan: Plan) -> dict[str, object]:
    """A plan for machines; `body` is what would be sent to Xinference."""
    changes = [
        {
            "action": change.action.name.lower(),
            "uid": change.uid,
            "reason": change.reason,
            "recipe": change.recipe.name if change.recipe else None,
            "body": dict(change.launch.body) if change.launch else None,
            "recipes": [
                {"name": verdict.recipe.name, "taken": verdict.reason is None, "reason": verdict.reason}
                for verdict in (change.resolution.verdicts if change.resolution else ())
            ],
        }
        for change in plan.changes
    ]
    refused = [
        {"uid": refused.uid, "message": refused.error.message, "recipes": refused.error.details}
        for refused in plan.refused
    ]
    memory = [asdict(booking) for booking in plan.memory]
    return {"changes": changes, "unmanaged": list(plan.unmanaged), "refused": refused, "memory": memory}


def _change(change: Change) -> list[str]:
    if isinstance(change.launch, Scaling):
        return [f"{change.action.value} {change.uid}  {change.reason}", *_scaling(change.launch)]
    if change.resolution is None or change.recipe is None:
        return [f"{change.action.value} {change.uid}  {change.reason}"]
    lines = [f"{change.action.value} {change.uid}  recipe {change.recipe.name}: {weights(change.recipe)}"]
    if change.action is Action.RELAUNCH:
        how = "replaced between two requests" if change.in_place else "interrupted"
        lines.append(f"    {change.reason}, which is {how}")
    return lines + _verdicts(change.resolution)


def _scaling(scaling: Scaling) -> list[str]:
    places = [place(Placement(one["worker_ip"], tuple(one.get("gpu_idx", ())))) for one in scaling.devices]
    lines = [f"    one more on {where}" for where in places]
    if scaling.drop:
        numbers = " and ".join(map(str, scaling.drop))
        lines.append(f"    replica {numbers} {'is gone, and forgotten' if places else 'is stopped'}")
    return lines


def _verdicts(resolution: Resolution) -> list[str]:
    told = by_reason(resolution.verdicts)
    width = max(len(names) for names, _ in told)
    lines = []
    for names, reason in told:
        lines.append(f"  {' ' if reason else '>'} {names:<{width}}  {reason or _taken(resolution)}")
        if reason is None:
            lines += [f"    {'':<{width}}  {line}" for line in evidence(resolution.recipe)]
    return lines


def _taken(resolution: Resolution) -> str:
    if resolution.placed is None:
        return "takes no memory here: the server runs the model already"
    return f"fits on {' and '.join(map(place, resolution.placed.placements))}"


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
    workers = " + ".join(placement.workers)
    if not placement.gpus:
        return f"{workers} (CPU)"
    return f"{workers} (GPU {', '.join(map(str, placement.gpus))})"


def needs(entry: Entry, recipe: Recipe) -> str:
    """What one replica needs, in one cell of a table; `about` is an estimate."""
    if isinstance(recipe, UpstreamRecipe):
        return "-"
    need, requires = need_of(entry, recipe), recipe.requires
    parts = []
    if need.gpus and need.vram:
        parts.append(f"{_about(requires.vram)}{need.gpus} GPU x {format_size(need.vram)}")
    if need.memory:
        parts.append(f"{_about(requires.memory)}{format_size(need.memory)} RAM")
    return ", ".join(parts) or "-"


def _about(told: int | None) -> str:
    return "about " if told is None else ""
