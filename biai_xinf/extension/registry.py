"""What the endpoint serves beyond Xinference's own models, kept in a file across restarts."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import ValidationError

from biai_xinf.replacing import replacing
from biai_xinf.strict import Strict
from biai_xinf.upstreams import ServedModel, Upstream

log = logging.getLogger(__name__)


class _Kept(Strict):
    version: Literal[1] = 1
    upstreams: list[Upstream] = []
    served: list[ServedModel] = []


class Registry:
    """Upstreams, and what `launch` proved of Xinference's models, by name. One process writes the file: the API's.

    A file that cannot be read is set aside under another name, never overwritten, and said so in the log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = self._read()
        self._upstreams = {upstream.name: upstream for upstream in kept.upstreams}
        self._served = {model.uid: model for model in kept.served}

    @property
    def upstreams(self) -> Mapping[str, Upstream]:
        return MappingProxyType(self._upstreams)

    @property
    def served(self) -> Mapping[str, ServedModel]:
        return MappingProxyType(self._served)

    def put_upstream(self, upstream: Upstream) -> None:
        """Add an upstream or replace the one of that name."""
        self._write(self._upstreams | {upstream.name: upstream}, self._served)

    def remove_upstream(self, name: str) -> bool:
        """Whether there was one."""
        left = {key: value for key, value in self._upstreams.items() if key != name}
        return self._removed(len(left) < len(self._upstreams), left, self._served)

    def put_served(self, model: ServedModel) -> None:
        """Remember what was proven of a model of Xinference's; a context that is not told is the one told before."""
        before = self._served.get(model.uid)
        if before is not None and model.context is None and (model.spec, model.recipe) == (before.spec, before.recipe):
            model = model.model_copy(update={"context": before.context})
        self._write(self._upstreams, self._served | {model.uid: model})

    def remove_served(self, uid: str) -> bool:
        """Whether it was known."""
        left = {key: value for key, value in self._served.items() if key != uid}
        return self._removed(len(left) < len(self._served), self._upstreams, left)

    def _removed(self, found: bool, upstreams: dict[str, Upstream], served: dict[str, ServedModel]) -> bool:
        if found:
            self._write(upstreams, served)
        return found

    def _read(self) -> _Kept:
        try:
            return _Kept.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _Kept()
        except (OSError, ValidationError) as error:
            aside = self._path.with_suffix(".unreadable")
            log.error("%s cannot be read, it is kept as %s and no upstream is served: %s", self._path, aside, error)
            if isinstance(error, ValidationError):
                self._path.replace(aside)
            return _Kept()

    def _write(self, upstreams: dict[str, Upstream], served: dict[str, ServedModel]) -> None:
        kept = _Kept(upstreams=list(upstreams.values()), served=list(served.values()))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as file:
            file.write(kept.model_dump_json(indent=2, exclude_defaults=True).encode())
            file.flush()
            os.fsync(file.fileno())
        self._upstreams, self._served = upstreams, served
