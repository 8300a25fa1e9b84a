"""Decide the models of a plan together: for each the best recipe that leaves the others their places, and why that one.

Whether the cluster could run a recipe at all is judged recipe by recipe; who gets which memory is decided for all of
them at once (`allocate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pydantic import TypeAdapter, ValidationError

from biai_xinf.allocate import Item, Taken, allocate
from biai_xinf.errors import NothingFits
from biai_xinf.forms import forms_of
from biai_xinf.memory import Form, Ledger, Placement
from biai_xinf.pins import Pinned, how_to_redo, pin_of, redo_command
from biai_xinf.specs import EmbeddingSpec, EngineRecipe, ModelSpec, Recipe, UpstreamRecipe
from biai_xinf.state import Cluster, DesiredModel, ObservedModel, Server, Weights
from biai_xinf.upstreams import Uid


@dataclass(frozen=True)
class Wish:
    """A model to be launched. `running` is the recipe it runs now: it keeps that unless a better one fits."""

    want: DesiredModel
    running: Recipe | None = None


@dataclass(frozen=True)
class Verdict:
    """What was decided about one recipe; no reason means that it was taken."""

    recipe: Recipe
    reason: str | None


@dataclass(frozen=True)
class Placed:
    """An engine's recipe, the form it was laid out in, and where each replica goes."""

    recipe: EngineRecipe
    form: Form
    placements: tuple[Placement, ...]


@dataclass(frozen=True)
class Resolution:
    """The recipe taken, and a verdict on every recipe in the spec's order.

    `placed` is None for what takes no memory here: an upstream, and a recipe that runs already.
    """

    recipe: Recipe
    placed: Placed | None
    verdicts: tuple[Verdict, ...]


def by_reason(verdicts: Iterable[Verdict]) -> list[tuple[str, str | None]]:
    """The names of recipes and their reason; neighbours that share one are told together."""
    told: list[tuple[str, str | None]] = []
    for reason, group in groupby(verdicts, key=lambda verdict: verdict.reason):
        names = [verdict.recipe.name for verdict in group]
        together = ", ".join(names) if len(names) < 3 else f"{names[0]} to {names[-1]} ({len(names)} recipes)"
        told.append((together, reason))
    return told


# The forms a recipe may take (none where it takes no memory), or why it cannot run.
Judgement = tuple[Form, ...] | str


def resolve(wishes: Sequence[Wish], cluster: Cluster, ledger: Ledger) -> tuple[Resolution | NothingFits, ...]:
    """For each model the recipe it gets, booked in the ledger, or an error that names every recipe and its reason."""
    judgements = [
        tuple(_judge(wish, recipe, cluster, ledger) for recipe in wish.want.entry.spec.recipes) for wish in wishes
    ]
    taken = allocate([_item(wish, judged) for wish, judged in zip(wishes, judgements, strict=True)], ledger)
    outcome = _Outcome(tuple(wishes), taken, ledger, cluster)
    return tuple(_resolution(index, judged, outcome) for index, judged in enumerate(judgements))


def weights_of(recipe: EngineRecipe) -> Weights:
    """The weights a recipe loads."""
    size = recipe.model.model_size_in_billions
    return Weights(
        model_name=recipe.model.model_name,
        model_format=recipe.model.model_format,
        model_size_in_billions=None if size is None else str(size),
        quantization=recipe.model.quantization,
    )


def recipe_running(want: DesiredModel, model: ObservedModel) -> Recipe | None:
    """The recipe that a running model equals, if any: same weights on the same engine, or the same server.

    Of several that differ in what Xinference does not tell (context, parallel), one that is wished, and before others
    one for GPUs if it has some, for processors if it has none.
    """
    has_gpus = any(replica.gpus for replica in model.replicas)
    equal = [recipe for recipe in want.entry.spec.recipes if _equals(recipe, model)]
    equal.sort(key=lambda recipe: bool(recipe.requires.gpus) is not has_gpus)
    return next((recipe for recipe in equal if want.allows(recipe.name)), equal[0] if equal else None)


