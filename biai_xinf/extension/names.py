"""Which model a name means: a uid, an upstream, an alias, a role, or what an Ollama client calls it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from biai_xinf.extension.engines import context_of
from biai_xinf.extension.ollama_names import Call, NamedModel, canonical, route
from biai_xinf.extension.registry import Registry
from biai_xinf.upstreams import ServedModel, Upstream

log = logging.getLogger(__name__)

# Xinference renews its own list every 3 s.
BELIEVED_S = 2.0
ANSWER_S = 10.0


class NativeModels:
    """The models that Xinference runs and are ready, by uid, as it describes them; a copy that is renewed when used."""

    def __init__(self, supervisor: Callable[[], Awaitable[Any]]) -> None:
        self._supervisor = supervisor
        self._models: Mapping[str, Mapping[str, Any]] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def all(self) -> Mapping[str, Mapping[str, Any]]:
        """Every model; at most a few seconds old."""
        if time.monotonic() - self._read_at > BELIEVED_S:
            await asyncio.wait([self._renewed()], timeout=ANSWER_S)
        return self._models

    async def get(self, uid: str) -> Mapping[str, Any] | None:
        """One model. A known one is not waited for, an unknown one may just have become ready."""
        if uid in self._models:
            if time.monotonic() - self._read_at > BELIEVED_S:
                self._renewed()
            return self._models[uid]
        return (await self.all()).get(uid)

    def _renewed(self) -> asyncio.Task[None]:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            self._models = await (await self._supervisor()).list_models()
        except Exception as error:  # noqa: BLE001  the copy we have is better than none
            log.warning("the supervisor does not say which models run: %s", error)
        else:
            self._read_at = time.monotonic()


class Names:
    """Every name a client may use for what is served."""

    def __init__(self, registry: Registry, natives: NativeModels) -> None:
        self._registry = registry
        self._natives = natives

    async def resolve(self, name: str) -> str:
        """The uid or upstream that `name` means; the name itself where nothing here knows it."""
        if name in self._registry.upstreams or await self._natives.get(name) is not None:
            return name
        served = self._registry.served.values()
        by_alias = next((model.uid for model in served if name in model.aliases), None)
        return by_alias or self.by_role(name) or self._by_tag(name) or name

    async def served(self) -> list[NamedModel]:
        """Every model as Ollama clients see it."""
        natives = await self._natives.all()
        proven = self._registry.served
        upstreams = self._registry.upstreams.values()
        return [
            *(
                _native(uid, entry, proven.get(uid))
                for uid, entry in natives.items()
                if uid not in self._registry.upstreams
            ),
            *(_upstream(upstream, proven.get(upstream.name)) for upstream in upstreams),
        ]

    async def route(self, name: str, call: Call) -> str | None:
        """The model that an Ollama client means by a name and the way it calls it; None if nobody knows it."""
        return route(await self.served(), name, call)

    def by_role(self, role: str) -> str | None:
        """The model that serves a role: one of Xinference's own before an upstream."""
        native = next((model.uid for model in self._registry.served.values() if model.role == role), None)
        return native or next((up.name for up in self._registry.upstreams.values() if up.role == role), None)

    def _by_tag(self, name: str) -> str | None:
        """The model that Ollama clients call so: by its uid, which may lack the `:latest`, before a tag of its spec."""
        wanted, served = canonical(name), list(self._registry.served.values())
        own = [model.uid for model in served if canonical(model.uid) == wanted]
        return next(iter([*own, *(model.uid for model in served if wanted in map(canonical, model.tags))]), None)


def _native(uid: str, entry: Mapping[str, Any], proven: ServedModel | None) -> NamedModel:
    size = entry.get("model_size_in_billions")
    return NamedModel(
        uid,
        role=proven.role if proven else None,
        tags=tuple(proven.tags) if proven else (),
        abilities=tuple(entry.get("model_ability") or ()),
        context=context_of(entry, proven),
        dimensions=entry.get("dimensions"),
        family=entry.get("model_family") or entry.get("model_name"),
        model_format=entry.get("model_format"),
        quantization=entry.get("quantization"),
        # Xinference writes 1.5 as "1_5".
        size_in_billions=float(str(size).replace("_", ".")) if size is not None else None,
        ready_since=proven.verified_at if proven else None,
    )


def _upstream(upstream: Upstream, proven: ServedModel | None) -> NamedModel:
    return NamedModel(
        upstream.name,
        role=upstream.role,
        tags=tuple(proven.tags) if proven else (),
        context=upstream.context,
        ready_since=proven.verified_at if proven else None,
    )
