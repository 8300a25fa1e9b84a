"""Upstreams from the command line: added, listed and removed by hand, or launched from a spec; on a fake Xinference."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from biai_xinf import execute
from biai_xinf.cli import upstreams as commands
from biai_xinf.client import Client
from biai_xinf.errors import Forbidden
from biai_xinf.providers import find_provider
from biai_xinf.upstreams import Upstream
from tests.builders import SERVER, recipe, spec_data, upstream_recipe
from tests.commandline import Result, run
from tests.fake_extension import FakeExtension
from tests.fake_xinference import FakeXinference, option

RIGHT, WRONG = "SELECT COUNT(*) FROM customers", "SELECT COUNT(*) FROM orders"
KIND = "openai-compatible"
# Nothing answers there, and at once.
ELSEWHERE, SECOND = "http://127.0.0.1:9", "http://127.0.0.1:8"


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """An endpoint with the extension; what is asked as `coder` is answered right."""
    with FakeXinference(extension=True) as server:
        server.chat["coder"] = lambda body: RIGHT
        yield server


@pytest.fixture
def extension(fake: FakeXinference) -> FakeExtension:
    assert fake.extension is not None
    return fake.extension


@pytest.fixture
def other() -> Iterator[FakeXinference]:
    """Another server, which runs the model `coder`."""
    with FakeXinference() as server:
        server.run("coder")
        yield server


@pytest.fixture(autouse=True)
def no_waiting(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(execute, "_POLL_S", 0)
    monkeypatch.setattr(commands, "_HEALTH_PATIENCE_S", 0)


def at(fake: FakeXinference, *words: str) -> Result:
    return run("--endpoint", fake.endpoint, *words)


def add(fake: FakeXinference, *words: str) -> Result:
    return at(fake, "upstream", "add", *words, "--provider", KIND)


def cells(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell]


# Added by hand


def test_add_serves_a_model_of_another_server_and_shows_its_health(fake: FakeXinference, other: FakeXinference) -> None:
    result = add(fake, "coder", "--url", other.endpoint, "--role", "sql")

    assert (result.exit_code, result.stderr.splitlines()) == (
        0,
        [
            f"`coder` is served: `coder` at {other.endpoint} ({KIND})",
            "",
            "",
            "next: biai-xinf upstream check coder",
        ],
    )
    heading, row = result.stdout.splitlines()
    assert heading.split() == ["UPSTREAM", "ROLE", "PROVIDER", "SERVER", "MODEL", "WEIGHT", "STATE", "FALLBACK"]
    assert row.split() == ["coder", "sql", KIND, other.endpoint, "coder", "1", "ok", "-"]


def test_add_sends_what_was_asked_for_and_nothing_else(fake: FakeXinference, extension: FakeExtension) -> None:
    options = "--model m --key-env CODER_KEY --role sql --weight 3 --fallback a --fallback b --context 8192"

    add(fake, "coder", "--url", ELSEWHERE, *options.split(), "--patience", "5", "--deadline", "50")

    assert extension.upstreams["coder"] == Upstream.model_validate(
        {
            "name": "coder",
            "role": "sql",
            "servers": [{"provider": KIND, "url": ELSEWHERE, "model": "m", "key_env": "CODER_KEY", "weight": 3}],
            "fallback": ["a", "b"],
            "context": 8192,
            "patience_s": 5,
            "deadline_s": 50,
        }
    )


def test_a_server_that_runs_one_model_only_means_that_one(
    fake: FakeXinference, other: FakeXinference, extension: FakeExtension
) -> None:
    result = add(fake, "sql", "--url", other.endpoint)

    assert result.stderr.startswith(f"`{other.endpoint}` runs one model, `coder`: that is what `sql` will be\n")
    assert extension.upstreams["sql"].servers[0].model == "coder"


def test_a_model_that_the_server_does_not_list_is_a_warning_with_those_it_does(
    fake: FakeXinference, other: FakeXinference, extension: FakeExtension
) -> None:
    other.run("narrator")

    result = add(fake, "sql", "--url", other.endpoint)

    said = f"warning: `{other.endpoint}` does not list `sql`; --model picks one of `coder`, `narrator`\n"
    assert result.stderr.startswith(said)
    assert extension.upstreams["sql"].servers[0].model == "sql"


def test_a_model_given_by_name_is_taken_as_it_is(
    fake: FakeXinference, other: FakeXinference, extension: FakeExtension
) -> None:
    result = add(fake, "sql", "--url", other.endpoint, "--model", "unlisted")

    assert "does not list `unlisted`" in result.stderr
    assert extension.upstreams["sql"].servers[0].model == "unlisted"


def test_a_server_that_only_the_supervisor_reaches_is_added_with_a_warning(
    fake: FakeXinference, extension: FakeExtension
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    result = add(fake, "coder", "--url", url)

    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == (
        f"warning: nothing answers at `{url}` from here, so whether it runs `coder` is not known; "
        "the supervisor may reach it"
    )
    assert "coder" in extension.upstreams


def test_a_server_that_asks_for_a_key_is_asked_with_the_one_of_the_environment(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeXinference(auth=True) as guarded:
        assert guarded.auth is not None
        guarded.auth.api_keys.append("canary-key")
        guarded.run("coder")
        without = add(fake, "coder", "--url", guarded.endpoint, "--key-env", "CODER_KEY")
        monkeypatch.setenv("CODER_KEY", "canary-key")
        with_key = add(fake, "coder", "--url", guarded.endpoint, "--key-env", "CODER_KEY")

    assert f"warning: `{guarded.endpoint}` asks for a key (status 401)" in without.stderr
    assert "warning" not in with_key.stderr
    assert "canary-key" not in with_key.stdout + with_key.stderr + at(fake, "upstream", "list", "--json").stdout


def test_adding_a_name_with_another_server_adds_the_server(fake: FakeXinference, extension: FakeExtension) -> None:
    add(fake, "coder", "--url", ELSEWHERE, "--role", "sql", "--context", "4096")

    result = add(fake, "coder", "--url", SECOND, "--fallback", "other")

    assert f"`coder` got one more server, 2 servers in all: `coder` at {SECOND} ({KIND})" in result.stderr
    stored = extension.upstreams["coder"]
    assert [server.url for server in stored.servers] == [ELSEWHERE, SECOND]
    assert (stored.role, stored.context, stored.fallback) == ("sql", 4096, ["other"])


def test_adding_the_same_server_replaces_its_settings(fake: FakeXinference, extension: FakeExtension) -> None:
    add(fake, "coder", "--url", ELSEWHERE)
    add(fake, "coder", "--url", SECOND)

    result = add(fake, "coder", "--url", ELSEWHERE, "--weight", "4")

    assert f"`coder` was served by `coder` at {ELSEWHERE} ({KIND}) already; its settings are replaced" in result.stderr
    assert [(server.url, server.weight) for server in extension.upstreams["coder"].servers] == [
        (ELSEWHERE, 4),
        (SECOND, 1),
    ]


def test_without_an_address_the_providers_usual_one_is_taken(
    fake: FakeXinference, extension: FakeExtension, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = find_provider(KIND).model_copy(update={"default_url": ELSEWHERE})
    monkeypatch.setattr(commands, "find_provider", lambda name: usual)

    add(fake, "coder")

    assert extension.upstreams["coder"].servers[0].url == ELSEWHERE


def test_the_path_of_the_openai_routes_may_be_left_on_the_address(
    fake: FakeXinference, extension: FakeExtension
) -> None:
    add(fake, "coder", "--url", f"{ELSEWHERE}/v1/")

    assert extension.upstreams["coder"].servers[0].url == ELSEWHERE


def test_the_uid_of_a_model_that_xinference_runs_is_refused(fake: FakeXinference, other: FakeXinference) -> None:
    fake.run("coder")

    result = add(fake, "coder", "--url", other.endpoint)

    assert (result.exit_code, result.stderr) == (
        1,
        "error: Xinference itself runs a model `coder`; stop it first, or choose another name\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("coder",), "Error: `openai-compatible` has no usual address: --url says where the server is"),
        (("coder", "--url", "10.0.0.7"), "Error: --url: `10.0.0.7` is no http:// or https:// address"),
        (("coder", "--url", "http://a:b@host"), "Error: --url: keep secrets out of the URL"),
        (("coder", "--url", ELSEWHERE, "--weight", "0"), "Error: --weight: Input should be greater than or equal to 1"),
        (("coder", "--url", ELSEWHERE, "--patience", "0"), "Error: --patience: Input should be greater than 0"),
        (("two words", "--url", ELSEWHERE), "Error: NAME: String should match pattern"),
        (("coder", "--url", ELSEWHERE, "--fallback", "coder"), "Error: `coder` cannot fall back on itself"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_named_by_its_option(
    fake: FakeXinference, extension: FakeExtension, words: tuple[str, ...], said: str
) -> None:
    result = add(fake, *words)

    assert result.exit_code == 2
    assert said in result.stderr
    assert extension.upstreams == {}


def test_a_key_given_in_place_of_its_variable_is_not_repeated(fake: FakeXinference) -> None:
    result = add(fake, "coder", "--url", ELSEWHERE, "--key-env", "sk-canary")

    assert result.exit_code == 2
    assert "--key-env: give the name of the variable that holds the key, not the key" in result.stderr
    assert "canary" not in result.stderr


def test_an_unknown_provider_offers_those_there_are(fake: FakeXinference) -> None:
    result = at(fake, "upstream", "add", "coder", "--provider", "openai-compatble")

    assert result.exit_code == 1
    assert "error: no provider is named `openai-compatble`" in result.stderr
    assert "did you mean `openai-compatible`?" in result.stderr


@pytest.mark.parametrize("words", [("add", "x", "--provider", KIND, "--url", ELSEWHERE), ("list",), ("remove", "x")])
def test_without_the_extension_the_error_says_how_to_turn_it_on(words: tuple[str, ...]) -> None:
    with FakeXinference() as stock:
        result = at(stock, "upstream", *words)

    assert (result.exit_code, result.stderr) == (
        1,
        f"error: `{stock.endpoint}` has no biai-xinf extension, which serves this\n"
        "\n"
        "hint: `biai-xinf up` has it on; on a cluster install biai-xinf for the supervisor and every worker, and export "
        "XINFERENCE_EXTENSIONS=biai_xinf.extension:create for each of them\n",
    )


# Listed and removed


def test_list_shows_every_server_with_its_health(fake: FakeXinference, extension: FakeExtension) -> None:
    extension.failing[SECOND] = "refuses connections"
    add(fake, "coder", "--url", ELSEWHERE, "--fallback", "other")
    add(fake, "coder", "--url", SECOND, "--weight", "2")

    result = at(fake, "upstream", "list")

    rows = [cells(line) for line in result.stdout.splitlines()[1:]]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["coder", "chat", KIND, ELSEWHERE, "coder", "1", "ok", "other"],
        ["coder", "chat", KIND, SECOND, "coder", "2", "failing: refuses connections", "other"],
    ]
    assert result.stderr.splitlines()[-1] == (
        f"1 upstream at {fake.endpoint}, 2 servers, 1 failing; next: biai-xinf upstream check NAME"
    )


def test_list_as_json_holds_everything_that_was_told(fake: FakeXinference) -> None:
    add(fake, "coder", "--url", ELSEWHERE)

    (upstream,) = json.loads(at(fake, "upstream", "list", "--json").stdout)

    assert upstream["servers"][0]["url"] == ELSEWHERE
    assert upstream["health"][0]["state"] == "ok"


def test_an_empty_list_says_how_to_add_one(fake: FakeXinference) -> None:
    result = at(fake, "upstream", "list")

    assert (result.stdout, result.stderr) == (
        "",
        f"no upstream is served at {fake.endpoint}; next: biai-xinf upstream add NAME --provider P --url URL\n",
    )


def test_remove_takes_one_server_out_and_with_the_last_one_the_name(
    fake: FakeXinference, extension: FakeExtension
) -> None:
    add(fake, "coder", "--url", ELSEWHERE)
    add(fake, "coder", "--url", SECOND)

    first = at(fake, "upstream", "remove", "coder", "--server", f"{ELSEWHERE}/")
    assert first.stderr == f"`coder` is served without `{ELSEWHERE}/`; 1 server left\n"
    assert [server.url for server in extension.upstreams["coder"].servers] == [SECOND]

    wrong = at(fake, "upstream", "remove", "coder", "--server", ELSEWHERE)
    assert wrong.stderr == (f"error: `coder` has no server at `{ELSEWHERE}`\n\nhint: it has `{SECOND}`\n")

    last = at(fake, "upstream", "remove", "coder", "--server", SECOND)
    assert last.stderr == f"`coder` is served no longer: `{SECOND}` was its last server\n"
    assert extension.upstreams == {}


def test_remove_of_an_unknown_name_offers_the_closest(fake: FakeXinference) -> None:
    add(fake, "coder", "--url", ELSEWHERE)

    result = at(fake, "upstream", "remove", "codr")

    assert (result.exit_code, result.stderr) == (
        1,
        "error: no upstream is named `codr`\n\nhint: did you mean `coder`? `biai-xinf upstream list` shows them all\n",
    )


# Launched from a spec


@pytest.fixture
def spec(own_home: Path) -> Path:
    """The user's own spec `coder`: a server elsewhere first, then a recipe for the CPU."""
    folder = own_home / "specs"
    folder.mkdir()
    cpu = recipe("cpu", gib=4) | {"model_path": "/srv/coder.gguf"}
    more = {"aliases": ["sql"], "ollama_tags": ["coder:7b"], "defaults": {"temperature": 0, "max_tokens": 64}}
    file = folder / "coder.yaml"
    file.write_text(yaml.safe_dump(spec_data(upstream_recipe(), cpu, **more)), encoding="utf-8")
    return file


