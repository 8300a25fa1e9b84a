from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.errors import NothingFits, UnknownName
from biai_xinf.memory import Placement, ledger
from biai_xinf.resolve import Resolution, Wish, resolve
from biai_xinf.state import Cluster, DesiredModel, Hub, Weights
from tests.builders import cluster, entry, recipe, want, worker

OUT_OF_REACH = Hub("hub.example", in_reach=False)


def resolved(wish: DesiredModel, seen: Cluster) -> Resolution:
    (found,) = resolve([Wish(wish)], seen, ledger(seen.workers))
    if isinstance(found, NothingFits):
        raise found
    return found


def resolved_together(*wishes: DesiredModel, seen: Cluster) -> tuple[Resolution | NothingFits, ...]:
    return resolve([Wish(wish) for wish in wishes], seen, ledger(seen.workers))


def reasons(found: Resolution) -> list[tuple[str, str | None]]:
    return [(verdict.recipe.name, verdict.reason) for verdict in found.verdicts]


def test_the_best_recipe_that_fits_is_taken_and_the_others_say_why_not() -> None:
    wish = want(recipe("large", gpus=1, gib=40), recipe("middle", gpus=1, gib=20), recipe("small", gib=4))

    found = resolved(wish, cluster(worker(gpus=(24,))))

    assert reasons(found) == [
        ("large", "needs a GPU with 40 GiB free, the most is 24 GiB"),
        ("middle", None),
        ("small", "a better recipe fits"),
    ]
    assert found.placed is not None
    assert found.placed.placements == (Placement("10.0.0.1:1", (0,)),)


def test_nothing_fits_names_every_recipe_and_its_reason() -> None:
    wish = want(recipe("gpu-80g", gpus=1, gib=48), recipe("cpu", gib=64))

    with pytest.raises(NothingFits) as caught:
        resolved(wish, cluster(worker(ram=16)))

    assert str(caught.value) == (
        "no recipe of `coder` fits this cluster\n"
        "  gpu-80g: needs a GPU, no worker has one\n"
        "  cpu:     needs 64 GiB of free memory, the most is 16 GiB\n"
        "\n"
        "hint: `biai-xinf doctor` shows what each worker offers"
    )


def test_a_recipe_asked_for_by_name_is_the_only_one_tried() -> None:
    found = resolved(want(recipe("best"), recipe("other"), recipes=("other",)), cluster())

    assert reasons(found) == [("best", "`other` was asked for"), ("other", None)]


def test_a_recipe_that_the_spec_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(UnknownName, match="`coder` has no recipe `nope`") as caught:
        entry(recipe("best"), recipe("other")).recipe("nope")

    assert caught.value.hint == "it has `best`, `other`"


def test_weights_that_cannot_be_fetched_are_no_recipe_unless_cached() -> None:
    wish = want(recipe("big"), recipe("tiny"))
    cached = frozenset([Weights("coder", "ggufv2", "7", "q-tiny")])

    found = resolved(wish, cluster(hub=OUT_OF_REACH, cached=cached))

    assert reasons(found) == [
        ("big", "its weights are not in the cache, and hub.example is out of reach"),
        ("tiny", None),
    ]


def test_where_it_is_unknown_whether_a_hub_is_in_reach_the_recipe_is_tried() -> None:
    assert resolved(want(recipe("big")), cluster(here=False, hub=None)).recipe.name == "big"


def test_an_engine_that_cannot_load_the_model_is_named_with_its_reason() -> None:
    wish = want(recipe("vllm", engine="vLLM"), recipe("mlx", engine="MLX"), recipe("gguf"), recipe("other"))
    offers = {
        "vLLM": "vLLM library is not installed.",
        "llama.cpp": (Weights("coder", "ggufv2", "7", "q-other"),),
    }

    found = resolved(wish, cluster(offers={("LLM", "coder"): offers}))

    assert reasons(found) == [
        ("vllm", "the vLLM engine cannot run it here: vLLM library is not installed."),
        ("mlx", "no worker has the MLX engine"),
        ("gguf", "the llama.cpp engine does not offer ggufv2 q-gguf of it"),
        ("other", None),
    ]


