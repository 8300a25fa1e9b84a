"""Which Xinference a command talks to: the one named, else the one of this machine."""

from __future__ import annotations

from biai_xinf import local
from biai_xinf.cli.output import progress, say
from biai_xinf.client import Client
from biai_xinf.credentials import load_credentials
from biai_xinf.endpoint import parse_endpoint
from biai_xinf.errors import XinferenceError
from biai_xinf.reach import DEFAULT_ENDPOINT, endpoint_of


def connect(given: str | None) -> Client:
    """A client for the endpoint given, else for the local Xinference, whether or not it answers."""
    return _client(endpoint_of(given))


def connect_or_start(given: str | None) -> Client:
    """As `connect`, but where no endpoint is given and none runs here, a local Xinference is started."""
    if given or (local.running() is None and _answers(DEFAULT_ENDPOINT)):
        return connect(given)
    if local.running() is None:
        say("no Xinference runs here; starting one, open to this machine only, without authentication")
    with progress("local Xinference") as report:
        service = local.start(report=report)
    say(f"Xinference runs at {service.endpoint}; `biai-xinf down` stops it")
    say()
    return _client(service.endpoint)


def _answers(endpoint: str) -> bool:
    try:
        with Client(endpoint) as client:
            client.auth_enabled()
    except XinferenceError:
        return False
    return True


def _client(endpoint: str) -> Client:
    endpoint = parse_endpoint(endpoint)
    return Client(endpoint, load_credentials(endpoint))
