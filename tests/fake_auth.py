"""The fake Xinference's authentication: users, tokens that expire, API keys, a ban after ten failures."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any

MAX_FAILURES = 10
OF_API_KEYS = ("models:list", "models:read")

Reply = tuple[int, Any]


class FakeAuth:
    """`users` holds passwords; `expire_tokens()` voids every access token, `failures` counts refused ones."""

    def __init__(self) -> None:
        self.setup_token = secrets.token_hex(8)
        self.users: dict[str, str] = {}
        self.failures = 0
        self.api_keys: list[str] = []
        self._models_of: dict[str, list[str]] = {}
        # The user by the token.
        self._access: dict[str, str] = {}
        self._refresh: dict[str, str] = {}

    def expire_tokens(self) -> None:
        self._access.clear()

    def route(self, method: str, path: str, body: Any, header: str | None) -> Reply | None:
        """The answer of a route of its own, None for other routes."""
        if (method, path) == ("GET", "/v1/admin/setup/status"):
            return 200, {"needs_setup": not self.users}
        if method != "POST":
            return None
        if path == "/v1/admin/setup":
            return self._setup(body)
        if path == "/token":
            if self.users.get(body["username"]) != body["password"]:
                return _refused(401, "Incorrect username or password")
            return 200, self._new_tokens(body["username"])
        if path == "/v1/auth/refresh":
            if body["refresh_token"] not in self._refresh:
                return _refused(401, "Invalid or expired refresh token")
            return 200, self._new_tokens(self._refresh.pop(body["refresh_token"]))
        if path == "/v1/admin/users":
            return self.check(header, "users:create") or self._new_user(body)
        if path == "/v1/admin/keys":
            return self.check(header, "keys:create") or self._new_key(body)
        return None

    def check(self, header: str | None, scope: str) -> Reply | None:
        """None if the bearer may; a request without a token is no failure."""
        if self.failures >= MAX_FAILURES:
            return _refused(429, "Too many failed attempts. IP temporarily banned.")
        token = (header or "").partition(" ")[2]
        if token in self._access:
            return None
        if token in self.api_keys:
            detail = "API keys can only access model query and inference endpoints"
            return None if scope in OF_API_KEYS else _refused(403, detail)
        self.failures += bool(token)
        return _refused(401, "Could not validate credentials")

    def user_of(self, header: str | None) -> str:
        """Whose token it is; nobody's name is empty."""
        return self._access.get((header or "").partition(" ")[2], "")

    def check_model(self, header: str | None, uid: str) -> Reply | None:
        """None if the bearer may ask this model; most keys may ask all of them."""
        allowed = self._models_of.get((header or "").partition(" ")[2])
        return None if allowed is None or uid in allowed else _refused(403, f"No permission for model {uid}")

    def _setup(self, body: Any) -> Reply:
        if self.users:
            return _refused(403, "Setup already completed; an account already exists.")
        if body["setup_token"] != self.setup_token:
            return _refused(403, "Invalid setup token.")
        if len(body["password"]) < 8:
            return _refused(400, "Password must be at least 8 characters")
        self.users[body["username"]] = body["password"]
        return 201, {"id": 1, "username": body["username"]}

    def _new_user(self, body: Any) -> Reply:
        self.users[body["username"]] = body["password"]
        return 201, {"id": len(self.users), "username": body["username"]}

    def _new_tokens(self, user: str) -> dict[str, str]:
        claims = json.dumps({"type": "access", "exp": time.time() + 1800, "id": secrets.token_hex(4)})
        access = f"e30.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.signature"
        refresh = secrets.token_hex(16)
        self._access[access] = self._refresh[refresh] = user
        return {"access_token": access, "refresh_token": refresh, "token_type": "bearer"}

    def _new_key(self, body: Any) -> Reply:
        self.api_keys.append(f"xf-{secrets.token_hex(16)}")
        key = self.api_keys[-1]
        if (granted := body.get("model_permissions")) is not None:
            self._models_of[key] = [one["permission_value"] for one in granted if one["permission_type"] == "model_id"]
        return 201, {"id": len(self.api_keys), "key": key, "prefix": key[:7], "name": body["name"]}


def _refused(status: int, detail: str) -> Reply:
    return status, {"detail": detail}
