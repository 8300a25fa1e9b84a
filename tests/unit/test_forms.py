import math
from typing import Any

import pytest

from biai_xinf import forms
from biai_xinf.forms import forms_of
from biai_xinf.hardware import Worker
from biai_xinf.memory import Form, Need, ledger
from biai_xinf.needs import need_of
from biai_xinf.shapes import Shape, from_config
from biai_xinf.specs import EngineRecipe
from biai_xinf.state import DesiredModel
from biai_xinf.units import GIB
from tests.builders import entry, recipe, want, worker

SHAPE = from_config(
    {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    }
)


def found(wish: DesiredModel, *workers: Worker) -> tuple[Form, ...] | str:
    (only,) = wish.entry.spec.recipes
    assert isinstance(only, EngineRecipe)
    return forms_of(wish, only, workers, ledger(workers))


def estimated(
    engine: str, shape: Shape | None = SHAPE, requires: dict[str, Any] | None = None, **wish: Any
) -> DesiredModel:
    """A recipe whose memory is left to the estimate."""
    model = {"model_name": "coder", "model_size_in_billions": 7}
    choice = {**model, "model_format": "pytorch", "quantization": "none"}
    only = {"name": "only", "requires": requires or {"gpus": 1}, "model": choice, "engine": engine}
    weights = {**model, "shape": "seven", "formats": {"pytorch": {"none": None}}}
    return DesiredModel("coder", entry(only, weights=[weights], shapes={"seven": shape} if shape else {}), **wish)


