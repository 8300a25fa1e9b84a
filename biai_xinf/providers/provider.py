"""What is known of one kind of model server: the strict shape of a provider's file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from biai_xinf.strict import Strict

# How a server wants a JSON schema, by where the schema goes:
#   json_schema         response_format: {type: json_schema, json_schema: {name: ..., schema: {...}}}  (OpenAI's)
#   json_object_schema  response_format: {type: json_object, schema: {...}}
#   json_object_text    response_format: {type: json_object, schema: "..."}, the schema as a string
#   json_object_value   response_format: {type: json_object, value: {...}}
#   none                nowhere: it answers as if no format had been asked for, or refuses
StructuredOutput = Literal["json_schema", "json_object_schema", "json_object_text", "json_object_value", "none"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
RoutePath = Annotated[str, StringConstraints(pattern=r"^/\S*$")]
Parameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]

# The provider of any OpenAI-compatible server: a convention, which needs no source.
GENERIC = "openai-compatible"


class Routes(Strict):
    """Paths below the server's URL; None where it has no such route, or none is confirmed."""

    chat: RoutePath | None = None
    completions: RoutePath | None = None
    responses: RoutePath | None = None
    embeddings: RoutePath | None = None
    rerank: RoutePath | None = None
    models: RoutePath | None = None


class Auth(Strict):
    """How a key is sent, and whether the server as installed refuses to work without one."""

    header: str = "authorization"
    scheme: str = "Bearer"
    required: bool = False

    def headers(self, key: str | None) -> dict[str, str]:
        """The header that carries `key`; none without a key."""
        return {self.header: f"{self.scheme} {key}".strip()} if key else {}


class ContextFact(Strict):
    """Where the server tells how many tokens one request may hold: a GET path and a field of its answer.

    Where the answer lists models in `data`, the field is one of the model's own entry.
    """

    path: RoutePath
    field: Parameter


class Source(Strict):
    """Where facts were read: fields of this file, the page, and the day it was read."""

    facts: list[str] = Field(min_length=1)
    url: HttpUrl
    seen: Day


class Verified(Strict):
    """One run of ours against the real server: its version, the day, what it showed, and the facts that rest on it."""

    version: str
    on: Day
    showed: str
    facts: list[str] = Field([])


class Provider(Strict):
    """One kind of server. Whatever a file states from `default_url` on must be named by a source or a run."""

    name: Name
    title: str
    homepage: HttpUrl
    about: str = Field(description="one sentence: what it is")
    default_url: HttpUrl | None = None
    api_base: RoutePath = Field("/v1", description="where its OpenAI routes start")
    routes: Routes
    health: RoutePath | None = Field(None, description="GET path that says it lives; without it, `routes.models`")
    auth: Auth = Auth()
    rejects: list[Parameter] = Field([], description="request parameters it refuses or misreads: never sent")
    ignores: list[Parameter] = Field([], description="request parameters that have no effect there: sent, and said")
    renames: dict[Parameter, Parameter] = Field({}, description="ours -> its; a dot leads into an object")
    lists: list[Parameter] = Field([], description="parameters it takes as a list, and not as a single value")
    structured_output: StructuredOutput | None = Field(None, description="how it wants a JSON schema")
    json_object: bool | None = Field(None, description="whether it honours `response_format` json_object")
    stream_usage: bool | None = Field(None, description="whether it honours stream_options.include_usage")
    supports_n: bool | None = Field(None, description="whether `n` gives that many choices")
    context: ContextFact | None = None
    loading: str | None = Field(None, description="when it loads and unloads models")
    quirks: list[str] = Field([])
    sources: list[Source] = Field([])
    verified: list[Verified] = Field([])

    @model_validator(mode="after")
    def _every_fact_has_a_source(self) -> Provider:
        proofs: list[Source | Verified] = [*self.sources, *self.verified]
        sourced = {fact for proof in proofs for fact in proof.facts}
        if unknown := sorted(sourced - set(FACTS)):
            raise ValueError(f"a source names `{unknown[0]}`, which is no fact; facts are {', '.join(FACTS)}")
        unsourced = [fact for fact in FACTS if fact in self.model_fields_set and fact not in sourced]
        if unsourced and self.name != GENERIC:
            raise ValueError(f"no source names `{unsourced[0]}`")
        return self


FACTS = (
    "default_url",
    "api_base",
    "routes",
    "health",
    "auth",
    "rejects",
    "ignores",
    "renames",
    "lists",
    "structured_output",
    "json_object",
    "stream_usage",
    "supports_n",
    "context",
    "loading",
    "quirks",
)
