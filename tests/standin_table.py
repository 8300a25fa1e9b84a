"""What each provider's server does, read from its documentation or code: the table that drives `tests/standins.py`.

Nothing here is derived from `biai_xinf/providers`. Where a server's behaviour could not be found out, its stand-in
does what OpenAI's own would, and `sources` says what was read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Body = dict[str, Any]
Form = Literal[
    "json_schema",  # response_format json_schema
    "json_object",  # response_format json_object
    "json_object_schema",  # response_format json_object with `schema`
    "json_object_text",  # the same with the schema as a string
    "json_object_value",  # response_format json_object with `value`
    "grammar",  # GBNF in these parameters:
    "ebnf",
    "grammar_string",
    "structured_outputs",
]
Page = Callable[[str, int], Any]


@dataclass(frozen=True)
class Refusal:
    """An answer to a parameter the server will not take; `body` where it is not its usual error shape."""

    status: int
    message: str
    body: Any = None


def openai_error(status: int, message: str) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": status}}


def openai_list(model: str, context: int) -> Any:
    return {"object": "list", "data": [{"id": model, "object": "model", "created": 1, "owned_by": "stand-in"}]}


def list_with_context(model: str, context: int) -> Any:
    """vLLM and its relatives tell the context with the model."""
    return {"object": "list", "data": [{"id": model, "object": "model", "max_model_len": context}]}


@dataclass(frozen=True)
class Behaviour:
    """One kind of server. `pages` are its GET routes; a form not in `honours` is silently ignored.

    `rejects` maps a parameter to its refusal: `n>1` is a value above one, `response_format.TYPE` that type of
    format, `stop=str` a string in place of a list, `*` anything that is not in `knows`. `usage` says when a stream
    ends with a usage event. `extra` is written between the events of a stream.
    """

    chat: str | None = "/v1/chat/completions"
    completions: str | None = "/v1/completions"
    responses: str | None = None
    embeddings: str | None = "/v1/embeddings"
    rerank: str | None = None
    pages: Mapping[str, Page] = field(default_factory=lambda: {"/v1/models": openai_list})
    rejects: Mapping[str, Refusal] = field(default_factory=dict)
    knows: frozenset[str] = frozenset()
    honours: frozenset[Form] = frozenset({"json_schema", "json_object"})
    error: Callable[[int, str], Any] = openai_error
    says_model: Callable[[str], str] = str
    checks_model: bool = False
    usage: Literal["asked", "always", "never"] = "asked"
    done: bool = True
    extra: bytes = b""
    stream_type: str = "text/event-stream"
    supports_n: bool = False
    logprobs: bool = False
    tools: bool = True
    key_headers: tuple[str, ...] = ()
    open_routes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def kind_of(self, path: str) -> str | None:
        """Which inference route a path is."""
        kinds = ("chat", "completions", "responses", "embeddings", "rerank")
        return next((kind for kind in kinds if getattr(self, kind) == path), None)

    def form(self, body: Body) -> Body | str | None:
        """The schema that the answer must fit, or the very text a grammar leads to; None where it is free."""
        chosen = body.get("response_format")
        if isinstance(chosen, dict) and (schema := self._schema(chosen)) is not None:
            return schema
        return self._by_grammar(body)

    def _schema(self, chosen: Body) -> Body | None:
        kind = chosen.get("type")
        if kind == "json_schema" and "json_schema" in self.honours:
            return dict(chosen["json_schema"]["schema"])
        if kind != "json_object":
            return None
        if isinstance(chosen.get("schema"), dict) and "json_object_schema" in self.honours:
            return dict(chosen["schema"])
        if isinstance(chosen.get("schema"), str) and "json_object_text" in self.honours:
            return dict(json.loads(chosen["schema"]))
        if isinstance(chosen.get("value"), dict) and "json_object_value" in self.honours:
            return dict(chosen["value"])
        return dict(_SOME_OBJECT) if "json_object" in self.honours else None

    def _by_grammar(self, body: Body) -> str | None:
        given = {name: body.get(name) for name in ("grammar", "ebnf", "grammar_string") if name in self.honours}
        if "structured_outputs" in self.honours and isinstance(body.get("structured_outputs"), dict):
            given["structured_outputs"] = body["structured_outputs"].get("grammar")
        for grammar in given.values():
            literal = re.search(r'root\s*::=\s*"([^"]+)"', grammar) if isinstance(grammar, str) else None
            if literal:
                return literal[1]
        return None


_SOME_OBJECT = {"type": "object", "properties": {"answer": {"type": "string"}}}


def _pages(*health: str, **others: Page) -> Mapping[str, Page]:
    """`/v1/models`, health routes, and routes written with `__` for `/`."""
    pages: dict[str, Page] = {"/v1/models": openai_list, **{path: lambda *_: {"status": "ok"} for path in health}}
    return pages | {"/" + name.replace("__", "/"): page for name, page in others.items()}


def _fastapi_error(status: int, message: str) -> Any:
    return {"detail": message}


def _ollama_list(model: str, context: int) -> Any:
    return {"object": "list", "data": [{"id": model, "object": "model", "created": 1, "owned_by": "library"}]}


_GITHUB = "https://github.com/"
_UNKNOWN_FIELD = Refusal(400, "Unrecognized request argument supplied")
_OPENAI = Behaviour(
    responses="/v1/responses",
    supports_n=True,
    logprobs=True,
    sources=("https://github.com/openai/openai-python/blob/main/src/openai/types/chat/completion_create_params.py",),
)
_VLLM = Behaviour(
    responses="/v1/responses",
    rerank="/v1/rerank",
    pages={**_pages("/health"), "/v1/models": list_with_context},
    rejects={"stream_options-without-stream": Refusal(400, "Stream options can only be defined when `stream=True`.")},
    honours=frozenset({"json_schema", "json_object", "structured_outputs"}),
    supports_n=True,
    logprobs=True,
    checks_model=True,
    open_routes=("/health",),
    sources=(
        _GITHUB + "vllm-project/vllm/blob/main/docs/serving/online_serving/README.md",
        _GITHUB + "vllm-project/vllm/blob/main/vllm/entrypoints/openai/chat_completion/protocol.py",
    ),
)

BEHAVIOURS: Mapping[str, Behaviour] = {
    "openai-compatible": replace(_OPENAI, rerank="/v1/rerank"),
    "openai": replace(_OPENAI, rejects={"chat_template_kwargs": _UNKNOWN_FIELD}),
    # The struct has no `n`, `tool_choice` or `max_completion_tokens`; unknown fields are ignored.
    "ollama": Behaviour(
        responses="/v1/responses",
        pages=_pages("/api/version") | {"/v1/models": _ollama_list, "/": lambda *_: "Ollama is running"},
        checks_model=True,
        logprobs=True,
        sources=(
            _GITHUB + "ollama/ollama/blob/main/openai/openai.go",
            _GITHUB + "ollama/ollama/blob/main/docs/api/openai-compatibility.mdx",
        ),
    ),
    "vllm": _VLLM,
    "aphrodite": replace(
        _VLLM,
        sources=(
            _GITHUB + "aphrodite-engine/aphrodite-engine/tree/main/aphrodite/entrypoints",
            _GITHUB + "aphrodite-engine/aphrodite-engine/blob/main/"
            "aphrodite/entrypoints/openai/chat_completion/protocol.py",
        ),
    ),
    "sglang": Behaviour(
        rerank="/v1/rerank",
        pages=_pages("/health"),
        honours=frozenset({"json_schema", "json_object", "ebnf"}),
        supports_n=True,
        logprobs=True,
        sources=(
            "https://docs.sglang.io/docs/advanced_features/structured_outputs.md",
            "https://docs.sglang.io/docs/basic_usage/native_api",
        ),
    ),
    # Only /health and the list of models are open to everyone; the model's id is a path without --alias.
    "llama.cpp": Behaviour(
        responses="/v1/responses",
        rerank="/v1/rerank",
        pages=_pages("/health", props=lambda _, context: {"default_generation_settings": {"n_ctx": context}}),
        honours=frozenset({"json_schema", "json_object", "json_object_schema", "grammar"}),
        supports_n=True,
        says_model=lambda model: f"models/{model}.gguf",
        logprobs=True,
        open_routes=("/health", "/v1/models"),
        key_headers=("x-api-key",),
        sources=(_GITHUB + "ggml-org/llama.cpp/blob/master/tools/server/README.md",),
    ),
    # pydantic refuses json_schema; `n` is taken and left out; streams carry no usage; errors of FastAPI.
    "llama-cpp-python": Behaviour(
        rejects={
            "response_format.json_schema": Refusal(
                422, "", {"detail": [{"loc": ["body", "response_format", "type"], "msg": "Input should be 'text'"}]}
            )
        },
        honours=frozenset({"json_object", "json_object_schema", "grammar"}),
        error=_fastapi_error,
        says_model=lambda model: f"/models/{model}.gguf",
        usage="never",
        logprobs=True,
        tools=False,
        sources=(
            _GITHUB + "abetlen/llama-cpp-python/blob/main/llama_cpp/server/types.py",
            _GITHUB + "abetlen/llama-cpp-python/blob/main/llama_cpp/server/app.py",
        ),
    ),
    # `{"error": "..."}` with a bare string.
    "lm-studio": Behaviour(
        responses="/v1/responses",
        pages=_pages(
            api__v0__models=lambda model, context: {"data": [{"id": model, "max_context_length": context}]},
        ),
        rejects={
            "response_format.json_object": Refusal(
                400, "", {"error": "'response_format.type' must be 'json_schema' or 'text'"}
            )
        },
        honours=frozenset({"json_schema"}),
        error=lambda status, message: {"error": message},
        sources=(
            _GITHUB + "lmstudio-ai/docs/blob/main/1_developer/3_openai-compat/structured-output.md",
            _GITHUB + "lmstudio-ai/lmstudio-bug-tracker/issues/189",
        ),
    ),
    "jan": Behaviour(
        completions=None,
        embeddings=None,
        sources=("https://jan.ai/docs/local-api", "https://jan.ai/docs/desktop/api-preference"),
    ),
    # Every parameter that is not taken care of is refused by name.
    "gpt4all": Behaviour(
        embeddings=None,
        rejects={"*": _UNKNOWN_FIELD, "stream": Refusal(400, "'stream' is not supported")},
        knows=frozenset(
            [
                "model",
                "messages",
                "prompt",
                "max_tokens",
                "n",
                "stream",
                "temperature",
                "top_p",
                "min_p",
                "user",
                "service_tier",
                "parallel_tool_calls",
                "echo",
            ]
        ),
        honours=frozenset(),
        tools=False,
        usage="never",
        supports_n=True,
        sources=(_GITHUB + "nomic-ai/gpt4all/blob/main/gpt4all-chat/src/server.cpp",),
    ),
    "localai": Behaviour(
        responses="/v1/responses",
        rerank="/v1/rerank",
        pages=_pages("/readyz", "/healthz"),
        honours=frozenset({"json_schema", "json_object", "grammar"}),
        key_headers=("x-api-key", "xi-api-key"),
        open_routes=("/readyz", "/healthz"),
        sources=(
            _GITHUB + "mudler/LocalAI/blob/master/core/http/endpoints/openai/chat.go",
            _GITHUB + "mudler/LocalAI/blob/master/docs/content/reference/api-errors.md",
            _GITHUB + "mudler/LocalAI/blob/master/docs/content/features/authentication.md",
        ),
    ),
    # Read in 1.76 of October 2024: later versions honour response_format as well.
    "koboldcpp": Behaviour(
        embeddings=None,
        pages=_pages(api__extra__true_max_context_length=lambda _, context: {"value": context}),
        honours=frozenset({"grammar"}),
        usage="never",
        sources=(_GITHUB + "LostRuins/koboldcpp/blob/concedo/koboldcpp.py",),
    ),
    # serde refuses a format without `value`, a string as `stop`, and an object as `logit_bias`.
    "tgi": Behaviour(
        embeddings=None,
        pages=_pages("/health", info=lambda model, context: {"model_id": model, "max_total_tokens": context}),
        rejects={
            "response_format.json_schema": Refusal(422, "missing field `value`"),
            "response_format-without-value": Refusal(422, "missing field `value`"),
            "response_format.text": Refusal(422, "unknown variant `text`"),
            "stop=str": Refusal(422, "invalid type: string, expected a sequence"),
            "logit_bias": Refusal(422, "invalid type: map, expected a sequence"),
        },
        honours=frozenset({"json_object_value"}),
        error=lambda status, message: {"error": message, "error_type": "validation"},
        logprobs=True,
        sources=(
            _GITHUB + "huggingface/text-generation-inference/blob/main/router/src/lib.rs",
            _GITHUB + "huggingface/text-generation-inference/blob/main/router/src/server.rs",
        ),
    ),
    # `json_object` is no type it knows, and ignored; pings go through streams.
    "tabbyapi": Behaviour(
        pages=_pages("/health", v1__model=lambda model, context: {"id": model, "parameters": {"max_seq_len": context}}),
        honours=frozenset({"json_schema", "grammar_string"}),
        error=_fastapi_error,
        extra=b": ping - 2026-11-22 12:00:00\r\n\r\n",
        supports_n=True,
        logprobs=True,
        key_headers=("x-api-key",),
        open_routes=("/health",),
        sources=(
            _GITHUB + "theroyallab/tabbyAPI/blob/main/endpoints/OAI/router.py",
            _GITHUB + "theroyallab/tabbyAPI/blob/main/backends/exllamav3/grammar.py",
        ),
    ),
    "tensorrt-llm": Behaviour(
        responses="/v1/responses",
        pages=_pages("/health"),
        rejects={"*": Refusal(400, "Extra inputs are not permitted")},
        knows=frozenset(
            [
                "model",
                "messages",
                "prompt",
                "input",
                "frequency_penalty",
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "max_completion_tokens",
                "max_tokens",
                "n",
                "presence_penalty",
                "response_format",
                "seed",
                "stop",
                "stream",
                "stream_options",
                "temperature",
                "top_p",
                "tools",
                "tool_choice",
                "user",
                "top_k",
                "min_p",
                "repetition_penalty",
                "chat_template_kwargs",
                "encoding_format",
                "dimensions",
            ]
        ),
        error=lambda status, message: {"object": "error", "message": message, "type": "BadRequestError", "code": 400},
        supports_n=True,
        logprobs=True,
        sources=(_GITHUB + "NVIDIA/TensorRT-LLM/blob/main/tensorrt_llm/serve/openai_protocol.py",),
    ),
    "mlc-llm": Behaviour(
        rejects={"response_format.json_schema": Refusal(422, "Input should be 'text' or 'json_object'")},
        honours=frozenset({"json_object", "json_object_text"}),
        supports_n=True,
        logprobs=True,
        sources=(_GITHUB + "mlc-ai/mlc-llm/blob/main/python/mlc_llm/protocol/openai_api_protocol.py",),
    ),
    "openllm": Behaviour(
        completions=None,
        embeddings=None,
        sources=(_GITHUB + "bentoml/OpenLLM/blob/main/README.md",),
    ),
    "ray-serve-llm": Behaviour(
        supports_n=True,
        logprobs=True,
        sources=("https://docs.ray.io/en/latest/serve/llm/serving-llms.html",),
    ),
    "llama-swap": Behaviour(
        responses="/v1/responses",
        rerank="/v1/rerank",
        pages=_pages("/health"),
        honours=frozenset({"json_schema", "json_object", "grammar"}),
        checks_model=True,
        logprobs=True,
        key_headers=("x-api-key",),
        open_routes=("/health",),
        sources=(_GITHUB + "mostlygeek/llama-swap/blob/main/README.md",),
    ),
    "onnx": Behaviour(
        completions=None,
        responses="/v1/responses",
        pages=_pages("/status"),
        checks_model=True,
        sources=(
            _GITHUB + "microsoft/Foundry-Local/blob/main/sdk_v2/cpp/src/service/web_service.cc",
            _GITHUB + "microsoft/Foundry-Local/blob/main/sdk_v2/cpp/src/contracts/chat_completions.h",
        ),
    ),
    # No `response_format` in the request's struct: ignored.
    "candle": Behaviour(
        completions=None,
        pages={"/v1/models": list_with_context},
        honours=frozenset(),
        logprobs=True,
        sources=(_GITHUB + "EricLBuehler/candle-vllm/blob/master/src/openai/requests.rs",),
    ),
    "mistral.rs": Behaviour(
        responses="/v1/responses",
        pages=_pages("/health"),
        rejects={
            "response_format.json_object": Refusal(422, "`json_object` is not accepted"),
            "grammar": Refusal(422, "invalid type: string, expected internally tagged enum Grammar"),
        },
        honours=frozenset({"json_schema"}),
        usage="never",
        extra=b": keep-alive\n\n",
        supports_n=True,
        logprobs=True,
        sources=(
            _GITHUB + "EricLBuehler/mistral.rs/blob/master/docs/src/content/docs/reference/openai-compatibility.md",
        ),
    ),
    # A Flask script that knows a handful of parameters, and no list of models.
    "powerinfer": Behaviour(
        embeddings=None,
        pages={},
        honours=frozenset(),
        says_model=lambda model: "LLaMA_CPP",
        usage="never",
        tools=False,
        sources=(_GITHUB + "SJTU-IPADS/PowerInfer/blob/main/examples/server/api_like_OAI.py",),
    ),
    # With its llama.cpp engine, as recorded from 4.1.0.
    "xinference": Behaviour(
        responses="/v1/responses",
        rerank="/v1/rerank",
        pages={"/v1/models": openai_list, "/v1/cluster/auth": lambda *_: {"auth": False}},
        honours=frozenset({"json_schema"}),
        error=_fastapi_error,
        says_model=lambda model: f"/root/.xinference/cache/{model}.gguf",
        checks_model=True,
        logprobs=True,
        open_routes=("/v1/cluster/auth",),
        sources=(_GITHUB + "xorbitsai/inference/blob/main/xinference/api/restful_api.py",),
    ),
    "litellm": Behaviour(
        responses="/v1/responses",
        rerank="/v1/rerank",
        pages=_pages("/health/liveliness"),
        checks_model=True,
        supports_n=True,
        logprobs=True,
        open_routes=("/health/liveliness",),
        sources=("https://docs.litellm.ai/docs/proxy/health", "https://docs.litellm.ai/docs/supported_endpoints"),
    ),
}
