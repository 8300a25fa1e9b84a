"""The best plan there is of a small case, by trying all of them: what `allocate` is measured against."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations

from biai_xinf.allocate import Item, Taken
from biai_xinf.memory import Device, Form, Need
from biai_xinf.units import GIB

Free = dict[Device, int]
# How many run, which of them, and the recipe of each: larger is better.
Value = tuple[int, tuple[bool, ...], tuple[int, ...]]


def value(choices: tuple[int | None, ...]) -> Value:
    """What a plan is worth: first how many run, then that earlier ones do, then their recipes in the file's order."""
    runs = tuple(choice is not None for choice in choices)
    return sum(runs), runs, tuple(0 if choice is None else -choice for choice in choices)


def best_value(items: tuple[Item, ...], free: Free) -> Value:
    """The value of the best plan of all."""
    found = [value((None,) * len(items))]
    seen: set[tuple[int, tuple[int | None, ...], tuple[tuple[Device, int], ...]]] = set()

    def look(index: int, chosen: tuple[int | None, ...], left: Free) -> None:
        state = (index, chosen, tuple(left.items()))
        possible = (*chosen, *([0] * (len(items) - index)))
        if state in seen or value(possible) <= found[0]:
            return
        seen.add(state)
        if index == len(items):
            found[0] = value(chosen)
            return
        for choice, forms in enumerate(items[index].choices):
            for form in forms or ():
                for after in _placed(items[index].replicas, form, left, frozenset()):
                    look(index + 1, (*chosen, choice), after)
            if forms == ():
                look(index + 1, (*chosen, choice), left)
        look(index + 1, (*chosen, None), left)

    look(0, (), free)
    return found[0]


def _placed(replicas: int, form: Form, free: Free, held: frozenset[Device]) -> Iterator[Free]:
    if replicas == 0:
        yield free
        return
    need = form.need
    for worker, gpus in form.where.items():
        ram = free.get((worker, None))
        if ram is not None and ram < need.memory:
            continue
        usable = [gpu for gpu in gpus if free[worker, gpu] >= need.vram and (worker, gpu) not in held]
        for chosen in combinations(usable, need.gpus):
            after = dict(free)
            if ram is not None:
                after[worker, None] = ram - need.memory
            for gpu in chosen:
                after[worker, gpu] -= need.vram
            yield from _placed(replicas - 1, form, after, held | {(worker, gpu) for gpu in chosen})


def overcommits(items: tuple[Item, ...], taken: tuple[Taken | None, ...], free: Free) -> int:
    """Devices of which more was given away than was free, and replicas missing or on a device they may not use."""
    left, faults = dict(free), 0
    for item, got in zip(items, taken, strict=True):
        if got is None or got.form is None:
            continue
        need = got.form.need
        faults += len(got.placements) != item.replicas
        own = [(placement.worker, gpu) for placement in got.placements for gpu in placement.gpus]
        faults += len(own) != len(set(own))
        for placement in got.placements:
            for worker in placement.workers:
                faults += len(placement.gpus) != need.gpus or not set(placement.gpus) <= set(got.form.where[worker])
                if (worker, None) in left:
                    left[worker, None] -= need.memory
                for gpu in placement.gpus:
                    left[worker, gpu] -= need.vram
    return faults + sum(bytes_left < 0 for bytes_left in left.values())


def random_case(seed: int, models: int, workers: int) -> tuple[tuple[Item, ...], Free]:
    """A cluster of mixed machines, and models whose recipes shrink from the first to the last."""
    dice = random.Random(seed)
    free: Free = {}
    gpus: dict[str, tuple[int, ...]] = {}
    for number in range(workers):
        address = f"10.0.0.{number + 1}:1"
        free[address, None] = dice.choice((8, 16, 32, 64)) * GIB
        gpus[address] = tuple(range(dice.choice((0, 0, 1, 2))))
        card = dice.choice((8, 12, 16, 24)) * GIB
        free |= {(address, gpu): card for gpu in gpus[address]}
    return tuple(_random_item(dice, gpus) for _ in range(models)), free


def _random_item(dice: random.Random, gpus: dict[str, tuple[int, ...]]) -> Item:
    cpu_only: dict[str, tuple[int, ...]] = dict.fromkeys(gpus, ())
    sizes = sorted((dice.randint(2, 24) for _ in range(dice.randint(1, 3))), reverse=True)
    on_gpu = tuple(
        (Form(Need(GIB, dice.choice((1, 1, 1, 2)), size * GIB), gpus),) for size in sizes if dice.random() < 0.7
    )
    on_cpu = tuple((Form(Need(size * GIB), cpu_only),) for size in sizes[-1:] if dice.random() < 0.7 or not on_gpu)
    return Item(on_gpu + on_cpu, dice.choice((1, 1, 1, 2)), dice.choice(("spread", "pack")))
