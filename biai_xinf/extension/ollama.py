"""Ollama's API in front of the OpenAI endpoint, so that BIAI works unchanged with another `OLLAMA_HOST`.

Its requests become OpenAI requests to the application behind it, which decides who may ask and which replica
answers. Nothing is ever pulled, created or unloaded on a client's request.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from biai_xinf.extension import asgi, ollama_models
from biai_xinf.extension.asgi import Answer, App, ClientLeft, Receive, Scope, Send, header, read_body, send_whole
from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.ollama_answers import (
    StreamedAnswer,
    Timing,
    embeddings,
    loaded,
    of_unit_length,
    read_answer,
    refused,
    whole,
)
from biai_xinf.extension.ollama_names import Call, NamedModel, Names
from biai_xinf.extension.ollama_reply import Reply, encoded
from biai_xinf.extension.ollama_requests import (
    Asked,
    from_chat,
    from_embed,
    from_embeddings,
    from_generate,
    model_name,
    read_request,
    wants_stream,
)

log = logging.getLogger(__name__)

# The release whose API this follows: the newest tag of ollama/ollama when it was read (2026-08-19).
OLLAMA_VERSION = "0.32.15"
# BIAI's shortest limit for a byte is 30 s.
QUIET_S = 10.0
PREFIX = "/ollama"


@dataclass(frozen=True)
class Client:
    """Who asks: the request as the application behind us is to see it."""

    scope: Scope
    receive: Receive


class OllamaFacade:
    """Ollama's API for `app`, which serves `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/models`.

    `quiet_s` is how long a client waits without hearing from us.
    """

    def __init__(self, app: App, names: Names, *, quiet_s: float = QUIET_S) -> None:
        self._app = app
        self._names = names
        self._quiet_s = quiet_s

    @staticmethod
    def wants(method: str, path: str) -> bool:
        """Whether a request is Ollama's: its calls at the root, and everything below `/ollama`.

        `GET /` stays the Web UI's; `OPTIONS` goes to who answers for cross-origin calls.
        """
        if method == "OPTIONS":
            return False
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            return True
        return path.rstrip("/") in _CALLS or (method == "HEAD" and path == "/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, token = take_token(scope)
        token = token or _basic_password(scope)
        client = Client(_behind(scope, token), receive)
        async with Reply(send, self._quiet_s) as reply:
            reply.secret = token
            try:
                await self._answer(scope["method"], path, client, reply, send)
            except ClientLeft:
                return
            except ApiError as error:
                await reply.fail(error)
            except Exception:
                log.exception("an Ollama request to %s failed", path)
                await reply.fail(ApiError(500, "the server failed on this request; its log says why"))

    async def _answer(self, method: str, path: str, client: Client, reply: Reply, send: Send) -> None:
        if path in ("", "/"):
            return await send_whole(send, 200, b"Ollama is running", b"text/plain; charset=utf-8")
        if path not in _CALLS:
            raise ApiError(404, f"`{path}` is no call that is served here; models are managed with `biai-xinf`")
        methods, answer = _CALLS[path]
        if method not in methods:
            raise ApiError(405, f"`{path}` is called with {methods[0]}, not {method}")
        await answer(self, client, reply)

    async def _version(self, client: Client, reply: Reply) -> None:
        await reply.whole({"version": OLLAMA_VERSION})

    async def _tags(self, client: Client, reply: Reply) -> None:
        await reply.whole(ollama_models.tags(await self._visible(client)))

    async def _ps(self, client: Client, reply: Reply) -> None:
        await reply.whole(ollama_models.running(await self._visible(client)))

    async def _show(self, client: Client, reply: Reply) -> None:
        name = model_name(read_request(await read_body(client.receive)))
        model = await self._known(client, name)
        if model is None:
            raise _not_found(name)
        await reply.whole(ollama_models.shown(model))

    async def _pull(self, client: Client, reply: Reply) -> None:
        request = read_request(await read_body(client.receive))
        name = model_name(request)
        reply.streams = wants_stream(request)
        if await self._known(client, name) is None:
            start = "an operator starts models with `biai-xinf up` and `biai-xinf launch`"
            raise ApiError(404, f"model '{name}' not found, and nothing is downloaded on request: {start}")
        if reply.streams:
            await reply.lines([{"status": "success"}], last=True)
        else:
            await reply.whole({"status": "success"})

    async def _generate(self, client: Client, reply: Reply) -> None:
        await self._talk(client, reply, "generate", from_generate)

    async def _chat(self, client: Client, reply: Reply) -> None:
        await self._talk(client, reply, "chat", from_chat)

    async def _talk(
        self, client: Client, reply: Reply, call: Call, translate: Callable[[Mapping[str, Any], NamedModel], Asked]
    ) -> None:
        started = time.perf_counter_ns()
        request = read_request(await read_body(client.receive))
        model = await self._model(client, model_name(request), call)
        asked = translate(request, model)
        if asked.num_ctx and model.context and asked.num_ctx > model.context:
            _say_context(model.uid, model.context, asked.num_ctx)
        if asked.loads:
            await self._must_see(client, asked.name, model)
            return await reply.whole(_enveloped(asked, loaded(asked)))
        reply.streams = asked.stream
        async with await self._ask(client, asked.path, asked.body) as answer:
            if asked.stream:
                return await _stream(asked, answer, reply, started)
            content = read_answer(await answer.read())
        timing = Timing(time.perf_counter_ns() - started)
        await reply.whole(_enveloped(asked, {**whole(asked, content), **timing.fields(content.get("usage"))}))

    async def _embed(self, client: Client, reply: Reply) -> None:
        started = time.perf_counter_ns()
        request = read_request(await read_body(client.receive))
        name = model_name(request)
        content = await self._embedded(client, name, request, from_embed)
        vectors = [of_unit_length(vector) for vector in embeddings(content)]
        figures = Timing(time.perf_counter_ns() - started).fields(content.get("usage"))
        shown = ("total_duration", "load_duration", "prompt_eval_count")
        await reply.whole(
            {"model": name, "embeddings": vectors, **{key: figures[key] for key in shown if key in figures}}
        )

    async def _embeddings(self, client: Client, reply: Reply) -> None:
        request = read_request(await read_body(client.receive))
        content = await self._embedded(client, model_name(request), request, from_embeddings)
        await reply.whole({"embedding": next(iter(embeddings(content)), [])})

    async def _embedded(
        self,
        client: Client,
        name: str,
        request: Mapping[str, Any],
        translate: Callable[[Mapping[str, Any], NamedModel], dict[str, Any] | None],
    ) -> dict[str, Any]:
        model = await self._model(client, name, "embed")
        body = translate(request, model)
        if body is None:
            await self._must_see(client, name, model)
            return {"data": []}
        async with await self._ask(client, "/v1/embeddings", body) as answer:
            return read_answer(await answer.read())

    async def _ask(self, client: Client, path: str, body: Any, method: str = "POST") -> Answer:
        """The answer of the application behind us; ApiError if it refused."""
        content = b"" if body is None else encoded(body)
        answer = await asgi.call(self._app, client.scope, path, content, method=method, receive=client.receive)
        if answer.status == 200:
            return answer
        async with answer:
            raise refused(answer.status, await answer.read(), answer.header(b"retry-after"))

    async def _visible(self, client: Client) -> Sequence[NamedModel]:
        """The models that this client may see; ApiError 401 or 403 as the application behind us decides."""
        async with await self._ask(client, "/v1/models", None, "GET") as answer:
            data = read_answer(await answer.read()).get("data")
        uids = [item.get("id") for item in data if isinstance(item, dict)] if isinstance(data, list) else []
        return [model for model in await self._names.served() if model.uid in uids]

    async def _model(self, client: Client, name: str, call: Call) -> NamedModel:
        uid = await self._names.route(name, call)
        if uid is None:
            # Who may not ask learns nothing of names.
            await self._visible(client)
            raise _not_found(name)
        return next((model for model in await self._names.served() if model.uid == uid), NamedModel(uid))

    async def _must_see(self, client: Client, name: str, model: NamedModel) -> None:
        """For requests that the application behind us never gets: may this client use the model?"""
        if model.uid not in {seen.uid for seen in await self._visible(client)}:
            raise _not_found(name)

    async def _known(self, client: Client, name: str) -> NamedModel | None:
        """The model behind a name, whichever way it would be called."""
        visible = {model.uid: model for model in await self._visible(client)}
        calls: tuple[Call, ...] = ("chat", "generate", "embed")
        uids = [await self._names.route(name, call) for call in calls]
        return next((visible[uid] for uid in uids if uid in visible), None)


_READ, _WRITE = ("GET", "HEAD"), ("POST",)
_CALLS: Mapping[str, tuple[Sequence[str], Callable[[OllamaFacade, Client, Reply], Awaitable[None]]]] = {
    "/api/version": (_READ, OllamaFacade._version),
    "/api/tags": (_READ, OllamaFacade._tags),
    "/api/ps": (_READ, OllamaFacade._ps),
    "/api/generate": (_WRITE, OllamaFacade._generate),
    "/api/chat": (_WRITE, OllamaFacade._chat),
    "/api/embed": (_WRITE, OllamaFacade._embed),
    "/api/embeddings": (_WRITE, OllamaFacade._embeddings),
    "/api/show": (_WRITE, OllamaFacade._show),
    "/api/pull": (_WRITE, OllamaFacade._pull),
}


async def _stream(asked: Asked, answer: Answer, reply: Reply, started: int) -> None:
    """Pass a stream on, line by line as it arrives."""
    streamed, first = StreamedAnswer(asked), None
    async for chunk in answer.chunks():
        lines = [_enveloped(asked, fields) for fields in streamed.feed(chunk)]
        if first is None and streamed.begun:
            first = time.perf_counter_ns() - started
        if lines:
            await reply.lines(lines)
    rest = [_enveloped(asked, fields) for fields in streamed.end()]
    timing = Timing(time.perf_counter_ns() - started, first)
    last = _enveloped(asked, {**streamed.last(), **timing.fields(streamed.usage)})
    await reply.lines([*rest, last], last=True)


def _enveloped(asked: Asked, fields: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"model": asked.name, "created_at": now, **fields}


def take_token(scope: Scope) -> tuple[str, str | None]:
    """The path below our prefix, and the token in it, which is taken out of `scope` before anyone logs that."""
    path = scope["path"]
    if not (path == PREFIX or path.startswith(f"{PREFIX}/")):
        return path.rstrip("/"), None
    below, token = path[len(PREFIX) :], None
    if below.startswith("/k/"):
        token, _, rest = below[len("/k/") :].partition("/")
        below = f"/{rest}"
        # uvicorn writes its access log from this very dict when the answer begins.
        scope["path"] = PREFIX + below
        scope["raw_path"] = quote(scope["path"]).encode()
    return below.rstrip("/"), token or None


def _basic_password(scope: Scope) -> str | None:
    """The password of `http://user:password@host`: httpx sends it, and has no other way to send a key."""
    scheme, _, credentials = (header(scope, b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2] or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _behind(scope: Scope, token: str | None) -> Scope:
    """The request as the application behind us sees it: the token where it looks for one, an answer as plain bytes."""
    left_out = {b"accept-encoding", b"transfer-encoding"} | ({b"authorization"} if token else set())
    headers = [(name, value) for name, value in scope["headers"] if name not in left_out]
    if token:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    return {**scope, "headers": headers}


def _not_found(name: str) -> ApiError:
    return ApiError(404, f"model '{name}' not found; `GET /api/tags` lists what is served")


@lru_cache(maxsize=1024)
def _say_context(uid: str, context: int, wanted: int) -> None:
    """Said once: clients send `num_ctx` with every request."""
    log.warning("a client counts on %d tokens of context (num_ctx), `%s` is served with %d", wanted, uid, context)
