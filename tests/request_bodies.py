"""Request bodies as hypothesis makes them: good ones, good ones with something wrong, and anything at all."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from biai_xinf.extension.checking import ROUTES, Route

PATHS: dict[Route, str] = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "rerank": "/v1/rerank",
    "responses": "/v1/responses",
}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


def good(route: Route, llm: str = "tiny-llm", embedding: str = "tiny-embedding") -> dict[str, Any]:
    """A body that its route serves in a moment."""
    bodies: dict[Route, dict[str, Any]] = {
        "chat": {"model": llm, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2},
        "completions": {"model": llm, "prompt": "hi", "max_tokens": 2},
        "embeddings": {"model": embedding, "input": ["one", "two"]},
        "rerank": {"model": embedding, "query": "one", "documents": ["two", "three"]},
        "responses": {"model": llm, "input": "hi", "max_output_tokens": 2},
    }
    return bodies[route]


_ANY_TEXT = st.text(st.characters(), max_size=12) | st.sampled_from(["", "\ud800", "\0", "a" * 3000, "{", "null"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 2**31, 2**32, 2**63, -(2**63) - 1, 10**400])
    | st.floats()
    | _ANY_TEXT
)
ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_ANY_TEXT, inner, max_size=4), max_leaves=8
)
# Values that are right for some field, and near enough to right for others.
_LIKELY: list[Any] = [
    *[0, 1, 2, 3, -1, 0.5, 1.5, 20, 100, True, False],
    *["", "x", "none", "auto", "required", "base64", "low", '{"type":"object"}', 'root ::= "a"'],
    *[[], [""], ["a", "b"], [1], [[1, 2]], [TOOL], [{}], [{"type": "web_search"}]],
    *[{}, {"a": 1}, {"text": "x"}, {"1": 5}, {"include_usage": True}, {"guided_regex": "a"}],
    *[{"type": "text"}, {"type": "json_object"}, {"type": "function", "function": {"name": "look_up"}}],
    {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    {"type": "json_schema", "json_schema": {"schema": {"type": "string", "pattern": "(?=a)"}}},
    {"type": "json_schema", "schema": {"enum": [1, 2]}},
    {"format": {"type": "json_object"}},
    {"format": {"type": "json_schema", "name": "x", "schema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}}}},
]
_SCHEMAS = st.sampled_from(
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "string", "format": "uri"}}, "required": ["a"]},
        {"type": "array", "items": {"oneOf": [{"type": "null"}, {"type": "integer"}]}, "maxItems": 2},
        {"enum": ["a", None, 3]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "boolean"}}},
        {"type": "string", "pattern": "^[a-z]{1,3}$"},
        {"type": "string", "minLength": 2000},
        {"allOf": [{"type": "string"}, {"type": "null"}]},
        {},
    ]
)
_NUMBERS = st.floats(0, 1) | st.sampled_from([0, 1, 1e-30])
_TEXTS = st.text(max_size=8)
# What passes, mostly: an engine must be reached to be shown not to fail.
_RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.floats(0, 2),
    "top_p": _NUMBERS,
    "min_p": _NUMBERS,
    "top_k": st.integers(-1, 2**31 - 1),
    "presence_penalty": st.floats(-2, 2),
    "frequency_penalty": st.floats(-2, 2),
    "repetition_penalty": st.floats(0, 1e300, exclude_min=True),
    "seed": st.integers(-(2**63) + 1, 2**63 - 1),
    "stop": _TEXTS | st.lists(_TEXTS, max_size=9),
    "stop_token_ids": st.lists(st.integers(-5, 2**40), max_size=3) | st.integers(0, 300),
    "max_completion_tokens": st.integers(1, 3) | st.just(2**40),
    "n": st.integers(1, 3),
    "stream": st.booleans(),
    "stream_options": st.fixed_dictionaries({}, optional={"include_usage": st.booleans() | ANYTHING}),
    "stream_interval": st.integers(1, 2**40),
    "logprobs": st.booleans() | st.integers(0, 20),
    "top_logprobs": st.integers(0, 20),
    "response_format": _SCHEMAS.map(lambda s: {"type": "json_schema", "json_schema": {"name": "x", "schema": s}})
    | st.just({"type": "json_object"}),
    "guided_json": _SCHEMAS,
    "ignore_eos": st.booleans(),
    "skip_special_tokens": st.booleans(),
    "lora_name": _TEXTS,
    "request_id": _TEXTS,
    "chat_template_kwargs": st.dictionaries(_TEXTS, ANYTHING, max_size=3)
    | st.dictionaries(
        st.sampled_from(["messages", "tools", "bos_token", "enable_thinking", "add_generation_prompt"]), ANYTHING
    ),
    "enable_thinking": st.booleans(),
    "extra_body": st.dictionaries(_TEXTS | st.sampled_from(["platform", "format", "n", "model"]), ANYTHING, max_size=3),
    "user": _TEXTS,
    "parallel_tool_calls": st.booleans(),
    "metadata": st.dictionaries(_TEXTS, ANYTHING, max_size=2),
    "mm_processor_kwargs": st.dictionaries(_TEXTS, ANYTHING, max_size=2),
    "reasoning_effort": st.sampled_from(["none", "low", "high"]),
    "tools": _SCHEMAS.map(lambda s: [{"type": "function", "function": {"name": "look_up", "parameters": s}}]),
    "tool_choice": st.sampled_from(["auto", "none"]),
    "prompt": st.text(min_size=1, max_size=30),
    "input": st.text(min_size=1, max_size=30) | st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=9),
    "encoding_format": st.sampled_from(["float", "base64"]),
    "dimensions": st.just(32),
    "truncate_prompt_tokens": st.integers(-1, 600),
    "instructions": _TEXTS,
    "text": _SCHEMAS.map(lambda s: {"format": {"type": "json_schema", "name": "x", "schema": s}}),
}
_RARE = "best_of logit_bias grammar guided_regex guided_choice structured_outputs json_schema echo suffix functions"
_GENERATION = (
    "temperature top_p min_p top_k presence_penalty frequency_penalty repetition_penalty seed stop stop_token_ids "
    "max_completion_tokens n stream stream_options stream_interval logprobs top_logprobs response_format guided_json "
    "ignore_eos skip_special_tokens lora_name request_id chat_template_kwargs enable_thinking extra_body user "
    f"parallel_tool_calls metadata mm_processor_kwargs service_tier modalities audio {_RARE}"
)
_NAMES: dict[Route, str] = {
    "chat": f"{_GENERATION} messages reasoning_effort tools tool_choice",
    "completions": f"{_GENERATION} prompt",
    "embeddings": "input encoding_format dimensions truncate_prompt_tokens user self sentences args model_uid task fn",
    "rerank": "query documents top_n return_documents return_len max_chunks_per_doc kwargs user",
    "responses": "input instructions temperature top_p stream tools tool_choice text reasoning previous_response_id "
    "parallel_tool_calls metadata store background conversation",
}
_PART = st.sampled_from(
    [
        {"type": "text", "text": "hi"},
        {"type": "text", "text": None},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "input_text", "text": "hi"},
        {"type": "file"},
        {},
        "hi",
    ]
)
_CALL = st.sampled_from(
    [
        {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}},
        {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": "{"}},
        {"id": 1, "type": "function", "function": {"name": "", "arguments": {}}},
        {},
    ]
)
_GOOD_MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "tool", "developer"]), "content": st.text(max_size=20)},
    optional={"tool_calls": st.lists(_CALL, max_size=1), "name": _TEXTS},
)
_MESSAGE = _GOOD_MESSAGE | st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "user", "system", "assistant", "tool", "developer", "wizard", None])},
    optional={
        "content": st.sampled_from(["hi", ""]) | st.lists(_PART, max_size=2) | ANYTHING,
        "tool_calls": st.lists(_CALL, max_size=2) | st.none() | ANYTHING,
        "tool_call_id": st.sampled_from(["1", None, 1]),
        "name": st.sampled_from(["x", None, 1]),
    },
)
_MESSAGES = st.lists(_MESSAGE, max_size=4)
_ITEM = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["message", "function_call", "function_call_output", "reasoning", "x"])}
).flatmap(lambda item: _MESSAGE.map(lambda message: {**item, **message}))


@st.composite
def spoilt(draw: st.DrawFn, route: Route, **models: str) -> dict[str, Any]:
    """A good body with up to four fields set to something else, right or wrong."""
    body = good(route, **models)
    fields = st.sampled_from([*_NAMES[route].split(), "any field"])
    for name in draw(st.lists(fields, min_size=1, max_size=4, unique=True)):
        wrong = draw(st.integers(0, 4)) == 0 or name not in _RIGHT
        body[name] = draw((st.sampled_from(_LIKELY) | ANYTHING) if wrong else _RIGHT[name])
    if route == "chat" and draw(st.booleans()):
        body["messages"] = draw(_MESSAGES)
    if route == "responses" and draw(st.booleans()):
        body["input"] = draw(st.lists(_ITEM, max_size=3))
    if draw(st.integers(0, 19)) == 0:
        body["model"] = draw(ANYTHING)
    return body


routes = st.sampled_from(ROUTES)


@st.composite
def requests(draw: st.DrawFn, **models: str) -> tuple[Route, Any]:
    """A route and the body that is sent to it."""
    route = draw(routes)
    return route, draw(spoilt(route, **models) if draw(st.integers(0, 9)) else ANYTHING)
