"""Writes docs/providers.md from the providers' files: `python tools/provider_table.py > docs/providers.md`."""

from __future__ import annotations

from collections.abc import Iterable

from biai_xinf.providers import NOT_SERVERS, Provider, load_providers

HEAD = """\
# Providers

Written by `tools/provider_table.py` from `biai_xinf/providers/*.yaml`; a test keeps it current.

A *provider* is a kind of server that can be an upstream. What is known of each stands in one YAML file, every fact
with its source; `biai-xinf upstream providers NAME` prints it, and `biai-xinf upstream check URL --provider NAME`
asks a real server. What could not be confirmed is left empty here, and then a request goes to that server as the
client wrote it. `openai-compatible` is the provider of every server that is not listed.
"""

FORMS = """\
## How a schema is sent

Clients ask for a schema as OpenAI's API says, in `response_format.json_schema.schema`. A server gets it in the form it
honours; one that honours none refuses the request with 400 instead of answering without the schema.

| form | `response_format` |
|---|---|
| `json_schema` | `{"type": "json_schema", "json_schema": {"name": ..., "schema": {...}}}` |
| `json_object_schema` | `{"type": "json_object", "schema": {...}}` |
| `json_object_text` | `{"type": "json_object", "schema": "..."}`, the schema as a string |
| `json_object_value` | `{"type": "json_object", "value": {...}}` |
| `none` | refused |
"""


def page() -> str:
    """The whole page."""
    providers = list(load_providers().values())
    routes = _table(
        ["provider", "usually at", "completions", "responses", "embeddings", "rerank", "health", "key"],
        ([_link(p), _code(p.default_url), *_routes(p), _code(p.health or p.routes.models), _key(p)] for p in providers),
    )
    forms = _table(
        ["provider", "schema", "json_object", "usage in streams", "`n`", "never sent", "no effect", "sent as"],
        ([_code(p.name), _code(p.structured_output), *_facts(p), *_parameters(p)] for p in providers),
    )
    quirks = [line for provider in providers for line in _quirks(provider)]
    instead = [f"- {library}: {why}" for library, why in NOT_SERVERS.items()]
    parts = [
        HEAD,
        "## Where they are, and what they serve\n",
        "Every one serves chat at `/v1/chat/completions`.\n",
        routes,
        "## What they make of a request\n",
        forms,
        FORMS,
        "## Quirks, and when models are loaded\n",
        *quirks,
        "## No servers\n",
        "\n".join(instead) + "\n",
    ]
    return "\n".join(parts)


def _table(headings: list[str], rows: Iterable[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _routes(provider: Provider) -> list[str]:
    others = ("completions", "responses", "embeddings", "rerank")
    return ["yes" if getattr(provider.routes, kind) else "" for kind in others]


def _facts(provider: Provider) -> list[str]:
    facts = (provider.json_object, provider.stream_usage, provider.supports_n)
    return ["" if fact is None else ("yes" if fact else "no") for fact in facts]


def _parameters(provider: Provider) -> list[str]:
    renames = [f"`{ours}` as `{its}`" for ours, its in provider.renames.items()]
    lists = [f"`{name}` as a list" for name in provider.lists]
    return [_codes(provider.rejects), _codes(provider.ignores), ", ".join([*renames, *lists])]


def _quirks(provider: Provider) -> list[str]:
    said = [f"- {line}" for line in ([provider.loading] if provider.loading else []) + provider.quirks]
    said += [f"- Seen on {run.on} with {run.version}: {run.showed}" for run in provider.verified]
    return [f"### {provider.title}\n", provider.about, "", *said, ""] if said else []


def _link(provider: Provider) -> str:
    return f"[`{provider.name}`]({provider.homepage})"


def _key(provider: Provider) -> str:
    return "required" if provider.auth.required else ""


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def _codes(names: Iterable[str]) -> str:
    return ", ".join(map(_code, names))


if __name__ == "__main__":
    print(page(), end="")
