from hypothesis import given, settings
from hypothesis import strategies as st

from biai_xinf.allocate import Item, Taken, allocate
from biai_xinf.memory import Device, Form, Ledger, Need, Placement, Policy
from biai_xinf.units import GIB
from tests.exhaustive import best_value, overcommits, random_case, value

cases = st.builds(random_case, st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 3))
large_cases = st.builds(random_case, st.integers(0, 10**6), st.integers(8, 14), st.integers(2, 5))


def cluster(**workers: tuple[int, ...]) -> dict[Device, int]:
    """Workers by name: GiB of RAM, then of each GPU."""
    free: dict[Device, int] = {}
    for name, (ram, *gpus) in workers.items():
        free[name, None] = ram * GIB
        free |= {(name, gpu): size * GIB for gpu, size in enumerate(gpus)}
    return free


def model(
    free: dict[Device, int], *recipes: int, cpu: int | None = None, replicas: int = 1, policy: Policy = "spread"
) -> Item:
    """Recipes that need so many GiB of a GPU, and at last one that needs RAM."""
    workers = dict.fromkeys(worker for worker, _ in free)
    gpus = {at: tuple(gpu for worker, gpu in free if worker == at and gpu is not None) for at in workers}
    choices = [(Form(Need(0, 1, size * GIB), gpus),) for size in recipes]
    if cpu is not None:
        choices.append((Form(Need(cpu * GIB), dict.fromkeys(workers, ())),))
    return Item(tuple(choices), replicas, policy)


def recipes_taken(taken: tuple[Taken | None, ...]) -> list[int | None]:
    return [None if one is None else one.choice for one in taken]


def workers_taken(taken: Taken | None) -> list[tuple[str, tuple[int, ...]]]:
    return [(placement.worker, placement.gpus) for placement in (taken.placements if taken else ())]


def test_an_earlier_model_takes_a_worse_recipe_so_that_a_later_one_runs_at_all() -> None:
    free = cluster(a=(16, 24))
    first, second = model(free, 20, 10), model(free, 12)

    assert recipes_taken(allocate([first, second], Ledger(free))) == [1, 0]


def test_an_earlier_model_takes_its_best_recipe_where_a_later_one_has_another_place() -> None:
    free = cluster(a=(16, 24))
    first, second = model(free, 20, 10), model(free, 12, cpu=8)

    assert recipes_taken(allocate([first, second], Ledger(free))) == [0, 1]


def test_two_models_share_a_gpu_that_holds_both() -> None:
    free = cluster(a=(16, 24))

    taken = allocate([model(free, 12), model(free, 12)], Ledger(free))

    assert [workers_taken(one) for one in taken] == [[("a", (0,))], [("a", (0,))]]


def test_a_small_model_makes_way_for_one_that_fits_on_one_gpu_only() -> None:
    free = cluster(a=(16, 24), b=(16, 8))

    taken = allocate([model(free, 6), model(free, 20)], Ledger(free))

    assert [workers_taken(one) for one in taken] == [[("b", (0,))], [("a", (0,))]]


def test_as_many_models_run_as_can() -> None:
    free = cluster(a=(16,))

    assert recipes_taken(allocate([model(free, cpu=16)] + [model(free, cpu=8)] * 2, Ledger(free))) == [None, 0, 0]


def test_of_models_that_cannot_all_run_the_earlier_ones_do() -> None:
    free = cluster(a=(16,))

    assert recipes_taken(allocate([model(free, cpu=12), model(free, cpu=8)], Ledger(free))) == [0, None]


def test_a_recipe_that_takes_nothing_is_always_there() -> None:
    free = cluster(a=(1,))

    assert allocate([Item(((Form(Need(GIB * 2), {"a": ()}),), ()))], Ledger(free)) == (Taken(1),)


def test_replicas_are_spread_over_workers_or_packed_onto_few() -> None:
    free = cluster(a=(16, 24, 24), b=(16, 24, 24))

    (spread,) = allocate([model(free, 10, replicas=2)], Ledger(free))
    (packed,) = allocate([model(free, 10, replicas=2, policy="pack")], Ledger(free))

    assert workers_taken(spread) == [("a", (0,)), ("b", (0,))]
    assert workers_taken(packed) == [("a", (0,)), ("a", (1,))]


def test_replicas_are_not_spread_at_the_price_of_another_model() -> None:
    free = cluster(a=(16, 24, 24), b=(16, 24))
    pair, whole_gpu = model(free, 12, replicas=2), model(free, 24)

    taken = allocate([pair, model(free, 12, replicas=2), whole_gpu], Ledger(free))

    assert None not in taken
    assert len({place for one in taken[:2] for place in workers_taken(one)}) == 2


def test_what_was_taken_is_booked() -> None:
    free = cluster(a=(16, 24))
    books = Ledger(free)

    allocate([model(free, 20)], books)

    assert books.free == {("a", None): 16 * GIB, ("a", 0): 4 * GIB}


def test_small_plans_are_nearly_always_as_good_as_the_best_one_and_run_as_many_models() -> None:
    found, best = [], []
    for seed in range(300):
        items, free = random_case(seed, models=1 + seed % 5, workers=1 + seed % 3)
        found.append(value(tuple(recipes_taken(allocate(items, Ledger(free))))))
        best.append(best_value(items, free))

    assert [number for number, *_ in found] == [number for number, *_ in best]
    assert sum(one == other for one, other in zip(found, best, strict=True)) >= 0.98 * len(best)


@given(st.one_of(cases, large_cases))
@settings(max_examples=40, deadline=None)
def test_nothing_is_given_away_twice(case: tuple[tuple[Item, ...], dict[Device, int]]) -> None:
    items, free = case

    assert overcommits(items, allocate(items, Ledger(free)), free) == 0


@given(large_cases)
@settings(max_examples=20, deadline=None)
def test_equal_input_gives_an_equal_plan(case: tuple[tuple[Item, ...], dict[Device, int]]) -> None:
    items, free = case

    assert allocate(items, Ledger(free)) == allocate(items, Ledger(free))


@given(large_cases)
@settings(max_examples=20, deadline=None)
def test_a_model_runs_unless_no_recipe_fits_beside_the_others(
    case: tuple[tuple[Item, ...], dict[Device, int]],
) -> None:
    items, free = case
    books = Ledger(free)

    for item, got in zip(items, allocate(items, books), strict=True):
        best = len(item.choices) if got is None else 0
        assert not any(
            len(books.places(form, item.replicas)) == item.replicas
            for forms in item.choices[:best]
            for form in forms or ()
        )


def test_a_placement_names_every_worker_that_holds_a_part() -> None:
    assert Placement("a", (0,), ("b", "c")).workers == ("a", "b", "c")
