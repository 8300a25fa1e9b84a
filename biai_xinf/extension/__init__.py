"""What biai-xinf adds inside Xinference's own processes, through `XINFERENCE_EXTENSIONS=biai_xinf.extension:create`.

Xinference loads this in its supervisor, its API process and its workers, and does not start when that fails: so
nothing is imported and nothing is read before it is needed.
"""

from __future__ import annotations

from typing import Any


class Extension:
    """The object Xinference 4.1 asks for (its `extensions.py`, API version 1)."""

    name = "biai_xinf"
    api_version = 1

    def configure_api(self, context: Any) -> None:
        """Called once in the API process, before it serves."""
        from biai_xinf.extension.endpoint import install

        install(context)

    def worker_metadata(self) -> dict[str, Any]:
        """Called in each worker when it joins: what its machine offers."""
        from biai_xinf.extension.machine import facts

        return facts()

    def filter_worker_resources(self, worker: dict[str, Any], workers: list[dict[str, Any]]) -> list[int]:
        """Which GPUs of a worker may be used: all of them."""
        return list(worker["gpu_devices"])


def create() -> Extension:
    """The factory named in XINFERENCE_EXTENSIONS."""
    return Extension()
