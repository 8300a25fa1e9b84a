"""Cluster files: what several machines should serve, as one person writes it and everybody reads it.

The file is the desired state. It names models by their specs, never by hardware; where one must run on certain
machines, it says so by their names or labels. Secrets never stand in it: only the names of environment variables.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, model_validator

from biai_xinf import yamlfile
from biai_xinf.catalogue import Catalogue, Entry, find
from biai_xinf.endpoint import parse_endpoint
from biai_xinf.errors import BadFile, UnknownName, Unreachable
from biai_xinf.pins import EmbedderPin, pin_of
from biai_xinf.specs import EmbeddingSpec, Name
from biai_xinf.state import Desired, DesiredModel
from biai_xinf.strict import Strict


def _endpoint(value: str) -> str:
    try:
        return parse_endpoint(value)
    except Unreachable as error:
        raise ValueError(error.message) from None


Endpoint = Annotated[str, AfterValidator(_endpoint)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")]
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+:\d{1,5}$")]


def _uid(value: str) -> str:
    # Xinference 4.1 reads `-rep0` at the end of a uid as a replica's number.
    if re.search(r"-rep\d+$", value):
        raise ValueError(f"`{value}` ends like the name of a replica")
    return value


Uid = Annotated[str, StringConstraints(pattern=r"^[^\s/?#%]+$", max_length=100), AfterValidator(_uid)]
Labels = dict[Name, str]


class Auth(Strict):
    """The environment variables that hold an API key, or a user and a password; never the secrets themselves."""

    api_key: Variable | None = None
    username: Variable | None = None
    password: Variable | None = None

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Auth:
        if (self.username is None) != (self.password is None) or (self.api_key is None) == (self.username is None):
            raise ValueError("name the variable of an `api_key`, or those of a `username` and a `password`")
        return self


class FileWorker(Strict):
    """A machine that is expected to join, under the `host:port` its worker tells Xinference."""

    address: Address
    labels: Labels = Field({})


class Where(Strict):
    """Which workers a model may run on: those named, and those that carry all of the labels."""

    workers: list[Name] = Field([])
    labels: Labels = Field({})


class FileModel(Strict):
    """One model that should run."""

    spec: Name
    uid: Uid | None = Field(None, description="the name applications ask for; the spec's own where left out")
    replicas: int = Field(1, ge=1, le=100)
    recipes: list[Name] | None = Field(None, min_length=1, description="only these, in the spec's order")
    context: int | None = Field(None, gt=0, description="tokens one request may hold; the recipe's where left out")
    parallel: int | None = Field(None, gt=0, description="requests one replica serves at once; the recipe's otherwise")
    where: Where = Where()
    policy: Literal["spread", "pack"] = "spread"
    pin: EmbedderPin | None = Field(None, description="what the vectors of an embedder have to be")

    @property
    def served_as(self) -> str:
        """The uid it is served under."""
        return self.uid or self.spec


class ClusterFile(Strict):
    """The whole desired state of one cluster."""

    endpoint: Endpoint
    auth: Auth | None = None
    workers: dict[Name, FileWorker] = Field({}, description="left out: whatever joins")
    models: list[FileModel] = Field(min_length=1)
    unmanaged: Literal["keep", "prune"] = Field("keep", description="what happens to models the file does not name")

    @model_validator(mode="after")
    def _names_are_used_once(self) -> ClusterFile:
        uids = [model.served_as for model in self.models]
        addresses = [worker.address for worker in self.workers.values()]
        for what, names in (("uid", uids), ("address", addresses)):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"the {what} `{twice[0]}` is used twice")
        return self


CLUSTER_FILE: TypeAdapter[ClusterFile] = TypeAdapter(ClusterFile)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a cluster file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **CLUSTER_FILE.json_schema()}


def load(path: Path) -> ClusterFile:
    """A cluster file, checked for itself; BadFile says where it is wrong."""
    return yamlfile.load(path, CLUSTER_FILE)


def desired(path: Path, file: ClusterFile, catalogue: Catalogue) -> Desired:
    """What the file asks for; BadFile where it names a spec, a recipe or a worker that there is not."""
    models = tuple(_desired(path, file, number, catalogue) for number in range(len(file.models)))
    return Desired(models=models, workers=frozenset(worker.address for worker in file.workers.values()))


def _desired(path: Path, file: ClusterFile, number: int, catalogue: Catalogue) -> DesiredModel:
    model = file.models[number]
    place: tuple[int | str, ...] = ("models", number, "spec")
    try:
        entry = find(catalogue, model.spec)
        for position, name in enumerate(model.recipes or []):
            place = ("models", number, "recipes", position)
            entry.recipe(name)
        place = ("models", number, "where")
        workers = _workers(file, model.where)
        place = ("models", number, "pin")
        _can_be_met(entry, model.pin)
    except UnknownName as error:
        raise BadFile(f"{yamlfile.where(path, place)}: {error.message}", hint=error.hint) from error
    return DesiredModel(
        uid=model.served_as,
        entry=entry,
        recipes=None if model.recipes is None else tuple(model.recipes),
        allow_demonstration=model.recipes is not None,
        replicas=model.replicas,
        policy=model.policy,
        context=model.context,
        parallel=model.parallel,
        workers=workers,
        pin=model.pin,
    )


def _can_be_met(entry: Entry, pin: EmbedderPin | None) -> None:
    """UnknownName where no recipe of the spec could ever make such vectors: a pin of another model, or mistyped."""
    if pin is None:
        return
    if not isinstance(entry.spec, EmbeddingSpec):
        raise UnknownName(f"`{entry.spec.name}` is for {entry.spec.role}: only an embedder has a pin")
    made = [pin_of(entry.spec, recipe) for recipe in entry.spec.recipes]
    differences = [pin.differences(one) for one in made]
    if all(differences):
        nearest = min(differences, key=len)
        hint = f"it has {', '.join(f'`{name}`' for name in dict.fromkeys(map(str, made)))}"
        raise UnknownName(f"no recipe of `{entry.spec.name}` makes {' and '.join(nearest)}", hint=hint)


def _workers(file: ClusterFile, where: Where) -> frozenset[str] | None:
    """The addresses a model may run on; None where any will do."""
    if not where.workers and not where.labels:
        return None
    known = ", ".join(f"`{name}`" for name in file.workers) or "none"
    for name in where.workers:
        if name not in file.workers:
            raise UnknownName(f"no worker is named `{name}`", hint=f"the file names {known}")
    wanted = where.labels.items()
    found = [
        worker.address
        for name, worker in file.workers.items()
        if (not where.workers or name in where.workers) and wanted <= worker.labels.items()
    ]
    if not found:
        labels = ", ".join(f"{key}: {value}" for key, value in wanted)
        raise UnknownName(f"no worker of the file carries `{labels}`", hint=f"its workers are {known}")
    return frozenset(found)
