"""`biai-xinf login`: log in once; the tokens are kept, the password is not."""

from __future__ import annotations

import os

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, save_credentials


@click.command("login")
@click.option("--username", prompt=True, envvar="BIAI_XINF_USERNAME", help="Who you are at that Xinference.")
@click.pass_obj
def command(endpoint: str | None, username: str) -> None:
    """Log in to an Xinference that asks for it, and keep the login for later commands.

    The password is taken from BIAI_XINF_PASSWORD, or asked for.
    """
    password = os.environ.get("BIAI_XINF_PASSWORD") or click.prompt("Password", hide_input=True, err=True)
    with connect(endpoint) as found:
        url = found.endpoint
    with Client(url, Credentials(username=username, password=password)) as client:
        file = save_credentials(url, client.login())
    say(f"logged in to {url} as `{username}`; the login is kept in {file}")
