import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.catalogue import load_catalogue
from biai_xinf.errors import NothingFits, UidTaken
from biai_xinf.memory import Placement
from biai_xinf.plan import Action, launch_of, make_plan
from biai_xinf.state import Desired, DesiredModel
from tests.builders import cluster, entry, recipe, running, want, worker


def actions(desired: Desired, **seen: object) -> list[tuple[Action, str, str]]:
    plan = make_plan(desired, cluster(**seen))  # type: ignore[arg-type]
    return [(change.action, change.uid, change.reason) for change in plan.changes]


def test_a_model_that_does_not_run_is_launched() -> None:
    assert actions(Desired((want(),))) == [(Action.LAUNCH, "coder", "is not running")]


def test_a_running_model_keeps_its_recipe_though_a_better_one_fits() -> None:
    wish = Desired((want(recipe("best"), recipe("small")),))

    assert actions(wish, models=(running("small"),)) == [(Action.KEEP, "coder", "runs recipe small")]


def test_a_running_model_keeps_its_recipe_though_it_filled_the_memory() -> None:
    plan = make_plan(Desired((want(recipe("only", gib=12)),)), cluster(worker(ram=1), models=(running(),)))

    assert plan.is_empty


def test_upgrade_relaunches_with_the_better_recipe() -> None:
    wish = Desired((want(recipe("best"), recipe("small"), upgrade=True),))

    assert actions(wish, models=(running("small"),)) == [
        (Action.RELAUNCH, "coder", "runs coder ggufv2 q-small on llama.cpp")
    ]


def test_upgrade_keeps_the_best_recipe_that_fits() -> None:
    wish = Desired((want(recipe("best", gib=99), recipe("small"), upgrade=True),))

    assert actions(wish, models=(running("small"),)) == [
        (Action.KEEP, "coder", "runs recipe small, the best that fits")
    ]


def test_a_failed_model_is_launched_again() -> None:
    assert actions(Desired((want(),)), models=(running(phase="failed"),)) == [(Action.LAUNCH, "coder", "is failed")]


def test_a_model_that_is_being_launched_is_waited_for() -> None:
    (change,) = make_plan(Desired((want(),)), cluster(models=(running(phase="launching"),))).changes

    assert (change.action, change.pending) == (Action.KEEP, True)


def test_a_uid_that_runs_something_else_is_not_touched() -> None:
    with pytest.raises(UidTaken) as caught:
        make_plan(Desired((want(),)), cluster(models=(running("foreign"),)))

    assert str(caught.value) == (
        "`coder` runs coder ggufv2 q-foreign on llama.cpp, which is no recipe of `coder`\n"
        "\n"
        "hint: `biai-xinf stop coder` stops it, `--uid NAME` launches beside it, `--upgrade` replaces it"
    )


def test_models_that_nobody_named_are_left_alone_and_listed() -> None:
    plan = make_plan(Desired((want(),)), cluster(models=(running(uid="other"),)))

    assert plan.unmanaged == ("other",)
    assert [change.uid for change in plan.changes] == ["coder"]


def test_absent_models_are_stopped_and_missing_ones_ignored() -> None:
    assert actions(Desired(absent=("coder", "gone")), models=(running(),)) == [
        (Action.TERMINATE, "coder", "is ready"),
        (Action.KEEP, "gone", "is not running"),
    ]


def test_two_models_of_one_plan_never_count_on_the_same_memory() -> None:
    one = DesiredModel("one", entry(recipe("only", gib=10)))
    two = DesiredModel("two", entry(recipe("only", gib=10)))

    with pytest.raises(NothingFits, match="needs 10 GiB of free memory, the most is 6 GiB"):
        make_plan(Desired((one, two)), cluster(worker(ram=16)))


def test_a_launch_says_where_and_how_in_the_words_of_xinference() -> None:
    found = entry(
        recipe("gpu", gpus=2, gib=20, engine="vLLM", engine_options={"enable_prefix_caching": True}),
        recipe("cpu", gib=4) | {"requires": {"memory": "4GiB", "context": 8192, "parallel": 3}},
    )
    gpu, cpu = found.spec.recipes

    on_gpu = launch_of(found, gpu, Placement("10.0.0.1:1", (0, 3)), "sql")
    on_cpu = launch_of(found, cpu, Placement("10.0.0.1:1"), "sql")

    assert on_gpu.body == {
        "model_uid": "sql", "model_type": "LLM", "model_engine": "vLLM", "model_name": "coder",
        "model_format": "ggufv2", "model_size_in_billions": 7, "quantization": "q-gpu",
        "enable_prefix_caching": True, "replica": 1,
        "replica_config": [{"devices": [{"worker_ip": "10.0.0.1:1", "n_gpu": 2, "gpu_idx": [0, 3]}]}],
    }  # fmt: skip
    assert on_cpu.body == {
        "model_uid": "sql", "model_type": "LLM", "model_engine": "llama.cpp", "model_name": "coder",
        "model_format": "ggufv2", "model_size_in_billions": 7, "quantization": "q-cpu",
        "context_length": 8192, "n_parallel": 3, "worker_ip": "10.0.0.1:1", "n_gpu": None,
    }  # fmt: skip


def test_the_bundled_recipe_carries_its_registration_and_the_path_of_its_weights() -> None:
    sql_coder = load_catalogue()["sql-coder"]
    bundled = sql_coder.recipe("bundled")

    launch = launch_of(sql_coder, bundled, Placement("127.0.0.1:1"), "sql-coder")

    assert launch.registration is not None
    assert launch.registration["model_name"] == "biai-demo-sql"
    assert launch.body["model_path"] == str(sql_coder.path.parent / "bundled" / "biai-demo-sql-q8_0.gguf")


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 40)), min_size=1, max_size=5), st.integers(1, 40))
def test_planning_again_after_a_launch_changes_nothing(sizes: list[tuple[int, int]], gpu: int) -> None:
    wish = want(*(recipe(f"r{n}", gpus=count, gib=gib) for n, (count, gib) in enumerate(sizes)))
    seen = cluster(worker(ram=20, gpus=(gpu,)))
    try:
        (change,) = make_plan(Desired((wish,)), seen).changes
    except NothingFits:
        return
    assert change.recipe is not None

    after = cluster(worker(ram=0, gpus=(0,)), models=(running(change.recipe.name),))

    assert make_plan(Desired((wish,)), after).is_empty
