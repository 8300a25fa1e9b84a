"""The memory ledger: who may use which bytes of which device, so that no two models count on the same gibibyte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from biai_xinf.hardware import Worker
from biai_xinf.units import format_size


@dataclass(frozen=True)
class Need:
    """What one replica takes on one worker: `memory` bytes of RAM, and `vram` bytes on each of `gpus` GPUs."""

    memory: int = 0
    gpus: int = 0
    vram: int = 0


@dataclass(frozen=True)
class Placement:
    """Where one replica goes. No GPU index means CPU."""

    worker: str
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """Free bytes per device: (worker address, GPU index), or (worker address, None) for RAM.

    RAM that no worker told is missing, and taken to be enough: a fact that is unknown refuses nothing.
    """

    free: Mapping[tuple[str, int | None], int]
    workers: tuple[str, ...]

    def place(self, need: Need, among: Iterable[str] | None = None) -> Placement | str:
        """The worker with the most room for `need`, or the reason why there is none."""
        workers = [worker for worker in self.workers if among is None or worker in set(among)]
        if not workers:
            return "no worker is there to run it"
        placements = [placement for worker in workers if (placement := self._on(worker, need)) is not None]
        if not placements:
            return self._refusal(need, workers)
        return max(placements, key=self._room)

    def book(self, need: Need, placement: Placement) -> Ledger:
        """The ledger after one replica took its place."""
        free = dict(self.free)
        for gpu in placement.gpus:
            free[placement.worker, gpu] -= need.vram
        if (placement.worker, None) in free:
            free[placement.worker, None] -= need.memory
        return Ledger(free, self.workers)

    def _on(self, worker: str, need: Need) -> Placement | None:
        if self.free.get((worker, None), need.memory) < need.memory:
            return None
        # Most free first; the index breaks ties, so that the same cluster gives the same plan.
        roomy = sorted((-free, gpu) for gpu, free in self._gpus(worker) if free >= need.vram)
        if len(roomy) < need.gpus:
            return None
        return Placement(worker, tuple(sorted(gpu for _, gpu in roomy[: need.gpus])))

    def _room(self, placement: Placement) -> tuple[int, int]:
        vram = min((self.free[placement.worker, gpu] for gpu in placement.gpus), default=0)
        return vram, self.free.get((placement.worker, None), 0)

    def _gpus(self, worker: str) -> list[tuple[int, int]]:
        return [(gpu, free) for (where, gpu), free in self.free.items() if where == worker and gpu is not None]

    def _refusal(self, need: Need, workers: list[str]) -> str:
        most_gpus = max(len(self._gpus(worker)) for worker in workers)
        if need.gpus and most_gpus == 0:
            return f"needs {_gpus(need)}, no worker has a GPU"
        if need.gpus > most_gpus:
            return f"needs {_gpus(need)} on one worker, the most is {most_gpus}"
        if need.gpus:
            nth_best = [
                sorted((free for _, free in self._gpus(w)), reverse=True)[need.gpus - 1 : need.gpus] for w in workers
            ]
            most = max(free for best in nth_best for free in best)
            if most < need.vram:
                return f"needs {_gpus(need)}, the most is {format_size(most)}"
        ram = max(self.free.get((worker, None), 0) for worker in workers)
        return f"needs {format_size(need.memory)} of free memory, the most is {format_size(ram)}"


def ledger(workers: Iterable[Worker]) -> Ledger:
    """The ledger of a cluster as it was observed."""
    workers = tuple(workers)
    free: dict[tuple[str, int | None], int] = {}
    for worker in workers:
        if worker.memory_free is not None:
            free[worker.address, None] = worker.memory_free
        for gpu in worker.gpus:
            # A GPU whose memory cannot be read holds no recipe: those ask for gibibytes.
            free[worker.address, gpu.index] = gpu.free or 0
    return Ledger(free, tuple(worker.address for worker in workers))


def _gpus(need: Need) -> str:
    if need.gpus == 1:
        return f"a GPU with {format_size(need.vram)} free"
    return f"{need.gpus} GPUs with {format_size(need.vram)} free each"