def _equals(recipe: Recipe, model: ObservedModel) -> bool:
    if isinstance(recipe, UpstreamRecipe):
        # Servers that a person added to it by hand do not make it another model.
        return server_of(recipe) in model.servers
    if model.weights is None or model.engine is None:
        return False
    return same_weights(weights_of(recipe), model.weights) and recipe.engine.lower() == model.engine.lower()


def server_of(recipe: UpstreamRecipe) -> Server:
    """The server a recipe names, as it is observed."""
    wanted = recipe.upstream
    return Server(wanted.provider, wanted.url, wanted.model, wanted.key_env)


def same_weights(one: Weights, other: Weights) -> bool:
    """Equal, but for facts that one side was not told."""
    pairs = (
        (one.model_format, other.model_format),
        (one.model_size_in_billions, other.model_size_in_billions),
        (one.quantization, other.quantization),
    )
    return one.model_name == other.model_name and all(a == b for a, b in pairs if a is not None and b is not None)


def pins_of(want: DesiredModel, cluster: Cluster) -> tuple[Pinned, ...]:
    """What the vectors of an embedder have to be: as its wish says, else as this user's applications have them."""
    if want.pin is not None:
        return (Pinned(endpoint=cluster.endpoint, model_uid=want.uid, pin=want.pin),)
    return tuple(pinned for pinned in cluster.pins if pinned.model_uid == want.uid)


def other_vectors(want: DesiredModel, recipe: Recipe, cluster: Cluster) -> str | None:
    """Why a recipe's vectors do not belong with those that are stored, if they do not."""
    spec = want.entry.spec
    if not isinstance(spec, EmbeddingSpec):
        return None
    made = pin_of(spec, recipe)
    for pinned in pins_of(want, cluster):
        if found := pinned.pin.differences(made):
            whose = "its pin" if want.pin is not None else pinned.whose
            return f"{whose} {'wants' if want.pin is not None else 'want'} {' and '.join(found)}"
    return None


def _judge(wish: Wish, recipe: Recipe, cluster: Cluster, ledger: Ledger) -> Judgement:
    want = wish.want
    if not want.allows(recipe.name):
        return f"{' or '.join(f'`{name}`' for name in want.recipes or ())} was asked for"
    if recipe.demonstration and not want.allow_demonstration:
        return "only a demonstration; ask for it by name"
    if (others := other_vectors(want, recipe, cluster)) is not None:
        return others
    if recipe == wish.running:
        return ()
    if isinstance(recipe, UpstreamRecipe):
        return _cannot_relay(want.uid, cluster) or ()
    if recipe.ships_with_us and not cluster.on_this_machine:
        return "its weights lie on this machine, the cluster runs elsewhere"
    forms = forms_of(want, recipe, cluster.workers, ledger)
    if isinstance(forms, str):
        return forms
    return _engine_refuses(want.entry.spec, recipe, cluster) or _out_of_reach(recipe, cluster) or forms


def _item(wish: Wish, judgements: Iterable[Judgement]) -> Item:
    choices = tuple(None if isinstance(judged, str) else judged for judged in judgements)
    return Item(choices, wish.want.replicas, wish.want.policy)


@dataclass(frozen=True)
class _Outcome:
    """What all models got, and what is left."""

    wishes: tuple[Wish, ...]
    taken: tuple[Taken | None, ...]
    left: Ledger
    cluster: Cluster


def _resolution(index: int, judgements: Sequence[Judgement], outcome: _Outcome) -> Resolution | NothingFits:
    want, taken = outcome.wishes[index].want, outcome.taken[index]
    spec = want.entry.spec
    verdicts = [
        Verdict(recipe, _reason(index, number, judged, outcome))
        for number, (recipe, judged) in enumerate(zip(spec.recipes, judgements, strict=True))
    ]
    if taken is None:
        return _nothing_fits(want, verdicts, outcome.cluster)
    recipe = spec.recipes[taken.choice]
    placed = None
    if taken.form is not None and isinstance(recipe, EngineRecipe):
        placed = Placed(recipe, taken.form, taken.placements)
    return Resolution(recipe, placed, tuple(verdicts))


