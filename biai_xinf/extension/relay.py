"""Requests for upstream models, sent to the servers that run them from within Xinference's API process.

One request goes to one server after another until one begins to answer; from the first byte that the client got,
that answer is the only one. Nothing here starts a process or holds a model.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, NamedTuple

import aiohttp

from biai_xinf.extension.asgi import MAX_BODY
from biai_xinf.extension.balance import Health, choose
from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.inquiry import Inquiry, Kind, counted
from biai_xinf.extension.model_name import renamed
from biai_xinf.extension.recorder import Recorder
from biai_xinf.extension.sse import BadChunk, EventStream, error_text
from biai_xinf.extension.stats import Served
from biai_xinf.providers import Provider, find_provider, for_provider
from biai_xinf.upstreams import Upstream, UpstreamServer

log = logging.getLogger(__name__)

CONNECT_S = 3.0
# A failing server is asked for a sign of life this often, a healthy one this seldom.
PROBE_FAILING_S = 1.0
PROBE_OK_S = 15.0
# Some servers call their streams text/plain; these are never one.
_NO_STREAMS = ("application/json", "text/html")
# What pydantic says of a request of the wrong shape: llama-cpp-python 0.3.36 and Xinference 4.1.0 answer 500 to it.
_WRONG_SHAPE = re.compile(r"\bvalidation errors?\b|\(type=\w+_error\b")


class _TryNext(Exception):
    """This server cannot answer; another one may. `gone`: nothing answers there at all. `again`: it may itself."""

    def __init__(
        self,
        reason: str,
        *,
        gone: bool = False,
        blame: bool = True,
        again: bool = False,
        error: ApiError | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.gone, self.blame, self.again = reason, gone, blame, again
        self.error = error


class _Told(NamedTuple):
    """What an answer told of itself, once it was passed on; `error` is why it is not whole."""

    usage: Any
    first_byte_s: float | None = None
    error: str | None = None


class Relay:
    """The servers of all upstreams and what is known of each."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._health: dict[tuple[str, str], Health] = {}
        self._session: aiohttp.ClientSession | None = None
        self._remarked: set[str] = set()

    def health(self, server: UpstreamServer) -> Health:
        """What is known of a server: kept while it is served, whatever else changes."""
        return self._health.setdefault((server.url, server.model), Health())

    async def serve(self, upstream: Upstream, inquiry: Inquiry) -> None:
        """Answer from one of the upstream's servers; ApiError when none could and the client has seen nothing."""
        tried: set[int] = set()
        asked_again: set[int] = set()
        health = [self.health(server) for server in upstream.servers]
        failures: list[_TryNext] = []
        inquiry.deadline = min(inquiry.deadline, inquiry.begun + upstream.deadline_s)
        while (now := time.monotonic()) < inquiry.deadline:
            index = choose(upstream.servers, health, tried, now)
            if index is None:
                break
            tried.add(index)
            server, state = upstream.servers[index], health[index]
            state.in_flight += 1
            state.served += 1
            try:
                with self._recorder.in_flight(upstream.name, server.url):
                    await self._ask(server, upstream, inquiry, min(upstream.patience_s, inquiry.deadline - now))
                state.succeeded(time.monotonic())
                return
            except _TryNext as failure:
                log.warning("%s at %s: %s", server.model, server.url, failure.reason)
                if failure.again and index not in asked_again:
                    # Nobody's fault: Xinference 4.1.0 closes a connection after each wrong request, without a word.
                    asked_again.add(index)
                    tried.remove(index)
                    continue
                failures.append(failure)
                if failure.blame:
                    state.failed(failure.reason, time.monotonic(), gone=failure.gone)
            finally:
                state.in_flight -= 1
        raise _nobody(upstream, health, failures)

    async def _ask(self, server: UpstreamServer, upstream: Upstream, inquiry: Inquiry, patience_s: float) -> None:
        provider = find_provider(server.provider)
        try:
            body, hide_usage = self._request(server, provider, upstream, inquiry)
            with _failures_in_words(patience_s):
                async with self._post(server, provider, inquiry.kind, body, patience_s) as answer:
                    if answer.status != 200:
                        await _refused(answer, server)
                    if inquiry.stream:
                        told = await _stream(answer, server, inquiry, hide_usage, patience_s)
                    else:
                        told = await _whole(answer, server, inquiry)
        except _TryNext as failure:
            self._record(server, upstream, inquiry, 502, _Told(None, error=failure.reason))
            raise
        except ApiError as error:
            self._record(server, upstream, inquiry, error.status, _Told(None, error=error.message))
            raise
        self._record(server, upstream, inquiry, 200, told)

    def _record(self, server: UpstreamServer, upstream: Upstream, inquiry: Inquiry, status: int, told: _Told) -> None:
        served = Served(
            upstream.name,
            server.url,
            status,
            inquiry.stream,
            inquiry.age_s,
            first_byte_s=told.first_byte_s,
            error=told.error,
        )
        self._recorder.record(counted(served, told.usage))

    def _request(
        self, server: UpstreamServer, provider: Provider, upstream: Upstream, inquiry: Inquiry
    ) -> tuple[bytes, bool]:
        wanted = {**upstream.defaults, **inquiry.body, "model": server.model}
        hide_usage = False
        if inquiry.stream and provider.stream_usage and inquiry.kind in ("chat", "completions"):
            options = wanted.get("stream_options")
            hide_usage = not (isinstance(options, dict) and options.get("include_usage"))
            wanted["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        try:
            body, remarks = for_provider(wanted, provider)
        except ValueError as error:
            raise ApiError(400, str(error)) from error
        for remark in remarks:
            if remark not in self._remarked:
                self._remarked.add(remark)
                log.info("requests to %s: %s", provider.title, remark)
        return json.dumps(body).encode(), hide_usage

    def _post(
        self, server: UpstreamServer, provider: Provider, kind: Kind, body: bytes, patience_s: float
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        path = getattr(provider.routes, kind)
        if path is None:
            raise ApiError(400, f"{provider.title}, which runs `{server.model}`, has no {kind} route", param="model")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=patience_s)
        headers = {"content-type": "application/json", **credentials(server, provider)}
        return self._client().post(
            server.url + path, data=body, headers=headers, timeout=timeout, allow_redirects=False
        )

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent",),
                read_bufsize=2**18,
            )
        return self._session

    async def probe(self, servers: Mapping[tuple[str, str], UpstreamServer]) -> None:
        """Ask every server that is due for a sign of life."""
        now = time.monotonic()
        due = [server for server in servers.values() if _probe_due(self.health(server), now)]
        await asyncio.gather(*(self._probe(server) for server in due))

    async def _probe(self, server: UpstreamServer) -> None:
        health = self.health(server)
        provider = find_provider(server.provider)
        timeout = aiohttp.ClientTimeout(total=CONNECT_S)
        try:
            url = server.url + (provider.health or provider.routes.models or "/")
            async with self._client().get(url, headers=credentials(server, provider), timeout=timeout) as response:
                await response.read()
            if response.status in (401, 403):
                health.failed(_refused_key(server), time.monotonic(), gone=True)
            elif response.status >= 500:
                health.failed(f"its health check says {response.status}", time.monotonic(), gone=True)
            else:
                health.succeeded(time.monotonic())
        except _TryNext as error:
            health.failed(error.reason, time.monotonic(), gone=True)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            health.failed(f"it cannot be reached ({type(error).__name__})", time.monotonic(), gone=True)
        health.probed_at = time.monotonic()

    async def close(self) -> None:
        """Let go of every connection."""
        if self._session is not None:
            await self._session.close()


