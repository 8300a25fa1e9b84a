from pathlib import Path

import pytest
import yaml

from biai_xinf.catalogue import load_entry
from biai_xinf.cli.render import plan_text
from biai_xinf.errors import BadFile, NothingFits, UidTaken
from biai_xinf.plan import Action, make_plan
from biai_xinf.specs import EngineRecipe, UpstreamRecipe
from biai_xinf.state import Cluster, Desired, DesiredModel, UpstreamLaunch
from tests.builders import SERVER, cluster, entry, recipe, running, served, spec_data, upstream_recipe, want

NO_EXTENSION = "the endpoint has no extension, which reaches other servers; `biai-xinf up` has it on"


def extended(**more: object) -> Cluster:
    return cluster(extension="0.1.0", **more)  # type: ignore[arg-type]


def actions(wish: DesiredModel, seen: Cluster) -> list[tuple[Action, str]]:
    return [(change.action, change.reason) for change in make_plan(Desired((wish,)), seen).changes]


def written(folder: Path, *recipes: dict[str, object], **more: object) -> Path:
    file = folder / "coder.yaml"
    file.write_text(yaml.safe_dump(spec_data(*recipes, **more), sort_keys=False), encoding="utf-8")
    return file


# The file


def test_a_spec_mixes_recipes_of_both_kinds(tmp_path: Path) -> None:
    file = written(tmp_path, upstream_recipe(key_env="CODER_KEY"), recipe("cpu"))

    elsewhere, cpu = load_entry(file).spec.recipes

    assert isinstance(elsewhere, UpstreamRecipe)
    assert isinstance(cpu, EngineRecipe)
    assert elsewhere.upstream.model_dump() == {**SERVER, "key_env": "CODER_KEY", "weight": 1}
    assert elsewhere.requires.model_dump(exclude_defaults=True) == {}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (upstream_recipe() | {"engine": "vLLM"}, "recipes[0].engine: unknown field"),
        (upstream_recipe(url="10.0.0.7:11434"), "recipes[0].upstream.url: `10.0.0.7:11434` is no http:// or https:// address"),
        (upstream_recipe(url="http://ann:secret@host"), "recipes[0].upstream.url: keep secrets out of the URL"),
        (upstream_recipe(key_env="not a name"), "recipes[0].upstream.key_env: string should match pattern"),
        (upstream_recipe(port=11434), "recipes[0].upstream.port: unknown field"),
        ({"name": "x", "upstream": {"provider": "ollama"}}, "recipes[0].upstream.url: missing"),
        ({"name": "x"}, "recipes[0].requires: missing"),
    ],
    ids=["both", "no address", "secret", "no variable", "unknown", "incomplete", "neither"],
)  # fmt: skip
def test_a_mistake_in_an_upstream_recipe_is_named_with_line_and_field(
    tmp_path: Path, broken: dict[str, object], said: str
) -> None:
    file = written(tmp_path, broken)

    with pytest.raises(BadFile) as caught:
        load_entry(file)

    assert caught.value.message.startswith(f"{file}:")
    assert said in caught.value.message


def test_an_unknown_provider_is_named_with_those_there_are(tmp_path: Path) -> None:
    file = written(tmp_path, upstream_recipe(provider="openai-compatble"))

    with pytest.raises(BadFile) as caught:
        load_entry(file)

    said = "recipe `elsewhere`: upstream.provider: no provider is named `openai-compatble`"
    assert caught.value.message == f"{file}: {said}"
    assert str(caught.value.hint).startswith("did you mean `openai-compatible`?")


def test_names_for_ollama_clients_are_checked(tmp_path: Path) -> None:
    good = written(tmp_path, ollama_tags=["qwen3-coder:30b", "library/coder:7b-instruct-q4_K_M", "coder"])
    assert len(load_entry(good).spec.ollama_tags) == 3

    with pytest.raises(BadFile, match=r"ollama_tags\[0\]: string should match pattern"):
        load_entry(written(tmp_path, ollama_tags=["two words"]))


# What fits


def test_an_upstream_takes_no_memory_and_no_worker() -> None:
    none_free = Cluster("http://10.0.0.1:9997", True, workers=(), models=(), extension="0.1.0")

    (change,) = make_plan(Desired((want(upstream_recipe()),)), none_free).changes

    assert change.action is Action.LAUNCH
    assert change.resolution is not None
    assert change.resolution.placed is None


def test_without_the_extension_the_next_recipe_is_taken() -> None:
    (change,) = make_plan(Desired((want(upstream_recipe(), recipe("cpu")),)), cluster()).changes

    assert change.resolution is not None
    assert [verdict.reason for verdict in change.resolution.verdicts] == [NO_EXTENSION, None]


