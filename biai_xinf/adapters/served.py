"""Which running model a name means: its uid, its spec, an alias of that, or a role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from biai_xinf.catalogue import Catalogue, known, load_catalogue
from biai_xinf.client import Client
from biai_xinf.errors import NoExtension, NotFound
from biai_xinf.upstreams import Role
from biai_xinf.wire import EndpointModel, RunningModel

_ROLES: Sequence[str] = get_args(Role)


@dataclass(frozen=True)
class Served:
    """A running model, and the spec that says how it is asked; None where no spec is known for it.

    `context`: tokens that one request may hold, as the endpoint lists it.
    """

    uid: str
    spec: Any = None
    context: int | None = None


def find_served(client: Client, name: str) -> Served:
    """The model that `name` means, as the endpoint itself understands it; NotFound tells what is served.

    An Xinference without our extension knows no roles: there a model serves one if its uid is a spec's name or alias,
    or if it is the only embedding or rerank model.
    """
    running, catalogue = client.models(), load_catalogue()
    contexts = {model.id: model.context_length for model in running}
    uids = [*contexts]
    if name in uids and name in catalogue:
        return Served(name, catalogue[name].spec, contexts[name])
    told = [model for model in _told(client) if model.uid in uids]
    uid = next((uid for uid in _meanings(name, running, told, catalogue) if uid in uids), None)
    if uid is None:
        raise _not_served(client.endpoint, name, uids)
    spec = next((model.spec for model in told if model.uid == uid), None) or uid
    return Served(uid, _spec_of(catalogue, spec), contexts[uid])


def _told(client: Client) -> list[EndpointModel]:
    try:
        return client.endpoint_status().models
    except NoExtension:
        return []


def _meanings(
    name: str, running: Sequence[RunningModel], told: Sequence[EndpointModel], catalogue: Catalogue
) -> Iterator[str]:
    """The uids that the name may mean, likeliest first: in the endpoint's own order, then what the catalogue tells."""
    yield name
    yield from (model.uid for model in told if name in model.aliases)
    if name in _ROLES:
        by_role = [model for model in told if model.role == name]
        yield from (model.uid for model in sorted(by_role, key=lambda model: model.kind != "native"))
    for model in running:
        spec = _spec_of(catalogue, model.id)
        if spec is not None and name in (spec.role, spec.name, *spec.aliases, *spec.ollama_tags):
            yield model.id
    alone = [model.id for model in running if model.model_type == name]
    if len(alone) == 1:
        yield alone[0]


def _spec_of(catalogue: Catalogue, name: str) -> Any:
    entry = known(catalogue, name)
    return entry.spec if entry else None


def _not_served(endpoint: str, name: str, uids: Sequence[str]) -> NotFound:
    served = ", ".join(f"`{uid}`" for uid in uids) or "nothing"
    hint = "`biai-xinf specs list` shows what `biai-xinf launch` can serve"
    return NotFound(f"nothing serves `{name}` at `{endpoint}`; it serves {served}", hint=hint)
