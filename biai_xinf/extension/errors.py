"""What goes wrong at the endpoint, as the OpenAI error object clients know how to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

# https://platform.openai.com/docs/guides/error-codes and the `error.type` values its SDKs switch on.
Kind = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "server_error",
    "upstream_error",
]
_KINDS: Mapping[int, Kind] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class ApiError(Exception):
    """One failed request: HTTP `status`, a sentence for a person, and what a program needs to react.

    `code` is a short stable word (`model_not_found`), `param` the request field at fault, `retry_after` seconds.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: Kind | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind: Kind = kind or _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Headers the answer carries beside its content type."""
        return () if self.retry_after is None else ((b"retry-after", str(self.retry_after).encode()),)

    def event(self) -> bytes:
        """The same error inside a stream that has begun: one SSE event, after which nothing follows."""
        return b"data: " + json.dumps(self.body()).encode() + b"\n\n"


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """400: the request itself is wrong, and sending it again will not help."""
    return ApiError(400, message, param=param, code=code)


def no_such_model(name: str, hint: str = "`GET /v1/models` lists what is served") -> ApiError:
    """404: nothing is served under that name."""
    return ApiError(404, f"no model `{name}` is served here; {hint}", param="model", code="model_not_found")
