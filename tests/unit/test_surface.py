"""What Xinference is asked for: defaults, limits, and every wish either honoured or refused, engine by engine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from biai_xinf.extension.checking import Route, check
from biai_xinf.extension.errors import ApiError
from biai_xinf.extension.surface import NativeModel, Request, translate
from biai_xinf.upstreams import ServedModel
from tests.request_bodies import TOOL, good, requests

LLAMA_CPP = NativeModel("sql", engine="llama.cpp", context=4096)
VLLM = NativeModel("sql", engine="vLLM", context=4096)
SGLANG = NativeModel("sql", engine="SGLang")
MLX = NativeModel("sql", engine="MLX")
TRANSFORMERS = NativeModel("sql", engine="Transformers", context=4096)
EMBEDDER = NativeModel("e5", "embedding", "llama.cpp", dimensions=32)
RERANKER = NativeModel("bge", "rerank", "sentence_transformers")
SCHEMA = {"type": "object", "properties": {"sql": {"type": "string"}}, "required": ["sql"]}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}


def chat(model: NativeModel, **change: Any) -> Request:
    return translate("chat", {**good("chat"), **change}, model)


def outcome(route: Route, body: Any, model: NativeModel) -> Request | ApiError:
    try:
        check(route, body)
        return translate(route, body, model)
    except ApiError as error:
        return error


def refusal(route: Route, model: NativeModel, **change: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        translate(route, {**good(route), **change}, model)
    assert caught.value.status == 400
    return caught.value


@settings(max_examples=500)
@given(requests())
def test_what_passed_the_check_is_translated_or_refused(request: tuple[Route, Any]) -> None:
    route, body = request
    before = json.dumps(body)
    kind = {"embeddings": "embedding", "rerank": "rerank"}.get(route, "LLM")
    engines = ("llama.cpp", "vLLM", "SGLang", "MLX", "Transformers", "sentence_transformers", None)

    for model in [NativeModel("uid", kind, engine) for engine in engines]:
        asked = outcome(route, body, model)

        if isinstance(asked, ApiError):
            assert asked.status == 400
        else:
            assert asked.body["model"] == "uid"
            assert not asked.body.get("stream") or asked.copies == 1

    assert json.dumps(body) == before


def test_the_model_is_named_by_its_uid() -> None:
    asked = translate("chat", {**good("chat"), "model": "sql-coder:7b"}, LLAMA_CPP)

    assert asked.body == {**good("chat"), "model": "sql"}


def test_defaults_stand_below_what_the_client_sends() -> None:
    model = NativeModel("sql", engine="vLLM", defaults={"temperature": 0, "max_tokens": 512, "top_p": 0.9})

    asked = translate("chat", {**good("chat"), "top_p": 0.5, "max_tokens": None}, model)

    assert asked.body == {**good("chat"), "model": "sql", "temperature": 0, "top_p": 0.5, "max_tokens": 512}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_are_lowered_to_the_context(name: str) -> None:
    asked = translate("chat", {"model": "m", "messages": good("chat")["messages"], name: 2**40}, LLAMA_CPP)

    assert asked.body["max_tokens"] == 4096
    assert "max_completion_tokens" not in asked.body
    assert asked.remarks == ("`max_tokens` 1099511627776 was lowered to the context, 4096 tokens",)


def test_max_tokens_stay_within_32_bits_where_the_context_is_unknown() -> None:
    assert chat(SGLANG, max_tokens=2**40).body["max_tokens"] == 2**31 - 1


def test_transformers_would_cut_the_prompt_for_too_many_max_tokens() -> None:
    asked = chat(TRANSFORMERS, max_tokens=4096)

    assert "max_tokens" not in asked.body
    assert asked.remarks == ("`max_tokens` 4096 was left out: the context has 4096 tokens",)


@pytest.mark.parametrize("model", [LLAMA_CPP, VLLM, SGLANG, MLX], ids=lambda model: model.engine)
@pytest.mark.parametrize(
    "wish",
    [
        {"response_format": JSON_SCHEMA},
        {"response_format": {"type": "json_schema", "schema": SCHEMA}},
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        {"guided_json": SCHEMA},
        {"guided_json": json.dumps(SCHEMA)},
        {"json_schema": SCHEMA},
        {"structured_outputs": {"json": SCHEMA}},
        {"extra_body": {"guided_json": SCHEMA}},
    ],
    ids=[
        "json_schema",
        "flat",
        "json_object",
        "guided_json",
        "as text",
        "llama-server's",
        "vLLM's newer",
        "extra_body",
    ],
)
def test_a_schema_reaches_the_engine_in_the_words_it_honours(model: NativeModel, wish: dict[str, Any]) -> None:
    asked = chat(model, **wish)

    assert asked.body == {**good("chat"), "model": "sql", "response_format": JSON_SCHEMA}
    assert asked.structured


def test_any_object_is_a_schema_to_llama_cpp() -> None:
    wish = {"response_format": {"type": "json_object"}}

    assert chat(LLAMA_CPP, **wish).body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }
    assert chat(VLLM, **wish).body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("model", [LLAMA_CPP, SGLANG, MLX, TRANSFORMERS], ids=lambda model: model.engine)
@pytest.mark.parametrize(
    "wish",
    [{"guided_regex": "a+"}, {"guided_choice": ["a"]}, {"guided_grammar": 'root ::= "a"'}, {"grammar": 'root ::= "a"'}],
    ids=lambda wish: next(iter(wish)),
)
def test_a_grammar_is_refused_where_it_would_be_ignored(model: NativeModel, wish: dict[str, Any]) -> None:
    error = refusal("chat", model, **wish)

    assert (error.code, error.param) == ("unsupported_parameter", next(iter(wish)))
    assert error.message.startswith(f"`{error.param}` is ignored by the engine of `sql`, {model.engine}")


def test_vllm_takes_grammars_and_choices() -> None:
    assert chat(VLLM, grammar="g").body["guided_grammar"] == "g"
    assert chat(VLLM, structured_outputs={"choice": ["a", "b"]}).body["guided_choice"] == ["a", "b"]


def test_transformers_ignores_every_form_of_answer() -> None:
    error = refusal("chat", TRANSFORMERS, response_format={"type": "json_object"})

    assert error.message == "`response_format` is ignored by the engine of `sql`, Transformers"


def test_two_constraints_contradict() -> None:
    error = refusal("chat", VLLM, response_format=JSON_SCHEMA, guided_regex="a")

    assert error.message == "`response_format` and `guided_regex` both constrain the answer; send one of them"


def test_text_is_no_constraint() -> None:
    asked = chat(TRANSFORMERS, response_format={"type": "text"}, guided_json_object=False)

    assert asked.body == {**good("chat"), "model": "sql"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "wat"}, "is wrong at `/type`: there must be one of the types "),
        ({"properties": 3}, "is wrong at `/properties`: there must be an object of schemas"),
        (
            {"properties": {"a": {"anyOf": []}}},
            "is wrong at `/properties/a/anyOf`: there must be a list of schemas, at ",
        ),
        ({"$ref": "#/$defs/none"}, "is wrong at `/$ref`: there must be a reference to another schema within it, such "),
        ({"$ref": "#"}, "is wrong at `/$ref`: there must be a reference to another schema within it, such "),
        ({"type": "string", "pattern": "(["}, "is wrong at `/pattern`: there must be a regular expression"),
        (
            {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"},
            "is wrong at `/$ref`: there must be ",
        ),
        ({"$ref": "#/x", "x": {"allOf": {}}}, "is wrong at `/x/allOf`: there must be a list of schemas, at least one"),
        ({"exclusiveMinimum": "0"}, "is wrong at `/exclusiveMinimum`: there must be a number"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "can never be met: `/allOf/0` and `/allOf/1` ask for diff"),
        ({"items": {"uniqueItems": True}}, "has `/items/uniqueItems`, which llama.cpp cannot enforce"),
        ({"items": {"maxItems": 2**40}}, "counts up to 1099511627776 items by `/items`; llama.cpp takes at most 10000"),
        ({"minLength": 2**32}, "has at `/minLength` a length of more than 32 bits, which llama.cpp cannot enforce"),
        ({"multipleOf": 1e-30}, "has at `/multipleOf` a number of too many digits, which llama.cpp cannot enforce"),
        (
            {"properties": {"a": True}, "allOf": [{"minProperties": 2}]},
            "counts at `/` properties that are not all required, which llama.cpp cannot enforce",
        ),
        ({"pattern": "(?=a)b"}, "has at `/pattern` a look-around, word boundary or back reference, which llama.cpp "),
    ],
)
def test_a_schema_that_would_leave_the_answer_free_is_refused(schema: dict[str, Any], message: str) -> None:
    error = refusal("chat", LLAMA_CPP, guided_json=schema)

    assert error.message.startswith(f"the schema of `guided_json` {message}")
    assert error.code == "invalid_schema"


def test_llama_cpp_gets_a_schema_it_can_compile() -> None:
    schema = {
        "$schema": "https://example.org/own",
        "properties": {"format": {"type": "string", "format": "uri"}, "when": {"type": "string", "format": "date"}},
        "oneOf": [{"type": "object"}, {"type": "null"}],
    }

    taken = chat(LLAMA_CPP, guided_json=schema).body["response_format"]["json_schema"]["schema"]

    assert taken == {
        "properties": {"format": {"type": "string"}, "when": {"type": "string", "format": "date"}},
        "anyOf": [{"type": "object"}, {"type": "null"}],
    }
    assert chat(VLLM, guided_json=schema).body["response_format"]["json_schema"]["schema"] == schema


def test_llama_cpp_gets_one_of_beside_any_of_as_another_any_of() -> None:
    schema = {"anyOf": [{"type": "object"}, {"type": "null"}], "oneOf": [{"type": "null"}, {"type": "array"}]}

    taken = chat(LLAMA_CPP, guided_json=schema).body["response_format"]["json_schema"]["schema"]

    assert taken == {"anyOf": schema["anyOf"], "allOf": [{"anyOf": schema["oneOf"]}]}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('{"minimum": 1e400}', "`guided_json` has a number that is not finite"),
        ('{"not": ' * 70 + "{}" + "}" * 70, "the request nests more than 64 levels deep"),
    ],
    ids=["not finite", "too deep"],
)
def test_a_schema_as_text_is_checked_like_the_rest(schema: str, message: str) -> None:
    assert refusal("chat", LLAMA_CPP, guided_json=schema).message == message


@pytest.mark.parametrize("model", [LLAMA_CPP, VLLM, SGLANG, MLX], ids=lambda model: model.engine)
def test_a_schema_that_nothing_meets_is_refused_whatever_the_engine(model: NativeModel) -> None:
    nothing = {"allOf": [{"type": "string"}, {"type": "null"}]}
    wish = {"type": "json_schema", "json_schema": {"name": "x", "schema": nothing}}
    message = "can never be met: `/allOf/0` and `/allOf/1` ask for different types"

    as_chat = refusal("chat", model, response_format=wish)
    as_response = refusal("responses", model, text={"format": {"type": "json_schema", "name": "x", "schema": nothing}})

    assert (as_chat.message, as_chat.code) == (f"the schema of `response_format` {message}", "invalid_schema")
    assert (as_response.message, as_response.code) == (f"the schema of `text.format` {message}", "invalid_schema")


def test_completions_have_no_response_format() -> None:
    error = refusal("completions", VLLM, response_format=JSON_SCHEMA)
    assert error.message == "`response_format` is ignored on `/v1/completions`; `/v1/chat/completions` honours it"

    assert translate("completions", {**good("completions"), "guided_json": SCHEMA}, VLLM).body["guided_json"] == SCHEMA


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look_up"}}])
def test_a_forced_tool_is_refused_where_it_would_be_ignored(choice: Any) -> None:
    for model in (LLAMA_CPP, VLLM, SGLANG, TRANSFORMERS):
        assert refusal("chat", model, tools=[TOOL], tool_choice=choice).param == "tool_choice"

    assert chat(MLX, tools=[TOOL], tool_choice=choice).body["tool_choice"] == choice


def test_no_tool_means_no_tools() -> None:
    assert chat(LLAMA_CPP, tools=[TOOL], tool_choice="none", parallel_tool_calls=True).body == {
        **good("chat"),
        "model": "sql",
    }


def test_llama_cpp_takes_tools_or_a_schema() -> None:
    assert refusal("chat", LLAMA_CPP, tools=[TOOL], response_format=JSON_SCHEMA).param == "tools"
    assert chat(VLLM, tools=[TOOL], response_format=JSON_SCHEMA).body["tools"] == [TOOL]


def test_a_model_that_cannot_call_tools_says_so() -> None:
    model = NativeModel("sql", engine="llama.cpp", tool_calls=False)

    assert refusal("chat", model, tools=[TOOL]).message == "`sql` cannot call tools"


@pytest.mark.parametrize(
    ("route", "wish"),
    [
        ("chat", {"logit_bias": {"1": 5}}),
        ("chat", {"functions": [{"name": "f"}]}),
        ("completions", {"suffix": "x"}),
        ("completions", {"echo": True}),
        ("completions", {"best_of": 2}),
        ("rerank", {"max_chunks_per_doc": 2}),
    ],
)
def test_a_wish_that_would_be_ignored_is_refused(route: Route, wish: dict[str, Any]) -> None:
    model = RERANKER if route == "rerank" else VLLM

    assert refusal(route, model, **wish).param == next(iter(wish))


def test_their_values_that_ask_for_nothing_pass() -> None:
    wishes = {"suffix": "", "echo": False, "best_of": 1, "logit_bias": {}}

    asked = translate("completions", {**good("completions"), **wishes}, VLLM)

    assert asked.body == {**good("completions"), "model": "sql"}


def test_several_answers_are_several_requests() -> None:
    asked = chat(VLLM, n=3, request_id="mine")

    assert (asked.copies, asked.body) == (3, {**good("chat"), "model": "sql"})
    assert refusal("chat", VLLM, n=2, stream=True).message == "`n` is 2; it must be 1 when `stream` is true"


def test_roles_that_templates_do_not_know() -> None:
    messages = [{"role": "developer", "content": "be brief"}, {"role": "assistant"}, {"role": "user", "content": "hi"}]

    assert chat(VLLM, messages=messages).body["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "hi"},
    ]


def test_no_limit_on_top_k_in_each_engines_words() -> None:
    assert chat(LLAMA_CPP, top_k=-1).body["top_k"] == 0
    assert "top_k" not in chat(VLLM, top_k=-1).body


def test_what_is_dropped_is_remarked() -> None:
    assert chat(LLAMA_CPP, min_p=0.1, repetition_penalty=1.1).remarks == (
        "`min_p` is ignored by Xinference",
        "`repetition_penalty` is ignored by llama.cpp; `frequency_penalty` is not",
    )


def test_a_model_of_another_kind_names_its_route() -> None:
    error = refusal("chat", EMBEDDER)

    assert error.message == "`tiny-llm` is an embedding model; `POST /v1/embeddings` is its route"
    assert (error.param, error.code) == ("model", "wrong_route")


def test_embeddings_pass_on_what_engines_take() -> None:
    body = {**good("embeddings"), "input": [{"text": "one"}, "two"], "self": 1, "sentences": "x", "dimensions": 32}

    asked = translate("embeddings", body, EMBEDDER)

    assert asked.body == {"model": "e5", "input": ["one", "two"]}
    assert asked.dimensions == 32
    assert asked.remarks == ("`self` is not passed on", "`sentences` is not passed on")


def test_llama_cpp_cannot_shorten_vectors() -> None:
    error = refusal("embeddings", EMBEDDER, dimensions=8)

    assert error.message == "`dimensions` is 8; llama.cpp gives vectors of 32 only"
    short = NativeModel("e5", "embedding", "sentence_transformers", dimensions=32)
    assert translate("embeddings", {**good("embeddings"), "dimensions": 8}, short).body["dimensions"] == 8


def test_rerank_documents_as_texts() -> None:
    body = {**good("rerank"), "documents": [{"text": "a"}, "b"]}

    assert translate("rerank", body, RERANKER).body["documents"] == ["a", "b"]
    assert (
        refusal("rerank", RERANKER, kwargs='{"top_n": 1}').message
        == "`kwargs` has `top_n`, which the engine does not take"
    )


def test_responses_follow_the_same_rules() -> None:
    model = NativeModel("sql", engine="llama.cpp", context=4096, defaults={"temperature": 0, "max_tokens": 64})
    body = {"model": "m", "input": "hi", "text": {"format": {"type": "json_object"}}, "tools": [{"type": "web_search"}]}

    asked = translate("responses", {**body, "tool_choice": "none"}, model)

    assert asked.body == {
        "model": "sql",
        "input": "hi",
        "temperature": 0,
        "max_output_tokens": 64,
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}},
    }
    assert asked.remarks == ("the model does not see the tools web_search",)
    assert refusal("responses", TRANSFORMERS, text={"format": {"type": "json_object"}}).param == "text.format"


def test_a_model_as_xinference_lists_it() -> None:
    entry = {"model_type": "LLM", "model_engine": "vLLM", "context_length": 32768, "dimensions": None}

    assert NativeModel.of("sql", entry) == NativeModel("sql", "LLM", "vLLM", 32768)


def test_a_model_as_it_was_launched() -> None:
    entry = {"model_type": "LLM", "model_engine": "vLLM", "context_length": 32768}
    served = ServedModel(
        uid="sql", spec="coder", recipe="gpu", role="sql", context=8192, defaults={"temperature": 0, "max_tokens": 9000}
    )

    model = NativeModel.of("sql", entry, served)

    assert model == NativeModel("sql", "LLM", "vLLM", 8192, None, served.defaults)
    assert translate("chat", {"messages": [{"role": "user", "content": "?"}]}, model).body["max_tokens"] == 8192
