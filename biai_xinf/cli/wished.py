"""What `plan` and `apply` were asked for: one spec by its name, or a whole cluster file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from biai_xinf import clusterfile
from biai_xinf.catalogue import load_catalogue
from biai_xinf.cli.connect import connect
from biai_xinf.client import Client
from biai_xinf.reach import credentials_of
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
    return Client(file.endpoint, credentials_of(file))
