"""Replicas that a running model lacks or has too many of: which are started where, and which are stopped."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from biai_xinf.errors import NothingFits
from biai_xinf.forms import forms_of
from biai_xinf.launches import device
from biai_xinf.memory import Ledger, Placement
from biai_xinf.specs import EngineRecipe
from biai_xinf.state import Cluster, DesiredModel, ObservedModel, Replica, Scaling


def replicas_there(model: ObservedModel) -> list[Replica]:
    """Those that serve, or will once they are loaded."""
    return [replica for replica in model.replicas if replica.phase in ("ready", "launching")]


def scale(
    want: DesiredModel, recipe: EngineRecipe, model: ObservedModel, cluster: Cluster, ledger: Ledger
) -> Scaling | NothingFits:
    """What brings a model to the replicas that are wished, as far as there is room: booked in the ledger.

    NothingFits where replicas are missing and there is no room for one.
    """
    there = replicas_there(model)
    scaling = Scaling(model.uid, want.entry.spec.model_type, registration=want.entry.registrations.get(recipe.name))
    if len(there) > want.replicas:
        return replace(scaling, drop=_surplus(there, len(there) - want.replicas, want))
    forms = forms_of(replace(want, replicas=1), recipe, cluster.workers, ledger)
    if isinstance(forms, str):
        return _no_room(want, len(there), forms)
    beside = [Placement(replica.worker, replica.gpus) for replica in there]
    # A replica is launched as the others were, so it can take no other form than a whole one on one worker.
    form = forms[0]
    placements = ledger.places(form, want.replicas - len(there), want.policy, beside)
    if not placements:
        return _no_room(want, len(there), "every GPU with room for one runs one already")
    for placement in placements:
        ledger.book(form.need, placement)
    gone = tuple(replica.number for replica in model.replicas if replica.phase == "gone" and replica.number is not None)
    return replace(scaling, devices=tuple(device(placement, cpu=0) for placement in placements), drop=gone)


def _surplus(there: list[Replica], count: int, want: DesiredModel) -> tuple[int, ...]:
    """The numbers of those to stop: where the model may not run, then where most of it runs, the latest first."""
    left, dropped = list(there), []
    for _ in range(count):
        per_worker = Counter(replica.worker for replica in left)

        def rank(replica: Replica, per_worker: Counter[str] = per_worker) -> tuple[bool, int, int]:
            misplaced = want.workers is not None and replica.worker not in want.workers
            return misplaced, per_worker[replica.worker], replica.number or 0

        last = max(left, key=rank)
        left.remove(last)
        if last.number is not None:
            dropped.append(last.number)
    return tuple(dropped)


def _no_room(want: DesiredModel, there: int, reason: str) -> NothingFits:
    return NothingFits(
        f"`{want.uid}` runs {there} of {want.replicas} replicas, and there is no room for another",
        details=[reason],
        hint="`biai-xinf doctor` shows what each worker offers",
    )
