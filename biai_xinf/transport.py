"""Speaks HTTP to one Xinference: a timeout and a bearer with every request, an error class per failure."""

from __future__ import annotations

import functools
import http.client
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json
from requests.auth import AuthBase

from biai_xinf.bearer import Bearer
from biai_xinf.credentials import HINT as CREDENTIALS_HINT
from biai_xinf.credentials import Credentials
from biai_xinf.endpoint import ca_bundle, parse_endpoint, proxies_to
from biai_xinf.errors import (
    AlreadyRunning,
    AuthFailed,
    Banned,
    Forbidden,
    NotFound,
    NotReady,
    NotXinference,
    Rejected,
    ServerFailed,
    Unreachable,
    XinferenceError,
)
from biai_xinf.wire import Token, without_noise

CONNECT_TIMEOUT = 5.0
# One slow worker delays GET /v1/models by up to 60 s (LIST_MODELS_PER_WORKER_TIMEOUT, Xinference 4.1.0).
READ_TIMEOUT = 75.0

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request: `timeout` is for the answer, in seconds; an open route is asked without credentials.

    Where a connection breaks off, a GET is sent again at once, and so is what is `repeatable`.
    """

    method: str
    path: str
    body: Any = None
    params: Mapping[str, str] | None = None
    timeout: float = READ_TIMEOUT
    open_route: bool = False
    repeatable: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Transport:
    """Requests to one endpoint; `saved_for` as in Bearer."""

    def __init__(self, endpoint: str, credentials: Credentials | None = None, saved_for: str | None = None) -> None:
        self.endpoint = parse_endpoint(endpoint)
        self.bearer = Bearer(credentials, self._exchange, saved_for) if credentials else None
        self.clock_ahead: float | None = None
        self._session = requests.Session()
        # The environment is read here instead: `requests` would send 127.0.0.1 to HTTP_PROXY.
        self._session.trust_env = False
        self._session.proxies.update(proxies_to(self.endpoint))
        self._session.verify = ca_bundle() or True

    def request(self, call: Call, shape: type[T]) -> T:
        """The answer as `shape`; raises XinferenceError."""
        bearer = None if call.open_route else self.bearer
        token = bearer.first() if bearer else None
        response = self._send(call, token)
        if response.status_code == 401 and bearer and (token := bearer.second(refused=token)):
            response = self._send(call, token)
            if response.status_code == 401:
                bearer.give_up()
        return self._decode(call, response, shape)

    def close(self) -> None:
        self._session.close()

    def _exchange(self, path: str, body: dict[str, str]) -> Token:
        return self.request(Call("POST", path, body=body, open_route=True), Token)

    def _send(self, call: Call, token: str | None) -> requests.Response:
        try:
            return self._send_once(call, token)
        except requests.RequestException as error:
            # A kept-alive connection may be closed when it is used again.
            if not (call.method == "GET" or call.repeatable) or not _broke_off(error):
                raise _no_answer(self.endpoint, call, error) from error
        self._session.close()
        try:
            return self._send_once(call, token)
        except requests.RequestException as error:
            raise _no_answer(self.endpoint, call, error) from error

    def _send_once(self, call: Call, token: str | None) -> requests.Response:
        response = self._session.request(
            call.method,
            self.endpoint + call.path,
            json=call.body,
            params=call.params,
            auth=_BearerHeader(token),
            timeout=(CONNECT_TIMEOUT, call.timeout),
            allow_redirects=False,
        )
        self.clock_ahead = _clock_ahead(response)
        if response.status_code == 500 and _content_type(response) == "text/plain":
            # The server closes this connection without announcing it (uvicorn under Xinference 4.1.0).
            self._session.close()
        return response

    def _decode(self, call: Call, response: requests.Response, shape: type[T]) -> T:
        if not 200 <= response.status_code < 300:
            raise _failure(self.endpoint, call, response)
        try:
            return _parse(shape, _json(response))
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            problem_at = ".".join(map(str, problem["loc"])) or "answer"
            seen = f"{call}: {problem_at}: {problem['msg']}"
        except requests.exceptions.JSONDecodeError:
            seen = f"{call}: {_content_type(response)} instead of JSON"
        message = f"`{self.endpoint}` answers, but not as Xinference does"
        raise NotXinference(message, status=response.status_code, details=[seen], hint=_PORT_HINT)


def failure(status: int, detail: str, *, retry_after: bool = False) -> XinferenceError:
    """The error class for what Xinference said: its first line is the message, the others are details."""
    message, *details = [line.strip() for line in without_noise(detail).splitlines()] or [""]
    if status == 401:
        return AuthFailed(f"Xinference refused us: {message}", status=status, hint=CREDENTIALS_HINT)
    if status == 403:
        hint = _API_KEY_HINT if "API keys" in message else None
        return Forbidden(f"Xinference forbids this: {message}", status=status, hint=hint)
    if status == 429 and "failed attempts" in message:
        return Banned(f"Xinference locks this address out: {message}", status=status, hint=_BAN_HINT)
    kind: type[XinferenceError] = Rejected if status < 500 else ServerFailed
    if status == 503 and retry_after:
        kind = NotReady
    elif "is already in the model list" in message:
        kind = AlreadyRunning
    elif status == 404 or _UNKNOWN.match(message):
        kind = NotFound
    return kind(message or f"status {status}", status=status, details=details)


# "Model not found in the model list, uid: x", "Replica not found in the model list, uid: x, replica_id: 1",
# "Model not found, name: x, format: ...", "Model x not found",
# and the 500 of POST /v1/models/x/cancel "Model x has not been launched yet" (Xinference 4.1.0).
_UNKNOWN = re.compile(r"(Model|Replica) (not found\b|\S+ not found\.?$|\S+ has not been launched yet)")

_START_HINT = "is it running? `biai-xinf up` starts one here; BIAI_XINF_ENDPOINT names another"
_BUSY_HINT = "it may be busy, or was stopped meanwhile; its log says more"
_PORT_HINT = "is this the address and port of an Xinference 4.1? BIAI_XINF_ENDPOINT names another"
_API_KEY_HINT = "API keys may only list and ask models; log in with `biai-xinf login` to change anything"
_BAN_HINT = "it lasts an hour after ten refused credentials; restarting Xinference's API process lifts it"


class _BearerHeader(AuthBase):
    """Sets our header, and keeps `requests` from putting a login of ~/.netrc in its place."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _json(response: requests.Response) -> Any:
    try:
        # Vectors are most of what is read, and `json` takes six times as long for one of 1024 numbers.
        return from_json(response.content)
    except ValueError:
        # It takes no encoding but UTF-8, and no half of a character, which an answer that was cut off may end with.
        return response.json()


