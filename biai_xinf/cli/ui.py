"""`biai-xinf ui`: Xinference's own Web UI at the right page."""

from __future__ import annotations

import webbrowser

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show

# Path routes of Xinference 4.1's Web UI; the `#` routes of older versions are gone.
PAGES = {
    "running": "/running-model",
    "launch": "/launch-model",
    "custom": "/launch-model/custom?activeType=LLM",
    "cluster": "/cluster-information",
    "keys": "/api-key-management",
}


@click.command("ui")
@click.argument("page", type=click.Choice(list(PAGES)), default="running", metavar="[PAGE]")
@click.option("--model", metavar="UID", help="The page of one running model.")
@click.option("--print", "only_print", is_flag=True, help="Print the address, open nothing.")
@click.pass_obj
def command(endpoint: str | None, page: str, model: str | None, only_print: bool) -> None:
    """Open Xinference's Web UI at the right page.

    PAGE is running (the default), launch, custom (models of your own), cluster, or keys (API keys).
    """
    with connect(endpoint) as client:
        client.auth_enabled()
        url = client.ui_url(f"/running-model/{model}" if model else PAGES[page])
    show(url)
    if not only_print and not webbrowser.open(url):
        say("no browser could be opened here; open the address above in one that reaches it")
