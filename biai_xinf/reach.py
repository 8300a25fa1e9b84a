"""Which Xinference is meant, and who we are there."""

from __future__ import annotations

import os

from biai_xinf import local
from biai_xinf.clusterfile import ClusterFile
from biai_xinf.credentials import Credentials, load_credentials
from biai_xinf.endpoint import parse_endpoint
from biai_xinf.errors import AuthFailed

DEFAULT_ENDPOINT = f"http://127.0.0.1:{local.DEFAULT_PORT}"


def endpoint_of(given: str | None) -> str:
    """The endpoint given, else that of the local Xinference, whether or not it runs."""
    if given:
        return parse_endpoint(given)
    service = local.running()
    return service.endpoint if service else DEFAULT_ENDPOINT


def credentials_of(file: ClusterFile) -> Credentials | None:
    """What the variables hold that a cluster file names; where it names none, what is known of its endpoint."""
    if file.auth is None:
        return load_credentials(file.endpoint)
    named = {key: name for key, name in file.auth.model_dump().items() if name is not None}
    unset = [name for name in named.values() if not os.environ.get(name)]
    if unset:
        hint = "the cluster file takes the login from there; a saved login is used where it names none"
        raise AuthFailed(f"not set in the environment: {', '.join(f'`{name}`' for name in unset)}", hint=hint)
    return Credentials(**{key: os.environ[name] for key, name in named.items()})
