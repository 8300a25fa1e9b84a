"""Place all models of a plan together, so that the best recipe of one never costs another its place.

What a person expects of a file with several models, in this order: that as many of them run as the machines can hold;
that where not all can, the earlier ones do; that the first one runs its best recipe, then the second, and so on. An
earlier model therefore gets a better recipe at the price of a later one's recipe, but never of its place.

The best such plan is a packing problem that nothing known solves fast. Here every model first gets some place, then a
better recipe, in the order of the file; what stands in the way is moved, and may move others in turn.
`docs/performance.md` tells how near that comes to the best plan. Equal input gives an equal plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from biai_xinf.memory import Device, Form, Ledger, Placement, Policy

# Bounds of the search, so that 100 models on 20 workers take about a second (`bench/plan.py`): how far what stands
# in the way moves others, how many places are tried per recipe, and how many moves are tried for all models.
_DEPTH = 3
_DETOURS = 8
_MOVES = 3000


@dataclass(frozen=True)
class Item:
    """One model to be placed: per recipe, best first, the forms it may take.

    A recipe without forms takes no memory here; None is a recipe that is no candidate.
    """

    choices: tuple[tuple[Form, ...] | None, ...]
    replicas: int = 1
    policy: Policy = "spread"


@dataclass(frozen=True)
class Taken:
    """What an item got: the index of its recipe, and the place of each replica."""

    choice: int
    form: Form | None = None
    placements: tuple[Placement, ...] = ()


def allocate(items: Sequence[Item], ledger: Ledger) -> tuple[Taken | None, ...]:
    """What each item gets, None where it gets nothing. Everything is booked in the ledger."""
    board = _Board(items, ledger)
    in_order = range(len(items))
    board.insert_all()
    for index in in_order:
        board.prefer_to_a_later_one(index)
    for index in in_order:
        board.insert(index)
    for index in in_order:
        board.improve(index)
    while True:
        for index in in_order:
            board.settle(index)
        # Where some have settled, others may have found room; there is an end, for no recipe gets worse.
        if not [index for index in in_order if board.insert(index, depth=0) or board.improve(index, depth=0)]:
            return tuple(board.taken)


class _Board:
    """The items' places while they are looked for."""

    def __init__(self, items: Sequence[Item], ledger: Ledger) -> None:
        self.taken: list[Taken | None] = [None] * len(items)
        self._items = items
        self._ledger = ledger
        self._price = _Prices(ledger)
        self._forms = [self._fitting_alone(item) for item in items]
        # The recipes an item may be moved to, those that take least first.
        self._open = [self._cheapest_first(forms) for forms in self._forms]
        self._pinned: set[int] = set()
        self._moves_each = _MOVES // max(1, len(items))
        self._moves = 0

    def insert_all(self) -> None:
        """Find a place for as many items as possible with any of their recipes.

        Large ones first fill the devices best where all find room; where not all do, small ones first are more.
        """
        empty = self._snapshot()
        small_first = sorted(range(len(self._items)), key=self._lowest_price)
        for index in reversed(small_first):
            self.insert(index)
        if None not in self.taken:
            return
        large_first = self._snapshot()
        self._restore(empty)
        for index in small_first:
            self.insert(index)
        if self.taken.count(None) >= large_first[1].count(None):
            self._restore(large_first)

    def insert(self, index: int, depth: int = _DEPTH) -> bool:
        """Find a place for an item that has none, with any of its recipes."""
        self._moves = self._moves_each
        return self.taken[index] is None and self._insert(index, depth)

    def prefer_to_a_later_one(self, index: int) -> None:
        """Let an item that found no place have that of a later one: the last for which that works."""
        self._moves = self._moves_each
        later = [other for other in range(index + 1, len(self.taken)) if self._holds_memory(other)]
        if self.taken[index] is None:
            for other in reversed(later):
                before = self._snapshot()
                self._lift(other)
                if self._insert(index, depth=1):
                    self._insert(other, depth=1)
                    return
                self._restore(before)

    def improve(self, index: int, depth: int = _DEPTH) -> bool:
        """Give an item the best recipe that leaves every other one its place, and earlier ones their recipes."""
        self._moves = self._moves_each
        now = self.taken[index]
        if now is None:
            return False
        self._open[index] = [now.choice]
        for better in sorted(choice for choice in self._forms[index] if choice < now.choice):
            before = self._snapshot()
            self._lift(index)
            if self._put(index, better, depth):
                self._open[index] = [better]
                return True
            self._restore(before)
        return False

    def settle(self, index: int) -> None:
        """Move an item, with its recipe, to where its policy wants it."""
        now, item = self.taken[index], self._items[index]
        if now is None or now.form is None:
            return
        self._lift(index)
        better = self._ledger.places(now.form, item.replicas, item.policy)
        all_there = len(better) == item.replicas
        self._take(index, Taken(now.choice, now.form, better if all_there else now.placements))

    def _lowest_price(self, index: int) -> float:
        """What the item takes of the cluster with the recipe that takes least."""
        prices = [self._price.lowest(forms) for forms in self._forms[index].values()]
        return self._items[index].replicas * min(prices, default=0.0)

    def _fitting_alone(self, item: Item) -> dict[int, tuple[Form, ...]]:
        """The recipes that fit while nothing else of the plan is placed; no other ever will."""
        fitting = {}
        for choice, forms in enumerate(item.choices):
            if forms is not None:
                there = tuple(form for form in forms if self._places(item, form))
                if there or not forms:
                    fitting[choice] = there
        return fitting

    def _cheapest_first(self, forms: Mapping[int, tuple[Form, ...]]) -> list[int]:
        return sorted(forms, key=lambda choice: self._price.lowest(forms[choice]))

    def _insert(self, index: int, depth: int) -> bool:
        return any(self._put(index, choice, depth) for choice in self._open[index])

    def _put(self, index: int, choice: int, depth: int) -> bool:
        """Take a recipe where there is room, or where there is once others have moved."""
        forms = self._forms[index][choice]
        if not forms:
            self._take(index, Taken(choice))
            return True
        for form in forms:
            if found := self._places(self._items[index], form):
                self._take(index, Taken(choice, form, found))
                return True
        return depth > 0 and any(
            self._displace(index, Taken(choice, form), others, depth)
            for form in forms
            for others in self._in_the_way(index, form)
        )

    def _displace(self, index: int, wish: Taken, others: tuple[int, ...], depth: int) -> bool:
        """Take a recipe in the place of others, if these find one elsewhere."""
        if self._moves <= 0 or wish.form is None:
            return False
        self._moves -= 1
        before = self._snapshot()
        for other in others:
            self._lift(other)
        emptied = self._snapshot()
        self._pinned.add(index)
        for policy in ("pack", "spread"):
            found = self._places(self._items[index], wish.form, policy)
            if found:
                self._take(index, Taken(wish.choice, wish.form, found))
                if all(self._insert(other, depth - 1) for other in others):
                    self._pinned.discard(index)
                    return True
                self._restore(emptied)
        self._pinned.discard(index)
        self._restore(before)
        return False

    def _places(self, item: Item, form: Form, policy: Policy = "pack") -> tuple[Placement, ...]:
        """Where all its replicas find room; nothing where one does not."""
        found = self._ledger.places(form, item.replicas, policy)
        return found if len(found) == item.replicas else ()

    def _in_the_way(self, index: int, form: Form) -> list[tuple[int, ...]]:
        """Sets of items that leave room for a replica when they are gone, small sets of small items first."""
        if form.workers > 1:
            return []
        on = self._holders()
        sets = {
            others
            for worker in form.where
            for replicas in range(1, self._items[index].replicas + 1)
            for others in self._in_the_way_on(worker, form, replicas, on)
            if others
        }
        ranked = sorted(sets, key=lambda others: (len(others), sum(map(self._held, others)), others))
        return ranked[:_DETOURS]

    def _in_the_way_on(
        self, worker: str, form: Form, replicas: int, on: dict[Device, list[tuple[int, int]]]
    ) -> Iterator[tuple[int, ...]]:
        """Sets of items that leave room on this worker for so many replicas."""
        need, free = form.need, self._ledger.free
        memory, count = replicas * need.memory, replicas * need.gpus
        for_memory = _covers(memory - free.get((worker, None), memory), on.get((worker, None), []))
        per_gpu = sorted(
            (
                covers
                for gpu in form.where[worker]
                if (covers := _covers(need.vram - free[worker, gpu], on.get((worker, gpu), [])))
            ),
            key=lambda covers: (len(covers[0]), covers[0]),
        )
        if count == 1:
            for_gpus = [cover for covers in per_gpu for cover in covers]
        else:
            windows = (per_gpu[start : start + count] for start in range(len(per_gpu) - count + 1))
            for_gpus = [tuple(other for covers in window for other in covers[0]) for window in windows]
        for cover in for_gpus:
            for more in for_memory:
                yield tuple(sorted({*cover, *more}))

    def _holders(self) -> dict[Device, list[tuple[int, int]]]:
        """By device, who may be moved from it: bytes and item."""
        on: dict[Device, list[tuple[int, int]]] = {}
        for index, taken in enumerate(self.taken):
            if taken is None or taken.form is None or index in self._pinned:
                continue
            need = taken.form.need
            for placement in taken.placements:
                for worker in placement.workers:
                    on.setdefault((worker, None), []).append((need.memory, index))
                    for gpu in placement.gpus:
                        on.setdefault((worker, gpu), []).append((need.vram, index))
        return on

    def _held(self, index: int) -> float:
        taken = self.taken[index]
        return self._price.of(taken.form) * len(taken.placements) if taken and taken.form else 0.0

    def _holds_memory(self, index: int) -> bool:
        taken = self.taken[index]
        return taken is not None and taken.form is not None

    def _take(self, index: int, taken: Taken) -> None:
        self.taken[index] = taken
        for placement in taken.placements:
            if taken.form is not None:
                self._ledger.book(taken.form.need, placement)

    def _lift(self, index: int) -> None:
        taken = self.taken[index]
        self.taken[index] = None
        if taken is not None and taken.form is not None:
            for placement in taken.placements:
                self._ledger.release(taken.form.need, placement)

    def _snapshot(self) -> tuple[dict[Device, int], list[Taken | None]]:
        return dict(self._ledger.free), list(self.taken)

    def _restore(self, before: tuple[dict[Device, int], list[Taken | None]]) -> None:
        self._ledger.free, self.taken = dict(before[0]), list(before[1])


class _Prices:
    """What a replica takes, as a share of all that is free: RAM and GPU memory are weighed by how scarce they are."""

    def __init__(self, ledger: Ledger) -> None:
        self._memory = sum(free for (_, gpu), free in ledger.free.items() if gpu is None) or 1
        self._vram = sum(free for (_, gpu), free in ledger.free.items() if gpu is not None) or 1

    def of(self, form: Form) -> float:
        need = form.need
        return form.workers * (need.memory / self._memory + need.gpus * need.vram / self._vram)

    def lowest(self, forms: tuple[Form, ...]) -> float:
        return min(map(self.of, forms), default=0.0)


def _covers(shortage: int, holders: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Items of a device that free what is missing: each that does alone, else the largest together; none needed: ()."""
    if shortage <= 0:
        return [()]
    alone = sorted((held, index) for held, index in holders if held >= shortage)
    if alone:
        return [(index,) for _, index in alone]
    together: list[int] = []
    for held, index in sorted(holders, reverse=True):
        together.append(index)
        shortage -= held
        if shortage <= 0:
            return [tuple(together)]
    return []
