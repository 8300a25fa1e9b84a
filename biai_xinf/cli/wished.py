"""What `plan` and `apply` were asked for: one spec by its name, or a whole cluster file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from biai_xinf import clusterfile
from biai_xinf.catalogue import load_catalogue
from biai_xinf.cli.connect import connect
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, load_credentials
from biai_xinf.errors import AuthFailed
from biai_xinf.state import Desired


def is_file(name: str) -> bool:
    """Whether a person who wrote `name` meant a file; specs' names hold neither."""
    return name.endswith((".yaml", ".yml", ".json")) or "/" in name or os.sep in name


def from_file(path: Path, prune: bool) -> tuple[clusterfile.ClusterFile, Desired]:
    """The cluster file and the desired state it asks for; BadFile says where it is wrong."""
    file = clusterfile.load(path)
    desired = clusterfile.desired(path, file, load_catalogue())
    return file, replace(desired, prune=prune or file.unmanaged == "prune")


def connect_to(file: clusterfile.ClusterFile, given: str | None) -> Client:
    """A client for the file's cluster, or for the endpoint given instead."""
    if given:
        return connect(given)
    return Client(file.endpoint, _credentials(file))


def _credentials(file: clusterfile.ClusterFile) -> Credentials | None:
    if file.auth is None:
        return load_credentials(file.endpoint)
    named = {key: name for key, name in file.auth.model_dump().items() if name is not None}
    unset = [name for name in named.values() if not os.environ.get(name)]
    if unset:
        hint = "the cluster file takes the login from there; a saved login is used where it names none"
        raise AuthFailed(f"not set in the environment: {', '.join(f'`{name}`' for name in unset)}", hint=hint)
    return Credentials(**{key: os.environ[name] for key, name in named.items()})
