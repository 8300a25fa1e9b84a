"""What a model of Ollama's store is for, and which spec of ours it stands for; or why it cannot be served."""

from __future__ import annotations

from typing import get_args

from biai_xinf.catalogue import Catalogue, Entry
from biai_xinf.errors import BadFile, CannotImport
from biai_xinf.families import FAMILIES
from biai_xinf.gguf_file import GgufFile, read_gguf
from biai_xinf.ollama.model import ImportRole, Model, names_tag, spec_name
from biai_xinf.ollama.store import StoredModel, full_name

# Whose prompt and probe a model takes that no spec of ours names.
_MODEL_OF_ROLE = {"sql": "sql-coder", "narrator": "narrator"}
_RANK = 4
_CHATML = "<|im_start|>"


def identify(stored: StoredModel, catalogue: Catalogue, role: ImportRole | None, context: int | None) -> Model:
    """What the model is; `role` and `context` are what a person asks for. CannotImport says why it cannot be served."""
    gguf = _read(stored)
    kin, because = _kin(stored.tag, catalogue)
    role, because = _role(stored, gguf, role, kin, because)
    if kin is not None and kin.spec.role != role:
        kin = None
    source = kin or (catalogue[_MODEL_OF_ROLE[role]] if role in _MODEL_OF_ROLE else None)
    model = Model(stored, gguf, role, kin, source, because, context)
    _refuse_without_name(stored.tag)
    _refuse_without_template(model)
    return model


def _read(stored: StoredModel) -> GgufFile:
    tag = stored.tag
    try:
        gguf = read_gguf(stored.weights)
    except BadFile as error:
        what = error.message.removeprefix(f"{stored.weights}: ")
        raise CannotImport("damaged", f"`{tag}`: its GGUF file {what}", hint=error.hint) from error
    # Imported here: it brings numpy, and only who reads a GGUF file needs either.
    from gguf import MODEL_ARCH_NAMES

    if gguf.architecture not in MODEL_ARCH_NAMES.values():
        raise CannotImport(
            "architecture",
            f"`{tag}` has the architecture `{gguf.architecture}`, which llama.cpp does not know",
            hint="Ollama's own engine names some differently; a GGUF of the same model from a model hub may do",
        )
    if gguf.parts > 1:
        raise CannotImport("split", f"`{tag}` is one of {gguf.parts} parts of a model", hint="import the merged file")
    if gguf.sees:
        raise CannotImport(
            "vision",
            f"`{tag}` has its part for pictures in the same file, which only Ollama's engine loads",
            hint="a GGUF with a projector of its own (`mmproj`) is read as text",
        )
    return gguf


def _kin(tag: str, catalogue: Catalogue) -> tuple[Entry | None, str]:
    """The spec of ours that a tag means: by that very name, else by the model's name where only one spec has it."""
    entries = list(catalogue.values())
    exact = [entry for entry in entries if names_tag(entry.spec, tag)]
    if exact:
        return exact[0], f"`{exact[0].spec.name}` names this tag"
    model = full_name(tag).rpartition(":")[0]
    alike = [
        entry for entry in entries if model in {full_name(own).rpartition(":")[0] for own in entry.spec.ollama_tags}
    ]
    if len(alike) == 1:
        return alike[0], f"`{alike[0].spec.name}` names other tags of `{model}`"
    return None, "no spec of ours names it"


def _role(
    stored: StoredModel, gguf: GgufFile, asked: ImportRole | None, kin: Entry | None, because: str
) -> tuple[ImportRole, str]:
    tag, embeds = stored.tag, _embeds(gguf)
    if gguf.pooling == _RANK:
        hint = "`biai-xinf launch bge-reranker-v2-m3` launches one"
        raise CannotImport("reranker", f"`{tag}` is a reranker, which Ollama has no call for", hint=hint)
    if asked is not None and (asked == "embedding") != embeds:
        what = "makes vectors of texts" if embeds else "writes text"
        raise CannotImport("role", f"`{tag}` {what}, and cannot serve the role `{asked}`")
    if asked is not None:
        return asked, f"{because}; `--role` says so" if kin and kin.spec.role != asked else because
    if embeds:
        return "embedding", because
    if kin is not None and kin.spec.role in get_args(ImportRole):
        return kin.spec.role, because  # type: ignore[return-value]  # one of the four, as was just asked
    return "chat", because


def _embeds(gguf: GgufFile) -> bool:
    family = FAMILIES.get(str(gguf.config["model_type"]))
    return bool(gguf.pooling) or "bert" in gguf.architecture or (family is not None and family.encoder)


def _refuse_without_name(tag: str) -> None:
    if not spec_name(tag):
        said = f"`{tag}` has no letter or digit that a spec could be named after"
        raise CannotImport("no-name", said, hint=f"`ollama cp {tag} NAME` gives it a name, import that one")


def _refuse_without_template(model: Model) -> None:
    """llama.cpp takes ChatML where a file brings no template, which is wrong for most, and says nothing."""
    if model.role == "embedding" or model.gguf.template or model.their_registration.get("chat_template"):
        return
    if _CHATML not in (model.stored.template or ""):
        raise CannotImport(
            "template",
            f"`{model.stored.tag}` has no chat template in its GGUF file, and Ollama's, in Go, cannot be carried",
            hint="a newer GGUF of it brings one",
        )
