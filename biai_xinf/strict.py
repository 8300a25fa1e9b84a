"""What people write is read strictly: a key that nobody knows is a mistake, not a wish."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A part of a file that a person writes, or of a request on their behalf."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