def test_weights_that_ship_with_us_run_only_on_this_machine(tmp_path: Path) -> None:
    wish = want(recipe("bundled", model_path="bundled/x.gguf", demonstration=True), allow_demonstration=True)

    assert resolved(wish, cluster(here=True, hub=OUT_OF_REACH)).recipe.name == "bundled"
    with pytest.raises(NothingFits, match="its weights lie on this machine, the cluster runs elsewhere"):
        resolved(wish, cluster(here=False))


def test_a_demonstration_is_never_taken_unless_it_is_allowed() -> None:
    wish = want(recipe("demo", demonstration=True))

    with pytest.raises(NothingFits, match="only a demonstration"):
        resolved(wish, cluster())


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), min_size=1, max_size=6),
    st.integers(1, 64),
    st.lists(st.integers(1, 64), max_size=3).map(tuple),
)
def test_the_recipe_taken_is_the_first_that_fits(sizes: list[tuple[int, int]], ram: int, gpus: tuple[int, ...]) -> None:
    recipes = [recipe(f"r{n}", gpus=count, gib=gib) for n, (count, gib) in enumerate(sizes)]
    fits = [sum(free >= gib for free in gpus) >= count if count else ram >= gib for count, gib in sizes]

    try:
        taken = resolved(want(*recipes), cluster(worker(ram=ram, gpus=gpus))).recipe.name
    except NothingFits:
        taken = None

    assert taken == (f"r{fits.index(True)}" if any(fits) else None)


def test_a_recipe_that_others_crowd_out_says_beside_whom() -> None:
    big, small = want(recipe("big", gpus=1, gib=20), recipe("small", gpus=1, gib=8), uid="one"), want(uid="two")
    only_gpu = want(recipe("gpu", gpus=1, gib=12), uid="two")

    alone, _ = resolved_together(big, small, seen=cluster(worker(gpus=(24,))))
    beside, other = resolved_together(big, only_gpu, seen=cluster(worker(gpus=(24,))))

    assert isinstance(alone, Resolution)
    assert isinstance(beside, Resolution)
    assert isinstance(other, Resolution)
    assert reasons(alone) == [("big", None), ("small", "a better recipe fits")]
    assert reasons(beside) == [
        ("big", "needs a GPU with 20 GiB free, the most is 12 GiB beside `two`"),
        ("small", None),
    ]
    assert reasons(other) == [("gpu", None)]


def test_a_model_that_finds_no_room_beside_others_is_refused_and_they_are_not() -> None:
    one, two = want(recipe("only", gib=10), uid="one"), want(recipe("only", gib=10), uid="two")

    placed, refused = resolved_together(one, two, seen=cluster(worker(ram=16)))

    assert isinstance(placed, Resolution)
    assert isinstance(refused, NothingFits)
    assert refused.details == ["only: needs 10 GiB of free memory, the most is 6 GiB beside `one`"]


def test_too_few_places_for_all_replicas_are_counted() -> None:
    with pytest.raises(NothingFits) as caught:
        resolved(want(recipe("gpu", gpus=1, gib=20), replicas=3), cluster(worker(gpus=(24, 24, 8))))

    assert caught.value.details == ["gpu: has room for 2 of 3 replicas, each needs a GPU with 20 GiB free"]


def test_what_runs_keeps_its_recipe_without_taking_memory_again() -> None:
    wish = want(recipe("best", gib=99), recipe("small", gib=8), upgrade=True)
    seen = cluster(worker(ram=2))

    (found,) = resolve([Wish(wish, running=wish.entry.recipe("small"))], seen, ledger(seen.workers))

    assert isinstance(found, Resolution)
    assert (found.recipe.name, found.placed) == ("small", None)
