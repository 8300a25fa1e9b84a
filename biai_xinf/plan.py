"""Desired against observed state: the changes that lead from one to the other, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from biai_xinf.catalogue import Entry
from biai_xinf.errors import UidTaken
from biai_xinf.memory import Ledger, Placement, ledger
from biai_xinf.resolve import Placed, Resolution, need_of, recipe_running, resolve
from biai_xinf.specs import EngineRecipe, Recipe, UpstreamRecipe
from biai_xinf.state import Cluster, Desired, DesiredModel, Launch, ObservedModel, UpstreamLaunch
from biai_xinf.upstreams import Upstream

# Xinference's name for `parallel` differs by engine; engines left out have no such option.
_PARALLEL = {"llama.cpp": "n_parallel", "vLLM": "max_num_seqs", "Transformers": "max_num_seqs"}


class Action(Enum):
    """What happens to one uid; the value is the glyph that shows it."""

    LAUNCH = "+"
    RELAUNCH = "±"
    TERMINATE = "-"
    KEEP = "="


@dataclass(frozen=True)
class Change:
    """One uid's part of a plan. `launch` is what will be sent, `resolution` why that recipe and not another.

    `pending`: it is kept, but somebody launched it a moment ago and it is not ready yet. `in_place`: an upstream takes
    the place of an upstream, so there is nothing to stop first.
    """

    action: Action
    uid: str
    reason: str
    pending: bool = False
    recipe: Recipe | None = None
    launch: Launch | UpstreamLaunch | None = None
    in_place: bool = False
    resolution: Resolution | None = None


@dataclass(frozen=True)
class Plan:
    """The changes in the order they are carried out, and the running models that nobody asked about."""

    changes: tuple[Change, ...]
    unmanaged: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(change.action is Action.KEEP for change in self.changes)

    def tally(self) -> str:
        """The plan in one line."""
        counts = {action: sum(change.action is action for change in self.changes) for action in Action}
        words = {
            Action.LAUNCH: "to launch",
            Action.RELAUNCH: "to relaunch",
            Action.TERMINATE: "to stop",
            Action.KEEP: "to keep",
        }
        return ", ".join(f"{counts[action]} {words[action]}" for action in Action if counts[action]) or "nothing to do"


def make_plan(desired: Desired, cluster: Cluster) -> Plan:
    """The plan from `cluster` to `desired`; models draw their memory from one ledger, in the order given.

    Raises NothingFits where a model has no recipe that fits, UidTaken where its uid runs something else.
    """
    free = ledger(cluster.workers)
    changes = [_remove(uid, cluster) for uid in desired.absent]
    for want in desired.models:
        change, free = _change(want, cluster, free)
        changes.append(change)
    named = {*desired.absent, *(want.uid for want in desired.models)}
    unmanaged = tuple(model.uid for model in cluster.models if model.uid not in named)
    return Plan(tuple(changes), unmanaged)


def _remove(uid: str, cluster: Cluster) -> Change:
    model = cluster.model(uid)
    if model is None:
        return Change(Action.KEEP, uid, "is not running")
    if model.phase == "failed" and not model.is_upstream:
        # Xinference 4.1 keeps the row of a failed launch until the uid is launched again; no call removes it.
        return Change(Action.KEEP, uid, "failed to launch, and does not run")
    return Change(Action.TERMINATE, uid, f"is {model.phase}")


def _change(want: DesiredModel, cluster: Cluster, free: Ledger) -> tuple[Change, Ledger]:
    model = cluster.model(want.uid)
    # An upstream whose servers do not answer is there all the same: launching it again would not wake them.
    if model is None or (model.phase in ("failed", "stopping") and not model.is_upstream):
        reason = "is not running" if model is None else f"is {model.phase}"
        return _launch(Action.LAUNCH, want, cluster, free, reason)
    if model.phase == "launching":
        return Change(Action.KEEP, want.uid, "is being launched already", pending=True), free
    running = recipe_running(want.entry.spec, model)
    if running is None and not want.upgrade:
        raise _taken(want, model)
    if running is not None and want.recipe in (None, running.name) and not want.upgrade:
        return Change(Action.KEEP, want.uid, f"runs recipe {running.name}", recipe=running), free
    change, left = _launch(Action.RELAUNCH, want, cluster, free, f"runs {_describe(model)}")
    if running is not None and change.recipe == running:
        best = f"runs recipe {running.name}, the best that fits"
        return Change(Action.KEEP, want.uid, best, recipe=running), free
    return change, left


def _launch(action: Action, want: DesiredModel, cluster: Cluster, free: Ledger, reason: str) -> tuple[Change, Ledger]:
    found = resolve(want, cluster, free)
    change = Change(action, want.uid, reason, recipe=found.recipe, resolution=found)
    if isinstance(found.taken, Placed):
        recipe, placement = found.taken.recipe, found.taken.placement
        launch = launch_of(want.entry, recipe, placement, want.uid)
        return replace(change, launch=launch), free.book(need_of(recipe), placement)
    model = cluster.model(want.uid)
    in_place = model is not None and model.is_upstream
    return replace(change, launch=upstream_of(want.entry, found.taken, want.uid), in_place=in_place), free


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


def launch_of(entry: Entry, recipe: EngineRecipe, placement: Placement, uid: str) -> Launch:
    """The launch of one recipe at one place, in the words of Xinference's `POST /v1/models`."""
    body: dict[str, Any] = {
        "model_uid": uid,
        "model_type": entry.spec.model_type,
        "model_engine": recipe.engine,
        **recipe.model.model_dump(exclude_none=True),
        **_sizing(entry, recipe),
        **recipe.engine_options,
        **_where(placement),
    }
    if (path := entry.model_path(recipe)) is not None:
        body["model_path"] = path
    return Launch(body, entry.spec.model_type, entry.registrations.get(recipe.name))


def _sizing(entry: Entry, recipe: EngineRecipe) -> dict[str, Any]:
    sizing: dict[str, Any] = {}
    # Xinference 4.1 answers 400 to `context_length` for embedding and rerank models.
    if recipe.requires.context is not None and entry.spec.model_type == "LLM":
        sizing["context_length"] = recipe.requires.context
    if recipe.requires.parallel is not None and recipe.engine in _PARALLEL:
        sizing[_PARALLEL[recipe.engine]] = recipe.requires.parallel
    return sizing


def _where(placement: Placement) -> dict[str, Any]:
    """Explicit placement: left alone, Xinference 4.1 ignores memory when it picks a device."""
    if not placement.gpus:
        return {"worker_ip": placement.worker, "n_gpu": None}
    device = {"worker_ip": placement.worker, "n_gpu": len(placement.gpus), "gpu_idx": list(placement.gpus)}
    return {"replica": 1, "replica_config": [{"devices": [device]}]}


def _taken(want: DesiredModel, model: ObservedModel) -> UidTaken:
    return UidTaken(
        f"`{want.uid}` runs {_describe(model)}, which is no recipe of `{want.entry.spec.name}`",
        hint=f"`biai-xinf stop {want.uid}` stops it, `--uid NAME` launches beside it, `--upgrade` replaces it",
    )


def _describe(model: ObservedModel) -> str:
    if model.servers:
        return " and ".join(f"{server.model} at {server.url} ({server.provider})" for server in model.servers)
    weights = model.weights
    if weights is None:
        return "an unknown model"
    parts = [weights.model_name, weights.model_format, weights.quantization]
    return " ".join(part for part in parts if part) + (f" on {model.engine}" if model.engine else "")
