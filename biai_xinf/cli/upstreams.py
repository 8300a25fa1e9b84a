"""`biai-xinf upstream add|list|remove`: which other servers the endpoint answers for."""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Iterable
from typing import Any, get_args

import click
from pydantic import ValidationError

from biai_xinf import wire
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.client import Client
from biai_xinf.errors import NotFound, UnknownName
from biai_xinf.providers import Provider, find_provider
from biai_xinf.server_models import lists, models_of
from biai_xinf.upstreams import Role, Upstream, UpstreamServer

# The endpoint looks at a new server within seconds; whoever added it wants to hear of it.
_HEALTH_PATIENCE_S = 3.0
_POLL_S = 0.3


@click.command("add")
@click.argument("name")
@click.option("--provider", required=True, metavar="NAME", help="What kind of server: `biai-xinf upstream providers`.")
@click.option("--url", help="The server's address, as the supervisor reaches it; the provider's default unless given.")
@click.option("--model", help="The model's name on the server; NAME unless given.")
@click.option("--key-env", metavar="VAR", help="Variable of the supervisor's environment that holds the server's key.")
@click.option("--role", type=click.Choice(get_args(Role)), help="What it is for; `chat` unless given.")
@click.option("--weight", type=int, default=1, show_default=True, help="Its share among the servers of NAME.")
@click.option("--fallback", metavar="MODEL", multiple=True, help="Model that answers where no server of NAME does.")
@click.option("--context", type=int, metavar="TOKENS", help="What one request may hold, prompt and answer.")
@click.option("--patience", type=float, metavar="S", help="Seconds a server has to begin its answer.")
@click.option("--deadline", type=float, metavar="S", help="Seconds until a client is told that nobody answers.")
@click.pass_obj
def add(
    endpoint: str | None,
    name: str,
    provider: str,
    url: str | None,
    model: str | None,
    key_env: str | None,
    role: str | None,
    weight: int,
    fallback: tuple[str, ...],
    context: int | None,
    patience: float | None,
    deadline: float | None,
) -> None:
    """Serve a model of another server as NAME, at the same endpoint as all others.

    A NAME that is served already gets one more server, or, where the server is known too, that server's new settings.
    """
    kind = find_provider(provider)
    asked = {"role": role, "context": context, "patience_s": patience, "deadline_s": deadline}
    changes: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    if fallback:
        changes["fallback"] = list(fallback)
    # An address that is none is refused here, before anything is asked of it.
    draft = _server(kind, url, model or name, key_env, weight)
    with connect(endpoint) as client:
        before = _find(client, name)
        server = _server(kind, draft.url, _model(kind, draft, name, model), key_env, weight)
        client.put_upstream(_merged(name, before, server, changes))
        say(_what_was_done(name, before, server))
        say()
        show(table(_HEADINGS, _rows([_settled(client, name)])))
    say()
    say(f"next: biai-xinf upstream check {name}")


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was told as JSON.")
@click.pass_obj
def list_(endpoint: str | None, as_json: bool) -> None:
    """List the upstreams, their servers and the health of each."""
    with connect(endpoint) as client:
        upstreams = client.upstreams()
    if as_json:
        show_json([upstream.model_dump(mode="json") for upstream in upstreams])
        return
    if upstreams:
        show(table(_HEADINGS, _rows(upstreams)))
        say()
    say(_what_is_true_now(upstreams, client.endpoint))


@click.command("remove")
@click.argument("name")
@click.option("--server", metavar="URL", help="Take only this server out; with its last one NAME goes too.")
@click.pass_obj
def remove(endpoint: str | None, name: str, server: str | None) -> None:
    """Serve NAME no longer; the servers themselves are left alone."""
    with connect(endpoint) as client:
        upstream = _find(client, name)
        if upstream is None:
            raise _unknown(name, client)
        left = [] if server is None else _without(upstream, server.rstrip("/"))
        if left:
            client.put_upstream(_with(_as_put(upstream), servers=left))
            say(f"`{name}` is served without `{server}`; {_servers(len(left))} left")
            return
        client.remove_upstream(name)
        # What `launch` proved of it, where it came from a spec.
        with contextlib.suppress(NotFound):
            client.forget_served_model(name)
    say(f"`{name}` is served no longer" + ("" if server is None else f": `{server}` was its last server"))


def _server(provider: Provider, url: str | None, model: str, key_env: str | None, weight: int) -> UpstreamServer:
    url = url or provider.default_url
    if url is None:
        raise click.UsageError(f"`{provider.name}` has no usual address: --url says where the server is")
    base = url.rstrip("/").removesuffix(provider.api_base)
    written = {"provider": provider.name, "url": base, "model": model, "key_env": key_env, "weight": weight}
    try:
        return UpstreamServer.model_validate(written)
    except ValidationError as error:
        raise _usage(error) from error


def _model(provider: Provider, draft: UpstreamServer, name: str, given: str | None) -> str:
    """The model's name on the server: what was given, else NAME, else the only one there is."""
    listed = models_of(provider, draft.url, draft.key_env)
    if isinstance(listed, str):
        say(f"warning: {listed}, so whether it runs `{draft.model}` is not known; the supervisor may reach it")
        return draft.model
    if lists(listed, draft.model):
        return draft.model
    if given is None and len(listed) == 1:
        say(f"`{draft.url}` runs one model, `{listed[0]}`: that is what `{name}` will be")
        return listed[0]
    have = ", ".join(f"`{model}`" for model in listed[:8]) + (", ..." if len(listed) > 8 else "")
    others = f"--model picks one of {have}" if listed else "it lists nothing at all"
    say(f"warning: `{draft.url}` does not list `{draft.model}`; {others}")
    return draft.model