@pytest.fixture
def sixty_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that take 60 GiB of GPU memory, in equal parts of as many GPUs as they are split over."""

    def need_of(entry: object, recipe: EngineRecipe, *, gpus: int, context: int | None, parallel: int | None) -> Need:
        return Need(2 * GIB, gpus, 60 * GIB // gpus)

    monkeypatch.setattr(forms, "need_of", need_of)


def test_a_worker_without_the_engine_is_no_candidate() -> None:
    gpu = recipe("gpu", gpus=1, gib=20, engine="SGLang")
    without = worker("a:1", gpus=(24,), engines={"llama.cpp": "1"})
    small = worker("b:1", gpus=(8,), engines={"SGLang": "0.5"})
    unknown = worker("c:1", gpus=(24,))

    assert found(want(gpu), without) == "`a:1` has no SGLang for GPUs"
    assert found(want(gpu), without, worker("d:1", engines={})) == "no worker has SGLang for GPUs"
    assert found(want(gpu), without, small) == (
        "needs a GPU with 20 GiB free, the most is 8 GiB (on workers with SGLang)"
    )
    assert found(want(gpu), unknown, without) == (Form(Need(0, 1, math.ceil(0.9 * 24 * GIB)), {"c:1": (0,)}),)


def test_vllm_built_for_processors_runs_no_gpu_recipe() -> None:
    built = worker(gpus=(24,), engines={"vLLM": "0.32.0+cpu"})

    assert found(want(recipe("gpu", gpus=1, gib=8, engine="vLLM")), built) == "`10.0.0.1:1` has no vLLM for GPUs"
    assert isinstance(found(want(recipe("cpu", gib=8, engine="vLLM")), built), tuple)


def test_only_the_workers_it_may_run_on_are_candidates() -> None:
    here, there = worker("a:1"), worker("b:1")

    assert found(want(workers=frozenset({"b:1"})), here, there) == (Form(Need(GIB), {"b:1": ()}),)
    assert found(want(workers=frozenset({"x:1"})), here) == "of the workers it may run on none is there: `x:1`"


def test_a_gpu_that_is_known_to_be_too_old_holds_nothing() -> None:
    only = recipe("gpu", gpus=1, gib=8) | {"requires": {"gpus": 1, "vram": "8GiB", "compute_capability": "8.9"}}
    old, unknown = worker("a:1", gpus=(24,), capability="8.6"), worker("b:1", gpus=(24,))
    newer = worker("c:1", gpus=(24,), capability="10.0")

    assert found(want(only), old) == "needs compute capability 8.9, the highest is 8.6"
    assert found(want(only), old, unknown, newer) == (Form(Need(0, 1, 8 * GIB), {"a:1": (), "b:1": (0,), "c:1": (0,)}),)


def test_vllm_is_told_a_whole_percent_of_a_gpu_and_all_of_it_is_booked() -> None:
    only = want(recipe("gpu", gpus=1, gib=8, engine="vLLM"))

    assert found(only, worker("a:1", gpus=(24,)), worker("b:1", gpus=(80, 24))) == (
        Form(Need(0, 1, -(-24 * GIB * 34 // 100)), {"a:1": (0,), "b:1": (1,)}, share=0.34),
        Form(Need(0, 1, 8 * GIB), {"b:1": (0,)}, share=0.1),
    )


def test_vllm_gets_at_most_95_percent_of_a_gpu() -> None:
    only = want(recipe("gpu", gpus=1, gib=23.5, engine="vLLM"))

    assert found(only, worker(gpus=(24,))) == "needs 23.5 GiB of a GPU, the most vLLM may take of one is 22.8 GiB"


def test_what_a_recipe_gives_vllm_is_what_is_booked() -> None:
    options = {"engine_options": {"gpu_memory_utilization": 0.5}}

    assert found(want(recipe("gpu", gpus=1, gib=8, engine="vLLM", **options)), worker(gpus=(24,))) == (
        Form(Need(0, 1, 12 * GIB), {"10.0.0.1:1": (0,)}),
    )


@pytest.mark.usefixtures("sixty_gib")
def test_a_model_that_no_single_gpu_holds_is_split_over_equal_ones_of_one_worker() -> None:
    found_on = found(estimated("vLLM"), worker("a:1", ram=64, gpus=(40, 40, 24, 24, 24, 24)))

    assert isinstance(found_on, tuple)
    assert [(form.need.gpus, form.where, form.share) for form in found_on] == [
        (2, {"a:1": (0, 1)}, 0.75),
        (4, {"a:1": (2, 3, 4, 5)}, 0.63),
    ]


@pytest.mark.usefixtures("sixty_gib")
def test_a_model_that_one_gpu_holds_is_not_split() -> None:
    found_on = found(estimated("vLLM"), worker(ram=64, gpus=(80, 40, 40)))

    assert isinstance(found_on, tuple)
    assert [form.need.gpus for form in found_on] == [1]


@pytest.mark.usefixtures("sixty_gib")
def test_a_model_that_no_worker_holds_spans_several() -> None:
    workers = [worker(f"{name}:1", ram=64, gpus=(40,)) for name in "abc"]

    found_on = found(estimated("vLLM"), *workers)

    assert isinstance(found_on, tuple)
    assert [(form.workers, form.need.gpus, form.share) for form in found_on] == [(2, 1, 0.75)]


@pytest.mark.usefixtures("sixty_gib")
@pytest.mark.parametrize(
    "wish",
    [
        pytest.param(estimated("vLLM", shape=None), id="shape unknown"),
        pytest.param(estimated("llama.cpp"), id="engine that splits nothing"),
        pytest.param(estimated("vLLM", replicas=2), id="two replicas"),
    ],
)
def test_what_cannot_be_split_is_refused(wish: DesiredModel) -> None:
    reason = found(wish, worker("a:1", ram=64, gpus=(40,)), worker("b:1", ram=64, gpus=(40,)))

    assert isinstance(reason, str)
    assert reason.endswith("the most is 40 GiB") or reason.startswith("needs 60 GiB of a GPU")


def test_vllm_on_processors_is_told_its_cache_in_whole_gibibytes_and_they_are_booked() -> None:
    # 2 requests x 8192 tokens x 28 layers x 2 x 4 heads x 128 values x 2 bytes = 0.875 GiB.
    wish = estimated("vLLM", requires={"context": 8192, "parallel": 2})
    (only,) = wish.entry.spec.recipes
    assert isinstance(only, EngineRecipe)

    (form,) = found(wish, worker(ram=64))

    assert forms.cpu_cache_gib(wish, only) == 1
    assert isinstance(form, Form)
    assert form.need.memory - need_of(wish.entry, only).memory == 0.125 * GIB


def test_several_replicas_on_processors_stay_off_workers_with_gpus_where_the_engine_cannot_be_told() -> None:
    cpu = recipe("cpu", gib=4, engine="vLLM")
    plain, with_gpu = worker("a:1"), worker("b:1", gpus=(24,))

    assert found(want(cpu, replicas=2), plain, with_gpu) == (Form(Need(4 * GIB), {"a:1": ()}),)
    assert found(want(cpu, replicas=2), with_gpu) == "several replicas of it on vLLM need workers without GPUs"