@pytest.mark.usefixtures("spec")
class TestLaunch:
    def test_launch_serves_the_upstream_and_checks_its_answers(
        self, fake: FakeXinference, extension: FakeExtension
    ) -> None:
        result = at(fake, "launch", "coder")

        assert result.exit_code == 0, result.stderr
        assert result.stderr.splitlines()[:8] == [
            "+ coder  recipe elsewhere: coder:7b at http://10.0.0.7:11434 (openai-compatible)",
            "  > elsewhere  takes no memory here: the server runs the model already",
            "    cpu        a better recipe fits",
            "",
            "1 to launch",
            "",
            "coder: attaching",
            "coder: checking its answers",
        ]
        assert "`coder` is ready" in result.stderr
        assert fake.mutating_calls == [("PUT", "/biai/upstreams/coder")]
        stored = extension.upstreams["coder"]
        assert (stored.role, stored.defaults) == ("sql", {"temperature": 0, "max_tokens": 64})

    def test_launching_twice_changes_nothing(self, fake: FakeXinference) -> None:
        at(fake, "launch", "coder")
        fake.calls.clear()

        result = at(fake, "launch", "coder", "--json")

        assert fake.mutating_calls == []
        assert json.loads(result.stdout)["action"] == "keep"

    def test_without_the_extension_the_next_recipe_is_launched(self) -> None:
        with FakeXinference() as stock:
            stock.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
            stock.chat["coder"] = lambda body: RIGHT

            result = at(stock, "launch", "coder")

        assert result.exit_code == 0, result.stderr
        assert result.stderr.startswith(
            "+ coder  recipe cpu: coder 7B ggufv2 q-cpu on llama.cpp\n"
            "    elsewhere  the endpoint has no extension, which reaches other servers; `biai-xinf up` has it on\n"
            "  > cpu        fits on 127.0.0.1:20001 (CPU)\n"
        )

    def test_plan_as_json_holds_the_body_that_will_be_sent(self, fake: FakeXinference) -> None:
        (change,) = json.loads(at(fake, "plan", "coder", "--json").stdout)["changes"]

        assert fake.mutating_calls == []
        assert change["body"]["servers"] == [upstream_recipe()["upstream"]]

    def test_specs_show_names_the_server(self) -> None:
        shown = run("specs", "show", "coder").stdout

        assert "Ollama clients may call it: coder:7b" in shown
        assert "elsewhere  -          coder:7b at http://10.0.0.7:11434 (openai-compatible)" in shown

    def test_status_shows_the_server_in_place_of_an_engine_and_a_worker(self, fake: FakeXinference) -> None:
        at(fake, "launch", "coder")
        fake.calls.clear()

        result = at(fake, "status")

        assert [cells(line) for line in result.stdout.splitlines()[:2]] == [
            ["MODEL", "STATE", "WEIGHTS", " ENGINE", " REPLICAS"],
            ["coder", "ready", "coder:7b", "upstream: openai-compatible", "10.0.0.7:11434"],
        ]
        assert [path for _, path in fake.calls] == ["/status", "/v1/models/instances", "/v1/models"]

    def test_status_says_why_a_server_does_not_answer(self, fake: FakeXinference, extension: FakeExtension) -> None:
        at(fake, "launch", "coder")
        extension.failing[SERVER["url"]] = "refuses connections"

        result = at(fake, "status")

        assert "10.0.0.7:11434 failed: refuses connections" in result.stdout
        assert result.stderr.splitlines()[-1].startswith("0 of 1 models ready")

    def test_status_as_json_names_the_servers(self, fake: FakeXinference) -> None:
        at(fake, "launch", "coder")

        (model,) = json.loads(at(fake, "status", "--json").stdout)["models"]

        assert model["servers"] == [{**upstream_recipe()["upstream"], "key_env": None}]

    def test_a_server_that_does_not_answer_is_not_left_there(
        self, fake: FakeXinference, extension: FakeExtension
    ) -> None:
        extension.failing[SERVER["url"]] = "refuses connections"

        result = at(fake, "launch", "coder")

        assert result.exit_code == 1
        assert result.stderr.endswith(
            "error: `coder` cannot be served: refuses connections\n"
            "\n"
            f"hint: start the {KIND} server at `{SERVER['url']}`, then launch again\n"
        )
        assert extension.upstreams == {}

    def test_wrong_answers_take_the_upstream_out_again(self, fake: FakeXinference, extension: FakeExtension) -> None:
        fake.chat["coder"] = lambda body: WRONG

        result = at(fake, "launch", "coder")

        assert result.exit_code == 1
        assert "error: `coder` answers, but 1 of 1 checks of its probe came out wrong" in result.stderr
        assert (extension.upstreams, extension.served) == ({}, {})

    def test_stop_takes_it_out_and_forgets_what_was_proved(
        self, fake: FakeXinference, extension: FakeExtension
    ) -> None:
        at(fake, "launch", "coder")

        result = at(fake, "stop", "coder")

        assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "`coder` is stopped")
        assert (extension.upstreams, extension.served) == ({}, {})

    def test_an_upstream_whose_server_died_is_stopped_too(self, fake: FakeXinference, extension: FakeExtension) -> None:
        at(fake, "launch", "coder")
        extension.failing[SERVER["url"]] = "refuses connections"

        assert at(fake, "stop", "coder").exit_code == 0
        assert extension.upstreams == {}

    def test_an_interrupted_launch_is_taken_back(
        self, fake: FakeXinference, extension: FakeExtension, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put = Client.put_upstream

        def interrupted(client: Client, upstream: Upstream) -> None:
            put(client, upstream)
            raise KeyboardInterrupt

        monkeypatch.setattr(Client, "put_upstream", interrupted)

        result = at(fake, "launch", "coder")

        assert result.stderr.endswith("error: the launch of `coder` was stopped; nothing of it remains\n")
        assert extension.upstreams == {}

    def test_upgrade_to_another_server_leaves_no_gap(
        self, fake: FakeXinference, extension: FakeExtension, spec: Path
    ) -> None:
        at(fake, "launch", "coder")
        spec.write_text(spec.read_text().replace("10.0.0.7", "10.0.0.8"))
        fake.calls.clear()

        result = at(fake, "launch", "coder", "--upgrade")

        assert result.exit_code == 0, result.stderr
        assert fake.mutating_calls == [("PUT", "/biai/upstreams/coder")]
        assert extension.upstreams["coder"].servers[0].url == "http://10.0.0.8:11434"

    def test_upgrade_to_a_worker_takes_the_upstream_out_first(
        self, fake: FakeXinference, extension: FakeExtension
    ) -> None:
        fake.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        at(fake, "launch", "coder")
        fake.calls.clear()

        result = at(fake, "launch", "coder", "--recipe", "cpu", "--upgrade")

        assert result.exit_code == 0, result.stderr
        filled_in = ("POST", "/v1/launch_history")
        assert fake.mutating_calls == [("DELETE", "/v1/models/coder"), ("POST", "/v1/models"), filled_in]
        assert extension.served["coder"].recipe == "cpu"

    # What was proved

    def test_what_was_proved_of_a_model_is_not_believed_of_the_one_that_failed_in_its_place(
        self, fake: FakeXinference, extension: FakeExtension
    ) -> None:
        fake.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}
        at(fake, "launch", "coder")
        fake.chat["coder"] = lambda body: WRONG

        assert at(fake, "launch", "coder", "--recipe", "cpu", "--upgrade").exit_code == 1

        assert extension.served == {}

    def test_what_launch_proved_is_told_to_the_endpoint(self, fake: FakeXinference, extension: FakeExtension) -> None:
        at(fake, "launch", "coder")

        proved = extension.served["coder"]
        assert proved.verified_at is not None
        assert proved.model_dump(exclude={"verified_at"}) == {
            "uid": "coder",
            "spec": "coder",
            "recipe": "elsewhere",
            "role": "sql",
            "aliases": ["sql"],
            "tags": ["coder:7b"],
            "context": None,
            "defaults": {"temperature": 0, "max_tokens": 64},
            "checks": [{"asked": "How many customers?", "problem": None}],
        }

    def test_what_was_proved_of_a_model_on_a_worker_is_told_too(
        self, fake: FakeXinference, extension: FakeExtension
    ) -> None:
        fake.engines["LLM", "coder"] = {"llama.cpp": [option("ggufv2", 7, "q-cpu")]}

        at(fake, "launch", "coder", "--recipe", "cpu")

        assert extension.served["coder"].recipe == "cpu"

    def test_an_endpoint_that_cannot_be_told_is_a_warning(
        self, fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def forbidden(*_: object) -> None:
            raise Forbidden("Xinference forbids this: not enough permissions")

        monkeypatch.setattr(Client, "put_served_model", forbidden)

        result = at(fake, "launch", "coder")

        assert result.exit_code == 0
        assert (
            "warning: the endpoint was not told what was proved of `coder`: "
            "Xinference forbids this: not enough permissions\n"
        ) in result.stderr
        assert "`coder` is ready" in result.stderr
