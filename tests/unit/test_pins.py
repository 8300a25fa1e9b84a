"""The embedder pin: what counts as the same vectors, how it is kept, and that no plan ever breaks it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf import pins
from biai_xinf.catalogue import Entry, load_entry, shipped_specs
from biai_xinf.errors import BadFile, NothingFits, OtherVectors
from biai_xinf.locking import locked
from biai_xinf.pins import EmbedderPin, Pinned, keep_pin, pin_of, pins_file, read_pins, release_pins
from biai_xinf.plan import Action, make_plan
from biai_xinf.specs import MODEL_SPEC, EmbeddingSpec, EngineRecipe
from biai_xinf.state import Cluster, Desired, DesiredModel, ObservedModel, Replica, Weights
from tests.builders import SERVER, cluster, want, worker

HERE = "http://10.0.0.1:9997"
Q8 = EmbedderPin(model_name="bge-m3", model_format="ggufv2", quantization="Q8_0", pooling="cls", dimensions=1024)
F16 = Q8.model_copy(update={"quantization": "F16"})
PYTORCH = Q8.model_copy(update={"model_format": "pytorch", "quantization": "none"})
BGE = load_entry(shipped_specs() / "bge-m3.yaml")
EMBEDDERS = [
    entry for path in sorted(shipped_specs().glob("*.yaml")) if (entry := load_entry(path)).spec.role == "embedding"
]


def kept(pin: EmbedderPin, *, uid: str = "bge-m3", store: str | None = "/data/chroma", names: str = "ddl") -> Pinned:
    return Pinned(endpoint=HERE, model_uid=uid, pin=pin, store=store, collections=names.split())


def wish(entry: Entry = BGE, **more: object) -> DesiredModel:
    return DesiredModel(entry.spec.name, entry, **more)  # type: ignore[arg-type]


def running(pin: EmbedderPin, engine: str = "llama.cpp") -> ObservedModel:
    weights = Weights(pin.model_name, pin.model_format, None, pin.quantization)
    return ObservedModel("bge-m3", "ready", "embedding", weights, engine, (Replica("10.0.0.1:1", "ready"),))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({}, []),
        ({"quantization": "q8_0"}, []),
        ({"query_prefix": "query: ", "document_prefix": "passage: "}, []),
        ({"quantization": "F16"}, ["bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2 F16"]),
        ({"quantization": None}, ["bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2, of which no more is told"]),
        ({"model_format": "pytorch", "quantization": "none"}, ["bge-m3 ggufv2 Q8_0, not bge-m3 pytorch none"]),
        (
            {"model_name": "bge-m4", "dimensions": 512},
            ["bge-m3 ggufv2 Q8_0, not bge-m4 ggufv2 Q8_0", "1024 dimensions, not 512"],
        ),
        ({"pooling": "mean"}, ["cls pooling, not mean"]),
    ],
    ids=["same", "case", "prefixes", "quantization", "untold", "format", "another", "pooling"],
)
def test_what_differs_is_named(other: dict[str, object], told: list[str]) -> None:
    assert Q8.differences(Q8.model_copy(update=other)) == told


def test_a_fact_that_was_not_pinned_may_be_anything() -> None:
    loose = EmbedderPin(model_name="bge-m3", dimensions=1024)

    assert [loose.differences(pin) for pin in (Q8, F16, PYTORCH)] == [[], [], []]


def test_no_quantization_is_not_the_quantization_named_none() -> None:
    assert PYTORCH.differences(PYTORCH.model_copy(update={"quantization": None})) == [
        "bge-m3 pytorch none, not bge-m3 pytorch, of which no more is told"
    ]


def test_what_llama_cpp_is_told_to_pool_by_counts_before_the_spec() -> None:
    assert isinstance(BGE.spec, EmbeddingSpec)
    cpu = BGE.recipe("cpu")
    assert isinstance(cpu, EngineRecipe)

    otherwise = cpu.model_copy(update={"engine_options": {**cpu.engine_options, "pooling_type": 1}})

    assert pin_of(BGE.spec, cpu) == Q8
    assert pin_of(BGE.spec, otherwise).pooling == "mean"


def test_pins_are_kept_by_endpoint_model_and_store() -> None:
    keep_pin(kept(Q8, names="ddl"))
    keep_pin(kept(Q8, names="sql"))
    keep_pin(kept(Q8, store="/data/other", names="ddl"))
    keep_pin(kept(F16, uid="else"))
    elsewhere = kept(Q8).model_copy(update={"endpoint": "http://10.0.0.2:9997"})
    keep_pin(elsewhere.model_copy(update={"store": "/data/third"}))

    told = [(one.model_uid, one.pin.quantization, one.store, one.collections) for one in read_pins(HERE)]

    # The collection `ddl` was made anew with another model.
    assert told == [
        ("bge-m3", "Q8_0", "/data/chroma", ["sql"]),
        ("bge-m3", "Q8_0", "/data/other", ["ddl"]),
        ("else", "F16", "/data/chroma", ["ddl"]),
    ]
    assert len(read_pins()) == 4


def test_an_application_that_names_its_store_later_is_the_same_one() -> None:
    keep_pin(kept(Q8, store=None, names=""))
    keep_pin(kept(Q8))

    assert [(one.store, one.collections) for one in read_pins()] == [("/data/chroma", ["ddl"])]


def test_what_is_released_is_forgotten() -> None:
    keep_pin(kept(Q8))
    keep_pin(kept(F16, uid="else", names="sql"))

    assert [one.pin for one in release_pins(HERE, "bge-m3")] == [Q8]
    assert [one.model_uid for one in read_pins()] == ["else"]
    assert release_pins(HERE, "bge-m3") == ()


def keep_when_all_are_there(number: int, together: Any) -> None:
    together.wait(60)
    for store in range(10):
        keep_pin(kept(Q8, store=f"/data/{number}-{store}"))


def test_what_several_applications_keep_at_once_is_kept() -> None:
    processes = multiprocessing.get_context("spawn")
    together = processes.Barrier(4)
    writers = [processes.Process(target=keep_when_all_are_there, args=(number, together)) for number in range(4)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)

    assert [writer.exitcode for writer in writers] == [0] * 4
    assert len(read_pins()) == 40


def test_a_file_that_another_process_does_not_let_go_of_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "WAIT_S", 0)

    with (
        locked(pins_file().with_suffix(".lock"), 0),
        pytest.raises(BadFile, match=r"pins\.json: another process has held it for 0 s"),
    ):
        keep_pin(kept(Q8))

    keep_pin(kept(Q8))
    assert len(read_pins()) == 1


def test_a_damaged_file_is_named_and_not_overwritten(own_home: Path) -> None:
    pins_file().write_text("{", encoding="utf-8")

    with pytest.raises(BadFile, match=r"pins\.json: cannot be read as embedder pins"):
        keep_pin(kept(Q8))

    assert pins_file().read_text(encoding="utf-8") == "{"


def test_a_model_whose_gpu_died_is_not_replaced_by_one_of_other_vectors() -> None:
    with pytest.raises(NothingFits) as refused:
        make_plan(Desired((wish(),)), cluster(worker(ram=4), pins=(kept(F16, names="ddl sql"),)))

    assert str(refused.value) == (
        "no recipe of `bge-m3` fits this cluster\n"
        "  gpu:                the vectors of `ddl` and `sql` want bge-m3 ggufv2 F16, not bge-m3 pytorch none\n"
        "  gpu-llamacpp:       needs a GPU, no worker has one\n"
        "  gpu-vllm, gpu-flag: the vectors of `ddl` and `sql` want bge-m3 ggufv2 F16, not bge-m3 pytorch none\n"
        "  cpu:                the vectors of `ddl` and `sql` want bge-m3 ggufv2 F16, not bge-m3 ggufv2 Q8_0\n"
        "  cpu-transformers:   the vectors of `ddl` and `sql` want bge-m3 ggufv2 F16, not bge-m3 pytorch none\n"
        "\n"
        "hint: `biai-xinf doctor` shows what each worker offers; `biai-xinf embeddings release bge-m3` lets others be "
        "taken, then `biai-xinf embeddings redo /data/chroma --model bge-m3` makes them anew"
    )


def test_the_recipe_that_makes_the_stored_vectors_is_taken_before_a_better_one() -> None:
    (change,) = make_plan(Desired((wish(),)), cluster(worker(gpus=(24,)), pins=(kept(Q8),))).changes

    assert (change.action, change.recipe and change.recipe.name) == (Action.LAUNCH, "cpu")


def test_another_engine_with_the_same_weights_is_taken_when_the_gpu_is_gone() -> None:
    (change,) = make_plan(Desired((wish(),)), cluster(worker(), pins=(kept(PYTORCH),))).changes

    assert change.recipe is not None
    assert change.recipe.name == "cpu-transformers"


def test_pins_of_another_model_or_role_change_nothing() -> None:
    pins = (kept(Q8, uid="coder"), kept(Q8, uid="else"))

    plan = make_plan(Desired((want(), wish())), cluster(worker(gpus=(24,)), pins=pins))

    assert [change.recipe and change.recipe.name for change in plan.changes] == ["only", "gpu"]


def test_a_running_model_that_makes_other_vectors_is_refused() -> None:
    with pytest.raises(OtherVectors) as refused:
        make_plan(Desired((wish(),)), cluster(models=(running(F16),), pins=(kept(Q8),)))

    assert str(refused.value) == (
        "`bge-m3` runs bge-m3 ggufv2 F16 on llama.cpp, but the vectors of `ddl` want bge-m3 ggufv2 Q8_0, not bge-m3 ggufv2 F16\n"
        "\n"
        "hint: stopped and launched again, it takes what made them; "
        "`biai-xinf embeddings redo /data/chroma --model bge-m3` makes them anew"
    )


def test_an_upgrade_leads_back_to_what_made_the_vectors() -> None:
    (change,) = make_plan(Desired((wish(upgrade=True),)), cluster(models=(running(F16),), pins=(kept(Q8),))).changes

    assert (change.action, change.recipe and change.recipe.name) == (Action.RELAUNCH, "cpu")


def test_the_pin_of_a_cluster_file_counts_before_what_one_user_has() -> None:
    seen = cluster(worker(), pins=(kept(F16),))

    (change,) = make_plan(Desired((wish(pin=Q8),)), seen).changes

    assert change.recipe is not None
    assert change.recipe.name == "cpu"


def test_stores_of_two_kinds_of_vectors_refuse_every_recipe() -> None:
    pins = (kept(Q8, store="/a"), kept(F16, store="/b"))

    with pytest.raises(NothingFits, match="redo /a --model bge-m3` and `biai-xinf embeddings redo /b"):
        make_plan(Desired((wish(),)), cluster(worker(gpus=(24,)), pins=pins))


def test_a_server_of_another_makes_vectors_that_nobody_knows() -> None:
    data = BGE.spec.model_dump(mode="json", exclude_defaults=True)
    data |= {"role": "embedding", "recipes": [{"name": "elsewhere", "upstream": {**SERVER, "model": "bge-m3"}}]}
    elsewhere = Entry(MODEL_SPEC.validate_python(data), BGE.path, {}, BGE.shapes)

    with pytest.raises(NothingFits, match="want bge-m3 ggufv2 Q8_0, not bge-m3, of which no more is told"):
        make_plan(Desired((wish(elsewhere),)), cluster(extension="1", pins=(kept(Q8),)))


@st.composite
def clusters(draw: st.DrawFn) -> tuple[DesiredModel, Cluster]:
    """An embedder of ours that somebody pinned to one of its recipes, and any cluster, running it or not."""
    entry = draw(st.sampled_from(EMBEDDERS))
    assert isinstance(entry.spec, EmbeddingSpec)
    recipes = [recipe for recipe in entry.spec.recipes if isinstance(recipe, EngineRecipe)]
    pin = pin_of(entry.spec, draw(st.sampled_from(recipes)))
    sizes = st.sampled_from((0.2, 1, 4, 24, 80))
    workers = [
        worker(f"10.0.0.{number}:1", ram=draw(sizes), gpus=tuple(draw(st.lists(sizes, max_size=2))), capability="9.0")
        for number in range(1, 1 + draw(st.integers(1, 3)))
    ]
    there: tuple[ObservedModel, ...] = ()
    if (runs := draw(st.none() | st.sampled_from(recipes))) is not None:
        weights = Weights(runs.model.model_name, runs.model.model_format, None, runs.model.quantization)
        replicas = (Replica(workers[0].address, "ready"),)
        phase = draw(st.sampled_from(("ready", "failed")))
        there = (ObservedModel(entry.spec.name, phase, "embedding", weights, runs.engine, replicas),)
    by_file = draw(st.booleans())
    more = {
        "upgrade": draw(st.booleans()),
        "replicas": draw(st.integers(1, 3)),
        "recipes": draw(st.none() | st.sampled_from([(recipe.name,) for recipe in recipes])),
        "pin": pin if by_file else None,
    }
    pins = () if by_file else (kept(pin, uid=entry.spec.name),)
    return wish(entry, **more), cluster(*workers, models=there, pins=pins)


@given(clusters())
def test_whatever_the_cluster_no_plan_serves_other_vectors(case: tuple[DesiredModel, Cluster]) -> None:
    wanted, seen = case
    assert isinstance(wanted.entry.spec, EmbeddingSpec)
    pin = wanted.pin or seen.pins[0].pin
    try:
        plan = make_plan(Desired((wanted,)), seen)
    except (NothingFits, OtherVectors):
        return

    (change,) = plan.changes

    assert change.recipe is not None
    assert pin.differences(pin_of(wanted.entry.spec, change.recipe)) == []
