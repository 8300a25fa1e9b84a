import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.memory import Form, Ledger, Need, Placement, ledger
from biai_xinf.units import GIB
from tests.builders import worker

sizes = st.integers(min_value=0, max_value=100)
workers = st.lists(st.tuples(sizes, st.lists(sizes, max_size=4).map(tuple)), min_size=1, max_size=4)
needs = st.lists(
    st.builds(
        lambda memory, gpus, vram: Need(memory * GIB, gpus, vram * GIB if gpus else 0),
        st.integers(0, 40),
        st.integers(0, 3),
        st.integers(1, 40),
    ),
    max_size=8,
)


def anywhere(books: Ledger, need: Need, workers: int = 1) -> Form:
    """The need on whichever devices there are."""
    addresses = dict.fromkeys(address for address, _ in books.free)
    where = {
        address: tuple(gpu for at, gpu in books.free if at == address and gpu is not None) for address in addresses
    }
    return Form(need, where, workers)


def placed(books: Ledger, need: Need, replicas: int = 1, policy: str = "spread") -> tuple[Placement, ...]:
    return books.places(anywhere(books, need), replicas, policy)  # type: ignore[arg-type]


def refused(books: Ledger, need: Need, replicas: int = 1) -> str:
    return books.refusal([anywhere(books, need)], replicas)


@given(workers, needs)
def test_what_is_booked_never_exceeds_what_is_free(
    machines: list[tuple[int, tuple[int, ...]]], wishes: list[Need]
) -> None:
    books = ledger(worker(f"w:{n}", ram=ram, gpus=gpus) for n, (ram, gpus) in enumerate(machines))

    for need in wishes:
        for placement in placed(books, need):
            books.book(need, placement)

    assert min(books.free.values()) >= 0


@given(workers, needs)
def test_a_need_is_refused_only_where_no_worker_has_room(
    machines: list[tuple[int, tuple[int, ...]]], wishes: list[Need]
) -> None:
    books = ledger(worker(f"w:{n}", ram=ram, gpus=gpus) for n, (ram, gpus) in enumerate(machines))

    for need in wishes:
        assert bool(placed(books, need)) == any(_has_room(ram, gpus, need) for ram, gpus in machines)


def _has_room(ram: int, gpus: tuple[int, ...], need: Need) -> bool:
    return ram * GIB >= need.memory and sum(free * GIB >= need.vram for free in gpus) >= need.gpus


@given(workers, needs)
def test_what_is_released_is_free_again(machines: list[tuple[int, tuple[int, ...]]], wishes: list[Need]) -> None:
    books = ledger(worker(f"w:{n}", ram=ram, gpus=gpus) for n, (ram, gpus) in enumerate(machines))
    before = dict(books.free)

    taken = [(need, placement) for need in wishes for placement in placed(books, need)]
    for need, placement in taken:
        books.book(need, placement)
    for need, placement in taken:
        books.release(need, placement)

    assert books.free == before


def test_the_worker_with_the_most_free_memory_is_taken() -> None:
    books = ledger([worker("small:1", ram=8), worker("large:1", ram=64)])

    assert placed(books, Need(memory=GIB)) == (Placement("large:1"),)


def test_the_emptiest_gpus_of_a_worker_are_taken() -> None:
    books = ledger([worker("w:1", gpus=(10, 24, 16))])

    assert placed(books, Need(gpus=2, vram=12 * GIB)) == (Placement("w:1", (1, 2)),)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("spread", [("a:1", (0,)), ("b:1", (0,)), ("a:1", (1,))]),
        ("pack", [("b:1", (0,)), ("b:1", (1,)), ("a:1", (0,))]),
    ],
)
def test_replicas_go_to_many_workers_or_to_few(policy: str, expected: list[tuple[str, tuple[int, ...]]]) -> None:
    books = ledger([worker("a:1", gpus=(24, 24)), worker("b:1", gpus=(16, 16))])

    found = placed(books, Need(gpus=1, vram=10 * GIB), replicas=3, policy=policy)

    assert found == tuple(Placement(address, gpus) for address, gpus in expected)


def test_replicas_of_one_model_share_no_gpu() -> None:
    books = ledger([worker(gpus=(80,))])

    assert len(placed(books, Need(gpus=1, vram=10 * GIB), replicas=2)) == 1


def test_a_replica_over_several_workers_takes_the_same_gpus_of_each() -> None:
    books = ledger([worker("a:1", gpus=(8, 24)), worker("b:1", gpus=(24, 24)), worker("c:1", gpus=(24, 8))])
    need = Need(memory=GIB, gpus=1, vram=20 * GIB)

    (placement,) = books.places(anywhere(books, need, workers=2))
    books.book(need, placement)

    assert placement == Placement("b:1", (1,), ("a:1",))
    assert books.free["a:1", 1] == books.free["b:1", 1] == 4 * GIB


def test_a_refusal_names_what_is_needed_and_the_most_there_is() -> None:
    no_gpu = ledger([worker(ram=16)])
    small_gpus = ledger([worker(ram=2, gpus=(8, 6))])

    assert refused(no_gpu, Need(gpus=1, vram=20 * GIB)) == "needs a GPU, no worker has one"
    assert refused(small_gpus, Need(gpus=1, vram=20 * GIB)) == "needs a GPU with 20 GiB free, the most is 8 GiB"
    assert refused(small_gpus, Need(gpus=2, vram=7 * GIB)) == "needs 2 GPUs with 7 GiB free each, the most is 6 GiB"
    assert refused(small_gpus, Need(gpus=3, vram=GIB)) == (
        "needs 3 GPUs with 1 GiB free each on one worker, the most is 2"
    )
    assert refused(no_gpu, Need(memory=32 * GIB)) == "needs 32 GiB of free memory, the most is 16 GiB"
    assert refused(small_gpus, Need(memory=4 * GIB, gpus=1, vram=GIB)) == (
        "needs 4 GiB of free memory beside its GPU, the most is 2 GiB"
    )
    assert refused(small_gpus, Need(gpus=1, vram=7 * GIB), replicas=2) == (
        "has room for 1 of 2 replicas, each needs a GPU with 7 GiB free"
    )
    assert refused(Ledger({}), Need()) == "no worker is there to run it"


def test_of_several_forms_the_refusal_is_that_of_the_closest() -> None:
    books = ledger([worker("a:1", gpus=(8,)), worker("b:1", gpus=(24,))])
    far = Form(Need(gpus=1, vram=30 * GIB), {"a:1": (0,)})
    close = Form(Need(gpus=1, vram=30 * GIB), {"b:1": (0,)})

    assert books.refusal([far, close]) == "needs a GPU with 30 GiB free, the most is 24 GiB"


def test_memory_that_no_worker_told_refuses_nothing() -> None:
    books = Ledger({})

    assert books.places(Form(Need(memory=500 * GIB), {"w:1": ()})) == (Placement("w:1"),)
