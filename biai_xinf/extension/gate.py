"""The door of the endpoint: every request comes through here before Xinference's own application sees it.

upstream model      -> relay: another server answers
native model        -> native: Xinference answers, made honest, replayed when a replica dies
lists of models     -> Xinference's answer with the upstreams added
Ollama's paths      -> facade: translated, and through this door again
everything else     -> Xinference
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote

from biai_xinf.extension.access import Access, Grant
from biai_xinf.extension.asgi import (
    App,
    ClientLeft,
    Receive,
    Scope,
    Send,
    call,
    header,
    read_body,
    send_error,
    send_json,
    send_whole,
)
from biai_xinf.extension.checking import parse
from biai_xinf.extension.errors import ApiError, bad_request
from biai_xinf.extension.inquiry import Inquiry, Kind
from biai_xinf.extension.listing import as_launched, instance_entry, model_entry, replica_entries
from biai_xinf.extension.names import Names
from biai_xinf.extension.native import PATHS, Native
from biai_xinf.extension.ollama import OllamaFacade
from biai_xinf.extension.recorder import Recorder
from biai_xinf.extension.registry import Registry
from biai_xinf.extension.relay import Relay
from biai_xinf.upstreams import Upstream

log = logging.getLogger(__name__)

_KINDS: Mapping[str, Kind] = {path: kind for kind, path in PATHS.items()}
_MODEL_TYPES: Mapping[Kind, str] = {"embeddings": "embedding", "rerank": "rerank"}
_ONE_MODEL = re.compile(r"/v1/models/(?P<uid>[^/]+)(?P<part>/replicas|/events|/progress)?")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,200}")
# Many an answer is quicker, and a task that watches its client is 3 % of what relaying it costs.
WATCHED_AFTER_S = 0.05


@dataclass(frozen=True)
class Services:
    """What the gate asks, each for one thing."""

    access: Access
    registry: Registry
    names: Names
    relay: Relay
    native: Native
    recorder: Recorder


@dataclass(frozen=True)
class Caller:
    """Who asks, how to hear from them, and what they may do."""

    scope: Scope
    receive: Receive
    grant: Grant = field(default_factory=Grant)


class Gate:
    """An ASGI application in front of Xinference's. `own_cors`: nothing outside adds the headers browsers ask for."""

    def __init__(self, app: App, services: Services, own_cors: bool) -> None:
        self._app, self._services, self._own_cors = app, services, own_cors
        self._registry = services.registry
        self._facade = OllamaFacade(self, services.names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        if self._own_cors:
            send = _with_cors(scope, send)
        kind = _KINDS.get(path) if method == "POST" else None
        try:
            if kind is not None:
                await self._infer(kind, scope, receive, send)
            elif path.startswith("/v1/models") and method in ("GET", "DELETE"):
                await self._models(method, path, scope, receive, send)
            elif OllamaFacade.wants(method, path):
                await self._facade(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        except ClientLeft:
            log.debug("the client of %s left", path)

    async def _infer(self, kind: Kind, scope: Scope, receive: Receive, send: Send) -> None:
        inquiry = Inquiry(kind, {}, "", send, [(b"x-request-id", _request_id(scope))])
        caller, status = Caller(scope, receive), 200
        try:
            raw = await read_body(receive)
            caller = replace(caller, grant=await self._services.access.admit(scope, raw))
            inquiry.body = parse(raw)
            inquiry.model = _model(inquiry.body)
            name = await self._services.names.resolve(inquiry.model)
            await self._serve(name, inquiry, caller, frozenset())
        except ApiError as error:
            status = error.status
            await inquiry.refuse(error)
        except ClientLeft:
            raise
        except Exception:
            log.exception("a request for %s failed", inquiry.model)
            status = 500
            if inquiry.answered:
                raise
            await inquiry.refuse(ApiError(500, "the endpoint failed on this request; Xinference's log says why"))
        if not inquiry.audited:
            model_type = _MODEL_TYPES.get(kind, "LLM")
            self._services.access.record(scope, caller.grant, inquiry.model, model_type, status, inquiry.age_s)

    async def _serve(self, name: str, inquiry: Inquiry, caller: Caller, seen: frozenset[str]) -> None:
        self._services.access.check_model(caller.grant, name, _MODEL_TYPES.get(inquiry.kind, "LLM"))
        upstream = self._registry.upstreams.get(name)
        if upstream is None:
            await self._services.native.serve(name, inquiry, caller.scope, caller.receive)
            return
        try:
            with _while_the_client_stays(inquiry, caller.receive):
                await self._services.relay.serve(upstream, inquiry)
        except ApiError as error:
            if inquiry.answered or error.status not in (429, 502, 503, 504):
                raise
            await self._fall_back(upstream, error, inquiry, caller, seen | {name})

    async def _fall_back(
        self, upstream: Upstream, error: ApiError, inquiry: Inquiry, caller: Caller, seen: frozenset[str]
    ) -> None:
        for follower in upstream.fallback:
            if follower in seen:
                continue
            log.warning("`%s` is asked for `%s`: %s", follower, upstream.name, error.message)
            try:
                await self._serve(follower, inquiry, caller, seen)
            except ApiError as failure:
                if inquiry.answered:
                    raise
                log.warning("`%s` could not answer for `%s`: %s", follower, upstream.name, failure.message)
            else:
                self._services.recorder.fell_back(upstream.name, follower)
                return
        raise error

    async def _models(self, method: str, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if method == "GET" and path == "/v1/models":
            await self._changed(scope, send, lambda body: {**body, "data": self._entries(body["data"])})
            return
        if method == "GET" and path == "/v1/models/instances":
            await self._changed(scope, send, lambda body: [*body, *self._instances(scope)])
            return
        match = _ONE_MODEL.fullmatch(path)
        uid, part = (unquote(match["uid"]), match["part"]) if match else ("", None)
        upstream, served = self._registry.upstreams.get(uid), self._registry.served.get(uid)
        if upstream is None and served is not None and method == "GET" and part is None:
            await self._changed(scope, send, lambda body: as_launched(body, served))
            return
        if upstream is None or (method == "DELETE" and part):
            await self._app(scope, receive, send)
            return
        try:
            await self._one_upstream(method, part, upstream, scope, send)
        except ApiError as error:
            await send_error(send, error)

    async def _one_upstream(self, method: str, part: str | None, upstream: Upstream, scope: Scope, send: Send) -> None:
        needed = "models:write" if method == "DELETE" else "models:list"
        await self._services.access.admit(scope, scopes=(needed,))
        if method == "DELETE":
            self._registry.remove_upstream(upstream.name)
            await send_json(send, 200, None)
            return
        answers: dict[str | None, Any] = {
            None: {key: value for key, value in model_entry(upstream).items() if key != "id"},
            "/replicas": replica_entries(upstream, self._services.relay.health),
            "/progress": {"progress": 1.0, "stage": "ready", "download_files": [], "replicas": []},
            "/events": [],
        }
        await send_json(send, 200, answers[part])

    def _entries(self, natives: list[dict[str, Any]]) -> list[dict[str, Any]]:
        served = self._registry.served
        return [
            *(as_launched(entry, served.get(entry["id"])) for entry in natives),
            *map(model_entry, self._registry.upstreams.values()),
        ]

    def _instances(self, scope: Scope) -> list[dict[str, Any]]:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        asked = [*query.get("model_uid", []), *query.get("model_name", [])]
        upstreams = self._registry.upstreams.values()
        return [instance_entry(up, self._services.relay.health) for up in upstreams if not asked or up.name in asked]

    async def _changed(self, scope: Scope, send: Send, change: Callable[[Any], Any]) -> None:
        """Xinference's own answer, as `change` makes it."""
        async with await call(self._app, scope, scope["path"], b"", method="GET") as answer:
            raw = await answer.read()
            if answer.status == 200:
                await send_json(send, 200, change(json.loads(raw)))
            else:
                content_type = answer.header(b"content-type") or b"application/json"
                await send_whole(send, answer.status, raw, content_type)


@contextmanager
def _while_the_client_stays(inquiry: Inquiry, receive: Receive) -> Iterator[None]:
    """Give up what is being done as soon as the client leaves: a server should not write for nobody."""
    task, left = asyncio.current_task(), False
    watcher: asyncio.Task[None] | None = None

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        if not inquiry.complete and task is not None:
            left = True
            task.cancel()

    def begin() -> None:
        nonlocal watcher
        watcher = asyncio.create_task(watch())

    timer = asyncio.get_running_loop().call_later(WATCHED_AFTER_S, begin)
    try:
        yield
    except asyncio.CancelledError:
        if not left:
            raise
        # From Python 3.11 on a task remembers being cancelled.
        if task is not None and hasattr(task, "uncancel"):
            task.uncancel()
        raise ClientLeft from None
    finally:
        timer.cancel()
        if watcher is not None:
            watcher.cancel()


def _model(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise bad_request("`model` must name the model to ask", param="model")
    return model


def _request_id(scope: Scope) -> bytes:
    given = header(scope, b"x-request-id")
    return given if given and _REQUEST_ID.fullmatch(given) else os.urandom(16).hex().encode()


def _with_cors(scope: Scope, send: Send) -> Send:
    origin = header(scope, b"origin")
    if origin is None:
        return send

    async def allowed(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            if not any(name.lower() == b"access-control-allow-origin" for name, _ in headers):
                headers += [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
                headers.append((b"access-control-allow-credentials", b"true"))
            message = {**message, "headers": headers}
        await send(message)

    return allowed
