from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.memory import Ledger, Need, Placement, ledger
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


@given(workers, needs)
def test_what_is_booked_never_exceeds_what_is_free(
    machines: list[tuple[int, tuple[int, ...]]], wishes: list[Need]
) -> None:
    books = ledger(worker(f"w:{n}", ram=ram, gpus=gpus) for n, (ram, gpus) in enumerate(machines))

    for need in wishes:
        placed = books.place(need)
        if isinstance(placed, Placement):
            books = books.book(need, placed)

    assert min(books.free.values()) >= 0


@given(workers, needs)
def test_a_need_is_refused_only_where_no_worker_has_room(
    machines: list[tuple[int, tuple[int, ...]]], wishes: list[Need]
) -> None:
    books = ledger(worker(f"w:{n}", ram=ram, gpus=gpus) for n, (ram, gpus) in enumerate(machines))

    for need in wishes:
        placed = books.place(need)

        assert isinstance(placed, Placement) == any(_has_room(ram, gpus, need) for ram, gpus in machines)


def _has_room(ram: int, gpus: tuple[int, ...], need: Need) -> bool:
    return ram * GIB >= need.memory and sum(free * GIB >= need.vram for free in gpus) >= need.gpus


def test_the_worker_with_the_most_free_memory_is_taken() -> None:
    books = ledger([worker("small:1", ram=8), worker("large:1", ram=64)])

    assert books.place(Need(memory=GIB)) == Placement("large:1")


def test_the_emptiest_gpus_of_a_worker_are_taken() -> None:
    books = ledger([worker("w:1", gpus=(10, 24, 16))])

    assert books.place(Need(gpus=2, vram=12 * GIB)) == Placement("w:1", (1, 2))


def test_a_refusal_names_what_is_needed_and_the_most_there_is() -> None:
    no_gpu = ledger([worker(ram=16)])
    small_gpus = ledger([worker(gpus=(8, 6))])

    assert no_gpu.place(Need(gpus=1, vram=20 * GIB)) == "needs a GPU with 20 GiB free, no worker has a GPU"
    assert small_gpus.place(Need(gpus=1, vram=20 * GIB)) == "needs a GPU with 20 GiB free, the most is 8 GiB"
    assert small_gpus.place(Need(gpus=2, vram=7 * GIB)) == "needs 2 GPUs with 7 GiB free each, the most is 6 GiB"
    assert small_gpus.place(Need(gpus=3, vram=GIB)) == "needs 3 GPUs with 1 GiB free each on one worker, the most is 2"
    assert no_gpu.place(Need(memory=32 * GIB)) == "needs 32 GiB of free memory, the most is 16 GiB"
    assert Ledger({}, ()).place(Need()) == "no worker is there to run it"


def test_memory_that_no_worker_told_refuses_nothing() -> None:
    books = ledger([worker("w:1", ram=None)])

    assert books.place(Need(memory=500 * GIB)) == Placement("w:1")
