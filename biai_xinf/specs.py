"""Model specs: what the catalogue knows of each model, one YAML file per model, checked at the edge.

A spec says which model a role needs, which recipes launch it (best first), how its prompts are written and how
its readiness is judged. People write these files, so unknown keys are errors and every error names its line.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    TypeAdapter,
    model_validator,
)

from biai_xinf.gguf_file import Pooling
from biai_xinf.strict import Strict
from biai_xinf.units import parse_size
from biai_xinf.upstreams import UpstreamServer

Engine = Literal["vLLM", "SGLang", "llama.cpp", "Transformers", "MLX", "sentence_transformers", "flag", "vllm"]
ModelFormat = Literal["pytorch", "ggufv2", "gptq", "awq", "fp4", "fp8", "bnb", "mlx"]
Dialect = Literal["sqlite", "postgres", "oracle", "duckdb", "mysql", "tsql"]
# `databases.styles` writes each of these: CREATE statements, the same with example values, XiYan's M-Schema.
SchemaStyle = Literal["ddl", "ddl-examples", "m-schema"]
# Alone or in a code block; in the last code block; in the last code block after the reasoning.
AnswerForm = Literal["anywhere", "fenced", "after-thinking"]
ModelType = Literal["LLM", "embedding", "rerank"]

Size = Annotated[
    int,
    BeforeValidator(lambda value: parse_size(value) if isinstance(value, str) else value),
    Field(ge=0, json_schema_extra={"type": "string", "examples": ["24GiB", "500MB"]}),
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100)]
OllamaTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)?$")]


class Requires(Strict):
    """What one replica needs on one worker. `vram` counts per GPU, `memory` is the worker's RAM.

    Both are estimated from the model's shape where they are left out (`needs`).
    """

    gpus: int = Field(0, ge=0)
    vram: Size | None = None
    memory: Size | None = None
    compute_capability: str | None = Field(
        None, pattern=r"^\d+\.\d+$", description="the lowest its GPUs may have, such as 8.9"
    )
    context: int | None = Field(None, gt=0, description="tokens one request may hold, prompt and answer")
    parallel: int | None = Field(None, gt=0, description="requests served at once")

    @model_validator(mode="after")
    def _only_gpus_have_vram(self) -> Requires:
        for name in ("vram", "compute_capability"):
            if getattr(self, name) is not None and not self.gpus:
                raise ValueError(f"`{name}` is a GPU's: say with `gpus` how many")
        return self


class ModelChoice(Strict):
    """Which weights to load, in Xinference's own terms."""

    model_name: str
    model_format: ModelFormat
    model_size_in_billions: int | str | None = None
    quantization: str


class PublishedWeights(Strict):
    """The weights published of one model size: per format and quantization, the bytes of the files.

    A size that is not known to us is left empty, and estimated from the shape.
    """

    model_name: str
    model_size_in_billions: int | str | None = None
    shape: Name = Field(description="its architecture, a file of `shapes/`")
    context: int | None = Field(None, gt=0, description="tokens it was trained for")
    formats: dict[ModelFormat, dict[str, Size | None]] = Field(min_length=1)


class Verified(Strict):
    """One run of ours that worked: where, when, and what it showed."""

    hardware: str
    xinference: str
    on: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    accuracy: str | None = None
    tokens_per_second: float | None = None
    peak_memory: Size | None = None


class Unsupported(Strict):
    """One run of ours that failed, with the error seen."""

    hardware: str
    xinference: str
    on: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    error: str


class _Recipe(Strict):
    name: Name
    demonstration: bool = Field(False, description="only shows that everything works; a cluster file has to name it")
    dialects: list[Dialect] | None = Field(
        None, min_length=1, description="what it writes, where that is less than the prompt's `dialects`"
    )
    verified: list[Verified] = Field([])
    unsupported: list[Unsupported] = Field([])


class EngineRecipe(_Recipe):
    """One way to launch the model on a worker."""

    requires: Requires
    model: ModelChoice
    engine: Engine
    engine_options: dict[str, Any] = Field({})
    registration: str | None = Field(None, description="Xinference v2 JSON, relative to this file")
    model_path: str | None = Field(
        None, description="weights that need no download: absolute on the worker, or relative to this file"
    )

    @property
    def ships_with_us(self) -> bool:
        """Whether the weights lie beside the spec file, so only workers of this machine can read them."""
        return self.model_path is not None and not _is_absolute(self.model_path)


class UpstreamRecipe(_Recipe):
    """A server that runs the model already: nothing is launched, the endpoint's extension relays to it.

    Of `requires` only `context` counts: the memory is the server's own.
    """

    upstream: UpstreamServer
    requires: Requires = Requires()


def _kind_of_recipe(value: object) -> str:
    if isinstance(value, UpstreamRecipe) or (isinstance(value, dict) and "upstream" in value):
        return "an upstream recipe"
    return "an engine recipe"


# The tags are no field names, so that an error's place is told as it stands in the file (`yamlfile`).
Recipe = Annotated[
    Annotated[EngineRecipe, Tag("an engine recipe")] | Annotated[UpstreamRecipe, Tag("an upstream recipe")],
    Discriminator(_kind_of_recipe),
]