def test_without_the_extension_nothing_fits_where_there_is_no_other_recipe() -> None:
    with pytest.raises(NothingFits, match="elsewhere: the endpoint has no extension"):
        make_plan(Desired((want(upstream_recipe()),)), cluster())


def test_a_uid_that_no_upstream_can_have_is_a_reason() -> None:
    wish = DesiredModel("two words", entry(upstream_recipe()))

    with pytest.raises(NothingFits, match="`two words` cannot name an upstream"):
        make_plan(Desired((wish,)), extended())


def test_a_demonstration_stays_one() -> None:
    with pytest.raises(NothingFits, match="only a demonstration"):
        make_plan(Desired((want(upstream_recipe() | {"demonstration": True}),)), extended())


# The plan


def test_the_upstream_says_what_the_spec_says() -> None:
    found = entry(upstream_recipe(key_env="CODER_KEY") | {"requires": {"context": 8192}}, defaults={"temperature": 0})

    (change,) = make_plan(Desired((DesiredModel("sql", found),)), extended()).changes

    assert isinstance(change.launch, UpstreamLaunch)
    assert change.launch.body == {
        "name": "sql",
        "role": "sql",
        "servers": [{**SERVER, "key_env": "CODER_KEY"}],
        "context": 8192,
        "defaults": {"temperature": 0},
    }


def test_the_plan_shows_the_server() -> None:
    plan = make_plan(Desired((want(upstream_recipe(), recipe("cpu")),)), extended())

    assert plan_text(plan).splitlines() == [
        "+ coder  recipe elsewhere: coder:7b at http://10.0.0.7:11434 (openai-compatible)",
        "  > elsewhere  takes no memory here: the server runs the model already",
        "    cpu        a better recipe fits",
        "",
        "1 to launch",
    ]


@pytest.mark.parametrize("phase", ["ready", "failed"])
def test_an_upstream_that_is_there_is_kept_whether_or_not_its_server_answers(phase: str) -> None:
    seen = cluster(models=(served(phase=phase),))  # type: ignore[arg-type]

    assert actions(want(upstream_recipe()), seen) == [(Action.KEEP, "runs recipe elsewhere")]


def test_servers_added_by_hand_do_not_make_it_another_model() -> None:
    seen = cluster(models=(served({"url": "http://10.0.0.8:11434"}, {}),))

    assert actions(want(upstream_recipe()), seen) == [(Action.KEEP, "runs recipe elsewhere")]


@pytest.mark.parametrize(
    "other",
    [{"url": "http://10.0.0.8:11434"}, {"model": "coder:3b"}, {"provider": "vllm"}, {"key_env": "CODER_KEY"}],
    ids=lambda other: next(iter(other)),
)
def test_an_upstream_of_another_server_is_not_touched(other: dict[str, str]) -> None:
    with pytest.raises(UidTaken, match=r"`coder` runs .* at http://.*, which is no recipe of `coder`"):
        make_plan(Desired((want(upstream_recipe()),)), extended(models=(served(other),)))


def test_upgrade_replaces_one_server_by_another_without_a_gap() -> None:
    seen = extended(models=(served({"model": "coder:3b"}),))

    plan = make_plan(Desired((want(upstream_recipe(), upgrade=True),)), seen)

    (change,) = plan.changes
    assert (change.action, change.in_place) == (Action.RELAUNCH, True)
    assert plan_text(plan).splitlines()[:2] == [
        "± coder  recipe elsewhere: coder:7b at http://10.0.0.7:11434 (openai-compatible)",
        "    runs coder:3b at http://10.0.0.7:11434 (openai-compatible), which is replaced between two requests",
    ]


def test_upgrade_from_a_worker_to_a_server_stops_the_model_first() -> None:
    wish = want(upstream_recipe(), recipe("only"), upgrade=True)

    (change,) = make_plan(Desired((wish,)), extended(models=(running(),))).changes

    assert (change.action, change.in_place) == (Action.RELAUNCH, False)


def test_upgrade_from_a_server_to_a_worker_takes_the_upstream_out_first() -> None:
    wish = want(recipe("best"), upstream_recipe(), upgrade=True)

    (change,) = make_plan(Desired((wish,)), extended(models=(served(),))).changes

    assert (change.action, change.in_place, change.recipe) == (Action.RELAUNCH, False, wish.entry.spec.recipes[0])


def test_an_upstream_whose_servers_do_not_answer_can_be_stopped() -> None:
    (change,) = make_plan(Desired(absent=("coder",)), cluster(models=(served(phase="failed"),))).changes

    assert (change.action, change.reason) == (Action.TERMINATE, "is failed")
