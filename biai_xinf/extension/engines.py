"""What each engine honours of a request when asked through Xinference 4.1.0: read in its source, for llama.cpp seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from biai_xinf.extension.errors import ApiError, bad_request
from biai_xinf.upstreams import ServedModel


class Engine(NamedTuple):
    """What an engine honours; everything else it ignores without a word.

    `schema`: a JSON schema for the answer. `any_object`: `{"type": "json_object"}`, where others need a schema for
    that. `guided`: `guided_regex`, `guided_choice` and `guided_grammar`, and on completions `guided_json`.
    `forced_tools`: a `tool_choice` of `required` or of a function. `tools_and_schema`: both in one request.
    """

    schema: bool = False
    any_object: bool = False
    guided: bool = False
    forced_tools: bool = False
    tools_and_schema: bool = True
    repetition_penalty: bool = True


LLAMA_CPP = "llama.cpp"
TRANSFORMERS = "transformers"
_ENGINES: Mapping[str, Engine] = {
    LLAMA_CPP: Engine(schema=True, tools_and_schema=False, repetition_penalty=False),
    "vllm": Engine(schema=True, any_object=True, guided=True),
    "sglang": Engine(schema=True, any_object=True),
    "mlx": Engine(schema=True, any_object=True, forced_tools=True),
    TRANSFORMERS: Engine(),
    "trt-llm": Engine(),
}
# An engine we know nothing of: what most honour is passed on.
_UNKNOWN = Engine(schema=True, any_object=True)


@dataclass(frozen=True)
class NativeModel:
    """A model that Xinference runs. `context` in tokens; `defaults` are used where the client sends nothing.

    `tool_calls` says whether Xinference's handler lets it have tools; None leaves that to the handler.
    """

    uid: str
    model_type: str = "LLM"
    engine: str | None = None
    context: int | None = None
    dimensions: int | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    tool_calls: bool | None = None

    @classmethod
    def of(cls, uid: str, entry: Mapping[str, Any], served: ServedModel | None = None) -> NativeModel:
        """The model of an entry of Xinference's list, and of what we know of it."""
        return cls(
            uid,
            str(entry.get("model_type") or "LLM"),
            entry.get("model_engine"),
            context_of(entry, served),
            _count(entry.get("dimensions")),
            served.defaults if served else {},
        )

    @property
    def runs_on(self) -> str:
        """The engine's name as it is compared."""
        return (self.engine or "").lower()

    @property
    def honours(self) -> Engine:
        """What its engine honours."""
        return _ENGINES.get(self.runs_on, _UNKNOWN)

    def ignores(self, name: str, hint: str = "") -> ApiError:
        """400: the engine would ignore what the client wants."""
        message = f"`{name}` is ignored by the engine of `{self.uid}`, {self.engine or 'an unknown one'}{hint}"
        return bad_request(message, param=name, code="unsupported_parameter")


def context_of(entry: Mapping[str, Any], served: ServedModel | None) -> int | None:
    """Tokens that one request may hold: as it was launched where that was told, for Xinference tells its family's.

    Of embedding models and rerankers Xinference tells it as `max_tokens`.
    """
    launched = served.context if served else None
    return launched or _count(entry.get("context_length")) or _count(entry.get("max_tokens"))


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