def _merged(name: str, before: wire.Upstream | None, server: UpstreamServer, changes: dict[str, Any]) -> Upstream:
    """The upstream with this server and these settings; what was not named stays as it was."""
    if before is None:
        return _strict({"name": name, "servers": [server], **changes})
    upstream = _as_put(before)
    servers = [server if _is_same(old, server) else old for old in upstream.servers]
    return _with(upstream, **changes, servers=servers if server in servers else [*servers, server])


def _as_put(upstream: wire.Upstream) -> Upstream:
    """What the endpoint told, as it can be put again."""
    return _strict(upstream.model_dump(exclude={"health"}, exclude_none=True))


def _with(upstream: Upstream, **changes: Any) -> Upstream:
    return _strict({**dict(upstream), **changes})


def _strict(written: dict[str, Any]) -> Upstream:
    try:
        return Upstream.model_validate(written)
    except ValidationError as error:
        raise _usage(error) from error


def _is_same(one: UpstreamServer | wire.UpstreamServer, other: UpstreamServer) -> bool:
    return (one.url, one.model) == (other.url, other.model)


def _without(upstream: wire.Upstream, url: str) -> list[UpstreamServer]:
    servers = _as_put(upstream).servers
    left = [server for server in servers if server.url != url]
    if len(left) == len(servers):
        have = ", ".join(f"`{address}`" for address in dict.fromkeys(server.url for server in servers))
        raise UnknownName(f"`{upstream.name}` has no server at `{url}`", hint=f"it has {have}")
    return left


def _find(client: Client, name: str) -> wire.Upstream | None:
    return next((upstream for upstream in client.upstreams() if upstream.name == name), None)


def _settled(client: Client, name: str) -> wire.Upstream:
    """The upstream once the endpoint has looked at its servers, or has had the time to."""
    deadline = time.monotonic() + _HEALTH_PATIENCE_S
    while True:
        upstream = _find(client, name)
        if upstream is None:
            raise UnknownName(f"`{name}` was removed meanwhile, by somebody else")
        states = [upstream.health_of(server).state for server in upstream.servers]
        if "unknown" not in states or time.monotonic() > deadline:
            return upstream
        time.sleep(_POLL_S)


_HEADINGS = ["UPSTREAM", "ROLE", "PROVIDER", "SERVER", "MODEL", "WEIGHT", "STATE", "FALLBACK"]


def _rows(upstreams: Iterable[wire.Upstream]) -> list[list[str]]:
    """One row per server."""
    return [
        [
            upstream.name,
            upstream.role or "-",
            server.provider,
            server.url,
            server.model,
            str(server.weight),
            _state(upstream.health_of(server)),
            ", ".join(upstream.fallback) or "-",
        ]
        for upstream in upstreams
        for server in upstream.servers
    ]


def _state(health: wire.ServerHealth) -> str:
    return f"{health.state}: {health.reason}" if health.reason and health.state != "ok" else health.state


def _what_was_done(name: str, before: wire.Upstream | None, server: UpstreamServer) -> str:
    where = f"`{server.model}` at {server.url} ({server.provider})"
    if before is None:
        return f"`{name}` is served: {where}"
    if any(_is_same(old, server) for old in before.servers):
        return f"`{name}` was served by {where} already; its settings are replaced"
    return f"`{name}` got one more server, {_servers(len(before.servers) + 1)} in all: {where}"


def _what_is_true_now(upstreams: list[wire.Upstream], endpoint: str) -> str:
    if not upstreams:
        return f"no upstream is served at {endpoint}; next: biai-xinf upstream add NAME --provider P --url URL"
    states = [upstream.health_of(server).state for upstream in upstreams for server in upstream.servers]
    failing = states.count("failing")
    served = f"{len(upstreams)} upstream{'s' * (len(upstreams) > 1)} at {endpoint}, {_servers(len(states))}"
    return served + (f", {failing} failing; next: biai-xinf upstream check NAME" if failing else "")


def _servers(count: int) -> str:
    return f"{count} server{'s' * (count != 1)}"


def _unknown(name: str, client: Client) -> UnknownName:
    close = difflib.get_close_matches(name, [upstream.name for upstream in client.upstreams()])
    meant = f"did you mean `{close[0]}`? " if close else ""
    return UnknownName(f"no upstream is named `{name}`", hint=f"{meant}`biai-xinf upstream list` shows them all")


_OPTIONS = {"key_env": "--key-env", "patience_s": "--patience", "deadline_s": "--deadline", "name": "NAME"}


def _usage(error: ValidationError) -> click.UsageError:
    # What was written is not repeated: in place of a variable's name it may be the key itself.
    problem = error.errors(include_input=False, include_url=False)[0]
    field = next((str(part) for part in reversed(problem["loc"]) if isinstance(part, str)), "")
    if field == "key_env":
        return click.UsageError("--key-env: give the name of the variable that holds the key, not the key")
    option = _OPTIONS.get(field, f"--{field}" if field else "")
    message = problem["msg"].removeprefix("Value error, ")
    return click.UsageError(f"{option}: {message}" if option else message)
