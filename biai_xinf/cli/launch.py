"""`biai-xinf launch`: from nothing to a model that is proved to answer right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from biai_xinf import local, local_log
from biai_xinf.catalogue import Entry, find, load_catalogue
from biai_xinf.cli.connect import connect_or_start
from biai_xinf.cli.output import progress, say, show, show_json
from biai_xinf.cli.render import plan_text
from biai_xinf.client import Client
from biai_xinf.errors import LaunchFailed
from biai_xinf.plan import Action
from biai_xinf.reconcile import Outcome, carry_out, prepare
from biai_xinf.state import Desired, DesiredModel


def wanted(name: str, uid: str | None, recipe: str | None, upgrade: bool) -> Desired:
    """The desired state of `launch` and `plan`: one model."""
    entry = find(load_catalogue(), name)
    recipes = None if recipe is None else (entry.recipe(recipe).name,)
    want = DesiredModel(uid or entry.spec.name, entry, recipes, upgrade, allow_demonstration=True)
    return Desired(models=(want,))


@click.command("launch")
@click.argument("name", metavar="SPEC")
@click.option("--uid", help="Name it is asked under; the spec's own unless given.")
@click.option("--recipe", metavar="NAME", help="Take this recipe and no other.")
@click.option("--upgrade", is_flag=True, help="Replace what runs under the uid if a better recipe fits.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(endpoint: str | None, name: str, uid: str | None, recipe: str | None, upgrade: bool, as_json: bool) -> None:
    """Launch a model, check that it answers right, and say how to use it.

    SPEC is a name or alias from `biai-xinf specs list`. Without a cluster (`--endpoint`), a local Xinference is
    started. A model that runs already is checked and kept.
    """
    desired = wanted(name, uid, recipe, upgrade)
    with connect_or_start(endpoint) as client:
        _, plan = prepare(client, desired)
        say(plan_text(plan))
        say()
        with engine_words(client):
            (outcome,) = carry_out(client, plan, desired, lambda change: progress(change.uid))
            if outcome.error is not None:
                raise outcome.error
        if outcome.warning:
            say(f"warning: {outcome.warning}")
        (want,) = desired.models
        if as_json:
            show_json(as_data(client, want.entry, outcome))
        else:
            say(_success(outcome))
            say()
            show(how_to_use(client, want.entry, outcome.change.uid))


@contextmanager
def engine_words(client: Client) -> Iterator[None]:
    """Where the log of the Xinference is ours to read, a launch that failed tells what the engine itself said."""
    service = local.running()
    log = service.log if service and service.endpoint == client.endpoint else None
    since = local_log.size(log) if log else 0
    try:
        yield
    except LaunchFailed as error:
        said = local_log.engine_errors(log, since) if log else []
        raise LaunchFailed(error.message, details=[*error.details, *said], hint=error.hint) from error


def _success(outcome: Outcome) -> str:
    change, checks = outcome.change, len(outcome.checks)
    kept = change.action is Action.KEEP and not change.pending
    loaded = "ran already" if kept else f"loaded in {outcome.load_s:.1f} s"
    return f"`{change.uid}` is ready: {loaded}, {checks} of {checks} checks answered right in {outcome.verify_s:.1f} s"


def as_data(client: Client, entry: Entry, outcome: Outcome) -> dict[str, object]:
    """The result of a launch for machines."""
    change = outcome.change
    return {
        "uid": change.uid,
        "spec": entry.spec.name,
        "recipe": change.recipe.name if change.recipe else None,
        "action": change.action.name.lower(),
        "base_url": f"{client.endpoint}/v1",
        "load_seconds": round(outcome.load_s, 3),
        "verify_seconds": round(outcome.verify_s, 3),
        "checks": len(outcome.checks),
    }


def how_to_use(client: Client, entry: Entry, uid: str) -> str:
    """Base URL, curl, five lines of Python, and what to type next."""
    base_url = f"{client.endpoint}/v1"
    path, body, call = _request(entry, uid)
    # With authentication on a key is needed; off, any will do.
    header = " -H 'Authorization: Bearer '$BIAI_XINF_API_KEY" if client.auth_enabled() else ""
    key = 'os.environ["BIAI_XINF_API_KEY"]' if header else '"none"'
    python = ["import os", ""] if header else []
    python += [
        "from openai import OpenAI",
        "",
        f'client = OpenAI(base_url="{base_url}", api_key={key})',
        *call,
    ]
    lines = [
        f"OpenAI base URL   {base_url}   (model `{uid}`)",
        "",
        f"curl {base_url}/{path}{header} -H 'Content-Type: application/json' \\",
        f"  -d '{body}'",
        "",
        *python,
    ]
    if header:
        lines += ["", "an API key is made on the page that `biai-xinf ui keys` opens"]
    if entry.spec.role == "sql":
        lines += [
            "",
            f'next: biai-xinf ask "How many orders were cancelled in 2024?" --db demo{_options(entry, uid)}',
        ]
    return "\n".join(lines)


def _options(entry: Entry, uid: str) -> str:
    return "" if uid == entry.spec.name else f" --model {uid}"


def _request(entry: Entry, uid: str) -> tuple[str, str, list[str]]:
    if entry.spec.role == "embedding":
        body = f'{{"model": "{uid}", "input": ["cancelled orders"]}}'
        call = [f'answer = client.embeddings.create(model="{uid}", input=["cancelled orders"])']
        return "embeddings", body, [*call, "print(answer.data[0].embedding)"]
    if entry.spec.role == "rerank":
        body = f'{{"model": "{uid}", "query": "orders", "documents": ["table orders", "table products"]}}'
        # The OpenAI client has no method for it.
        arguments = f'"/rerank", body={body}, cast_to=object'
        return "rerank", body, [f"print(client.post({arguments}))"]
    question = "How many customers are there?"
    messages = f'[{{"role": "user", "content": "{question}"}}]'
    body = f'{{"model": "{uid}", "temperature": 0, "messages": {messages}}}'
    call = [
        f"messages = {messages}",
        f'answer = client.chat.completions.create(model="{uid}", temperature=0, messages=messages)',
        "print(answer.choices[0].message.content)",
    ]
    return "chat/completions", body, call
