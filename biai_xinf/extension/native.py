"""Requests for models that Xinference runs: put to its application, made honest, replayed when a replica dies."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from biai_xinf.extension.answers import as_api_error, check_dimensions, check_structured, honest_event, merged
from biai_xinf.extension.asgi import Answer, App, Receive, Scope, call
from biai_xinf.extension.checking import check
from biai_xinf.extension.errors import ApiError, no_such_model
from biai_xinf.extension.inquiry import Inquiry, Kind, counted
from biai_xinf.extension.model_name import renamed
from biai_xinf.extension.names import NativeModels
from biai_xinf.extension.recorder import Recorder
from biai_xinf.extension.registry import Registry
from biai_xinf.extension.replicas import ATTEMPT, Attempt, Replicas
from biai_xinf.extension.sse import BadChunk, EventStream
from biai_xinf.extension.stats import Served
from biai_xinf.extension.surface import NativeModel, Request, translate

log = logging.getLogger(__name__)

PATHS: Mapping[Kind, str] = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
    "rerank": "/v1/rerank",
}
# A request whose replica died is replayed until its answer would begin later than this.
DEADLINE_S = 300.0


class _Lost(Exception):
    """The replica could not be talked to; the client has seen nothing."""


class Native:
    """Xinference's application as the gate uses it."""

    def __init__(
        self,
        app: App,
        replicas: Replicas,
        models: NativeModels,
        registry: Registry,
        recorder: Recorder,
    ) -> None:
        self._app, self._replicas, self._models, self._registry = app, replicas, models, registry
        self._recorder = recorder
        self._said: set[str] = set()

    async def serve(self, uid: str, inquiry: Inquiry, scope: Scope, receive: Receive) -> None:
        """Answer with the model `uid`; ApiError when that failed and the client has seen nothing."""
        check(inquiry.kind, inquiry.body)
        entry = await self._models.get(uid)
        if entry is None and await self._replicas.unknown(uid):
            raise no_such_model(inquiry.model)
        request = Request({**inquiry.body, "model": uid})
        if entry is not None:
            request = translate(inquiry.kind, request.body, self._described(uid, entry))
        self._say_once(request.remarks)
        inquiry.audited = True
        if request.copies > 1:
            await self._several(uid, request, inquiry, scope)
        else:
            await self._replayed_until_answered(uid, request, inquiry, scope, receive)

    def _described(self, uid: str, entry: Mapping[str, Any]) -> NativeModel:
        return NativeModel.of(uid, entry, self._registry.served.get(uid))

    def _say_once(self, remarks: Iterable[str]) -> None:
        for remark in remarks:
            if remark not in self._said:
                self._said.add(remark)
                log.info("requests to Xinference: %s", remark)

    async def _several(self, uid: str, request: Request, inquiry: Inquiry, scope: Scope) -> None:
        async def one() -> dict[str, Any]:
            caught = _Caught()
            alone = replace(inquiry, send=caught)
            await self._replayed_until_answered(uid, request, alone, scope, None)
            answer: dict[str, Any] = json.loads(caught.body)
            return answer

        answers = await asyncio.gather(*(one() for _ in range(request.copies)))
        await inquiry.answer(json.dumps(merged(answers)).encode())

    async def _replayed_until_answered(
        self, uid: str, request: Request, inquiry: Inquiry, scope: Scope, receive: Receive | None
    ) -> None:
        deadline = min(inquiry.deadline, inquiry.begun + DEADLINE_S)
        tried: set[str] = set()
        while True:
            attempt = Attempt(avoid=frozenset(tried))
            try:
                await self._ask(uid, request, inquiry, attempt, scope, receive)
                return
            except _Lost as loss:
                if attempt.replica is not None:
                    tried.add(attempt.replica.name)
                    self._replicas.lost(attempt.replica, str(loss))
                if not await self._another(uid, tried) or time.monotonic() > deadline:
                    raise self._none_left(uid) from loss
                self._recorder.replayed(uid)
                log.warning("a request for %s is replayed on another replica: %s", uid, loss)

    async def _another(self, uid: str, tried: set[str]) -> bool:
        if self._replicas.healthy(uid, tried):
            return True
        # Xinference starts a model's process again within seconds; one that is back may be asked again.
        await self._replicas.probe(uid)
        back = {replica.name for replica in self._replicas.healthy(uid)}
        tried -= back
        return bool(back)

    def _none_left(self, uid: str) -> ApiError:
        down = "; ".join(f"{replica.name}: {replica.reason}" for replica in self._replicas.known(uid) if replica.reason)
        log.error("no replica of %s is left (%s)", uid, down)
        return ApiError(
            503,
            f"no replica of `{uid}` answers; each is asked every second, and requests go there as soon as it is back",
            code="no_replica",
            retry_after=5,
        )

    async def _ask(
        self, uid: str, request: Request, inquiry: Inquiry, attempt: Attempt, scope: Scope, receive: Receive | None
    ) -> None:
        token = ATTEMPT.set(attempt)
        begun = time.monotonic()
        served = Served(uid, "xinference", 200, inquiry.stream, 0.0)
        try:
            raw = json.dumps(request.body).encode()
            async with await call(self._app, scope, PATHS[inquiry.kind], raw, receive=receive) as answer:
                served = await _pass_on(answer, request, inquiry, attempt, served)
        except _Lost as loss:
            served = replace(served, status=503, error=str(loss))
            raise
        except ApiError as error:
            served = replace(served, status=error.status, error=error.message)
            raise
        except Exception as error:
            if attempt.lost:
                raise _Lost(_short(attempt.error or error)) from error
            failure = as_api_error(500, "", b"", error, _text(attempt.error))
            served = replace(served, status=failure.status, error=failure.message)
            if failure.status >= 500:
                log.exception("Xinference failed on a request for %s", inquiry.model)
            raise failure from error
        finally:
            ATTEMPT.reset(token)
            target = attempt.replica.name if attempt.replica else "xinference"
            self._recorder.record(replace(served, target=target, duration_s=time.monotonic() - begun))


