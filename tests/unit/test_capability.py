"""`upstream check`: a server is judged by its answers, and its stand-in is judged as its provider's data says."""

from __future__ import annotations

import json

import pytest

from biai_xinf.capability import Finding, Kind, Target, check
from biai_xinf.errors import UpstreamFailed
from biai_xinf.providers import GENERIC, Provider, find_provider, load_providers
from biai_xinf.server_request import Server
from tests.commandline import run
from tests.fake_xinference import FakeXinference
from tests.standins import BEHAVIOURS, Fault, StandIn

LLM_ONLY = ["stream", "stream usage", "tools", "json_schema", "json_object", "grammar", "n", "logprobs"]


def findings(
    stand_in: StandIn, *, provider: str | None = None, kind: Kind | None = None, patience_s: float = 1.0
) -> dict[str, Finding]:
    server = Server(stand_in.url, {"authorization": f"Bearer {stand_in.key}"} if stand_in.key else {})
    known = find_provider(provider or stand_in.provider)
    found = check(Target(server, known, stand_in.model, kind, patience_s=patience_s, loading_s=1.0))
    return {finding.capability: finding for finding in found}


def verdicts(stand_in: StandIn, *, provider: str | None = None) -> dict[str, str]:
    return {name: finding.verdict for name, finding in findings(stand_in, provider=provider).items()}


def promised(provider: Provider) -> dict[str, str]:
    """What the provider's file says of it; nothing for what it leaves open."""
    routes, wanted = provider.routes, provider.structured_output
    yes_no = {True: "yes", False: "no"}
    says = {
        "models": yes_no[routes.models is not None],
        "context": "yes" if provider.context else "untested",
        "chat": "yes",
        "stream": yes_no["stream" not in provider.rejects],
        "stream usage": None if provider.stream_usage is None else yes_no[provider.stream_usage],
        "json_schema": None if wanted is None else yes_no[wanted != "none"],
        "json_object": None if wanted is None or provider.json_object is None else yes_no[wanted != "none"],
        "grammar": {True: "no", False: "yes" if "grammar" in provider.renames else None}["grammar" in provider.rejects],
        "n": None if provider.supports_n is None else yes_no[provider.supports_n],
        "embeddings": "yes" if routes.embeddings else "untested",
        "rerank": "yes" if routes.rerank else "untested",
    }
    return {name: verdict for name, verdict in says.items() if verdict is not None}


@pytest.mark.parametrize("name", load_providers())
def test_every_provider_does_what_its_file_says(name: str) -> None:
    with StandIn(name) as stand_in:
        found = verdicts(stand_in)

    says = promised(find_provider(name))
    assert {capability: found[capability] for capability in says} == says


@pytest.mark.parametrize("name", load_providers())
def test_no_provider_is_sent_anything_that_it_refuses(name: str) -> None:
    with StandIn(name) as stand_in:
        found = findings(stand_in)

    refused = [finding for finding in found.values() if "status 4" in finding.evidence]
    assert refused == []
    assert not [finding for finding in found.values() if finding.verdict == "error"]


def test_a_server_that_does_everything_is_shown_to() -> None:
    with StandIn("vllm", answer="one two three four", chunks=4, context=2048) as stand_in:
        found = findings(stand_in)

    assert [(finding.verdict, finding.evidence) for finding in found.values()] == [
        ("yes", "`m` is listed"),
        ("yes", "2048 tokens, as `/v1/models` says"),
        ("yes", "it answered `one two three four`"),
        ("yes", "4 events with text"),
        ("yes", "10 tokens for the prompt, 4 for the answer"),
        ("yes", 'it called `get_weather` with `{"city": "x"}`'),
        ("yes", 'asked for a sentence, it kept to the schema: `{"mood": "calm", "waves": 7}`'),
        ("yes", 'asked for a sentence, it wrote an object: `{"answer": "x"}`'),
        ("yes", "`grammar` led it to the only answer there was"),
        ("yes", "2 choices in one answer"),
        ("yes", "log probabilities of 4 tokens"),
        ("yes", "8 dimensions"),
        ("yes", "the right document scored 1, the wrong one 0"),
    ]


