"""`biai-xinf ui`: Xinference's own Web UI at the right page, and the operator page of our extension."""

from __future__ import annotations

import webbrowser
from urllib.parse import quote

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.launch import wanted
from biai_xinf.cli.output import say, show
from biai_xinf.client import Client
from biai_xinf.errors import NoExtension
from biai_xinf.execute import register
from biai_xinf.prefill import prefill
from biai_xinf.reconcile import prepare
from biai_xinf.state import Launch

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
@click.option("--prefill", "spec", metavar="SPEC", help="Fill in the launch form with the recipe of SPEC that fits.")
@click.option("--print", "only_print", is_flag=True, help="Print the address, open nothing.")
@click.pass_obj
def command(endpoint: str | None, page: str, model: str | None, spec: str | None, only_print: bool) -> None:
    """Open Xinference's Web UI at the right page, or the operator page.

    PAGE is running (the default), launch, custom (models of your own), cluster, keys (API keys), or operator: what
    serves each role and how well, where Xinference runs with the biai-xinf extension.

    With --prefill nothing is launched: the form on the page that opens holds what `biai-xinf launch SPEC` would send
    now, and its Deploy button sends it. What biai-xinf launched is in the forms already.
    """
    if spec is not None and (model is not None or page != "running"):
        raise click.UsageError("--prefill finds the page by itself")
    with connect(endpoint) as client:
        client.auth_enabled()
        if spec is not None:
            web_ui = client.ui_url(_fill_in(client, spec))
        else:
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


def _fill_in(client: Client, spec: str) -> str:
    """Put what would be launched now into the launch form of its model; the path of the page that has the form."""
    _, plan = prepare(client, wanted(spec, uid=None, recipe=None, upgrade=False))
    (change,) = plan.changes
    launch = change.launch
    if not isinstance(launch, Launch) or change.recipe is None:
        say(f"`{change.uid}` {change.reason}: its launch form was left as it is")
        return f"/running-model/{change.uid}"
    if launch.registration is not None:
        # The Web UI has a form for no other models than those it knows.
        register(client, launch)
    name = launch.body["model_name"]
    if not prefill(client, launch):
        say(f"Xinference starts `{launch.uid}` by itself, so its launch form was left as it is")
    else:
        say(f"the launch form of `{name}` holds recipe {change.recipe.name}; Launch on its card opens it")
    if launch.registration is not None:
        return f"/launch-model/custom?activeType={launch.model_type}"
    return f"/launch-model/{launch.model_type.lower()}"
