from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.catalogue import load_catalogue
from biai_xinf.cli.render import plan_text
from biai_xinf.errors import NothingFits, UidTaken
from biai_xinf.hardware import Worker
from biai_xinf.launches import launch_of
from biai_xinf.memory import Form, Need, Placement
from biai_xinf.plan import Action, Plan, make_plan
from biai_xinf.resolve import Placed
from biai_xinf.specs import EngineRecipe
from biai_xinf.state import Desired, DesiredModel, Launch, Replica
from biai_xinf.units import GIB
from tests.builders import MODEL, cluster, entry, recipe, running, want, worker


def actions(desired: Desired, **seen: object) -> list[tuple[Action, str, str]]:
    plan = make_plan(desired, cluster(**seen))  # type: ignore[arg-type]
    return [(change.action, change.uid, change.reason) for change in plan.changes]


def test_a_model_that_does_not_run_is_launched() -> None:
    assert actions(Desired((want(),))) == [(Action.LAUNCH, "coder", "is not running")]


def test_a_running_model_keeps_its_recipe_though_a_better_one_fits() -> None:
    wish = Desired((want(recipe("best"), recipe("small")),))

    assert actions(wish, models=(running("small"),)) == [(Action.KEEP, "coder", "runs recipe small")]


@pytest.mark.parametrize(("gpus", "kept"), [((0,), "gpu"), ((), "cpu")])
def test_of_recipes_with_the_same_weights_the_one_that_runs_is_told_by_its_gpus(
    gpus: tuple[int, ...], kept: str
) -> None:
    same = {"model": {**MODEL, "quantization": "q-only"}}
    wish = Desired((want(recipe("gpu", gpus=1, **same), recipe("cpu", **same)),))
    model = replace(running("only"), replicas=(Replica("10.0.0.1:1", "ready", gpus=gpus),))

    assert actions(wish, models=(model,)) == [(Action.KEEP, "coder", f"runs recipe {kept}")]


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


def test_what_finds_no_room_is_refused_and_the_others_are_planned() -> None:
    one, two = want(recipe("only", gib=10), uid="one"), want(recipe("only", gib=10), uid="two")

    plan = make_plan(Desired((one, two)), cluster(worker(ram=16)))

    assert [change.uid for change in plan.changes] == ["one"]
    assert [(refused.uid, refused.error.details) for refused in plan.refused] == [
        ("two", ["only: needs 10 GiB of free memory, the most is 6 GiB beside `one`"])
    ]
    assert plan.tally() == "1 to launch, 1 refused"


def test_a_model_asked_for_alone_that_finds_no_room_is_an_error() -> None:
    with pytest.raises(NothingFits, match="needs 99 GiB of free memory, the most is 16 GiB"):
        make_plan(Desired((want(recipe("only", gib=99)),)), cluster())


def test_a_running_model_with_too_few_replicas_gets_the_others() -> None:
    wish = Desired((want(replicas=2),))

    assert actions(wish, models=(running(),)) == [(Action.SCALE, "coder", "runs recipe only, 1 of 2 replicas")]


def test_upgrade_never_ends_with_a_worse_recipe() -> None:
    wish = Desired((want(recipe("best", gib=99), recipe("middle", gib=12), recipe("small"), upgrade=True),))
    filled = cluster(worker(ram=4), models=(running("middle"),))

    (change,) = make_plan(wish, filled).changes

    assert (change.action, change.reason) == (Action.KEEP, "runs recipe middle, the best that fits")


def body(wish: DesiredModel, *workers: Worker) -> dict[str, Any]:
    (change,) = make_plan(Desired((wish,)), cluster(*workers)).changes
    assert change.launch is not None
    return dict(change.launch.body)


def sent(wish: DesiredModel, *workers: Worker) -> dict[str, Any]:
    """What is sent beside the model itself."""
    itself = {"model_uid", "model_type", "model_engine", *MODEL}
    return {key: value for key, value in body(wish, *workers).items() if key not in itself}


def test_a_launch_says_where_and_how_in_the_words_of_xinference() -> None:
    gpu = recipe("gpu", gpus=2, gib=12, engine="vLLM", engine_options={"enable_prefix_caching": True})
    cpu = recipe("cpu") | {"requires": {"memory": "4GiB", "context": 8192, "parallel": 3}}

    assert body(want(gpu, uid="sql"), worker(gpus=(24, 16, 16, 24))) == {
        "model_uid": "sql", "model_type": "LLM", "model_engine": "vLLM", "model_name": "coder",
        "model_format": "ggufv2", "model_size_in_billions": 7, "quantization": "q-gpu",
        "gpu_memory_utilization": 0.5, "tensor_parallel_size": 2, "pipeline_parallel_size": 1,
        "enable_prefix_caching": True, "replica": 1,
        "replica_config": [{"devices": [{"worker_ip": "10.0.0.1:1", "n_gpu": 2, "gpu_idx": [0, 3]}]}],
    }  # fmt: skip
    assert body(want(cpu, uid="sql"), worker()) == {
        "model_uid": "sql", "model_type": "LLM", "model_engine": "llama.cpp", "model_name": "coder",
        "model_format": "ggufv2", "model_size_in_billions": 7, "quantization": "q-cpu",
        "context_length": 8192, "n_parallel": 3, "worker_ip": "10.0.0.1:1", "n_gpu": None,
    }  # fmt: skip


