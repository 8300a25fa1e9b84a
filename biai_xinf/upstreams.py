"""Upstreams: models that other OpenAI-compatible servers run, served under a name of ours.

People write these in specs and on the command line, and the extension keeps them; so they are strict values that
know nothing of how they are reached.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from biai_xinf.strict import Strict

Role = Literal["sql", "narrator", "chat", "embedding", "rerank"]
# What Xinference accepts as a model uid, minus what would not survive in a URL path.
Uid = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=100)]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"`{value}` is no http:// or https:// address")
    if parts.username or parts.password:
        raise ValueError("keep secrets out of the URL: `key_env` names the variable that holds the key")
    if parts.query or parts.fragment:
        raise ValueError(f"`{value}` has a query or fragment; give the server's base address")
    return value.rstrip("/")


class UpstreamServer(Strict):
    """One server that runs the model: what it is, where, and the model's name there.

    `url` is the provider's base address (without `/v1`, which the provider's own routes add). `key_env` names an
    environment variable of the supervisor's processes; the key itself is never stored.
    """

    provider: str
    url: Annotated[str, AfterValidator(_http_url)]
    model: str = Field(min_length=1)
    key_env: EnvironmentName | None = None
    weight: int = Field(1, ge=1, le=1000)


class Upstream(Strict):
    """A model under our name: the servers that run it, and what takes over when none of them can.

    Requests go to the server with the fewest in flight for its `weight`. `patience_s` is how long one server may
    take to begin its answer before the next is tried, `deadline_s` how long the client waits for that in all.
    """

    name: Uid
    role: Role = "chat"
    servers: list[UpstreamServer] = Field(min_length=1)
    fallback: list[Uid] = []
    patience_s: float = Field(60.0, gt=0)
    deadline_s: float = Field(300.0, gt=0)
    context: int | None = Field(None, gt=0, description="tokens one request may hold, prompt and answer")
    defaults: dict[str, Any] = Field({}, description="request parameters used where the client sends none")

    @model_validator(mode="after")
    def _falls_back_on_others(self) -> Upstream:
        if self.name in self.fallback:
            raise ValueError(f"`{self.name}` cannot fall back on itself")
        urls = [(server.url, server.model) for server in self.servers]
        if len(set(urls)) != len(urls):
            raise ValueError("two servers have the same `url` and `model`")
        return self

    @property
    def model_type(self) -> Literal["LLM", "embedding", "rerank"]:
        """Xinference's name for what the role runs on."""
        return self.role if self.role in ("embedding", "rerank") else "LLM"


class ServedModel(Strict):
    """What we know of a model that Xinference itself runs: told to the extension by `launch` once it is proven.

    `tags` are names an Ollama client may use for it. `context` is what one request may hold, in tokens, as it was
    launched; None where that is not told. `checks` are the probe's questions and how they went.
    """

    uid: Uid
    spec: str
    recipe: str
    role: Role
    aliases: list[str] = []
    tags: list[str] = []
    context: int | None = Field(None, gt=0)
    defaults: dict[str, Any] = {}
    verified_at: str | None = Field(None, description="UTC, ISO 8601")
    checks: list[dict[str, Any]] = []