def _parse(shape: type[T], answer: Any) -> T:
    hashable: Any = shape
    parsed: T = _adapter(hashable).validate_python(answer)
    return parsed


@functools.cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _no_answer(endpoint: str, call: Call, error: requests.RequestException) -> XinferenceError:
    causes = list(_causes(error))
    reason = [getattr(causes[-1], "strerror", None) or str(causes[-1])]
    if isinstance(error, requests.exceptions.SSLError):
        plain = endpoint.replace("https://", "http://", 1)
        hint = f"if it speaks plain HTTP, use `{plain}`; a private certificate goes into REQUESTS_CA_BUNDLE"
        return NotXinference(f"no TLS connection to `{endpoint}`", details=reason, hint=hint)
    if isinstance(error, requests.exceptions.ProxyError):
        hint = "put its host into NO_PROXY if it is reached directly"
        return Unreachable(f"the proxy does not lead to `{endpoint}`", details=reason, hint=hint)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        message = f"`{endpoint}` accepted no connection within {CONNECT_TIMEOUT:g} s"
        return Unreachable(message, hint=_START_HINT)
    if isinstance(error, requests.exceptions.Timeout):
        return Unreachable(f"`{endpoint}` did not answer `{call}` within {call.timeout:g} s", hint=_BUSY_HINT)
    if _broke_off(error):
        return Unreachable(f"`{endpoint}` closed the connection instead of answering `{call}`", hint=_BUSY_HINT)
    if any(isinstance(cause, http.client.HTTPException) for cause in causes):
        return NotXinference(f"what answers at `{endpoint}` does not speak HTTP", hint=_PORT_HINT)
    return Unreachable(f"nothing answers at `{endpoint}`", details=reason, hint=_START_HINT)


def _broke_off(error: BaseException) -> bool:
    broken = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, http.client.IncompleteRead)
    return any(isinstance(cause, broken) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _failure(endpoint: str, call: Call, response: requests.Response) -> XinferenceError:
    status, detail = response.status_code, _detail(response)
    no_route = detail in (None, "Not Found", "Method Not Allowed") or (call.open_route and status == 404)
    if status < 400:
        message = f"`{endpoint}` redirects to `{response.headers.get('location', 'nowhere')}`"
        return NotXinference(message, status=status, hint="use the address of Xinference itself as endpoint")
    if status >= 500 and detail is None:
        message = f"`{endpoint}` failed at `{call}` with status {status}"
        return ServerFailed(message, status=status, hint=_BUSY_HINT)
    if detail is None or (no_route and status in (404, 405)):
        message = f"`{endpoint}` has no `{call}` (status {status})"
        return NotXinference(message, status=status, hint=_PORT_HINT)
    return failure(status, detail, retry_after="retry-after" in response.headers)


def _detail(response: requests.Response) -> str | None:
    """What Xinference says about a failure; None if these are not its words."""
    if _content_type(response) == "text/plain":
        found = re.match(r"(Internal Server Error: |(?=Access denied))(.*)", response.text, re.DOTALL)
        return found[2] if found else None
    try:
        answer = response.json()
    except requests.exceptions.JSONDecodeError:
        return None
    if not isinstance(answer, dict):
        return None
    # `error` is the OpenAI shape, of /v1/responses and of our own extension.
    said = answer.get("detail") or answer.get("error")
    if isinstance(said, dict):
        said = said.get("message")
    return said if said is None or isinstance(said, str) else str(said)


def _clock_ahead(response: requests.Response) -> float | None:
    try:
        return parsedate_to_datetime(response.headers["date"]).timestamp() - time.time()
    except (KeyError, TypeError, ValueError):
        return None


def _content_type(response: requests.Response) -> str:
    return response.headers.get("content-type", "no content type").partition(";")[0].strip().lower()
