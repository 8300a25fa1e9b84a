"""Pick a recipe: the best one that fits what was observed, with a reason for every one that was not taken."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from biai_xinf.errors import NothingFits
from biai_xinf.memory import Ledger, Need, Placement
from biai_xinf.specs import EngineRecipe, ModelSpec, Recipe, UpstreamRecipe
from biai_xinf.state import Cluster, DesiredModel, ObservedModel, Server, Weights
from biai_xinf.upstreams import Uid


@dataclass(frozen=True)
class Verdict:
    """What was decided about one recipe; no reason means that it was taken."""

    recipe: Recipe
    reason: str | None


@dataclass(frozen=True)
class Placed:
    """An engine's recipe, and where its replica goes."""

    recipe: EngineRecipe
    placement: Placement


@dataclass(frozen=True)
class Resolution:
    """What was taken (an upstream's recipe goes nowhere), and a verdict on every recipe in the spec's order."""

    taken: Placed | UpstreamRecipe
    verdicts: tuple[Verdict, ...]

    @property
    def recipe(self) -> Recipe:
        """The recipe taken."""
        return self.taken.recipe if isinstance(self.taken, Placed) else self.taken

    @property
    def placement(self) -> Placement | None:
        """Where it goes; None for an upstream."""
        return self.taken.placement if isinstance(self.taken, Placed) else None


def resolve(want: DesiredModel, cluster: Cluster, ledger: Ledger) -> Resolution:
    """The first recipe of the spec that fits; NothingFits names each recipe and its reason."""
    spec = want.entry.spec
    if want.recipe is not None:
        want.entry.recipe(want.recipe)
    verdicts: list[Verdict] = []
    taken: Placed | UpstreamRecipe | None = None
    for recipe in spec.recipes:
        outcome = "a better recipe fits" if taken else _try(want, recipe, cluster, ledger)
        if not isinstance(outcome, str):
            taken = outcome
        verdicts.append(Verdict(recipe, outcome if isinstance(outcome, str) else None))
    if taken is None:
        raise _nothing_fits(spec, verdicts)
    return Resolution(taken, tuple(verdicts))


def need_of(recipe: EngineRecipe) -> Need:
    """What one replica of a recipe takes."""
    requires = recipe.requires
    return Need(memory=requires.memory or 0, gpus=requires.gpus, vram=requires.vram or 0)


def weights_of(recipe: EngineRecipe) -> Weights:
    """The weights a recipe loads."""
    size = recipe.model.model_size_in_billions
    return Weights(
        model_name=recipe.model.model_name,
        model_format=recipe.model.model_format,
        model_size_in_billions=None if size is None else str(size),
        quantization=recipe.model.quantization,
    )


def recipe_running(spec: ModelSpec, model: ObservedModel) -> Recipe | None:
    """The recipe that a running model equals, if any: same weights on the same engine, or the same server."""
    return next((recipe for recipe in spec.recipes if _equals(recipe, model)), None)


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


def _try(want: DesiredModel, recipe: Recipe, cluster: Cluster, ledger: Ledger) -> Placed | UpstreamRecipe | str:
    if want.recipe is not None and recipe.name != want.recipe:
        return f"`{want.recipe}` was asked for"
    if recipe.demonstration and not want.allow_demonstration:
        return "only a demonstration; ask for it by name"
    if isinstance(recipe, UpstreamRecipe):
        return _cannot_relay(want.uid, cluster) or recipe
    if recipe.ships_with_us and not cluster.on_this_machine:
        return "its weights lie on this machine, the cluster runs elsewhere"
    place = ledger.place(need_of(recipe))
    if isinstance(place, str):
        return place
    return _engine_refuses(want.entry.spec, recipe, cluster) or _out_of_reach(recipe, cluster) or Placed(recipe, place)


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


def _nothing_fits(spec: ModelSpec, verdicts: list[Verdict]) -> NothingFits:
    width = max(len(verdict.recipe.name) for verdict in verdicts)
    return NothingFits(
        f"no recipe of `{spec.name}` fits this cluster",
        details=[f"{verdict.recipe.name + ':':<{width + 1}} {verdict.reason}" for verdict in verdicts],
        hint="`biai-xinf doctor` shows what each worker offers",
    )
