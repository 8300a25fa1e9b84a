"""`biai-xinf init`: the first administrator of a cluster, and the key that applications use."""

from __future__ import annotations

import os
from pathlib import Path

import click

from biai_xinf import clusterfile
from biai_xinf.cli.output import say, show
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, from_environment, save_credentials, saved_credentials
from biai_xinf.reach import endpoint_of


@click.command("init")
@click.option("--username", default="admin", show_default=True, envvar="BIAI_XINF_USERNAME", help="The administrator.")
@click.option("--setup-token", metavar="TOKEN", help="From the supervisor's log, `Setup token`; asked for otherwise.")
@click.option(
    "--key-for",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Make an API key that may ask the models of this cluster file, and nothing else.",
)
@click.pass_obj
def command(endpoint: str | None, username: str, setup_token: str | None, file: Path | None) -> None:
    """Make the first administrator of a cluster, log in, and make the API key of an application.

    The password is taken from BIAI_XINF_PASSWORD, or asked for. The login is kept for later commands, the password and
    the key are not: the key is printed to stdout, once.
    """
    url = endpoint_of(endpoint or (clusterfile.load(file).endpoint if file else None))
    with Client(url) as client:
        if not client.auth_enabled():
            say(f"{url} asks nobody for a login: there is nothing to set up")
            return
        needed = client.needs_setup()
    if needed:
        _set_up(url, username, setup_token)
    if file:
        _make_key(url, file)
    say(f"next: biai-xinf --endpoint {url} status")


def _set_up(url: str, username: str, setup_token: str | None) -> None:
    token = setup_token or click.prompt("Setup token, from the supervisor's log", err=True)
    password = os.environ.get("BIAI_XINF_PASSWORD") or click.prompt(
        f"New password of {username}", hide_input=True, confirmation_prompt=True, err=True
    )
    with Client(url) as client:
        client.setup_admin(token, username, password)
    with Client(url, Credentials(username=username, password=password)) as client:
        file = save_credentials(url, client.login())
    say(f"`{username}` is the administrator of {url}; the login is kept in {file}")


def _make_key(url: str, file: Path) -> None:
    uids = [model.served_as for model in clusterfile.load(file).models]
    # An API key in the environment is an application's: it may not make others.
    login = saved_credentials(url) or from_environment({**os.environ, "BIAI_XINF_API_KEY": ""})
    with Client(url, login) as client:
        key = client.create_api_key(f"application of {file.stem}", models=uids)
    say(f"an API key for {', '.join(uids)}; it is shown this once:")
    show(key.key)
