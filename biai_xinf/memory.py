"""The memory ledger: who may use which bytes of which device, so that no two models count on the same gibibyte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from biai_xinf.hardware import Worker
from biai_xinf.units import format_size

# One GPU of a worker, or with None its RAM.
Device = tuple[str, "int | None"]
# Replicas on as many workers and GPUs as there are, or on as few as hold them.
Policy = Literal["spread", "pack"]

NO_GPU = "needs a GPU, no worker has one"
# The emptiest workers among which a replica that spans several looks for its places.
_SPANNING = 8


@dataclass(frozen=True)
class Need:
    """What one replica takes on one worker: `memory` bytes of RAM, and `vram` bytes on each of `gpus` GPUs."""

    memory: int = 0
    gpus: int = 0
    vram: int = 0


@dataclass(frozen=True)
class Form:
    """One way to hold a replica: the need on each of `workers` workers, and the devices it may take.

    `where` has the GPUs allowed on each worker allowed; a form without GPUs has its workers only. `share` is the part
    of each GPU's memory that the engine has to be told, where it would take more than it needs.
    """

    need: Need
    where: Mapping[str, tuple[int, ...]]
    workers: int = 1
    share: float | None = None


@dataclass(frozen=True)
class Placement:
    """Where one replica goes. No GPU index means CPU.

    `others` are further workers that hold a part of it, each on the GPUs of the same indexes.
    """

    worker: str
    gpus: tuple[int, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def workers(self) -> tuple[str, ...]:
        """Every worker that holds a part of it."""
        return (self.worker, *self.others)


class Ledger:
    """Free bytes per device: (worker address, GPU index), or (worker address, None) for RAM.

    RAM that no worker told is missing, and taken to be enough: a fact that is unknown refuses nothing.
    """

    def __init__(self, free: Mapping[Device, int]) -> None:
        self.free = dict(free)

    def spots(self, form: Form, apart: Sequence[Placement] = ()) -> list[Placement]:
        """Every place with room; of GPUs that are equally free one stands for all. Replicas `apart` share no GPU."""
        need, spots = form.need, []
        if form.workers > 1:
            return self._spanning_spots(form)
        held = {(placement.worker, gpu) for placement in apart for gpu in placement.gpus}
        for worker, gpus in form.where.items():
            if not self._has_memory(worker, need):
                continue
            if not need.gpus:
                spots.append(Placement(worker))
                continue
            roomy = [
                (self.free[worker, gpu], gpu)
                for gpu in gpus
                if self.free[worker, gpu] >= need.vram and (worker, gpu) not in held
            ]
            if len(roomy) >= need.gpus:
                spots += [Placement(worker, chosen) for chosen in _neighbours(sorted(roomy), need.gpus)]
        return spots

    def places(
        self, form: Form, replicas: int = 1, policy: Policy = "pack", beside: Sequence[Placement] = ()
    ) -> tuple[Placement, ...]:
        """Where the replicas go, one after the other, as far as there is room, `beside` those that run already.

        Nothing is booked.
        """
        own = list(beside)
        while len(own) - len(beside) < replicas and (spots := self.spots(form, own)):
            best = self._roomiest(spots, own) if policy == "spread" else self._tightest(spots, own)
            own.append(best)
            self.book(form.need, best)
        found = tuple(own[len(beside) :])
        for placement in found:
            self.release(form.need, placement)
        return found

    def book(self, need: Need, placement: Placement) -> None:
        """Take what one replica needs at its place."""
        for worker in placement.workers:
            for gpu in placement.gpus:
                self.free[worker, gpu] -= need.vram
            if (worker, None) in self.free:
                self.free[worker, None] -= need.memory

    def release(self, need: Need, placement: Placement) -> None:
        """Give back what was booked."""
        self.book(Need(-need.memory, need.gpus, -need.vram), placement)

    def refusal(self, forms: Sequence[Form], replicas: int = 1) -> str:
        """Why not all replicas find room in any form: what the one that came closest needs, and the most there is."""
        form = max(forms, key=self._share_there_is)
        if 0 < (there := len(self.places(form, replicas))) < replicas:
            return f"has room for {there} of {replicas} replicas, each {_needs(form.need)}"
        need, workers = form.need, list(form.where)
        if not workers:
            return "no worker is there to run it"
        if need.gpus:
            most_gpus = max(len(form.where[worker]) for worker in workers)
            if most_gpus == 0:
                return NO_GPU
            if need.gpus > most_gpus:
                return f"{_needs(need)} on one worker, the most is {most_gpus}"
            offered = {worker: self._nth_roomiest(worker, form) for worker in workers}
            if (most := max(offered.values())) < need.vram:
                return f"{_needs(need)}, the most is {format_size(most)}"
            workers = [worker for worker in workers if offered[worker] >= need.vram]
        ram = max(self.free.get((worker, None), need.memory) for worker in workers)
        where = " beside its GPU" if need.gpus else ""
        return f"needs {format_size(need.memory)} of free memory{where}, the most is {format_size(ram)}"

    def _roomiest(self, spots: list[Placement], own: list[Placement]) -> Placement:
        """On the worker with the fewest replicas of its own, where most is free."""
        workers = [placement.worker for placement in own]

        def key(spot: Placement) -> tuple[int, int, int]:
            vram, memory = self._room(spot)
            return workers.count(spot.worker), -vram, -memory

        return min(spots, key=key)

    def _tightest(self, spots: list[Placement], own: list[Placement]) -> Placement:
        """On a worker that has a replica of its own already, where least is free."""
        if not own:
            return min(spots, key=self._room)
        workers = {placement.worker for placement in own}
        return min(spots, key=lambda spot: (spot.worker not in workers, self._room(spot)))

    def _room(self, placement: Placement) -> tuple[int, int]:
        """Free bytes at a place: of its fullest GPU, and of its RAM."""
        vram = min((self.free[placement.worker, gpu] for gpu in placement.gpus), default=0)
        return vram, self.free.get((placement.worker, None), 0)

    def _has_memory(self, worker: str, need: Need) -> bool:
        return self.free.get((worker, None), need.memory) >= need.memory

    def _share_there_is(self, form: Form) -> float:
        """The part of the GPU memory needed that the best worker offers."""
        return max((self._nth_roomiest(worker, form) for worker in form.where), default=0) / max(1, form.need.vram)

    def _nth_roomiest(self, worker: str, form: Form) -> int:
        """What the last of the GPUs has free that the form would take on this worker; 0 where it has too few."""
        free = sorted((self.free[worker, gpu] for gpu in form.where[worker]), reverse=True)
        return free[form.need.gpus - 1] if len(free) >= form.need.gpus > 0 else 0

    def _spanning_spots(self, form: Form) -> list[Placement]:
        need = form.need
        fitting = {
            worker: {gpu for gpu in gpus if self.free[worker, gpu] >= need.vram}
            for worker, gpus in form.where.items()
            if self._has_memory(worker, need)
        }
        roomiest = sorted(
            (worker for worker, gpus in fitting.items() if len(gpus) >= need.gpus),
            key=lambda worker: -sum(self.free[worker, gpu] for gpu in fitting[worker]),
        )
        spots = []
        for group in combinations(roomiest[:_SPANNING], form.workers):
            shared = sorted(set.intersection(*(fitting[worker] for worker in group)))
            if len(shared) >= need.gpus:
                spots.append(Placement(group[0], tuple(shared[: need.gpus]), group[1:]))
        return spots


def ledger(workers: Iterable[Worker]) -> Ledger:
    """The ledger of a cluster as it was observed."""
    free: dict[Device, int] = {}
    for worker in workers:
        if worker.memory_free is not None:
            free[worker.address, None] = worker.memory_free
        for gpu in worker.gpus:
            # A GPU whose memory cannot be read holds no recipe: those ask for gibibytes.
            free[worker.address, gpu.index] = gpu.free or 0
    return Ledger(free)


def _neighbours(roomy: list[tuple[int, int]], count: int) -> list[tuple[int, ...]]:
    """Sets of `count` GPUs that lie next to each other by free bytes; of sets that are equally free only the first."""
    return [
        tuple(sorted(gpu for _, gpu in roomy[start : start + count]))
        for start in range(len(roomy) - count + 1)
        if start == 0 or roomy[start - 1][0] != roomy[start + count - 1][0]
    ]


def _needs(need: Need) -> str:
    if need.gpus == 0:
        return f"needs {format_size(need.memory)} of free memory"
    if need.gpus == 1:
        return f"needs a GPU with {format_size(need.vram)} free"
    return f"needs {need.gpus} GPUs with {format_size(need.vram)} free each"
