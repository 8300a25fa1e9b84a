"""Which token goes with a request, and how a new one is won: never one that was refused before."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable

from biai_xinf.credentials import HINT, Credentials, save_credentials, saved_credentials
from biai_xinf.errors import AuthFailed
from biai_xinf.wire import Token

Exchange = Callable[[str, dict[str, str]], Token]

# A token that is about to expire would do so on its way.
_MARGIN_SECONDS = 30


class Bearer:
    """The tokens of one client; `exchange(path, body)` posts a password or a refresh token to Xinference.

    Ten refused tokens lock the address out for an hour, admins included (Xinference 4.1.0): what was refused
    once is not sent again. With `saved_for` the tokens came from the saved login of that endpoint: renewed
    ones are saved there, and those that another process renewed meanwhile are taken from there.
    """

    def __init__(self, credentials: Credentials, exchange: Exchange, saved_for: str | None = None) -> None:
        self._exchange = exchange
        self._saved_for = saved_for
        self._username, self._password = credentials.username, credentials.password
        self._access_token, self._refresh_token = credentials.access_token, credentials.refresh_token
        self._api_key = credentials.api_key
        self._lock = threading.RLock()

    def first(self) -> str | None:
        """What to send with a request; None where only a password is known.

        The password waits for a 401: a request without a token is no failure to Xinference, and an Xinference
        without authentication has no login at all.
        """
        with self._lock:
            if token := self._api_key or self._access_token:
                if self._api_key or not _has_expired(token):
                    return token
                self._access_token = None
            if self._refresh_token:
                return self._renew()
            if self._password is None:
                raise AuthFailed("these credentials were refused or have expired", status=401, hint=HINT)
            return None

    def second(self, refused: str | None) -> str | None:
        """What to send once more after a 401; None if there is nothing else to try."""
        with self._lock:
            if self._access_token and self._access_token != refused:
                return self._access_token
            self._api_key = self._access_token = None
            return self._renew() if self._refresh_token or self._password else None

    def give_up(self) -> None:
        """Fresh tokens were refused too: send nothing any more."""
        with self._lock:
            self._api_key = self._access_token = self._refresh_token = self._password = None

    def login(self) -> Credentials:
        """Trade the password for tokens now."""
        with self._lock:
            if self._password is None:
                raise AuthFailed("no username and password to log in with", hint=HINT)
            self._login()
            return self._tokens()

    def _renew(self) -> str:
        spent = self._refresh_token
        try:
            return self._refresh() if self._refresh_token else self._login()
        except AuthFailed:
            saved = saved_credentials(self._saved_for) if self._saved_for else None
            if saved and saved.access_token and saved.refresh_token != spent:
                self._access_token, self._refresh_token = saved.access_token, saved.refresh_token
                return saved.access_token
            if self._password is None:
                raise
            return self._login()

    def _refresh(self) -> str:
        token = self._refresh_token or ""
        try:
            return self._take(self._exchange("/v1/auth/refresh", {"refresh_token": token}))
        except AuthFailed:
            self._refresh_token = None
            raise

    def _login(self) -> str:
        body = {"username": self._username or "", "password": self._password or ""}
        try:
            return self._take(self._exchange("/token", body))
        except AuthFailed:
            self._password = None
            raise

    def _take(self, token: Token) -> str:
        # Refresh tokens rotate: the old one is void from here on.
        self._access_token, self._refresh_token = token.access_token, token.refresh_token
        if self._saved_for:
            # Where the file cannot be written, the login is still good in this process.
            with contextlib.suppress(OSError):
                save_credentials(self._saved_for, self._tokens())
        return token.access_token

    def _tokens(self) -> Credentials:
        return Credentials(username=self._username, access_token=self._access_token, refresh_token=self._refresh_token)


def _has_expired(token: str) -> bool:
    """A token that does not tell is tried."""
    expiry = expires_at(token)
    return expiry is not None and expiry < time.time() + _MARGIN_SECONDS


def expires_at(token: str) -> float | None:
    """When a token expires by its own `exp`, in seconds since the epoch; None where it does not tell."""
    try:
        payload = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
