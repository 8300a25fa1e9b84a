"""Desired and observed state, as plain values: what should run, and what was seen running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from biai_xinf.hardware import Worker
from biai_xinf.memory import Policy

if TYPE_CHECKING:
    # Only named here: `status` starts faster without the catalogue.
    from biai_xinf.catalogue import Entry
    from biai_xinf.pins import EmbedderPin, Pinned
    from biai_xinf.specs import ModelType
    from biai_xinf.upstreams import Upstream

# Only a replica can be `gone`: its worker died, and Xinference still tells of it.
Phase = Literal["launching", "ready", "failed", "stopping", "gone"]


@dataclass(frozen=True)
class Weights:
    """Which weights are loaded or cached, in Xinference's own terms."""

    model_name: str
    model_format: str | None
    model_size_in_billions: str | None
    quantization: str | None


@dataclass(frozen=True)
class Replica:
    """One replica of a running model; `number` is what Xinference calls it by, `gpus` are those it was given."""

    worker: str
    phase: Phase
    reason: str | None = None
    number: int | None = None
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Server:
    """One server of an upstream, as the endpoint's extension tells it."""

    provider: str
    url: str
    model: str
    key_env: str | None = None


@dataclass(frozen=True)
class ObservedModel:
    """A model that Xinference knows under its uid; weights and engine are told once it is ready.

    An upstream has the `servers` that run it, each of them a replica; it is failed where none of them answers.
    """

    uid: str
    phase: Phase
    model_type: str | None
    weights: Weights | None
    engine: str | None
    replicas: tuple[Replica, ...]
    context: int | None = None
    servers: tuple[Server, ...] = ()

    @property
    def is_upstream(self) -> bool:
        """Whether servers run it that are not Xinference's."""
        return bool(self.servers)


@dataclass(frozen=True)
class Hub:
    """The model hub that weights come from, and whether this machine reaches it (None: it is not ours to say)."""

    host: str
    in_reach: bool | None


# What an engine can load of a model, by engine: its choices of weights, or why it can load none.
Offers = Mapping[str, "tuple[Weights, ...] | str"]


@dataclass(frozen=True)
class Cluster:
    """Everything one sweep of reads told about a cluster. `None` marks what was not told.

    `extension` is the version of the endpoint's extension; asked for only where a recipe needs it. `uptime` is that
    of the supervisor, in seconds. `pins` are the vectors that this user's applications have of its models.
    """

    endpoint: str
    on_this_machine: bool
    workers: tuple[Worker, ...]
    models: tuple[ObservedModel, ...]
    cached: frozenset[Weights] | None = None
    offers: Mapping[tuple[ModelType, str], Offers] = field(default_factory=dict)
    hub: Hub | None = None
    extension: str | None = None
    uptime: int | None = None
    pins: tuple[Pinned, ...] = ()

    @property
    def upstreams(self) -> tuple[ObservedModel, ...]:
        """The models that other servers run."""
        return tuple(model for model in self.models if model.is_upstream)

    def model(self, uid: str) -> ObservedModel | None:
        """The model of that uid."""
        return next((model for model in self.models if model.uid == uid), None)


@dataclass(frozen=True)
class DesiredModel:
    """One model that should run: one of its spec's recipes (of `recipes`, where they are given) under `uid`.

    A running recipe is kept though a better one fits, unless `upgrade` asks for it. `context` (tokens one request may
    hold) and `parallel` (requests one replica serves at once) are the recipe's where they are None. `workers` are the
    addresses it may run on, None: any. `pin` is what an embedder's vectors have to be, whatever this user's
    applications have of it.
    """

    uid: str
    entry: Entry
    recipes: tuple[str, ...] | None = None
    upgrade: bool = False
    allow_demonstration: bool = False
    replicas: int = 1
    policy: Policy = "spread"
    context: int | None = None
    parallel: int | None = None
    workers: frozenset[str] | None = None
    pin: EmbedderPin | None = None

    def allows(self, recipe: str) -> bool:
        """Whether the recipe of that name may be taken."""
        return self.recipes is None or recipe in self.recipes


@dataclass(frozen=True)
class Desired:
    """What should be: models that run, and uids that do not. What neither names is left alone, unless `prune`.

    `workers` are the addresses that are expected; empty where whatever joins is welcome.
    """

    models: tuple[DesiredModel, ...] = ()
    absent: tuple[str, ...] = ()
    prune: bool = False
    workers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Launch:
    """One launch, ready to send: the body of `POST /v1/models`, and the registration it needs first."""

    body: Mapping[str, Any]
    model_type: ModelType
    registration: Mapping[str, Any] | None = None

    @property
    def uid(self) -> str:
        """The uid it will run under."""
        return str(self.body["model_uid"])

    @property
    def context(self) -> int | None:
        """Tokens that one request may hold; None where the engine is told nothing of it."""
        return self.body.get("context_length")


@dataclass(frozen=True)
class Scaling:
    """Replicas to be added to a model that runs, each at its place, and the numbers of those to be taken from it.

    A worker that joined late may lack the `registration`.
    """

    uid: str
    model_type: ModelType
    devices: tuple[Mapping[str, Any], ...] = ()
    drop: tuple[int, ...] = ()
    registration: Mapping[str, Any] | None = None

    @property
    def add(self) -> list[Mapping[str, Any]]:
        """The entries of `replica_config` of the replicas to be added."""
        return [{"devices": [device]} for device in self.devices]

    @property
    def body(self) -> Mapping[str, Any]:
        """What is sent to `POST /v1/models/{uid}/replicas`; `drop` is one `DELETE` each."""
        return {"replica": len(self.devices), "replica_config": self.add, "drop": list(self.drop)}


@dataclass(frozen=True)
class UpstreamLaunch:
    """An upstream to be served: what is sent to `PUT /biai/upstreams/{name}`. Nothing is loaded for it."""

    upstream: Upstream

    @property
    def body(self) -> Mapping[str, Any]:
        """The upstream as it is sent."""
        return self.upstream.model_dump(mode="json", exclude_defaults=True)

    @property
    def uid(self) -> str:
        """The name it will be served under."""
        return self.upstream.name