class Prompt(Strict):
    """How questions are put to a SQL model, and how its SQL is taken from what it answers.

    `{dialect}`, `{schema}`, `{question}` and `{evidence}` (hints for one question, or nothing) are filled in.
    """

    dialects: list[Dialect] = Field(min_length=1)
    schema_as: SchemaStyle = Field("ddl", description="how the schema is written: as the model was trained to read it")
    system: str | None = None
    user: str = "{question}"
    stop: list[str] = Field([])
    answer: AnswerForm = Field("anywhere", description="where in the answer its SQL stands")

    @model_validator(mode="after")
    def _question_is_asked(self) -> Prompt:
        if "{question}" not in self.user:
            raise ValueError("`user` must contain `{question}`")
        return self


class CanaryQuestion(Strict):
    """A question, and SQL whose rows are the right answer."""

    question: str
    sql: str


class SqlProbe(Strict):
    """Ready when the SQL written for these questions returns the right rows on the demo database."""

    database: Literal["demo"] = "demo"
    questions: list[CanaryQuestion] = Field(min_length=1)


class EmbeddingProbe(Strict):
    """Ready when vectors have the right dimension and `similar` texts are nearer (cosine) than `different` ones."""

    dimensions: int = Field(gt=0)
    similar: tuple[str, str]
    different: tuple[str, str]
    margin: float = Field(0.05, ge=0, le=2)


class RerankProbe(Strict):
    """Ready when the first document is ranked first."""

    query: str
    documents: list[str] = Field(min_length=2)


class ChatProbe(Strict):
    """Ready when the answer to `message` contains one of `expect`, whatever the case."""

    message: str
    expect: list[str] = Field(min_length=1)


class _Spec(Strict):
    # Xinference's name for what a role runs on.
    model_type: ClassVar[ModelType]

    name: Name
    description: str
    license: str
    languages: list[str] = Field([])
    aliases: list[Name] = Field([])
    ollama_tags: list[OllamaTag] = Field([], description="names an Ollama client may use for it")
    weights: list[PublishedWeights] = Field([], description="what its recipes choose from")
    recipes: list[Recipe] = Field(min_length=1)
    defaults: dict[str, Any] = Field({}, description="request parameters used where the client sends none")

    @model_validator(mode="after")
    def _recipes_have_their_own_names(self) -> _Spec:
        names = [recipe.name for recipe in self.recipes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two recipes are named `{twice[0]}`")
        return self

    def published(self, model: ModelChoice) -> PublishedWeights | None:
        """What is published of the size that a recipe chose, if the spec says."""
        return next(
            (
                weights
                for weights in self.weights
                if weights.model_name == model.model_name
                and str(weights.model_size_in_billions) == str(model.model_size_in_billions)
            ),
            None,
        )

    @model_validator(mode="after")
    def _memory_can_be_told(self) -> _Spec:
        for recipe in self.recipes:
            if not isinstance(recipe, EngineRecipe):
                continue
            choice, published = recipe.model, self.published(recipe.model)
            if published is None:
                # What lies beside the spec is read.
                if recipe.requires.gpus and recipe.requires.vram is None and not recipe.ships_with_us:
                    raise ValueError(f"recipe `{recipe.name}` needs `vram`, or its weights and shape under `weights`")
            elif choice.quantization not in published.formats.get(choice.model_format, {}):
                raise ValueError(
                    f"recipe `{recipe.name}` loads {choice.model_format} {choice.quantization}, "
                    "which `weights` does not list"
                )
        return self


class SqlSpec(_Spec):
    """A model that writes SQL."""

    model_type: ClassVar[ModelType] = "LLM"
    role: Literal["sql"]
    prompt: Prompt
    probe: SqlProbe

    @model_validator(mode="after")
    def _recipes_write_what_the_prompt_asks_for(self) -> SqlSpec:
        for recipe in self.recipes:
            unasked = sorted({*(recipe.dialects or ())} - {*self.prompt.dialects})
            if unasked:
                raise ValueError(f"recipe `{recipe.name}` writes {unasked[0]}, which the prompt's `dialects` leave out")
        return self


class ChatSpec(_Spec):
    """A model that writes prose for people."""

    model_type: ClassVar[ModelType] = "LLM"
    role: Literal["narrator", "chat"]
    probe: ChatProbe


class EmbeddingSpec(_Spec):
    """A model that turns text into vectors; some want queries and documents marked by a prefix."""

    model_type: ClassVar[ModelType] = "embedding"
    role: Literal["embedding"]
    pooling: Pooling | None = Field(None, description="how a text's vector is made of those of its tokens")
    query_prefix: str = ""
    document_prefix: str = ""
    probe: EmbeddingProbe


class RerankSpec(_Spec):
    """A model that orders documents by how well they answer a query."""

    model_type: ClassVar[ModelType] = "rerank"
    role: Literal["rerank"]
    probe: RerankProbe


ModelSpec = Annotated[SqlSpec | ChatSpec | EmbeddingSpec | RerankSpec, Field(discriminator="role")]
MODEL_SPEC: TypeAdapter[SqlSpec | ChatSpec | EmbeddingSpec | RerankSpec] = TypeAdapter(ModelSpec)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **MODEL_SPEC.json_schema()}


def _is_absolute(path: str) -> bool:
    # A worker may run another operating system than we do.
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute() or Path(path).is_absolute()
