"""How fast a plan is made, and how near it comes to the best one there is.

`python bench/plan.py` needs biai-xinf[test]; `docs/performance.md` explains the figures. Nothing is started: a plan is
a function of values.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from measure import Cost, call, finish, say

# Only a checkout has `tests`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from biai_xinf.allocate import Item, allocate
from biai_xinf.hardware import Worker
from biai_xinf.memory import Form, Ledger, Need
from biai_xinf.plan import Plan, make_plan
from biai_xinf.state import Cluster, Desired, DesiredModel, Launch
from biai_xinf.units import GIB
from tests.builders import cluster, entry, recipe, worker
from tests.exhaustive import best_value, overcommits, random_case, value

if TYPE_CHECKING:
    from biai_xinf.memory import Device

# GiB of GPU memory that the recipes of a large model ladder and of small models take.
_LADDERS = ((70, 40, 22, 18, 12, 9), (40, 22, 18, 12, 9, 6), (22, 18, 12, 9, 6, 4), (9, 6, 4, 3, 2, 2))


def main() -> None:
    """Measure, explain to a person, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases")
    parser.add_argument("--json", action="store_true", help="print nothing but the last line to stdout")
    arguments = parser.parse_args()
    small = 2000 if arguments.quick else 10000
    results = {**_large(rounds=5 if arguments.quick else 15), **_against_the_best(small), **_full(20)}
    results["overcommits"] = sum(int(results.pop(key)) for key in [*results] if key.startswith("overcommits_"))
    if not arguments.json:
        for name, found in results.items():
            say(f"{name:<28} {found}")
    finish(results)


def _large(rounds: int) -> dict[str, Any]:
    """Plans of 100 models with 8 recipes each on 20 workers, from machines that hold everything to those that do not."""
    found: dict[str, Any] = {"overcommits_100x20": 0}
    costs: list[Cost] = []
    for name, scale in (("roomy", 4.0), ("tight", 0.5), ("short", 0.1)):
        placed = []
        for seed in range(rounds):
            seen, wishes, plans = cluster(*_workers(seed, scale)), _wishes(seed), list[Plan]()
            costs.append(call(partial(_plan_into, plans, wishes, seen)))
            found["overcommits_100x20"] += _overcommits_of(plans[0], seen.workers)
            placed.append(len(plans[0].changes))
        found[f"placed_100x20_{name}"] = median(placed)
    wall, cpu = [cost.wall_s for cost in costs], [cost.cpu_s for cost in costs]
    return {
        "plan_100x20_s": round(median(wall), 3),
        "plan_100x20_cpu_s": round(median(cpu), 3),
        "plan_100x20_worst_cpu_s": round(max(cpu), 3),
        **found,
    }


def _plan_into(plans: list[Plan], wishes: Desired, seen: Cluster) -> None:
    plans.append(make_plan(wishes, seen))


def _workers(seed: int, scale: float) -> list[Worker]:
    """Twenty machines: five without GPUs, the others with two to eight of one kind."""
    dice = random.Random(seed)
    machines = []
    for number in range(20):
        card = dice.choice((16, 24, 48, 80)) * scale
        gpus = (card,) * (0 if number % 4 == 0 else dice.choice((2, 4, 8)))
        machines.append(worker(f"10.0.0.{number + 1}:1", ram=dice.choice((64, 128, 256)) * scale, gpus=gpus, cpus=32))
    return machines


def _wishes(seed: int) -> Desired:
    dice = random.Random(seed)
    models = []
    for number in range(100):
        ladder = dice.choice(_LADDERS)
        engine = dice.choice(("vLLM", "llama.cpp"))
        on_gpu = [recipe(f"gpu-{rank}", gpus=1, gib=gib, engine=engine) for rank, gib in enumerate(ladder)]
        on_cpu = [recipe(f"cpu-{rank}", gib=gib) for rank, gib in enumerate(ladder[-2:])]
        policy = dice.choice(("spread", "pack"))
        models.append(
            DesiredModel(f"m{number}", entry(*on_gpu, *on_cpu), replicas=dice.choice((1, 1, 1, 2)), policy=policy)
        )
    return Desired(tuple(models))


def _overcommits_of(plan: Plan, workers: Sequence[Worker]) -> int:
    """Devices that the launches of a plan overfill, added up from what is sent and from what the recipes say."""
    left: dict[Device, int] = {(at.address, None): at.memory_free or 0 for at in workers}
    totals = {(at.address, gpu.index): gpu.total or 0 for at in workers for gpu in at.gpus}
    left |= {(at.address, gpu.index): gpu.free or 0 for at in workers for gpu in at.gpus}
    for change in plan.changes:
        if change.recipe is None or not isinstance(change.launch, Launch):
            continue
        body, requires = change.launch.body, change.recipe.requires
        for address, gpus in _places(body):
            left[address, None] -= requires.memory or 0
            for gpu in gpus:
                taken = body.get("gpu_memory_utilization", 0) * totals[address, gpu]
                left[address, gpu] -= max(int(taken), requires.vram or 0)
    return sum(free < 0 for free in left.values())


def _places(body: Any) -> Iterator[tuple[str, list[int]]]:
    if "replica_config" not in body:
        yield body["worker_ip"], []
        return
    for replica in body["replica_config"]:
        (device,) = replica["devices"]
        yield device["worker_ip"], device.get("gpu_idx", [])


def _against_the_best(cases: int) -> dict[str, Any]:
    """Small random cases of which every possible plan is looked at."""
    as_good = as_many = faults = 0
    for seed in range(cases):
        items, free = random_case(seed, models=1 + seed % 5, workers=1 + seed % 3)
        taken = allocate(items, Ledger(free))
        got = value(tuple(None if one is None else one.choice for one in taken))
        best = best_value(items, free)
        as_good += got == best
        as_many += got[0] == best[0]
        faults += overcommits(items, taken, free)
    return {
        "cases": cases,
        "share_of_optimum": as_good / cases,
        "share_with_as_many_models": as_many / cases,
        "overcommits_small": faults,
    }


def _full(cases: int) -> dict[str, Any]:
    """Clusters that a known plan fills to the last gibibyte: which part of its models is placed."""
    placed = models = faults = 0
    for seed in range(cases):
        items, free = _cut_up(random.Random(seed))
        taken = allocate(items, Ledger(free))
        placed += sum(one is not None for one in taken)
        models += len(items)
        faults += overcommits(items, taken, free)
    return {"placed_share_of_full_clusters": round(placed / models, 4), "overcommits_full": faults}


def _cut_up(dice: random.Random) -> tuple[tuple[Item, ...], dict[Device, int]]:
    """Ten workers with four GPUs each, every one cut into two or three models of one recipe, in no order."""
    gpus = {f"10.0.0.{number + 1}:1": (0, 1, 2, 3) for number in range(10)}
    free: dict[Device, int] = {(at, None): 64 * GIB for at in gpus}
    sizes = []
    for address, there in gpus.items():
        for gpu in there:
            card = dice.choice((24, 48, 80))
            free[address, gpu] = card * GIB
            cuts = sorted(dice.sample(range(2, card - 1), dice.choice((1, 2))))
            sizes += [high - low for low, high in zip([0, *cuts], [*cuts, card], strict=True)]
    dice.shuffle(sizes)
    return tuple(Item(((Form(Need(0, 1, size * GIB), gpus),),)) for size in sizes), free


if __name__ == "__main__":
    main()