async def _pass_on(answer: Answer, request: Request, inquiry: Inquiry, attempt: Attempt, served: Served) -> Served:
    kind = (answer.header(b"content-type") or b"").decode("latin-1")
    if answer.status == 200 and kind.startswith("text/event-stream"):
        return await _stream(answer, inquiry, attempt, served)
    raw = await answer.read()
    if answer.status != 200:
        raise _failure(attempt, answer.status, kind, raw)
    # An embedding answer is megabytes of numbers, not worth reading for its usage.
    content = json.loads(raw) if request.structured or request.dimensions or len(raw) < 100_000 else {}
    if request.structured:
        check_structured(content)
    check_dimensions(content, request.dimensions)
    await inquiry.answer(renamed(raw, inquiry.model))
    return counted(served, content.get("usage"))


async def _stream(answer: Answer, inquiry: Inquiry, attempt: Attempt, served: Served) -> Served:
    events = EventStream(inquiry.model, honest=lambda line: honest_event(line, _text(attempt.error)))
    first: float | None = None
    tail = b""
    try:
        async for chunk in answer.chunks():
            data = events.feed(chunk)
            if not events.events and not events.done:
                continue
            first = first or inquiry.age_s
            await inquiry.pass_on(data)
        tail = events.end()
    except Exception as error:
        failure = _failure(attempt, 500, "application/json", json.dumps({"detail": str(error)}).encode())
        if not inquiry.answered:
            raise failure from error
        if not isinstance(error, BadChunk):
            log.exception("a stream of %s broke", inquiry.model)
        failure = failure if isinstance(failure, ApiError) else ApiError(502, "the replica died before it had finished")
        tail, served = failure.event(), replace(served, error=failure.message)
    else:
        # Xinference 4.1.0 never closes the streams of /v1/completions with it.
        tail += b"" if events.done or inquiry.kind == "responses" else b"data: [DONE]\n\n"
    await inquiry.end(tail)
    return counted(replace(served, first_byte_s=first), events.usage)


def _failure(attempt: Attempt, status: int, content_type: str, raw: bytes) -> ApiError | _Lost:
    if attempt.lost:
        return _Lost(_short(attempt.error))
    return as_api_error(status, content_type, raw, None, _text(attempt.error))


def _text(error: BaseException | None) -> str | None:
    return None if error is None else str(error)


def _short(error: BaseException | None) -> str:
    return "no replica is left" if error is None else f"{type(error).__name__}: {error}"[:200]


class _Caught:
    """A `send` that keeps the answer."""

    def __init__(self) -> None:
        self.body = b""

    async def __call__(self, message: Any) -> None:
        self.body += message.get("body", b"")
