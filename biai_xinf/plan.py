"""Desired against observed state: the changes that lead from one to the other, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from biai_xinf.errors import NothingFits, OtherVectors, UidTaken
from biai_xinf.launches import launch_of, share_threads, upstream_of
from biai_xinf.memory import Device, Ledger, ledger
from biai_xinf.resolve import Resolution, Wish, how_to_embed_anew, other_vectors, recipe_running, resolve
from biai_xinf.scaling import replicas_there, scale
from biai_xinf.specs import EngineRecipe, Recipe, UpstreamRecipe
from biai_xinf.state import Cluster, Desired, DesiredModel, Launch, ObservedModel, Scaling, UpstreamLaunch


class Action(Enum):
    """What happens to one uid; the value is the glyph that shows it."""

    LAUNCH = "+"
    SCALE = "~"
    RELAUNCH = "±"
    TERMINATE = "-"
    KEEP = "="


@dataclass(frozen=True)
class Change:
    """One uid's part of a plan. `launch` is what will be sent, `resolution` why that recipe and not another.

    `pending`: it is kept, but somebody launched it a moment ago and it is not ready yet. `in_place`: an upstream takes
    the place of an upstream, so there is nothing to stop first. `as_wished`: it runs, with all its replicas.
    """

    action: Action
    uid: str
    reason: str
    pending: bool = False
    recipe: Recipe | None = None
    launch: Launch | Scaling | UpstreamLaunch | None = None
    in_place: bool = False
    as_wished: bool = False
    resolution: Resolution | None = None


@dataclass(frozen=True)
class Refused:
    """A model of which no recipe fits, whose uid runs something else, or makes other vectors; and why."""

    uid: str
    error: NothingFits | UidTaken | OtherVectors


@dataclass(frozen=True)
class Booking:
    """What the plan takes of a device: free bytes before and after it; `gpu` None is the worker's RAM."""

    worker: str
    gpu: int | None
    before: int
    after: int


