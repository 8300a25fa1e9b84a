"""What an import keeps on disk: a spec among the user's own, a registration, and the weights without a copy of them.

specs/NAME.yaml
specs/ollama/NAME-DIGEST/registration.json
specs/ollama/NAME-DIGEST/NAME-DIGEST.gguf    a hard link to Ollama's blob, or else a symbolic one
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ValidationError

from biai_xinf.catalogue import Catalogue, Entry, load_entry, shipped_specs, user_specs
from biai_xinf.errors import BadFile, CannotImport
from biai_xinf.ollama.importing import Import
from biai_xinf.ollama.model import uid_of
from biai_xinf.ollama.store import full_name

_MARK = "# Written by `biai-xinf import ollama` from "
_HEAD = re.compile(re.escape(_MARK) + r"(\S+), sha256:([0-9a-f]{64})\.\n")
# A folder of ours in the store, for specs that lie on another filesystem: Ollama tidies `blobs` and `manifests` only.
_BESIDE_BLOBS = "biai-xinf"


@dataclass(frozen=True)
class Held:
    """How the weights are held: `hard` links stay when `ollama rm` takes the blob, `in-place` ones do not."""

    how: Literal["hard", "in-place"]
    weights: Path
    reason: str | None = None


@dataclass(frozen=True)
class Imported:
    """A spec that an import wrote, and the tag that it was written for."""

    tag: str
    path: Path

    def entry(self) -> Entry:
        """The catalogue's entry of it; BadFile where it is wrong, or its weights are gone."""
        try:
            return load_entry(self.path)
        except BadFile as error:
            raise BadFile(
                error.message, details=error.details, hint=error.hint or f"import `{self.tag}` again"
            ) from error


def without_imported(catalogue: Catalogue) -> dict[str, Entry]:
    """The specs that people wrote, for what an import may be modelled on."""
    return {name: entry for name, entry in catalogue.items() if _head(entry.path) is None}


def find_imported(tag: str) -> Imported | None:
    """The spec that an import of the tag wrote, however it is spelled."""
    return next((one for one in _all_imported() if full_name(one.tag) == full_name(tag)), None)


def refuse_taken_name(one: Import, others: Iterable[Import] = ()) -> None:
    """CannotImport where its spec or uid is named like a spec of a person's or of ours, or another tag's.

    Other tags are those imported before, and `others` that are about to be.
    """
    tag, path = one.stored.tag, _spec_path(one)
    if path.exists() and _head(path) is None:
        hint = "give that spec another name; it was not written by an import"
        raise CannotImport("name-taken", f"`{tag}` would be written to {path}, which is there", hint=hint)
    hint = f"`ollama cp {tag} NAME` gives it another name, import that one"
    if (shipped_specs() / path.name).exists():
        raise CannotImport("name-taken", f"`{tag}` would be named `{path.stem}` here, as a spec of ours is", hint=hint)
    taken = [(other.path.stem, other.tag) for other in _all_imported()]
    taken += [(other.spec.name, other.stored.tag) for other in others]
    for name, other_tag in taken:
        same_name, same_uid = name == one.spec.name, uid_of(other_tag) == one.uid
        if full_name(other_tag) != full_name(tag) and (same_name or same_uid):
            shared = one.uid if same_uid else name
            said = f"`{tag}` would be named `{shared}` here, as `{other_tag}` is"
            raise CannotImport("name-taken", said, hint=hint)


def is_written(one: Import) -> bool:
    """Whether all of it is there, and holds the weights that the tag has now; what a person changed in it stays."""
    path = _spec_path(one)
    return _head(path) == (one.stored.tag, one.stored.digest) and _is_linked(one) and _registration(one).is_file()


def has_other_weights(one: Import) -> bool:
    """Whether the tag was imported when it had other weights: it was pulled again since."""
    head = _head(_spec_path(one))
    return head is not None and _is_of(head[0], one) and head[1] != one.stored.digest


def write(one: Import) -> Held:
    """Write the spec and hold the weights, the spec last; CannotImport where its name is another's."""
    refuse_taken_name(one)
    path, folder = _spec_path(one), _folder(one)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = _hold(one)
        _put(_registration(one), json.dumps(one.registration, indent=2, ensure_ascii=False) + "\n")
        _put(path, _text(one))
    except OSError as error:
        raise CannotImport("unwritable", f"{error.filename or folder}: {error.strerror or error}") from error
    return held


def held(one: Import) -> Held:
    """How the weights that were imported are held."""
    link = _link(one)
    in_place = link.is_symlink() and link.resolve() == one.stored.weights.resolve()
    return Held("in-place" if in_place else "hard", link.resolve())


