"""`biai-xinf ui`: Xinference's own Web UI at the right page, and the operator page of our extension."""

from __future__ import annotations

import webbrowser
from urllib.parse import quote

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show
from biai_xinf.errors import NoExtension

# Path routes of Xinference 4.1's Web UI; the `#` routes of older versions are gone.
PAGES = {
    "running": "/running-model",
    "launch": "/launch-model",
    "custom": "/launch-model/custom?activeType=LLM",
    "cluster": "/cluster-information",
    "keys": "/api-key-management",
}
OPERATOR, OPERATOR_PATH = "operator", "/biai"


@click.command("ui")
@click.argument("page", type=click.Choice([*PAGES, OPERATOR]), default="running", metavar="[PAGE]")
@click.option("--model", metavar="UID", help="The page of one running model.")
@click.option("--print", "only_print", is_flag=True, help="Print the address, open nothing.")
@click.pass_obj
def command(endpoint: str | None, page: str, model: str | None, only_print: bool) -> None:
    """Open Xinference's Web UI at the right page, or the operator page.

    PAGE is running (the default), launch, custom (models of your own), cluster, keys (API keys), or operator: what
    serves each role and how well, where Xinference runs with the biai-xinf extension.
    """
    with connect(endpoint) as client:
        client.auth_enabled()
        web_ui = client.ui_url(f"/running-model/{model}" if model else PAGES.get(page, PAGES["running"]))
        operator = client.ui_url(f"{OPERATOR_PATH}#model-{quote(model, safe='')}" if model else OPERATOR_PATH)
        has_operator = client.extension() is not None
        if page == OPERATOR and not has_operator:
            hint = "`biai-xinf up` starts a local one with it; `biai-xinf doctor` says what a cluster lacks"
            raise NoExtension(
                f"`{client.endpoint}` runs without the biai-xinf extension, whose page this is", hint=hint
            )
    url, other = (operator, f"Web UI: {web_ui}") if page == OPERATOR else (web_ui, f"operator page: {operator}")
    show(url)
    if has_operator:
        say(other)
    if not only_print and not webbrowser.open(url):
        say("no browser could be opened here; open the address above in one that reaches it")
