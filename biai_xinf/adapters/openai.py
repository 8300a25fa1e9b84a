"""A ready `openai` client for the endpoint, and the model to ask.

from biai_xinf.adapters.openai import connect

client, model = connect("sql")
answer = client.chat.completions.create(model=model, messages=messages, temperature=0)
"""

from __future__ import annotations

import asyncio
import importlib
import math
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from biai_xinf import clusterfile
from biai_xinf.adapters.served import Served, find_served
from biai_xinf.bearer import Bearer
from biai_xinf.client import ANSWER_TIMEOUT, Client
from biai_xinf.credentials import Credentials, load_credentials
from biai_xinf.endpoint import ca_bundle, proxies_to
from biai_xinf.errors import AuthFailed, MissingExtra, XinferenceError
from biai_xinf.reach import credentials_of, endpoint_of
from biai_xinf.transport import CONNECT_TIMEOUT, READ_TIMEOUT

try:
    import openai as openai  # the other adapters take it from here
except ImportError as error:
    raise MissingExtra("`openai` is not installed", hint="pip install 'biai-xinf[openai]'") from error


class LoginFailed(AuthFailed, openai.OpenAIError):
    """The login of a connection ended and could not be renewed; for an application one of `openai`'s errors too."""


class Connection(NamedTuple):
    """A client of the endpoint, and the uid of the model that was asked for."""

    client: openai.OpenAI
    model: str


class AsyncConnection(NamedTuple):
    """The same for asynchronous applications."""

    client: openai.AsyncOpenAI
    model: str


@dataclass(frozen=True, repr=False)
class Endpoint:
    """Where an application asks, who it is there, and how long and how often it tries.

    `endpoint` is the one given, else BIAI_XINF_ENDPOINT, else that of the cluster file, else this machine's Xinference.
    The login is `api_key`; else what the variables hold that the cluster file names, where it is the file that tells
    the endpoint; else BIAI_XINF_API_KEY, or BIAI_XINF_USERNAME with BIAI_XINF_PASSWORD; else what `biai-xinf login`
    saved.

    `timeout` is for a whole answer, or for each piece of a stream, in seconds. `max_retries` is how often a request is
    sent again that could not be sent, broke off before its answer began, or was answered with 408, 409, 429 or 5xx. A
    stream that has begun is never begun again. Nor is a request repeated that got no answer in time: the model still
    works on the first, the second would wait behind it, and the caller thrice as long as they said. ValueError where
    either is no such number.
    """

    endpoint: str | None = None
    api_key: str | None = None
    cluster: str | Path | None = None
    timeout: float = ANSWER_TIMEOUT
    max_retries: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.timeout, (int, float)) or not 0 < self.timeout < math.inf:
            raise ValueError(f"timeout is {self.timeout!r}, and must be a number of seconds above 0")
        if not isinstance(self.max_retries, int) or self.max_retries < 0:
            raise ValueError(f"max_retries is {self.max_retries!r}, and must be a whole number of at least 0")

    def xinference(self) -> Client:
        """Our own client of it."""
        given = self.endpoint or os.environ.get("BIAI_XINF_ENDPOINT")
        file = None if given or self.cluster is None else clusterfile.load(Path(self.cluster))
        address = file.endpoint if file else endpoint_of(given)
        if self.api_key:
            credentials: Credentials | None = Credentials(api_key=self.api_key)
        else:
            credentials = credentials_of(file) if file else load_credentials(address)
        return Client(address, credentials, timeout=min(self.timeout, READ_TIMEOUT))

    def sync_client(self, client: Client) -> openai.OpenAI:
        """An OpenAI client with the login of ours."""
        http = _Http(client.bearer, **_transport(client.endpoint))
        return openai.OpenAI(http_client=http, **self._options(client.endpoint))

    def async_client(self, client: Client) -> openai.AsyncOpenAI:
        """The same for asynchronous applications."""
        http = _AsyncHttp(client.bearer, **_transport(client.endpoint))
        return openai.AsyncOpenAI(http_client=http, **self._options(client.endpoint))

    def _options(self, endpoint: str) -> dict[str, Any]:
        timeout = openai.Timeout(self.timeout, connect=CONNECT_TIMEOUT)
        # The client insists on a key; what goes with a request is the login.
        return {"base_url": f"{endpoint}/v1", "api_key": "none", "timeout": timeout, "max_retries": self.max_retries}


