"""Who may ask: Xinference's own accounts, keys and per-model permissions, for requests that we answer ourselves."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from biai_xinf.extension.asgi import Scope, header, replayed
from biai_xinf.extension.errors import ApiError

log = logging.getLogger(__name__)

# Checking a token costs Xinference 4.1.0 about 5 ms (a new SQLite connection per query); one that was just found
# good is believed for this long, so a withdrawn one works at most this much longer.
BELIEVED_S = 5.0
MOST_BELIEVED = 10_000


@dataclass(frozen=True)
class Grant:
    """A caller who was let in: the API key it came with, if any, and what the audit log says of it."""

    key: Any = None
    identity: Any = None


class Access:
    """Xinference's authentication, `service` None where it is off."""

    def __init__(self, service: Any, api: Any) -> None:
        self._service = service
        self._api = api
        self._believed: dict[tuple[str, str, tuple[str, ...]], tuple[float, Grant]] = {}

    @property
    def enabled(self) -> bool:
        return self._service is not None

    async def admit(self, scope: Scope, body: bytes = b"", scopes: Sequence[str] = ("models:read",)) -> Grant:
        """The caller's grant; ApiError 401, 403 or 429 as Xinference itself would answer."""
        if self._service is None:
            return Grant()
        token = _token(scope)
        known = (token or "", _client(scope), tuple(scopes))
        now = time.monotonic()
        until, grant = self._believed.get(known, (0.0, Grant()))
        if now < until and (grant.key is None or grant.key.is_valid()):
            return grant
        grant = await self._ask(scope, body, token, list(scopes))
        if len(self._believed) >= MOST_BELIEVED:
            self._believed.clear()
        self._believed[known] = now + BELIEVED_S, grant
        return grant

    def check_model(self, grant: Grant, model: str, model_type: str) -> None:
        """ApiError 403 where the caller's key is not for this model."""
        if grant.key is not None and not grant.key.has_model_access(model, model_type):
            raise ApiError(403, f"this API key may not use `{model}`", param="model")

    def record(self, scope: Scope, grant: Grant, model: str, model_type: str, status: int, duration_s: float) -> None:
        """Put an answered request into Xinference's audit log."""
        if self._service is None:
            return
        from starlette.requests import Request

        request = Request(scope)
        request.state.audit_identity = grant.identity or {}
        request.state.audit_status_code = status
        outcome = "success" if status < 400 else "model_not_found" if status == 404 else "error"
        try:
            self._api._record_audit(request, model, model_type, outcome, duration_s)
            if not getattr(request.state, "audit_recorded", False):
                # The one above is for API keys only.
                self._api._record_admin_audit(request, outcome, duration_s, status_code=status, category="inference")
        except Exception:
            log.exception("an answered request could not be put into the audit log")

    async def _ask(self, scope: Scope, body: bytes, token: str | None, scopes: list[str]) -> Grant:
        # Only in Xinference's process, where they are loaded.
        from fastapi import HTTPException
        from fastapi.security import SecurityScopes
        from starlette.requests import Request

        request = Request(scope, replayed(body, _nothing))
        try:
            await self._service(request, SecurityScopes(scopes), token)
        except HTTPException as refusal:
            raise ApiError(refusal.status_code, str(refusal.detail)) from refusal
        state = request.state
        return Grant(getattr(state, "authenticated_api_key", None), getattr(state, "audit_identity", None))


def _token(scope: Scope) -> str | None:
    scheme, _, token = (header(scope, b"authorization") or b"").decode("latin-1").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _client(scope: Scope) -> str:
    forwarded = header(scope, b"x-forwarded-for") or b""
    return f"{(scope.get('client') or ('', 0))[0]} {forwarded.decode('latin-1')}"


async def _nothing() -> Any:
    return {"type": "http.disconnect"}
