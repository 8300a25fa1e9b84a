"""The routes under `/biai`: what operators and `biai-xinf` ask of the endpoint, behind Xinference's own scopes."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from biai_xinf import __version__
from biai_xinf.errors import BiaiXinfError
from biai_xinf.extension.errors import ApiError, bad_request
from biai_xinf.extension.listing import health_entry
from biai_xinf.extension.page import Rendered, operator_page, status_answer
from biai_xinf.extension.status import status_document
from biai_xinf.extension.supervisor import supervisor_facts
from biai_xinf.extension.survey import survey
from biai_xinf.providers import find_provider
from biai_xinf.upstreams import ServedModel, Upstream

if TYPE_CHECKING:
    from biai_xinf.extension.endpoint import Endpoint

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Any]]


def add_routes(context: Any, endpoint: Endpoint) -> None:
    """Add them to Xinference's router."""
    from fastapi import Security

    def add(method: str, path: str, handler: Handler, scope: str | None) -> None:
        guarded = [Security(context.auth_service, scopes=[scope])] if scope and context.auth_enabled else None
        context.router.add_api_route(path, _answering(handler), methods=[method], dependencies=guarded)

    admin = _Admin(endpoint)
    add("GET", "/biai/version", admin.version, None)
    add("GET", "/biai/upstreams", admin.upstreams, "models:list")
    add("PUT", "/biai/upstreams/{name}", admin.put_upstream, "admin")
    add("DELETE", "/biai/upstreams/{name}", admin.remove_upstream, "admin")
    add("GET", "/biai", admin.page, None)
    add("GET", "/biai/status", admin.status, "models:list")
    add("DELETE", "/biai/workers/{address}", admin.forget_worker, "admin")
    add("PUT", "/biai/models/{uid}", admin.put_served, "models:write")
    add("DELETE", "/biai/models/{uid}", admin.remove_served, "models:write")


class _Admin:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._registry = endpoint.registry

    async def version(self, request: Request) -> Any:
        from xinference import __version__ as xinference_version

        return {"biai_xinf": __version__, "xinference": xinference_version}

    async def page(self, request: Request) -> Any:
        shown = None if self._endpoint.access.enabled else status_document(await survey(self._endpoint))
        return _rendered(operator_page(shown))

    async def status(self, request: Request) -> Any:
        document = {**status_document(await survey(self._endpoint)), "supervisor": supervisor_facts()}
        return _rendered(status_answer(document, request.scope.get("query_string", b"")))

    async def upstreams(self, request: Request) -> Any:
        health = self._endpoint.relay.health
        return {
            "upstreams": [
                {
                    **upstream.model_dump(mode="json"),
                    "health": [health_entry(server, health(server)) for server in upstream.servers],
                }
                for upstream in self._registry.upstreams.values()
            ]
        }

    async def put_upstream(self, request: Request) -> Any:
        name = request.path_params["name"]
        upstream = _read(Upstream, {**await _json(request), "name": name})
        for server in upstream.servers:
            try:
                find_provider(server.provider)
            except BiaiXinfError as error:
                raise bad_request(f"{error.message}; {error.hint}" if error.hint else error.message) from None
        if await self._runs_here(name):
            raise ApiError(409, f"Xinference itself runs a model `{name}`; stop it first, or choose another name")
        self._registry.put_upstream(upstream)
        return upstream.model_dump(mode="json")

    async def _runs_here(self, name: str) -> bool:
        instances = await (await self._endpoint.supervisor()).get_instance_info(None, name)
        # What failed to load stays listed for ever.
        return any(one["status"] not in ("ERROR", "TERMINATED", "TERMINATING") for one in instances)

    async def remove_upstream(self, request: Request) -> Any:
        name = request.path_params["name"]
        if not self._registry.remove_upstream(name):
            raise ApiError(404, f"no upstream is called `{name}`")
        return {"removed": name}

    async def forget_worker(self, request: Request) -> Any:
        address = request.path_params["address"]
        await self._endpoint.burial.bury(address)
        self._endpoint.replicas.lost_worker(address)
        return {"removed": address}

    async def put_served(self, request: Request) -> Any:
        uid = request.path_params["uid"]
        model = _read(ServedModel, {**await _json(request), "uid": uid})
        self._registry.put_served(model)
        return model.model_dump(mode="json")

    async def remove_served(self, request: Request) -> Any:
        uid = request.path_params["uid"]
        if not self._registry.remove_served(uid):
            raise ApiError(404, f"nothing was told of a model `{uid}`")
        return {"removed": uid}


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    # Xinference refuses to start with a route whose return annotation is no Response.
    async def endpoint(request: Request) -> Response:
        try:
            answer = await handler(request)
            return answer if isinstance(answer, Response) else JSONResponse(answer)
        except ApiError as error:
            return JSONResponse(error.body(), status_code=error.status)

    return endpoint


def _rendered(page: Rendered) -> Response:
    return Response(page.body, media_type=page.content_type, headers=dict(page.headers))


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise bad_request(f"the request is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise bad_request("the request must be a JSON object")
    return body


def _read(kind: Any, content: dict[str, Any]) -> Any:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise bad_request(f"{where}: {message}" if where else message, param=where or None) from None