def test_a_server_that_answers_200_and_ignores_the_request_is_caught() -> None:
    with StandIn("openai-compatible", lies=True, chunks=1) as stand_in:
        found = findings(stand_in)

    ignored = [name for name, finding in found.items() if finding.verdict == "ignored"]
    assert ignored == [*LLM_ONLY, "embeddings", "rerank"]
    assert found["stream"].evidence == "the whole text came in one event"
    assert found["stream usage"].evidence == "no event told the usage"
    assert found["tools"].evidence == "it answered `The answer is 42.` and called no tool"
    assert found["json_schema"].evidence == "it answered `The answer is 42.`, which does not fit the schema"
    assert found["grammar"].evidence == "it answered `The answer is 42.` where only `zq-4711` was allowed"
    assert found["n"].evidence == "asked for 2 choices, it gave 1"
    assert found["embeddings"].evidence == "two different texts gave the same vector"
    assert found["rerank"].evidence == "the right document scored 0.5, the wrong one 0.5"


def test_json_that_does_not_fit_the_schema_is_not_enough() -> None:
    with StandIn("openai-compatible", lies=True, answer='{"mood": "calm"}') as stand_in:
        found = findings(stand_in)

    assert found["json_schema"].verdict == "ignored"
    assert found["json_object"].verdict == "yes"


@pytest.mark.parametrize("parameter", ["structured_outputs", "ebnf", "grammar_string"])
def test_of_an_unknown_server_every_way_to_send_a_grammar_is_tried(parameter: str) -> None:
    name = {"structured_outputs": "vllm", "ebnf": "sglang", "grammar_string": "tabbyapi"}[parameter]
    with StandIn(name) as stand_in:
        found = findings(stand_in, provider=GENERIC)

    assert found["grammar"].evidence == f"`{parameter}` led it to the only answer there was"


def test_a_stream_that_is_none_is_said_to_be_none() -> None:
    with StandIn("gpt4all") as stand_in:
        asked_as_itself, asked_as_any = findings(stand_in), findings(stand_in, provider=GENERIC)

    assert (asked_as_itself["stream"].verdict, asked_as_itself["stream"].evidence) == (
        "no",
        "GPT4All takes no `stream`",
    )
    assert asked_as_any["stream"].verdict == "no"
    assert asked_as_any["stream"].evidence == "status 400: 'stream' is not supported"


FAULTS: list[tuple[Fault, str]] = [
    ("close", "it broke the connection off"),
    ("die-mid-stream", "it broke the connection off"),
    ("500", "status 500: stand-in answers 500"),
    ("500-text", "status 500: Traceback (most recent call last): ... RuntimeError: boom"),
    ("200-error", "status 200: the model runner has stopped"),
    ("empty", "its answer is no JSON object: ``"),
    ("wrong-type", "its answer is no JSON object: `<html><body>Welcome</body></html>`"),
    ("huge-body", "it sent more than 8 MiB"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_a_fault_is_an_error_and_no_verdict_on_the_server(fault: Fault, said: str) -> None:
    with StandIn("openai-compatible", fault=fault, huge=9 * 2**20) as stand_in:
        # Nine MiB take a busy machine longer than a second.
        found = findings(stand_in, kind="LLM", patience_s=20.0)

    assert found["models"].verdict == "yes"
    assert (found["chat"].verdict, found["chat"].evidence) == ("error", said)
    assert {found[name].verdict for name in LLM_ONLY} == {"untested"}
    assert found["json_schema"].evidence == "chat does not work, so this was not asked"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("bad-chunk", 'an event of its stream is no JSON: `{"id": "chatcmpl-1", "choi`'),
        ("error-event", "the stream ended in an error: `{'message': 'the model runner has stopped'"),
    ],
)
def test_a_stream_that_goes_wrong_is_an_error(fault: Fault, said: str) -> None:
    with StandIn("openai-compatible", fault=fault) as stand_in:
        found = findings(stand_in)

    assert found["chat"].verdict == "yes"
    assert found["stream"].verdict == "error"
    assert found["stream"].evidence.startswith(said)


