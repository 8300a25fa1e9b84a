"""Puts the gate in front of Xinference's application, and keeps what it needs alive; runs in the API process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from biai_xinf.extension.access import Access
from biai_xinf.extension.asgi import App, Receive, Scope, Send
from biai_xinf.extension.balance import State
from biai_xinf.extension.burial import Burial
from biai_xinf.extension.gate import Gate, Services
from biai_xinf.extension.names import Names, NativeModels
from biai_xinf.extension.native import Native
from biai_xinf.extension.recorder import Recorder
from biai_xinf.extension.registry import Registry
from biai_xinf.extension.relay import Relay
from biai_xinf.extension.replicas import Replicas, RoutedSupervisor
from biai_xinf.extension.routes import add_routes
from biai_xinf.upstreams import Upstream

log = logging.getLogger(__name__)

KEEP_S = 1.0


class Endpoint:
    """Everything the extension holds in the API process of one Xinference."""

    def __init__(self, context: Any, home: Path) -> None:
        self.context = context
        self.api = context.app.state.api
        self.supervisor = context.get_supervisor_ref
        self.registry = Registry(home / "biai-xinf" / "endpoint.json")
        self.recorder = Recorder(self.registry)
        self.access = Access(context.auth_service if context.auth_enabled else None, self.api)
        self.natives = NativeModels(self.supervisor)
        self.replicas = Replicas(self.supervisor)
        self.burial = Burial(self.supervisor)
        self.names = Names(self.registry, self.natives)
        self.relay = Relay(self.recorder)

    def in_front_of(self, app: App, own_cors: bool) -> App:
        """The application to serve instead of `app`."""
        native = Native(app, self.replicas, self.natives, self.registry, self.recorder)
        services = Services(self.access, self.registry, self.names, self.relay, native, self.recorder)
        gate = Gate(app, services, own_cors)
        return _Kept(gate, self)

    async def keep(self) -> None:
        """Look after what failed, and what may have failed unseen, until cancelled."""
        # Each in its own time: a machine that hangs is waited for.
        tasks = (self._probe_servers, self.replicas.probe, self.replicas.watch, self.burial.call_the_roll)
        await asyncio.gather(*map(_again_and_again, tasks))

    async def _probe_servers(self) -> None:
        servers = [server for upstream in self.registry.upstreams.values() for server in upstream.servers]
        await self.relay.probe({(server.url, server.model): server for server in servers})
        self.recorder.metrics.show_health(self._states())

    def _states(self) -> Iterator[tuple[Upstream, int, State]]:
        for upstream in self.registry.upstreams.values():
            for index, server in enumerate(upstream.servers):
                yield upstream, index, self.relay.health(server).state


async def _again_and_again(task: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await task()
        except Exception:
            log.exception("looking after the endpoint failed, it goes on")
        await asyncio.sleep(KEEP_S)


def install(context: Any) -> None:
    """Called by Xinference once its own routes stand, before it serves."""
    from xinference.constants import XINFERENCE_HOME

    endpoint = Endpoint(context, Path(XINFERENCE_HOME))
    _route_by_replica(endpoint)
    add_routes(context, endpoint)
    app = context.app
    if _must_stay_inside():
        from starlette.middleware import Middleware

        # Starlette builds the stack from this list, the last one innermost.
        app.user_middleware.append(Middleware(_Inside, endpoint=endpoint))
        return
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: endpoint.in_front_of(build(), own_cors=True)


def _route_by_replica(endpoint: Endpoint) -> None:
    """Xinference's handlers ask this method of theirs for the supervisor, each time."""

    async def routed() -> Any:
        return RoutedSupervisor(await endpoint.supervisor(), endpoint.replicas)

    endpoint.api._get_supervisor_ref = routed


def _must_stay_inside() -> bool:
    """Whether Xinference was told to filter requests: then what filters must come before us."""
    guarded = os.environ.get("XINFERENCE_GUARD_ENABLED", "0").lower() in ("1", "true", "yes", "on")
    return guarded or bool(os.environ.get("XINFERENCE_ALLOWED_IPS", "").strip())


class _Inside:
    """The gate as one of the application's own middlewares."""

    def __init__(self, app: App, endpoint: Endpoint) -> None:
        self._app = endpoint.in_front_of(app, own_cors=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _Kept:
    """Starts the endpoint's housekeeping with the first request, in the loop that serves."""

    def __init__(self, app: App, endpoint: Endpoint) -> None:
        self._app, self._endpoint = app, endpoint
        self._keeper: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._keeper is None and scope["type"] in ("http", "lifespan"):
            self._keeper = asyncio.create_task(self._endpoint.keep())
        try:
            await self._app(scope, receive, send)
        finally:
            if scope["type"] == "lifespan" and self._keeper is not None:
                self._keeper.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._keeper
                await self._endpoint.relay.close()