def connect(
    name: str = "sql",
    *,
    endpoint: str | None = None,
    api_key: str | None = None,
    cluster: str | Path | None = None,
    timeout: float = ANSWER_TIMEOUT,
    max_retries: int = 2,
) -> Connection:
    """A client, and the uid that a role (`sql`, `narrator`, `chat`, `embedding`, `rerank`), a spec or a uid means.

    The arguments are those of Endpoint. Raises XinferenceError where the endpoint cannot be reached, does not let us in
    or serves no such model; from then on the errors are those of `openai`.
    """
    at = Endpoint(endpoint, api_key, cluster, timeout, max_retries)
    client, served = _reach(at, name)
    return Connection(at.sync_client(client), served.uid)


async def connect_async(
    name: str = "sql",
    *,
    endpoint: str | None = None,
    api_key: str | None = None,
    cluster: str | Path | None = None,
    timeout: float = ANSWER_TIMEOUT,
    max_retries: int = 2,
) -> AsyncConnection:
    """The same for asynchronous applications."""
    at = Endpoint(endpoint, api_key, cluster, timeout, max_retries)
    client, served = await asyncio.to_thread(_reach, at, name)
    return AsyncConnection(at.async_client(client), served.uid)


def _reach(at: Endpoint, name: str) -> tuple[Client, Served]:
    client = at.xinference()
    return client, find_served(client, name)


def _transport(endpoint: str) -> dict[str, Any]:
    """How `endpoint` is reached: by the environment's proxy, if any, but never by one to this machine itself."""
    proxies = proxies_to(endpoint)
    proxy = proxies.get(endpoint.partition(":")[0]) or proxies.get("all")
    return {
        # The environment is read here instead: httpx would send 127.0.0.1 to HTTP_PROXY.
        "trust_env": False,
        "proxy": proxy,
        "verify": _certificates() if "https:" in (endpoint[:6], (proxy or "")[:6]) else False,
        "follow_redirects": False,
    }


def _certificates() -> ssl.SSLContext | bool:
    """Whose signatures are trusted. To load them takes 30 ms, too long where nothing is encrypted."""
    bundle = ca_bundle()
    return ssl.create_default_context(cafile=bundle) if bundle else True


# `openai` stands on httpx2 since 3.0 and stood on httpx before.
_httpx = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
_UNANSWERED = (_httpx.ReadTimeout, _httpx.WriteTimeout)
# What comes out of a stream that was cut off.
BrokeOff = _httpx.TransportError


class _Http(openai.DefaultHttpxClient):
    """Sends a request with our login, which is renewed once it ended; what gets no answer in time fails at once."""

    def __init__(self, bearer: Bearer | None, **options: Any) -> None:
        super().__init__(**options)
        self._login = bearer

    def send(self, request: Any, **options: Any) -> Any:
        login = self._login
        token = _won(login.first) if login else None
        response = self._send_as(token, request, options)
        if response.status_code == 401 and login and (token := _won(login.second, token)):
            response.close()
            response = self._send_as(token, request, options)
            if response.status_code == 401:
                login.give_up()
        return response

    def _send_as(self, token: str | None, request: Any, options: dict[str, Any]) -> Any:
        _identify(request, token)
        try:
            return super().send(request, **options)
        except _UNANSWERED as error:
            # `openai` repeats httpx's timeouts, its own it does not.
            raise openai.APITimeoutError(request=request) from error


class _AsyncHttp(openai.DefaultAsyncHttpxClient):
    """The same for asynchronous applications."""

    def __init__(self, bearer: Bearer | None, **options: Any) -> None:
        super().__init__(**options)
        self._login = bearer

    async def send(self, request: Any, **options: Any) -> Any:
        login = self._login
        # A login that is renewed asks the endpoint.
        token = await asyncio.to_thread(_won, login.first) if login else None
        response = await self._send_as(token, request, options)
        if response.status_code == 401 and login and (token := await asyncio.to_thread(_won, login.second, token)):
            await response.aclose()
            response = await self._send_as(token, request, options)
            if response.status_code == 401:
                login.give_up()
        return response

    async def _send_as(self, token: str | None, request: Any, options: dict[str, Any]) -> Any:
        _identify(request, token)
        try:
            return await super().send(request, **options)
        except _UNANSWERED as error:
            raise openai.APITimeoutError(request=request) from error


def _won(way: Callable[..., str | None], *refused: str | None) -> str | None:
    """The token that a login wins by `way`."""
    try:
        return way(*refused)
    except XinferenceError as error:
        # `openai` before 3 repeats a request after any error but its own.
        raise LoginFailed(error.message, status=error.status, details=error.details, hint=error.hint) from error


def _identify(request: Any, token: str | None) -> None:
    """A key that is none would count as a failed login; ten of those lock the address out (Xinference 4.1.0)."""
    request.headers.pop("Authorization", None)
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