def test_replicas_are_placed_one_by_one() -> None:
    on_gpus = want(recipe("gpu", gpus=1, gib=8), replicas=2)
    on_cpus = want(recipe("cpu", gib=8), replicas=2)
    workers = worker("a:1", gpus=(24,)), worker("b:1", gpus=(24,))

    assert sent(on_gpus, *workers) == {
        "replica": 2,
        "replica_config": [
            {"devices": [{"worker_ip": "a:1", "n_gpu": 1, "gpu_idx": [0]}]},
            {"devices": [{"worker_ip": "b:1", "n_gpu": 1, "gpu_idx": [0]}]},
        ],
    }
    assert sent(on_cpus, *workers) == {
        "replica": 2,
        "replica_config": [
            {"devices": [{"worker_ip": "a:1", "n_gpu": "auto"}]},
            {"devices": [{"worker_ip": "b:1", "n_gpu": "auto"}]},
        ],
        "device": "cpu",
    }


@pytest.mark.parametrize(
    ("engine", "split"),
    [
        ("vLLM", {"gpu_memory_utilization": 0.9, "tensor_parallel_size": 2, "pipeline_parallel_size": 2}),
        ("SGLang", {"tp_size": 4}),
    ],
)
def test_a_replica_over_several_workers_takes_the_same_gpus_of_each(engine: str, split: dict[str, Any]) -> None:
    found = entry(recipe("gpu", gpus=1, engine=engine)).recipe("gpu")
    assert isinstance(found, EngineRecipe)
    share = 0.9 if engine == "vLLM" else None
    form = Form(Need(0, 2, 20 * GIB), {"a:1": (0, 1), "b:1": (0, 1)}, workers=2, share=share)
    placed = Placed(found, form, (Placement("a:1", (0, 1), ("b:1",)),))

    launch = launch_of(want(recipe("gpu", gpus=1, engine=engine)), placed)

    assert {key: value for key, value in launch.body.items() if key not in {"model_uid", "model_type", *MODEL}} == {
        "model_engine": engine,
        **split,
        "replica": 1,
        "n_worker": 2,
        "worker_ip": "a:1,b:1",
        "n_gpu": 2,
        "gpu_idx": [0, 1],
    }


def test_context_and_parallel_of_the_wish_win_over_the_recipe() -> None:
    cpu = recipe("cpu", engine_options={"n_ctx": 8192}) | {
        "requires": {"context": 8192, "parallel": 1, "memory": "1GiB"}
    }

    assert sent(want(cpu, context=4096, parallel=2), worker()) == {
        "context_length": 4096, "n_parallel": 2, "worker_ip": "10.0.0.1:1", "n_gpu": None,
    }  # fmt: skip


def test_models_on_the_processors_of_one_worker_share_its_threads() -> None:
    wishes = [want(recipe("only"), uid=uid) for uid in ("one", "two")]
    told = want(recipe("told", engine_options={"n_threads": 3}), uid="told")
    other = replace(running(uid="other"), replicas=(Replica("10.0.0.1:1", "ready"),))

    plan = make_plan(Desired((*wishes, told)), cluster(worker(cpus=8), models=(other,)))
    alone = make_plan(Desired((wishes[0],)), cluster(worker(cpus=8)))
    unknown = make_plan(Desired(tuple(wishes)), cluster(worker(cpus=None)))

    assert threads(plan) == [2, 2, 3]
    assert threads(alone) == [None]
    assert threads(unknown) == [None, None]


def threads(plan: Plan) -> list[int | None]:
    return [change.launch.body.get("n_threads") for change in plan.changes if change.launch]


def test_the_bundled_recipe_carries_its_registration_and_the_path_of_its_weights() -> None:
    sql_coder = load_catalogue()["sql-coder"]
    wish = DesiredModel("sql-coder", sql_coder, "bundled", allow_demonstration=True)

    (change,) = make_plan(Desired((wish,)), cluster()).changes

    assert isinstance(change.launch, Launch)
    assert change.launch.registration is not None
    assert change.launch.registration["model_name"] == "biai-demo-sql"
    assert change.launch.body["model_path"] == str(sql_coder.path.parent / "bundled" / "biai-demo-sql-q8_0.gguf")


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


def test_a_plan_names_every_place_and_every_model_it_refuses() -> None:
    pair = want(recipe("gpu", gpus=1, gib=20), uid="pair", replicas=2)
    plan = make_plan(Desired((pair, want(recipe("gpu", gpus=1, gib=99), uid="huge"))), cluster(worker(gpus=(24, 24))))

    assert plan_text(plan).splitlines() == [
        "+ pair  recipe gpu: coder 7B ggufv2 q-gpu on llama.cpp",
        "  > gpu  fits on 10.0.0.1:1 (GPU 0) and 10.0.0.1:1 (GPU 1)",
        "! huge  no recipe of `coder` fits this cluster",
        "    gpu: needs a GPU with 99 GiB free, the most is 24 GiB",
        "",
        "  10.0.0.1:1 GPU 0  24 GiB free, then 4 GiB",
        "  10.0.0.1:1 GPU 1  24 GiB free, then 4 GiB",
        "",
        "1 to launch, 1 refused",
    ]
