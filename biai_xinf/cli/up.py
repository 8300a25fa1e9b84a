"""`biai-xinf up`: a local Xinference in the background."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import asdict

import click

from biai_xinf import local, local_log, ports
from biai_xinf.cli.output import progress, say, show_json
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, save_credentials, saved_credentials
from biai_xinf.errors import LocalServiceFailed
from biai_xinf.local import LocalService


@click.command("up")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port of this machine to listen on.  [default: {local.DEFAULT_PORT}]",
)
@click.option("--auth", is_flag=True, help="Ask every client for a login or an API key.")
@click.option("--stock", is_flag=True, help="Xinference as it comes: without our extension and repairs.")
@click.option("--username", default="admin", show_default=True, help="With --auth: the first administrator.")
@click.option("--json", "as_json", is_flag=True, help="Print what was started as JSON.")
def command(port: int | None, auth: bool, stock: bool, username: str, as_json: bool) -> None:
    """Start a local Xinference in the background.

    It listens on this machine only and keeps running when the terminal closes; `biai-xinf down` stops it.
    With --auth the administrator's password is taken from BIAI_XINF_PASSWORD, or made up and shown once.
    """
    before = local.running()
    with progress("local Xinference") as report:
        service = local.start(port, auth=auth, stock=stock, report=report)
    login = _login(service, username) if service.auth else "off, whoever uses this machine may use it"
    if as_json:
        show_json({key: value for key, value in asdict(service).items() if key != "birth"})
        return
    already = "already runs" if before == service else "runs"
    say(f"Xinference {already} at {service.endpoint}, open to this machine only (pid {service.pid})")
    say(f"authentication: {login}")
    if service.stock:
        say("extension: off, it was started with --stock")
    say(f"log: {service.log}")
    say("next: `biai-xinf launch sql-coder`; `biai-xinf down` stops it")


def _login(service: LocalService, username: str) -> str:
    """See that there is an administrator, and say who is logged in and where that is kept."""
    if ports.needs_administrator(service.endpoint):
        return _create_administrator(service, username)
    saved = saved_credentials(service.endpoint)
    if saved and saved.username:
        return f"on, logged in as `{saved.username}`"
    return "on; set BIAI_XINF_USERNAME and BIAI_XINF_PASSWORD, or BIAI_XINF_API_KEY"


def _create_administrator(service: LocalService, username: str) -> str:
    token = local_log.find_setup_token(service.log)
    if token is None:
        what = f"Xinference needs an administrator, but its setup token is not in {service.log}"
        raise LocalServiceFailed(what, hint="run `biai-xinf down`, then `biai-xinf up --auth`")
    given = os.environ.get("BIAI_XINF_PASSWORD")
    if not given and not sys.stderr.isatty():
        raise LocalServiceFailed(
            f"Xinference runs at {service.endpoint}, but its administrator `{username}` needs a password",
            hint="set BIAI_XINF_PASSWORD and run `biai-xinf up --auth` again; a terminal is shown a new one",
        )
    password = given or secrets.token_urlsafe(15)
    with Client(service.endpoint) as client:
        client.setup_admin(token, username, password)
    if not given:
        # Nothing keeps it but the person: a saved login holds tokens, which end after a week unused.
        say(f"password of `{username}`, shown this once: {password}")
    with Client(service.endpoint, Credentials(username=username, password=password)) as client:
        file = save_credentials(client.endpoint, client.login())
    return f"on, logged in as `{username}`; the login is kept in {file}"
