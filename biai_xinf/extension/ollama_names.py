"""Which model an Ollama name means: BIAI knows one name and two ways to call it, we serve several models."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from biai_xinf.upstreams import Role

Call = Literal["chat", "generate", "embed"]
# Names that mean no model but what the caller does with it.
ROLE_NAMES = ("biai", "sql", "narrator")
# What BIAI asks for unless told otherwise, in its code and in its example settings (commit 117dd86): it has to work
# with whatever serves, an upstream that no spec gave a tag to included.
BIAI_NAMES = ("qwen3-coder:30b", "qwen2.5-coder:7b-instruct-q4_K_M")
_FITTING: dict[Call, tuple[Role, ...]] = {
    "chat": ("sql", "chat", "narrator"),
    "generate": ("narrator", "chat", "sql"),
    "embed": ("embedding",),
}


@dataclass(frozen=True)
class NamedModel:
    """A served model as Ollama clients see it; what nobody told us is None.

    `tags` are Ollama names beside `<uid>:latest`, `abilities` Xinference's `model_ability` (`tools`, `vision`, ...),
    `size` bytes, `ready_since` UTC in ISO 8601.
    """

    uid: str
    role: Role | None = None
    tags: tuple[str, ...] = ()
    abilities: tuple[str, ...] = ()
    context: int | None = None
    dimensions: int | None = None
    family: str | None = None
    model_format: str | None = None
    quantization: str | None = None
    size_in_billions: float | None = None
    size: int | None = None
    ready_since: str | None = None

    @property
    def ollama_name(self) -> str:
        """Its own name, as `/api/tags` lists it."""
        return tagged(self.uid)

    @property
    def embeds(self) -> bool:
        """Whether it turns text into vectors rather than into text."""
        return self.role == "embedding" or (self.role is None and "embed" in self.abilities)

    @property
    def reranks(self) -> bool:
        """Whether it orders texts, for which Ollama has no call."""
        return self.role == "rerank" or (self.role is None and "rerank" in self.abilities)


class Names(Protocol):
    """What the facade asks about models. Both are asked once per request, so answers are best kept for a moment."""

    def served(self) -> Awaitable[Sequence[NamedModel]]:
        """Every model, those of upstreams too."""

    def route(self, name: str, call: Call) -> Awaitable[str | None]:
        """The uid that serves an Ollama name for this way to call it; None for a name nobody knows."""


def tagged(name: str) -> str:
    """`sql-coder` -> `sql-coder:latest`; a name with a tag stays as it is."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def canonical(name: str) -> str:
    """The form in which two spellings of one name are equal: Ollama ignores case and its own default prefix."""
    return tagged(name.strip().lower().removeprefix("registry.ollama.ai/").removeprefix("library/"))


def route(models: Sequence[NamedModel], name: str, call: Call) -> str | None:
    """The uid that serves `name`: a uid means that model, a tag, a role or BIAI's name the model whose role fits.

    BIAI sends SQL questions to `/api/chat` and prose to `/api/generate`, both under one name; so a tag reaches the
    `sql` model by the one and the narrator by the other.
    """
    wanted = canonical(name)
    own = [model.uid for model in models if canonical(model.uid) == wanted]
    if own:
        return next((uid for uid in own if uid == name.strip()), own[0])
    carriers = [model for model in models if wanted in map(canonical, model.tags)]
    if not carriers and wanted not in map(canonical, (*ROLE_NAMES, *BIAI_NAMES)):
        return None
    if carriers and call != "embed" and all(model.embeds or model.reranks for model in carriers):
        # The name of an embedding model is no way to ask for prose; its server says so.
        return carriers[0].uid
    fitting = (model.uid for role in _FITTING[call] for model in (*carriers, *models) if model.role == role)
    return next(fitting, carriers[0].uid if carriers else None)


def listing(models: Sequence[NamedModel]) -> Iterator[tuple[str, NamedModel]]:
    """Every name worth showing with its model, each once. Rerankers stay out."""
    shown: set[str] = set()
    by_uid = {model.uid: model for model in models}
    names = [(name, model) for model in models if not model.reranks for name in (model.uid, *model.tags)]
    common = route(models, "biai", "chat")
    for name, model in names + ([("biai", by_uid[common])] if common else []):
        if canonical(name) not in shown:
            shown.add(canonical(name))
            yield tagged(name), model
