"""The pipeline, top to bottom: load, observe, resolve, plan, execute, verify."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from threading import Event

from pydantic import ValidationError

from biai_xinf.client import Client
from biai_xinf.errors import BiaiXinfError, Interrupted, NotFound, WrongAnswers, XinferenceError
from biai_xinf.execute import execute, remove
from biai_xinf.observe import observe
from biai_xinf.plan import Action, Change, Plan, make_plan
from biai_xinf.prefill import prefill
from biai_xinf.progress import Report
from biai_xinf.side_by_side import side_by_side
from biai_xinf.specs import ModelSpec
from biai_xinf.state import Cluster, Desired, Launch
from biai_xinf.upstreams import ServedModel
from biai_xinf.verify import Check, verify


@dataclass(frozen=True)
class Outcome:
    """How one change went: seconds it took to load and to prove, and what failed.

    `warning`: it went well, but the endpoint could not be told what was proved, or the Web UI what was launched.
    """

    change: Change
    load_s: float = 0.0
    verify_s: float = 0.0
    checks: tuple[Check, ...] = ()
    error: BiaiXinfError | None = None
    warning: str | None = None


# Says what is being done about one change while it is done.
Teller = Callable[[Change], AbstractContextManager[Report]]


def prepare(client: Client, desired: Desired) -> tuple[Cluster, Plan]:
    """Look at the cluster and plan; changes nothing."""
    cluster = observe(client, desired)
    return cluster, make_plan(desired, cluster)


def carry_out(client: Client, plan: Plan, desired: Desired, teller: Teller) -> tuple[Outcome, ...]:
    """Do what the plan says; a change that fails does not stop the others, a person stops them all.

    What stops comes first, for the rest may need its memory. Then workers are busy side by side, each of them with
    one change at a time: starting an engine is work for its processor, and two that start share it.
    """
    stopping = [change for change in plan.changes if change.action is Action.TERMINATE]
    others = [change for change in plan.changes if change.action is not Action.TERMINATE]
    specs = {want.uid: want.entry.spec for want in desired.models}

    def work(change: Change, stopped: Event) -> Outcome:
        with teller(change) as report:
            return _carry_out(client, change, specs.get(change.uid), _listening(report, stopped))

    done = side_by_side(stopping, work) | side_by_side(others, work)
    return tuple(done[change.uid] for change in plan.changes)


def _listening(report: Report, stopped: Event) -> Report:
    """A report through which a thread hears that a person stopped everything: only the main one is interrupted."""

    def listen(fraction: float | None, stage: str, detail: str = "") -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        report(fraction, stage, detail)

    return listen


def _carry_out(client: Client, change: Change, spec: ModelSpec | None, report: Report) -> Outcome:
    outcome = Outcome(change)
    begun = time.monotonic()
    try:
        execute(client, change, report)
        outcome = replace(outcome, load_s=time.monotonic() - begun)
        if spec is None:
            return replace(outcome, warning=_forget(client, change.uid) if change.action is Action.TERMINATE else None)
        report(None, "checking its answers")
        begun = time.monotonic()
        checks = _verify(client, change.uid, spec)
        outcome = replace(outcome, verify_s=time.monotonic() - begun, checks=checks)
        warnings = (_tell(client, change, spec, checks), _fill_in(client, change))
        return replace(outcome, warning="; ".join(filter(None, warnings)) or None)
    except Interrupted:
        raise
    except WrongAnswers as error:
        outcome = replace(outcome, error=_not_left_as_ready(client, change, error))
    except BiaiXinfError as error:
        outcome = replace(outcome, error=error)
    if change.action is Action.RELAUNCH:
        # What was proved, was proved of the model that this one should have replaced.
        outcome = replace(outcome, warning=_forget(client, change.uid))
    return outcome


def _verify(client: Client, uid: str, spec: ModelSpec) -> tuple[Check, ...]:
    try:
        return verify(client, uid, spec)
    except KeyboardInterrupt:
        hint = f"`biai-xinf launch {spec.name}` checks it, `biai-xinf stop {uid}` stops it"
        raise Interrupted(f"`{uid}` is loaded, but its answers were not checked", hint=hint) from None


def _tell(client: Client, change: Change, spec: ModelSpec, checks: tuple[Check, ...]) -> str | None:
    """Tell the endpoint what was proved, for its page and its defaults; a warning where that did not work."""
    # Of a model that somebody else launched a moment ago the recipe is unknown here; they tell it.
    if change.recipe is None:
        return None
    try:
        if client.extension() is not None:
            client.put_served_model(_proved(change, change.recipe.name, spec, checks))
    except (XinferenceError, ValidationError) as error:
        reason = error.message if isinstance(error, XinferenceError) else "its name has letters no endpoint can keep"
        return f"the endpoint was not told what was proved of `{change.uid}`: {reason}"
    return None


def _fill_in(client: Client, change: Change) -> str | None:
    """Fill in the Web UI's launch form with what was launched; a warning where that did not work."""
    if isinstance(change.launch, Launch):
        try:
            prefill(client, change.launch)
        except XinferenceError as error:
            return f"the Web UI's launch form does not know how `{change.uid}` was launched: {error.message}"
    return None


def _proved(change: Change, recipe: str, spec: ModelSpec, checks: tuple[Check, ...]) -> ServedModel:
    return ServedModel(
        uid=change.uid,
        spec=spec.name,
        recipe=recipe,
        role=spec.role,
        aliases=spec.aliases,
        tags=spec.ollama_tags,
        context=change.launch.context if isinstance(change.launch, Launch) else None,
        defaults=spec.defaults,
        verified_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        checks=[asdict(check) for check in checks],
    )


def _forget(client: Client, uid: str) -> str | None:
    """Take back what was told of a model that is gone; a warning where that did not work."""
    try:
        if client.extension() is not None:
            with contextlib.suppress(NotFound):
                client.forget_served_model(uid)
    except XinferenceError as error:
        return f"the endpoint still knows what was proved of `{uid}`: {error.message}"
    return None


def _not_left_as_ready(client: Client, change: Change, error: WrongAnswers) -> WrongAnswers:
    if change.action is Action.KEEP:
        hint = f"it was running before and was left alone; `biai-xinf stop {change.uid}` stops it"
    else:
        remove(client, change.uid)
        hint = "it was stopped again; another recipe may do better: `biai-xinf plan` lists them"
    return WrongAnswers(error.message, details=error.details, hint=hint)
