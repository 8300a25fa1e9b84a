"""What a model of Ollama's store becomes here. Decides only; `imported` writes.

stored model -> what it is -> spec -> registration -> what people are told
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from biai_xinf.catalogue import Catalogue
from biai_xinf.gguf_file import GgufFile
from biai_xinf.ollama import told
from biai_xinf.ollama.identify import identify
from biai_xinf.ollama.model import ImportRole, uid_of
from biai_xinf.ollama.registration import registration_of
from biai_xinf.ollama.spec import spec_of
from biai_xinf.ollama.store import StoredModel
from biai_xinf.specs import MODEL_SPEC, ModelSpec


@dataclass(frozen=True)
class Import:
    """A model of the store as it will be served: its spec and registration, as they are written.

    `stands_for` is the spec of ours whose role, prompt and probe it takes, `because` why. `carried` and `lost` are
    sentences.
    """

    stored: StoredModel
    gguf: GgufFile
    spec: ModelSpec
    written: Mapping[str, Any]
    registration: Mapping[str, Any]
    stands_for: str | None
    because: str
    carried: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def uid(self) -> str:
        """The name it is served under."""
        return uid_of(self.stored.tag)

    @property
    def model_name(self) -> str:
        """Its name in Xinference, which tells its weights from other ones that the tag had before."""
        return str(self.registration["model_name"])


def plan_import(
    stored: StoredModel, catalogue: Catalogue, role: ImportRole | None = None, context: int | None = None
) -> Import:
    """What the model becomes; CannotImport says in one sentence why it cannot be served."""
    model = identify(stored, catalogue, role, context)
    written = spec_of(model)
    return Import(
        stored=stored,
        gguf=model.gguf,
        spec=MODEL_SPEC.validate_python(written),
        written=written,
        registration=registration_of(model, written),
        stands_for=model.source.spec.name if model.source else None,
        because=model.because,
        carried=tuple(told.carried_over(model, written)),
        lost=tuple(told.lost(model)),
    )