def as_imported(one: Import) -> Imported:
    """The spec that was written of it."""
    return Imported(one.stored.tag, _spec_path(one))


def drop_older(one: Import) -> list[Path]:
    """Let go of weights that the tag had before: their links keep space on the disk taken."""
    name, all_weights = re.escape(one.spec.name), _folder(one).parent
    older = [
        folder
        for folder in all_weights.iterdir()
        if re.fullmatch(rf"{name}-[0-9a-f]{{12}}", folder.name)
        and folder != _folder(one)
        # A folder that does not say whose it is stays.
        and _is_of(_tag_of(folder), one)
    ]
    for folder in older:
        anchors = {anchor for anchor in _link_targets(folder) if anchor.parent.name == _BESIDE_BLOBS}
        shutil.rmtree(folder, ignore_errors=True)
        # Two tags with the same weights share one.
        for anchor in anchors.difference(*map(_link_targets, all_weights.iterdir())):
            anchor.unlink(missing_ok=True)
    return older


def _link_targets(folder: Path) -> set[Path]:
    return {link.readlink() for link in folder.glob("*.gguf") if link.is_symlink()}


def _tag_of(folder: Path) -> str | None:
    """The tag that the weights in a folder were written for, where its registration says so."""
    try:
        return _RegistrationJson.model_validate_json((folder / "registration.json").read_bytes()).biai.ollama_tag
    except (OSError, ValidationError):
        return None


class _MarkJson(BaseModel):
    ollama_tag: str


class _RegistrationJson(BaseModel):
    """What an import reads of a registration that one wrote."""

    biai: _MarkJson


def _is_of(tag: str | None, one: Import) -> bool:
    return tag is not None and full_name(tag) == full_name(one.stored.tag)


def _all_imported() -> list[Imported]:
    heads = [(path, _head(path)) for path in sorted(user_specs().glob("*.yaml"))]
    return [Imported(head[0], path) for path, head in heads if head is not None]


def _head(path: Path) -> tuple[str, str] | None:
    """The tag and digest of a spec that an import wrote; None of any other file."""
    try:
        with path.open(encoding="utf-8") as file:
            found = _HEAD.fullmatch(file.readline())
    except (OSError, UnicodeDecodeError):
        return None
    return (found[1], found[2]) if found else None


def _text(one: Import) -> str:
    head = (
        f"{_MARK}{one.stored.tag}, sha256:{one.stored.digest}.\n"
        "# Yours to change: it is written anew only when the tag has other weights, or --role or --context is given.\n"
    )
    return head + yaml.dump(dict(one.written), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Prompts of several lines are written as a person would write them."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _hold(one: Import) -> Held:
    """A name of ours for the blob: a hard link where one can be made, so that `ollama rm` leaves the weights."""
    link, blob = _link(one), one.stored.weights.resolve()
    if _is_linked(one):
        return held(one)
    link.unlink(missing_ok=True)
    reason = _hard_link(blob, link)
    if reason is None:
        return Held("hard", link)
    anchor = blob.parent.parent / _BESIDE_BLOBS / f"{one.stored.digest}.gguf"
    with contextlib.suppress(OSError):
        anchor.parent.mkdir(exist_ok=True)
    if _same(anchor, blob) or _hard_link(blob, anchor) is None:
        _symbolic_link(anchor, link)
        return Held("hard", anchor)
    _symbolic_link(blob, link)
    return Held("in-place", blob, reason)


def _hard_link(blob: Path, link: Path) -> str | None:
    """Why none could be made: another filesystem, or a file of another user (`fs.protected_hardlinks` of Linux)."""
    try:
        os.link(blob, link)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _symbolic_link(target: Path, link: Path) -> None:
    try:
        link.symlink_to(target)
    except OSError as error:
        hint = f"BIAI_XINF_HOME on the drive of {target.parent} lets the weights be linked"
        raise CannotImport(
            "no-link", f"no link to {target} can be made: {error.strerror or error}", hint=hint
        ) from error


def _is_linked(one: Import) -> bool:
    return _same(_link(one), one.stored.weights)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _put(path: Path, text: str) -> None:
    """Replace the file in one step, unless it says this already."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == text:
            return
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)


def _spec_path(one: Import) -> Path:
    return user_specs() / f"{one.spec.name}.yaml"


def _folder(one: Import) -> Path:
    return user_specs() / "ollama" / one.model_name


def _link(one: Import) -> Path:
    return _folder(one) / f"{one.model_name}.gguf"


def _registration(one: Import) -> Path:
    return _folder(one) / "registration.json"
