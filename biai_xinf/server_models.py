"""Which models a server says it runs: asked from here, before it becomes an upstream."""

from __future__ import annotations

import os
from typing import Any

import requests

from biai_xinf.endpoint import proxies_to
from biai_xinf.providers import Provider

_PATIENCE_S = 3.0


def models_of(provider: Provider, url: str, key_env: str | None) -> list[str] | str:
    """The names in the server's list of models, or the reason why there is no such list to be had from here."""
    if provider.routes.models is None:
        return f"{provider.title} has no list of models"
    headers = provider.auth.headers(os.environ.get(key_env) if key_env else None)
    with requests.Session() as session:
        # The environment is read here instead: `requests` would send a login of ~/.netrc.
        session.trust_env = False
        session.proxies.update(proxies_to(url))
        try:
            answer = session.get(
                url + provider.routes.models, headers=headers, timeout=_PATIENCE_S, allow_redirects=False
            )
            names = _names(answer.json()) if answer.ok else None
        except requests.exceptions.JSONDecodeError:
            return f"`{url}` answers, but lists no models"
        except requests.RequestException:
            return f"nothing answers at `{url}` from here"
    if answer.status_code in (401, 403):
        return f"`{url}` asks for a key (status {answer.status_code})"
    return f"`{url}` answers, but lists no models (status {answer.status_code})" if names is None else names


def lists(names: list[str], model: str) -> bool:
    """Whether a model is among those names; Ollama leaves `:latest` out where a person does."""
    return model in names or f"{model}:latest" in names


def _names(answer: Any) -> list[str] | None:
    entries = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        return None
    return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and "id" in entry]
