"""What the machines of a cluster offer, as plain values. Memory is in bytes; unknown facts are None."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """One GPU of a worker, under the index Xinference launches on."""

    index: int
    total: int | None
    free: int | None
    name: str | None = None


@dataclass(frozen=True)
class Worker:
    """One Xinference worker, known by its `ip:port` address."""

    address: str
    cpus: int | None = None
    memory_total: int | None = None
    memory_free: int | None = None
    gpus: tuple[Gpu, ...] = ()
