"""Providers: every file is whole and sourced, mistakes name their line, and requests leave in the server's dialect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.errors import BadFile, UnknownName
from biai_xinf.providers import GENERIC, NOT_SERVERS, Provider, find_provider, for_provider, load_providers
from biai_xinf.providers import load_provider as load
from biai_xinf.providers.dialect import ANY_JSON
from tests.standin_table import BEHAVIOURS

ROOT = Path(__file__).parents[2]
SEED = [
    "ollama",
    "vllm",
    "sglang",
    "llama.cpp",
    "llama-cpp-python",
    "lm-studio",
    "jan",
    "gpt4all",
    "localai",
    "koboldcpp",
    "tgi",
    "tabbyapi",
    "aphrodite",
    "tensorrt-llm",
    "mlc-llm",
    "openllm",
    "ray-serve-llm",
    "llama-swap",
    "onnx",
    "candle",
    "powerinfer",
    "xinference",
    "litellm",
    "openai",
]

GOOD = """\
name: server
title: Server
homepage: https://example.org
about: A server.
default_url: http://localhost:1
routes:
  chat: /v1/chat/completions
rejects: [seed]
sources:
  - facts: [default_url, routes, rejects]
    url: https://example.org/docs
    seen: 2026-11-22
"""
SCHEMA = {"type": "object", "properties": {"sql": {"type": "string"}}, "required": ["sql"]}
WANTED = {"type": "json_schema", "json_schema": {"name": "query", "strict": True, "schema": SCHEMA}}


def server(**facts: Any) -> Provider:
    """A generic server with these facts; the generic one needs no sources."""
    base = {"name": GENERIC, "title": "Server", "homepage": "https://example.org", "about": "A server.", "routes": {}}
    return Provider.model_validate({**base, **facts})


def written(folder: Path, text: str) -> Path:
    file = folder / "server.yaml"
    file.write_text(text, encoding="utf-8")
    return file


# The files


def test_every_server_of_the_list_has_a_file_and_a_stand_in() -> None:
    assert set(load_providers()) == {*SEED, "mistral.rs", GENERIC}
    assert set(BEHAVIOURS) == set(load_providers())


@pytest.mark.parametrize("provider", load_providers().values(), ids=lambda provider: provider.name)
def test_every_file_is_short_and_says_what_the_server_is(provider: Provider) -> None:
    text = (ROOT / "biai_xinf" / "providers" / f"{provider.name}.yaml").read_text(encoding="utf-8")

    assert provider.routes.chat == "/v1/chat/completions"
    assert provider.about.endswith(".")
    assert all(quirk.endswith(".") for quirk in provider.quirks)
    assert len(text.splitlines()) < 80
    assert not set(provider.rejects) & set(provider.ignores)
    assert not set(provider.rejects) & set(provider.renames.values())


@pytest.mark.parametrize("provider", load_providers().values(), ids=lambda provider: provider.name)
def test_the_stand_in_serves_the_routes_that_the_file_names(provider: Provider) -> None:
    behaviour = BEHAVIOURS[provider.name]

    for kind in ("chat", "completions", "responses", "embeddings", "rerank"):
        route = getattr(provider.routes, kind)
        assert route is None or route == getattr(behaviour, kind), kind
    pages = {provider.routes.models, provider.health, provider.context and provider.context.path} - {None}
    assert pages <= set(behaviour.pages)


def test_every_stand_in_says_where_its_behaviour_was_read() -> None:
    assert [name for name, behaviour in BEHAVIOURS.items() if not behaviour.sources] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("homepage:", "hompage:", "server.yaml:3: hompage: unknown field\n  also server.yaml:1: homepage: missing"),
        ("rejects: [seed]", "rejects: [seed]\nhealth: /health", "server.yaml:1: no source names `health`"),
        ("[default_url, routes, rejects]", "[routes, rejects]", "server.yaml:1: no source names `default_url`"),
        (
            "rejects: [seed]",
            "structured_output: guided",
            "server.yaml:8: structured_output: `guided` is none of 'json_schema', 'json_object_schema', "
            "'json_object_text', 'json_object_value' or 'none'",
        ),
        ("name: server", "name: other", "server.yaml: name: `other` must equal the file's name, `server`"),
        (
            "chat: /v1",
            "chat: v1",
            r"server.yaml:7: routes.chat: string should match pattern '^/\S*$', found `v1/chat/completions`",
        ),
    ],
)
def test_a_mistake_in_a_file_names_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    file = written(tmp_path, GOOD.replace(old, new))

    with pytest.raises(BadFile) as caught:
        load(file)

    assert str(caught.value).replace(str(file), "server.yaml") == said


def test_a_source_for_something_that_is_no_fact_is_a_mistake(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD.replace("rejects]", "rejects, colour]"))

    with pytest.raises(BadFile, match="a source names `colour`, which is no fact"):
        load(file)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    assert load(written(tmp_path, GOOD)).rejects == ["seed"]


@pytest.mark.parametrize("name", [*NOT_SERVERS, "autogptq"])
def test_a_library_that_serves_nothing_says_what_to_use_instead(name: str) -> None:
    with pytest.raises(UnknownName, match=r"cannot be an upstream: it is a .*library.*, or launch"):
        find_provider(name)


def test_an_unknown_name_offers_a_close_one_and_the_whole_list() -> None:
    with pytest.raises(UnknownName) as caught:
        find_provider("LM_Studio")

    names = ", ".join(load_providers())
    assert str(caught.value) == (
        "no provider is named `LM_Studio`\n\n"
        f"hint: did you mean `lm-studio`? there are {names}; any other OpenAI-compatible server is `openai-compatible`"
    )


# The dialect


def test_what_a_server_misreads_is_left_out_and_said() -> None:
    body = {"model": "m", "presence_penalty": 0, "logit_bias": None, "temperature": 0}

    assert for_provider(body, find_provider("tgi")) == (
        {"model": "m", "temperature": 0},
        ["`presence_penalty` is left out"],
    )


def test_what_a_server_calls_otherwise_is_renamed_and_said() -> None:
    sent, remarks = for_provider({"max_completion_tokens": 5}, find_provider("ollama"))

    assert (sent, remarks) == ({"max_tokens": 5}, ["`max_completion_tokens` is sent as `max_tokens`"])


def test_what_was_sent_under_the_servers_own_name_wins() -> None:
    sent, _ = for_provider({"max_completion_tokens": 5, "max_tokens": 7}, find_provider("ollama"))

    assert sent == {"max_tokens": 7}


def test_a_name_with_a_dot_leads_into_an_object_and_leaves_the_clients_own_alone() -> None:
    body = {"grammar": "root ::= x", "structured_outputs": {"whitespace_pattern": " "}}

    sent, remarks = for_provider(body, find_provider("vllm"))

    assert sent == {"structured_outputs": {"grammar": "root ::= x", "whitespace_pattern": " "}}
    assert remarks == ["`grammar` is sent as `structured_outputs.grammar`"]
    assert body["structured_outputs"] == {"whitespace_pattern": " "}


def test_what_has_no_effect_is_sent_and_said() -> None:
    sent, remarks = for_provider({"tool_choice": "auto"}, find_provider("ollama"))

    assert (sent, remarks) == ({"tool_choice": "auto"}, ["`tool_choice` has no effect there"])


def test_a_single_stop_becomes_a_list_where_only_lists_are_taken() -> None:
    sent, remarks = for_provider({"stop": ";"}, find_provider("tgi"))

    assert (sent, remarks) == ({"stop": [";"]}, ["`stop` is sent as a list"])


def test_usage_is_not_asked_of_a_stream_that_tells_none() -> None:
    body = {"stream": True, "stream_options": {"include_usage": True}}

    assert for_provider(body, find_provider("llama-cpp-python")) == (
        {"stream": True},
        ["`stream_options` is left out"],
    )


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("openai", WANTED),
        ("llama-cpp-python", {"type": "json_object", "schema": SCHEMA}),
        ("mlc-llm", {"type": "json_object", "schema": json.dumps(SCHEMA)}),
        ("tgi", {"type": "json_object", "value": SCHEMA}),
        ("openai-compatible", WANTED),
    ],
)
def test_a_schema_is_sent_in_the_form_the_server_honours(name: str, form: dict[str, Any]) -> None:
    sent, remarks = for_provider({"response_format": WANTED}, find_provider(name))

    assert sent == {"response_format": form}
    assert len(remarks) == (form != WANTED)


@pytest.mark.parametrize("name", ["lm-studio", "xinference", "tabbyapi", "mistral.rs"])
def test_a_server_without_json_object_gets_the_schema_of_any_object(name: str) -> None:
    sent, remarks = for_provider({"response_format": {"type": "json_object"}}, find_provider(name))

    schema = {"name": "answer", "schema": {"type": "object"}}
    assert sent == {"response_format": {"type": "json_schema", "json_schema": schema}}
    assert remarks == ["`response_format` json_object is sent as json_schema with the schema in `json_schema`"]


def test_a_format_of_text_is_what_every_server_does_anyway() -> None:
    assert for_provider({"response_format": {"type": "text"}}, find_provider("gpt4all")) == ({}, [])


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("candle", {"response_format": WANTED}, "candle-vllm honours no `response_format`, so `json_schema` cannot"),
        (
            "powerinfer",
            {"response_format": {"type": "json_object"}},
            "PowerInfer honours no `response_format`, so `jso",
        ),
        ("gpt4all", {"stream": True}, "GPT4All takes no `stream`"),
        ("gpt4all", {"tools": [{}]}, "GPT4All takes no `tools`"),
        ("mistral.rs", {"grammar": "root ::= x"}, "mistral.rs takes no `grammar`"),
        ("ollama", {"n": 3}, "Ollama gives one choice per request, not `n` = 3"),
        ("openai", {"response_format": {"type": "json_schema"}}, "`response_format.json_schema.schema` must be a JSON"),
        (
            "openai",
            {"response_format": {"type": "json_object", "schema": "{"}},
            "`response_format.schema` is a string,",
        ),
    ],
)
def test_what_a_server_cannot_do_is_refused_in_one_sentence(name: str, body: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="^" + said.replace("(", r"\(").replace(".", r"\.")) as caught:
        for_provider(body, find_provider(name))

    assert "\n" not in str(caught.value)


def test_an_empty_wish_is_no_reason_to_refuse() -> None:
    sent, remarks = for_provider(
        {"stream": False, "tools": [], "n": 1}, server(rejects=["stream", "tools"], supports_n=False)
    )

    assert (sent, remarks) == ({}, [])


values = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)
formats = st.sampled_from(
    [
        WANTED,
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_object", "schema": SCHEMA},
        {"type": "json_object", "schema": json.dumps(SCHEMA)},
        {"type": "json_object", "value": SCHEMA},
        {"type": "lark_grammar", "lark_grammar": "start: x"},
        {"type": None},
        "text",
        None,
        7,
    ]
)
names = st.sampled_from(
    [
        *sorted({name for p in load_providers().values() for name in (*p.rejects, *p.ignores, *p.renames, *p.lists)}),
        *("model", "messages", "temperature", "n", "stream_options", "structured_outputs"),
    ]
)
bodies = st.builds(
    lambda given, chosen: {**given, **chosen},
    st.dictionaries(names, values, max_size=8),
    st.fixed_dictionaries({}, optional={"response_format": formats}),
)


@given(bodies, st.sampled_from(sorted(load_providers())))
def test_the_dialect_is_spoken_once_and_leaves_the_clients_body_alone(body: dict[str, Any], name: str) -> None:
    provider = find_provider(name)
    before = json.dumps(body)

    try:
        sent, remarks = for_provider(body, provider)
    except ValueError:
        return

    assert json.dumps(body) == before
    assert not set(sent) & set(provider.rejects)
    assert not set(sent) & set(provider.renames)
    assert all(sent[key] is None or isinstance(sent[key], list) for key in provider.lists if key in sent)
    assert len(remarks) == len(set(remarks))
    again, _ = for_provider(sent, provider)
    assert again == sent


# The page


def test_the_page_of_providers_is_current() -> None:
    from tools.provider_table import page

    assert (ROOT / "docs" / "providers.md").read_text(encoding="utf-8") == page(), (
        "run `python tools/provider_table.py > docs/providers.md`"
    )


def test_any_json_is_asked_for_as_such_where_the_server_has_a_mode_for_it() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "json", "schema": dict(ANY_JSON)}}

    sent, _ = for_provider({"response_format": wanted}, find_provider("openai"))

    assert sent == {"response_format": {"type": "json_object"}}
