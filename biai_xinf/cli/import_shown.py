"""What an import of Ollama's models looks like: for people, and as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from biai_xinf.catalogue import Entry
from biai_xinf.cli.output import table
from biai_xinf.errors import CannotImport
from biai_xinf.needs import need_of
from biai_xinf.ollama import imported
from biai_xinf.ollama.imported import Imported
from biai_xinf.ollama.importing import Import
from biai_xinf.ollama.model import uid_of
from biai_xinf.specs import EngineRecipe
from biai_xinf.units import format_size

# A model as it will be served, one that is served though Ollama has it no more, or why it cannot be.
Found = Import | Imported | CannotImport


def overview(found: Mapping[str, Found], new: Sequence[Import]) -> str:
    """A table of what can be served, and below it what becomes of each tag; `new` are those not imported yet."""
    rows = [_row(tag, one) for tag, one in found.items() if isinstance(one, Import)]
    parts = [table(["OLLAMA", "ROLE", "AS", "LOADS", "CONTEXT", "SIZE", "TAKES"], rows)] if rows else []
    parts += [_details(tag, one, one in new) for tag, one in found.items()]
    return "\n\n".join(parts) + "\n" if parts else "Ollama's store holds no models"


def _row(tag: str, one: Import) -> list[str]:
    gguf = one.gguf
    contexts = dict.fromkeys(str(recipe.requires.context) for recipe in one.spec.recipes)
    return [
        tag,
        one.spec.role,
        one.stands_for or "-",
        f"{gguf.architecture} {_count(gguf.parameters)} {gguf.quantization}",
        " or ".join(contexts),
        format_size(one.stored.size),
        _takes(one),
    ]


def _details(tag: str, one: Found, is_new: bool) -> str:
    if isinstance(one, CannotImport):
        hint = [f"    hint: {one.hint}"] if one.hint else []
        return "\n".join([f"! {one.message}", *hint])
    if isinstance(one, Imported):
        return f"= {tag}  is imported; Ollama has it no more, and the weights are kept here"
    if not is_new:
        return f"= {tag}  is imported"
    lines = [f"+ {line}" for line in (f"role {one.spec.role}: {one.because}", *one.carried)]
    return "\n  ".join([f"+ {tag}", *lines, *(f"- {line}" for line in one.lost)])


def _takes(one: Import) -> str:
    """Memory of one replica with the longest context; the weights are not linked yet, so the blob is read."""
    entry = Entry(one.spec, Path(), {})
    recipes = [recipe for recipe in one.spec.recipes if isinstance(recipe, EngineRecipe)]
    at_blob = [recipe.model_copy(update={"model_path": str(one.stored.weights)}) for recipe in recipes]
    gpu, cpu = (next(r for r in at_blob if bool(r.requires.gpus) is on_gpu) for on_gpu in (True, False))
    return f"{format_size(need_of(entry, gpu).vram)} of a GPU, or {format_size(need_of(entry, cpu).memory)} RAM"


def _count(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 10**9 else f"{parameters / 1e6:.2f}M"


def as_data(tag: str, one: Found) -> dict[str, object]:
    """For JSON."""
    if isinstance(one, CannotImport):
        return {"tag": tag, "refused": one.code, "reason": one.message, "hint": one.hint}
    if isinstance(one, Imported):
        return {"tag": tag, "uid": uid_of(tag), "spec": one.path.stem, "in_store": False}
    return {
        "tag": tag,
        "uid": one.uid,
        "spec": one.spec.name,
        "in_store": True,
        "imported": imported.is_written(one),
        "role": one.spec.role,
        "stands_for": one.stands_for,
        "because": one.because,
        "architecture": one.gguf.architecture,
        "parameters": one.gguf.parameters,
        "quantization": one.gguf.quantization,
        "contexts": list(dict.fromkeys(recipe.requires.context for recipe in one.spec.recipes)),
        "size": one.stored.size,
        "digest": f"sha256:{one.stored.digest}",
        "blob": str(one.stored.weights),
        "carried": list(one.carried),
        "lost": list(one.lost),
    }