def test_a_model_of_another_kind_is_not_asked_what_it_cannot_know() -> None:
    with StandIn("vllm") as stand_in:
        found = findings(stand_in, kind="embedding")

    assert found["chat"] == Finding("chat", "untested", "it is an embedding model")
    assert found["embeddings"].verdict == "yes"


def test_a_server_that_says_nothing_is_one_clear_error() -> None:
    with StandIn("ollama", fault="hang") as stand_in, pytest.raises(UpstreamFailed) as caught:
        findings(stand_in)

    assert str(caught.value) == f"`{stand_in.url}` did not list its models: it said nothing for 1 s"


def test_a_server_that_falls_silent_within_an_answer_is_waited_for_no_longer_than_told() -> None:
    with StandIn("openai-compatible", fault="hang-mid-stream", times=1) as stand_in:
        found = findings(stand_in)

    assert (found["chat"].verdict, found["chat"].evidence) == ("error", "it said nothing for 1 s")


def test_nothing_listens_there() -> None:
    with StandIn("ollama", fault="refuse") as stand_in, pytest.raises(UpstreamFailed) as caught:
        findings(stand_in)

    assert str(caught.value).startswith(f"nothing answers at `{stand_in.url}`\n\nhint:")


def test_a_server_that_wants_a_key_says_how_to_give_one() -> None:
    with StandIn("vllm", key="secret") as stand_in, pytest.raises(UpstreamFailed) as caught:
        check(Target(Server(stand_in.url), find_provider("vllm"), "m"))

    assert str(caught.value) == (
        f"`{stand_in.url}` refuses us (status 401: Incorrect API key provided)\n\n"
        "hint: --key-env names the variable that holds its key"
    )


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_key_reaches_every_server_in_the_header_it_reads(name: str) -> None:
    with StandIn(name, key="secret") as stand_in:
        server = Server(stand_in.url, find_provider(name).auth.headers("secret"))

        assert server.post("/v1/chat/completions", {"model": "m", "messages": []}, 5.0).status == 200


# The commands


def test_providers_are_listed_with_what_to_use_instead_of_libraries() -> None:
    shown = run("upstream", "providers")

    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["PROVIDER", *load_providers()]
    assert "AutoAWQ is none: it is a library" in shown.stderr


def test_one_provider_is_shown_with_its_sources() -> None:
    shown = run("upstream", "providers", "jan")

    assert shown.exit_code == 0
    assert shown.stdout == (
        "Jan  (https://jan.ai)\n"
        "Desktop application around llama.cpp with a local API server.\n"
        "\n"
        "usually at        http://127.0.0.1:1337\n"
        "routes            chat /v1/chat/completions, models /v1/models\n"
        "key               authorization: Bearer KEY, required\n"
        "\n"
        "- The server is started by hand in Settings, after a key was set there.\n"
        "- It answers on 127.0.0.1 only, unless its settings say 0.0.0.0.\n"
        "- No Responses API yet.\n"
        "\n"
        "source: https://jan.ai/docs/local-api (default_url, auth, quirks; seen 2026-11-22)\n"
        "source: https://jan.ai/docs/desktop/api-preference (routes, quirks; seen 2026-11-22)\n"
    )


def test_everything_known_is_there_as_json() -> None:
    listed = json.loads(run("upstream", "providers", "--json").stdout)
    shown = json.loads(run("upstream", "providers", "tgi", "--json").stdout)

    assert [provider["name"] for provider in listed] == list(load_providers())
    assert shown == next(provider for provider in listed if provider["name"] == "tgi")
    assert shown["structured_output"] == "json_object_value"