def _reason(index: int, number: int, judged: Judgement, outcome: _Outcome) -> str | None:
    taken = outcome.taken[index]
    if taken is not None and number >= taken.choice:
        return None if number == taken.choice else "a better recipe fits"
    return judged if isinstance(judged, str) else _crowded_out(index, judged, outcome)


def _crowded_out(index: int, forms: tuple[Form, ...], outcome: _Outcome) -> str:
    """Why a recipe was not taken that would fit if this model were alone."""
    left, own, replicas = Ledger(outcome.left.free), outcome.taken[index], outcome.wishes[index].want.replicas
    for placement in own.placements if own else ():
        if own and own.form:
            left.release(own.form.need, placement)
    others = _others(index, forms, outcome)
    if any(len(left.places(form, replicas)) == replicas for form in forms):
        return f"would leave too little for {others}"
    return f"{left.refusal(forms, replicas)} beside {others}"


def _others(index: int, forms: tuple[Form, ...], outcome: _Outcome) -> str:
    """The models on the workers that the forms could use."""
    workers = {worker for form in forms for worker in form.where}
    there = [
        f"`{wish.want.uid}`"
        for other, (wish, taken) in enumerate(zip(outcome.wishes, outcome.taken, strict=True))
        if other != index and taken and any(workers & set(placement.workers) for placement in taken.placements)
    ]
    return " and ".join(there) if 0 < len(there) <= 2 else "the other models"


def _cannot_relay(uid: str, cluster: Cluster) -> str | None:
    if cluster.extension is None:
        return "the endpoint has no extension, which reaches other servers; `biai-xinf up` has it on"
    try:
        _UID.validate_python(uid)
    except ValidationError:
        return f"`{uid}` cannot name an upstream: letters, digits and `._:-` can"
    return None


_UID: TypeAdapter[str] = TypeAdapter(Uid)


def _engine_refuses(spec: ModelSpec, recipe: EngineRecipe, cluster: Cluster) -> str | None:
    offers = cluster.offers.get((spec.model_type, recipe.model.model_name))
    if offers is None:
        return None
    offer = next((offer for engine, offer in offers.items() if engine.lower() == recipe.engine.lower()), None)
    if offer is None:
        return f"no worker has the {recipe.engine} engine"
    if isinstance(offer, str):
        return f"the {recipe.engine} engine cannot run it here: {offer}"
    wanted = weights_of(recipe)
    if not any(same_weights(wanted, weights) for weights in offer):
        return f"the {recipe.engine} engine does not offer {wanted.model_format} {wanted.quantization} of it"
    return None


def _out_of_reach(recipe: EngineRecipe, cluster: Cluster) -> str | None:
    if recipe.model_path is not None or cluster.hub is None or cluster.hub.in_reach is not False:
        return None
    if cluster.cached is not None and any(same_weights(weights_of(recipe), cached) for cached in cluster.cached):
        return None
    return f"its weights are not in the cache, and {cluster.hub.host} is out of reach"


def _nothing_fits(want: DesiredModel, verdicts: list[Verdict], cluster: Cluster) -> NothingFits:
    told = by_reason(verdicts)
    width = max(len(names) for names, _ in told)
    hint = "`biai-xinf doctor` shows what each worker offers"
    if any(want.allows(it.recipe.name) and other_vectors(want, it.recipe, cluster) for it in verdicts):
        hint += f"; {_how_to_let_go(want, cluster)}"
    return NothingFits(
        f"no recipe of `{want.entry.spec.name}` fits this cluster",
        details=[f"{names + ':':<{width + 1}} {reason}" for names, reason in told],
        hint=hint,
    )


def how_to_embed_anew(want: DesiredModel, cluster: Cluster) -> str:
    """How a pinned embedder's vectors become those of another recipe, as the end of a hint."""
    if want.pin is not None:
        return f"`{redo_command(want.uid)}` makes them anew, once the cluster file has another `pin`"
    return how_to_redo(want.uid, pins_of(want, cluster))


def _how_to_let_go(want: DesiredModel, cluster: Cluster) -> str:
    first = "a cluster file without its `pin`" if want.pin else f"`biai-xinf embeddings release {want.uid}`"
    return f"{first} lets others be taken, then {how_to_embed_anew(want, cluster)}"
