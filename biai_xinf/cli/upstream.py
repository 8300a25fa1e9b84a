"""`biai-xinf upstream`: models that other servers run, under the same endpoint; what such servers are and can do."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from biai_xinf.capability import Finding, Kind, Target, check, models_listed
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import progress, say, show, show_json, table
from biai_xinf.cli.upstreams import add, list_, remove
from biai_xinf.client import Client
from biai_xinf.credentials import load_credentials
from biai_xinf.errors import UnknownName, UpstreamFailed
from biai_xinf.providers import GENERIC, NOT_SERVERS, Provider, find_provider, load_providers
from biai_xinf.server_request import Server

_KINDS: dict[str, Kind] = {"LLM": "LLM", "embedding": "embedding", "rerank": "rerank"}


@click.group("upstream")
def command() -> None:
    """Serve models of other servers (Ollama, vLLM, LM Studio, ...) at the same endpoint."""


command.add_command(add)
command.add_command(list_)
command.add_command(remove)


@command.command("providers")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known as JSON.")
def providers(name: str | None, as_json: bool) -> None:
    """List the kinds of servers that can be upstreams, or show what is known of one."""
    if name is not None:
        _show_provider(find_provider(name), as_json)
        return
    known = load_providers().values()
    if as_json:
        show_json([provider.model_dump(mode="json") for provider in known])
        return
    rows = [[provider.name, provider.default_url or "-", provider.about] for provider in known]
    show(table(["PROVIDER", "USUALLY AT", "WHAT IT IS"], rows))
    say()
    for library, instead in NOT_SERVERS.items():
        say(f"{library} is none: {instead}")
    say()
    say("next: biai-xinf upstream providers NAME")


@command.command("check")
@click.argument("server", metavar="URL_OR_NAME")
@click.option("--provider", metavar="NAME", help="What kind of server it is; nothing is assumed unless given.")
@click.option("--model", help="The model to ask for; the only one there is unless given.")
@click.option("--key-env", metavar="VAR", help="Variable of this shell's environment that holds the server's key.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def check_server(
    endpoint: str | None, server: str, provider: str | None, model: str | None, key_env: str | None, as_json: bool
) -> None:
    """Ask a server, or a model that is served at the endpoint, what it can do; judged by its answers.

    An address is asked directly, as the relay would ask it. A name is asked through the supervisor.
    """
    if server.startswith(("http://", "https://")):
        target = _direct(server, find_provider(provider or GENERIC), model, key_env)
    elif provider or model or key_env:
        raise click.UsageError("--provider, --model and --key-env go with an address, not with the name of a model")
    else:
        target = _served(endpoint, server)
    with progress(target.model) as report:
        findings = check(target, lambda name: report(None, name))
    if as_json:
        show_json([vars(finding) for finding in findings])
        return
    rows = [[finding.capability, finding.verdict, finding.evidence] for finding in findings]
    show(table(["CAPABILITY", "VERDICT", "SHOWN BY"], rows))
    say()
    say(_summary(target, findings))
    if provider is None and server.startswith("http"):
        say("next: say what kind of server it is with --provider, and it is asked the way it wants")


def _direct(url: str, provider: Provider, model: str | None, key_env: str | None) -> Target:
    server = Server(url.rstrip("/").removesuffix(provider.api_base), provider.auth.headers(_key(key_env)))
    if model is None:
        names = models_listed(server, provider)
        if len(names) != 1:
            have = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "none at all"
            raise UpstreamFailed(f"`{server.url}` lists {len(names)} models", hint=f"--model picks one of: {have}")
        model = names[0]
    return Target(server, provider, model)


def _key(key_env: str | None) -> str | None:
    if key_env is None:
        return None
    if not os.environ.get(key_env):
        raise click.UsageError(f"--key-env: the variable `{key_env}` is not set here")
    return os.environ[key_env]


def _served(endpoint: str | None, name: str) -> Target:
    """The model of that name at the endpoint, asked as any client of the endpoint asks it."""
    with connect(endpoint) as client:
        found = next((model for model in client.models() if model.id == name), None)
        if found is None:
            raise UnknownName(f"`{client.endpoint}` serves no `{name}`", hint="`biai-xinf status` shows what it serves")
        server = Server(client.endpoint, _authorization(client))
    return Target(server, find_provider(GENERIC), name, _KINDS.get(found.model_type or ""))


def _authorization(client: Client) -> dict[str, str]:
    if not client.auth_enabled():
        return {}
    # Read again: the client may have renewed the saved login when it listed the models.
    credentials = load_credentials(client.endpoint)
    if credentials is not None and credentials.password is not None:
        credentials = client.login()
    token = credentials and (credentials.api_key or credentials.access_token)
    return {"authorization": f"Bearer {token}"} if token else {}


def _summary(target: Target, findings: Sequence[Finding]) -> str:
    can = [finding.capability for finding in findings if finding.verdict == "yes"]
    pretends = [finding.capability for finding in findings if finding.verdict == "ignored"]
    said = f"`{target.model}` can {len(can)} of {len(findings)}"
    return said + (f"; it takes and ignores {', '.join(pretends)}" if pretends else "")


def _show_provider(provider: Provider, as_json: bool) -> None:
    if as_json:
        show_json(provider.model_dump(mode="json"))
        return
    show(f"{provider.title}  ({provider.homepage})")
    show(provider.about)
    show()
    for name, fact in _facts(provider):
        show(f"{name:<18}{fact}")
    show()
    for quirk in provider.quirks:
        show(f"- {quirk}")
    for run in provider.verified:
        show(f"- seen on {run.on} with {run.version}: {run.showed}")
    show()
    for source in provider.sources:
        show(f"source: {source.url} ({', '.join(source.facts)}; seen {source.seen})")
    say()
    say(f"next: biai-xinf upstream check URL --provider {provider.name}")


def _facts(provider: Provider) -> list[tuple[str, str]]:
    """What is known, one by one; nothing for what could not be confirmed."""
    routes = ", ".join(f"{kind} {path}" for kind, path in provider.routes if path is not None)
    key = f"{provider.auth.header}: {provider.auth.scheme} KEY".strip()
    renames = ", ".join(f"{ours} as {its}" for ours, its in provider.renames.items())
    told = {
        "usually at": provider.default_url,
        "routes": routes,
        "lives if": f"GET {provider.health}" if provider.health else None,
        "key": f"{key}, required" if provider.auth.required else key,
        "never sent": ", ".join(provider.rejects),
        "no effect": ", ".join(provider.ignores),
        "sent as": renames,
        "sent as a list": ", ".join(provider.lists),
        "JSON schema": provider.structured_output,
        "json_object": _yes_no(provider.json_object),
        "usage in streams": _yes_no(provider.stream_usage),
        "several choices": _yes_no(provider.supports_n),
        "context": f"`{provider.context.field}` of {provider.context.path}" if provider.context else None,
        "loading": provider.loading,
    }
    return [(name, fact) for name, fact in told.items() if fact]


def _yes_no(fact: bool | None) -> str | None:
    return None if fact is None else ("yes" if fact else "no")