def credentials(server: UpstreamServer, provider: Provider) -> dict[str, str]:
    """The header that carries the server's key, read from the environment now."""
    if server.key_env is None:
        return {}
    key = os.environ.get(server.key_env)
    if not key:
        raise _TryNext(f"the variable `{server.key_env}` is not set where Xinference's API process runs", gone=True)
    return provider.auth.headers(key)


@contextmanager
def _failures_in_words(patience_s: float) -> Iterator[None]:
    try:
        yield
    except asyncio.TimeoutError as error:
        gone = isinstance(error, aiohttp.ConnectionTimeoutError)
        said = "it cannot be reached" if gone else f"it said nothing for {patience_s:g} s"
        raise _TryNext(said, gone=gone, error=ApiError(504, said)) from error
    except aiohttp.ClientConnectorError as error:
        raise _TryNext(f"it cannot be reached ({error.strerror or error})", gone=True) from error
    except (aiohttp.ClientError, ConnectionError) as error:
        # A kept connection that the server was just closing looks like this as well: another try tells.
        raise _TryNext(f"it broke the connection ({type(error).__name__})", again=True) from error


async def _stream(
    answer: aiohttp.ClientResponse, server: UpstreamServer, inquiry: Inquiry, hide_usage: bool, patience_s: float
) -> _Told:
    if answer.content_type in _NO_STREAMS:
        raise _TryNext(f"it answered {answer.content_type} in place of a stream: {_said(await _read(answer), server)}")
    events = EventStream(inquiry.model, hide_usage=hide_usage)
    first: float | None = None
    broken: str | None = None
    seen, heard = 0, time.monotonic()
    try:
        async for chunk in answer.content.iter_any():
            data = events.feed(chunk)
            told = events.events > seen or events.done
            if not told and time.monotonic() - heard > patience_s:
                # llama-cpp-python 0.3.36 sends comments for as long as its model is stuck.
                raise BadChunk(f"it kept the connection open and said nothing for {patience_s:g} s")
            # After comments and empty lines alone, another server may still give the answer.
            if data and (events.events or events.done):
                first = first or inquiry.age_s
                await inquiry.pass_on(data)
            if told:
                seen, heard = events.events, time.monotonic()
        tail = events.end()
        if not events.finished:
            raise BadChunk("it ended its stream before the answer was complete")
    except (BadChunk, aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as error:
        broken = f"it broke off its stream ({type(error).__name__})"
        if isinstance(error, BadChunk):
            broken = _without_key(str(error), server)
        if not inquiry.answered:
            raise _TryNext(broken) from error
        # The client has part of an answer, so the rest of it can only be this error.
        tail = ApiError(502, broken, kind="upstream_error").event()
    else:
        tail += b"" if events.done or inquiry.kind == "responses" else b"data: [DONE]\n\n"
    await inquiry.end(tail)
    return _Told(events.usage, first, broken)


async def _whole(answer: aiohttp.ClientResponse, server: UpstreamServer, inquiry: Inquiry) -> _Told:
    raw = await _read(answer)
    try:
        content = json.loads(raw)
    except ValueError:
        raise _TryNext(f"it answered {answer.content_type} that is not JSON") from None
    if not isinstance(content, dict):
        raise _TryNext("it answered JSON that is not an object")
    if content.get("error"):
        raise _TryNext(f"it answered 200 with an error: {_without_key(error_text(content['error']), server)}")
    await inquiry.answer(renamed(raw, inquiry.model))
    return _Told(content.get("usage"))


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            raise _TryNext(f"its answer has more than {MAX_BODY} bytes", blame=False)
    return b"".join(parts)


async def _refused(response: aiohttp.ClientResponse, server: UpstreamServer) -> None:
    status, text = response.status, _said(await _read(response), server)
    if status in (401, 403):
        # What it says of a key may repeat part of it.
        raise _TryNext(_refused_key(server), gone=True)
    if status == 429:
        wait = response.headers.get("retry-after", "")
        limited = ApiError(429, f"the server is at its limit: {text}", retry_after=int(wait) if wait.isdigit() else 1)
        raise _TryNext("it is at its limit", blame=False, error=limited)
    if status == 404:
        raise _TryNext(f"it does not know `{server.model}` or this route: {text}", blame=False)
    if 400 <= status < 500:
        raise ApiError(status if status in (400, 413, 422) else 400, text)
    if _WRONG_SHAPE.search(text):
        raise ApiError(400, text)
    raise _TryNext(f"it answered {status}: {text}")


def _said(raw: bytes, server: UpstreamServer) -> str:
    """What a body says went wrong, in whatever shape."""
    try:
        content = json.loads(raw)
        text = error_text(content.get("error") or content.get("detail") or content.get("message") or content)
    except (ValueError, AttributeError):
        # A traceback or a page: its last line says most.
        lines = raw[-2000:].decode(errors="replace").strip().splitlines()
        text = lines[-1][:200] if lines else "nothing"
    return _without_key(text, server)


def _without_key(text: str, server: UpstreamServer) -> str:
    """What a server says, should it repeat the key it was sent."""
    key = os.environ.get(server.key_env or "")
    return text.replace(key, "***") if key else text


def _refused_key(server: UpstreamServer) -> str:
    return f"it refused the key in `{server.key_env}`" if server.key_env else "it asks for a key, and none is set"


def _nobody(upstream: Upstream, health: list[Health], failures: list[_TryNext]) -> ApiError:
    told = [failure.error for failure in failures if failure.error is not None]
    if told and len(failures) == len(told):
        return told[0]
    reasons = dict.fromkeys(failure.reason for failure in failures) or dict.fromkeys(
        state.reason for state in health if state.reason
    )
    count = len(upstream.servers)
    servers = "its server does not answer" if count == 1 else f"none of its {count} servers answers"
    message = f"`{upstream.name}` cannot be served now, {servers}: {'; '.join(map(str, reasons))}"
    return ApiError(503, message, kind="upstream_error", code="upstream_unavailable", retry_after=2)


def _probe_due(health: Health, now: float) -> bool:
    every = PROBE_OK_S if health.state == "ok" else PROBE_FAILING_S
    return now - health.probed_at >= every
