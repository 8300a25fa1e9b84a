"""Who we are at an Xinference: an API key, a user, or the tokens of a saved login; never shown or logged."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biai_xinf.endpoint import parse_endpoint
from biai_xinf.errors import AuthFailed, BadFile
from biai_xinf.home import home
from biai_xinf.replacing import replacing

_SAVED = ("api_key", "username", "access_token", "refresh_token")


@dataclass(frozen=True, repr=False)
class Credentials:
    """An `api_key`; or `username` and `password`; or the tokens of a saved login, named by `username`."""

    api_key: str | None = None
    username: str | None = None
    password: str | None = None
    access_token: str | None = None
    refresh_token: str | None = None

    def __post_init__(self) -> None:
        for name in ("api_key", "access_token", "refresh_token"):
            secret = getattr(self, name)
            if secret is not None and not _FIT_FOR_A_HEADER.fullmatch(secret):
                raise AuthFailed(f"the {name.replace('_', ' ')} is empty or holds blanks or odd characters")
        if (self.password is None) != (self.username is None or self.has_tokens):
            raise AuthFailed("a username and a password are needed, one is missing", hint=HINT)
        if not (self.api_key or self.password is not None or self.has_tokens):
            raise AuthFailed("these credentials are empty", hint=HINT)

    @property
    def has_tokens(self) -> bool:
        return bool(self.access_token or self.refresh_token)

    def __repr__(self) -> str:
        if self.api_key:
            return "Credentials(api_key=...)"
        kind = "saved login" if self.has_tokens else "password"
        return f"Credentials({kind} of {self.username or 'unknown user'})"


# Anything else would make `requests` fail with the whole header, and so the secret, in its message.
_FIT_FOR_A_HEADER = re.compile(r"[!-~]+")

HINT = "set BIAI_XINF_API_KEY, or BIAI_XINF_USERNAME and BIAI_XINF_PASSWORD, or run `biai-xinf login`"


def load_credentials(endpoint: str, environ: Mapping[str, str] | None = None) -> Credentials | None:
    """From the environment (an API key before a user), else the login saved for this endpoint, else None."""
    return from_environment(environ) or saved_credentials(endpoint, environ)


def from_environment(environ: Mapping[str, str] | None = None) -> Credentials | None:
    """From `BIAI_XINF_API_KEY`, else `BIAI_XINF_USERNAME` with `BIAI_XINF_PASSWORD`; empty is not set."""
    environ = os.environ if environ is None else environ
    if api_key := environ.get("BIAI_XINF_API_KEY", "").strip():
        return Credentials(api_key=api_key)
    username, password = environ.get("BIAI_XINF_USERNAME") or None, environ.get("BIAI_XINF_PASSWORD") or None
    if username is None and password is None:
        return None
    return Credentials(username=username, password=password)


def saved_credentials(endpoint: str, environ: Mapping[str, str] | None = None) -> Credentials | None:
    """The login saved for this endpoint; BadFile if the file was damaged."""
    file = credentials_file(environ)
    entry = _read(file).get(parse_endpoint(endpoint))
    if entry is None:
        return None
    try:
        return Credentials(**{name: entry.get(name) for name in _SAVED})
    except AuthFailed as error:
        raise BadFile(f"{file}: {endpoint}: {error.message}", hint="run `biai-xinf login` again") from None


def save_credentials(endpoint: str, credentials: Credentials, environ: Mapping[str, str] | None = None) -> Path:
    """Keep a login for this endpoint; a password is never written, so log in first and save the tokens."""
    if credentials.password is not None:
        raise ValueError("a password is not saved; save the tokens that Client.login() returns")
    file = credentials_file(environ)
    entry = {name: value for name in _SAVED if (value := getattr(credentials, name)) is not None}
    _write(file, {**_read(file), parse_endpoint(endpoint): entry})
    return file


def forget_credentials(endpoint: str, environ: Mapping[str, str] | None = None) -> bool:
    """Remove the login saved for this endpoint; False if there was none."""
    file, endpoint = credentials_file(environ), parse_endpoint(endpoint)
    entries = _read(file)
    if endpoint not in entries:
        return False
    _write(file, {key: value for key, value in entries.items() if key != endpoint})
    return True


def credentials_file(environ: Mapping[str, str] | None = None) -> Path:
    """`credentials.json` in `BIAI_XINF_HOME`, by default `~/.biai-xinf`."""
    return home(environ) / "credentials.json"


def _read(file: Path) -> dict[str, dict[str, str]]:
    """Every saved entry. Messages name the file only: what is wrong with a line could quote a secret."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError):
        entries = None
    if not isinstance(entries, dict) or not all(_is_entry(entry) for entry in entries.values()):
        raise BadFile(f"{file}: cannot be read as saved logins", hint="delete it and run `biai-xinf login` again")
    return entries


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values())


def _write(file: Path, entries: Mapping[str, Mapping[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with replacing(file) as stream:
        stream.write(json.dumps(entries, indent=2).encode())
