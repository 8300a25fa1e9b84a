"""What the machines of a cluster offer, as plain values. Memory is in bytes; unknown facts are None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """One GPU of a worker, under the index Xinference launches on."""

    index: int
    total: int | None
    free: int | None
    name: str | None = None
    compute_capability: str | None = None
    driver: str | None = None


@dataclass(frozen=True)
class Worker:
    """One Xinference worker, known by its `ip:port` address.

    `engines`: the version of each engine it can load models with, by Xinference's name of the engine; None where
    that is unknown, as where `virtual_env` lets a launch install them. `+cpu` ends the version of a build that uses
    no GPU. `unplaced_gpus` are GPUs of its machine on which nothing can be placed: Apple's, which share its memory
    and which engines use unasked, and those that Xinference does not see.
    """

    address: str
    cpus: int | None = None
    memory_total: int | None = None
    memory_free: int | None = None
    gpus: tuple[Gpu, ...] = ()
    cpu_model: str | None = None
    cpu_flags: frozenset[str] | None = None
    disk_total: int | None = None
    disk_free: int | None = None
    engines: Mapping[str, str] | None = None
    virtual_env: bool | None = None
    unplaced_gpus: tuple[Gpu, ...] = ()