def test_a_library_is_answered_with_what_to_use() -> None:
    shown = run("upstream", "providers", "AutoGPTQ")

    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr.startswith("error: `AutoGPTQ` cannot be an upstream: it is a library")


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_an_address_is_checked_directly_and_its_only_model_is_found(suffix: str) -> None:
    with StandIn("llama-cpp-python", model="coder") as stand_in:
        shown = run("upstream", "check", stand_in.url + suffix, "--provider", "llama-cpp-python")

    assert shown.exit_code == 0
    assert "chat          yes       it answered `The answer is 42.`" in shown.stdout
    assert shown.stderr.endswith("`coder` can 8 of 13; it takes and ignores tools\n")


def test_findings_are_there_as_json() -> None:
    with StandIn("ollama") as stand_in:
        shown = run("upstream", "check", stand_in.url, "--provider", "ollama", "--json")

    assert json.loads(shown.stdout)[9] == {
        "capability": "n",
        "verdict": "no",
        "evidence": "Ollama gives one choice per request, not `n` = 2",
    }


def test_a_key_is_taken_from_the_environment_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_KEY", "canary-4711")
    with StandIn("tabbyapi", key="canary-4711") as stand_in:
        shown = run("upstream", "check", stand_in.url, "--provider", "tabbyapi", "--key-env", "SERVER_KEY")

    assert shown.exit_code == 0
    assert "canary" not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["http://127.0.0.1:1", "--key-env", "NOT_SET"], 2, "--key-env: the variable `NOT_SET` is not set here"),
        (["some-model", "--provider", "ollama"], 2, "go with an address, not with the name of a model"),
        (["http://127.0.0.1:1", "--provider", "olama"], 1, "did you mean `ollama`?"),
        (["http://127.0.0.1:1"], 1, "error: nothing answers at `http://127.0.0.1:1`"),
        (["http://127.0.0.1:1", "--provider", "powerinfer"], 1, "hint: name one with --model"),
    ],
    ids=["no key", "options of an address", "no such provider", "nobody there", "no list"],
)
def test_what_cannot_be_checked_is_said_at_once(words: list[str], code: int, said: str) -> None:
    shown = run("upstream", "check", *words)

    assert shown.exit_code == code
    assert said in shown.stderr


def test_one_of_several_models_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn("vllm") as stand_in:
        both = {"data": [{"id": "a"}, {"id": "b"}]}
        monkeypatch.setitem(BEHAVIOURS["vllm"].pages, "/v1/models", lambda *_: both)  # type: ignore[arg-type]
        shown = run("upstream", "check", stand_in.url, "--provider", "vllm")

    assert shown.exit_code == 1
    assert shown.stderr == f"error: `{stand_in.url}` lists 2 models\n\nhint: --model picks one of: a, b\n"


def test_an_unknown_name_says_what_is_served() -> None:
    with FakeXinference() as fake:
        shown = run("--endpoint", fake.endpoint, "upstream", "check", "nobody")

    assert shown.exit_code == 1
    assert shown.stderr == (
        f"error: `{fake.endpoint}` serves no `nobody`\n\nhint: `biai-xinf status` shows what it serves\n"
    )


@pytest.mark.parametrize("login", ["none", "key", "password"])
def test_a_model_of_the_endpoint_is_asked_through_the_supervisor(login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeXinference(auth=login != "none") as fake:
        fake.run("coder")
        fake.chat["coder"] = lambda body: "SELECT 1"
        if fake.auth:
            fake.auth.users["ann"] = "canary-4711"
            fake.auth.api_keys.append("canary-4711")
        if login == "key":
            monkeypatch.setenv("BIAI_XINF_API_KEY", "canary-4711")
        if login == "password":
            monkeypatch.setenv("BIAI_XINF_USERNAME", "ann")
            monkeypatch.setenv("BIAI_XINF_PASSWORD", "canary-4711")
        shown = run("--endpoint", fake.endpoint, "upstream", "check", "coder")

    assert shown.exit_code == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert "chat          yes       it answered `SELECT 1`" in lines
    assert "json_schema   ignored   it answered `SELECT 1`, which does not fit the schema" in lines
    assert "rerank        untested  it is a language model" in lines
    assert "canary" not in shown.stdout + shown.stderr