@dataclass(frozen=True)
class Plan:
    """The changes in the order they are carried out, the running models nobody asked about, and what was refused.

    `memory` has the devices whose memory was told; what stops is still counted as taken.
    """

    changes: tuple[Change, ...]
    unmanaged: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    memory: tuple[Booking, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(change.action is Action.KEEP for change in self.changes)

    def tally(self) -> str:
        """The plan in one line."""
        counts = {action: sum(change.action is action for change in self.changes) for action in Action}
        words = {
            Action.LAUNCH: "to launch",
            Action.SCALE: "to scale",
            Action.RELAUNCH: "to relaunch",
            Action.TERMINATE: "to stop",
            Action.KEEP: "to keep",
        }
        said = [f"{counts[action]} {words[action]}" for action in Action if counts[action]]
        if self.refused:
            said.append(f"{len(self.refused)} refused")
        return ", ".join(said) or "nothing to do"


def make_plan(desired: Desired, cluster: Cluster) -> Plan:
    """The plan from `cluster` to `desired`; all models draw their memory from one ledger, together.

    What does not fit, or whose uid runs something else, is refused while the others are planned; a model that is
    asked for alone raises NothingFits, UidTaken or OtherVectors.
    """
    desired, unmanaged = _pruned(desired, cluster)
    looks = [_look(want, cluster) for want in desired.models]
    asked = [look for look in looks if isinstance(look, _Asked)]
    book = ledger(cluster.workers)
    before = dict(book.free)
    found = resolve([look.wish for look in asked], cluster, book)
    # A model that does not run at all comes before another one's second replica.
    scaled = [_scale(look, cluster, book) if isinstance(look, _Uneven) else None for look in looks]
    refused = (
        *(look for look in (*looks, *scaled) if isinstance(look, Refused)),
        *(Refused(look.uid, error) for look, error in zip(asked, found, strict=True) if isinstance(error, NothingFits)),
    )
    if refused and len(desired.models) == 1:
        raise refused[0].error
    resolutions = {look.uid: one for look, one in zip(asked, found, strict=True) if isinstance(one, Resolution)}
    placed = {uid: one.placed for uid, one in resolutions.items() if one.placed is not None}
    threads = share_threads(placed, _staying(cluster, desired))
    changes = [_remove(uid, cluster) for uid in desired.absent]
    for look, scaling in zip(looks, scaled, strict=True):
        if isinstance(look, Change):
            changes.append(look)
        elif isinstance(scaling, Change):
            changes.append(scaling)
        elif isinstance(look, _Asked) and look.uid in resolutions:
            changes.append(_launch(look, resolutions[look.uid], threads.get(look.uid)))
    memory = (Booking(*device, free, book.free[device]) for device, free in sorted(before.items(), key=_by_device))
    return Plan(tuple(changes), unmanaged, refused, tuple(memory))


def _by_device(item: tuple[Device, int]) -> tuple[str, int]:
    (worker, gpu), _ = item
    return worker, -1 if gpu is None else gpu


def _pruned(desired: Desired, cluster: Cluster) -> tuple[Desired, tuple[str, ...]]:
    """The desired state with what nobody asked about: named as absent if that is wished, else left alone.

    An upstream takes nothing from the others, and was added by a person by hand: it is always left alone.
    """
    named = {*desired.absent, *(want.uid for want in desired.models)}
    unmanaged = [model for model in cluster.models if model.uid not in named]
    absent = [model.uid for model in unmanaged if desired.prune and not model.is_upstream]
    left = tuple(model.uid for model in unmanaged if model.uid not in absent)
    return replace(desired, absent=(*desired.absent, *absent)), left


def _remove(uid: str, cluster: Cluster) -> Change:
    model = cluster.model(uid)
    if model is None:
        return Change(Action.KEEP, uid, "is not running")
    if model.phase == "failed" and not model.is_upstream:
        # Xinference 4.1 keeps the row of a failed launch until the uid is launched again; no call removes it.
        return Change(Action.KEEP, uid, "failed to launch, and does not run")
    return Change(Action.TERMINATE, uid, f"is {model.phase}")


@dataclass(frozen=True)
class _Asked:
    """A model that has to be launched, if anything fits."""

    action: Action
    wish: Wish
    reason: str
    in_place: bool

    @property
    def uid(self) -> str:
        return self.wish.want.uid


@dataclass(frozen=True)
class _Uneven:
    """A model that runs as wished, but not in as many replicas."""

    want: DesiredModel
    recipe: EngineRecipe
    model: ObservedModel


def _look(want: DesiredModel, cluster: Cluster) -> Change | _Asked | _Uneven | Refused:
    model = cluster.model(want.uid)
    # An upstream whose servers do not answer is there all the same: launching it again would not wake them.
    if model is None or (model.phase in ("failed", "stopping") and not model.is_upstream):
        reason = "is not running" if model is None else f"is {model.phase}"
        return _Asked(Action.LAUNCH, Wish(want), reason, in_place=False)
    if model.phase == "launching":
        return Change(Action.KEEP, want.uid, "is being launched already", pending=True)
    running = recipe_running(want, model)
    if running is None and not want.upgrade:
        return Refused(want.uid, _taken(want, model))
    if running is not None and not want.upgrade and (others := other_vectors(want, running, cluster)) is not None:
        return Refused(want.uid, _other_vectors(want, model, others, cluster))
    if running is not None and want.allows(running.name) and not want.upgrade:
        if isinstance(running, EngineRecipe) and model.replicas and len(replicas_there(model)) != want.replicas:
            return _Uneven(want, running, model)
        all_ready = all(replica.phase == "ready" for replica in replicas_there(model))
        reason = f"runs recipe {running.name}{'' if all_ready else ', a replica of it is loading'}"
        return Change(Action.KEEP, want.uid, reason, recipe=running, as_wished=all_ready)
    return _Asked(Action.RELAUNCH, Wish(want, running), f"runs {_describe(model)}", model.is_upstream)


def _scale(uneven: _Uneven, cluster: Cluster, book: Ledger) -> Change | Refused:
    want, recipe, there = uneven.want, uneven.recipe, len(replicas_there(uneven.model))
    scaling = scale(want, recipe, uneven.model, cluster, book)
    if isinstance(scaling, NothingFits):
        return Refused(want.uid, scaling)
    reason = f"runs recipe {recipe.name}, {there} of {want.replicas} replicas"
    if there + len(scaling.devices) < want.replicas:
        reason += f"; there is room for {len(scaling.devices)} more"
    return Change(Action.SCALE, want.uid, reason, recipe=recipe, launch=scaling)


def _staying(cluster: Cluster, desired: Desired) -> Cluster:
    return replace(cluster, models=tuple(model for model in cluster.models if model.uid not in desired.absent))


def _launch(asked: _Asked, found: Resolution, threads: int | None) -> Change:
    want, recipe = asked.wish.want, found.recipe
    change = Change(asked.action, asked.uid, asked.reason, recipe=recipe, resolution=found)
    if found.placed is not None:
        return replace(change, launch=launch_of(want, found.placed, threads))
    if isinstance(recipe, UpstreamRecipe) and recipe != asked.wish.running:
        return replace(change, launch=upstream_of(want.entry, recipe, asked.uid), in_place=asked.in_place)
    return Change(
        Action.KEEP, asked.uid, f"runs recipe {recipe.name}, the best that fits", recipe=recipe, as_wished=True
    )


def _taken(want: DesiredModel, model: ObservedModel) -> UidTaken:
    return UidTaken(
        f"`{want.uid}` runs {_describe(model)}, which is no recipe of `{want.entry.spec.name}`",
        hint=f"`biai-xinf stop {want.uid}` stops it, `--uid NAME` launches beside it, `--upgrade` replaces it",
    )


def _other_vectors(want: DesiredModel, model: ObservedModel, others: str, cluster: Cluster) -> OtherVectors:
    return OtherVectors(
        f"`{want.uid}` runs {_describe(model)}, but {others}",
        hint=f"stopped and launched again, it takes what made them; {how_to_embed_anew(want, cluster)}",
    )


def _describe(model: ObservedModel) -> str:
    if model.servers:
        return " and ".join(f"{server.model} at {server.url} ({server.provider})" for server in model.servers)
    weights = model.weights
    if weights is None:
        return "an unknown model"
    parts = [weights.model_name, weights.model_format, weights.quantization]
    return " ".join(part for part in parts if part) + (f" on {model.engine}" if model.engine else "")
