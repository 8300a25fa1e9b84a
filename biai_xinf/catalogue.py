"""The catalogue: the model specs that ship with biai-xinf, and the user's own over them."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biai_xinf import yamlfile
from biai_xinf.errors import BadFile, UnknownName
from biai_xinf.home import home
from biai_xinf.quantization import gguf_mix
from biai_xinf.shapes import Shape, load_shape
from biai_xinf.specs import MODEL_SPEC, EngineRecipe, ModelSpec, PublishedWeights, Recipe, UpstreamRecipe


@dataclass(frozen=True)
class Entry:
    """A model spec, the file it stands in, its recipes' registrations by recipe, and its weights' shapes by name."""

    spec: ModelSpec
    path: Path
    registrations: Mapping[str, Mapping[str, Any]]
    shapes: Mapping[str, Shape] = field(default_factory=dict)

    def recipe(self, name: str) -> Recipe:
        """The recipe of that name; UnknownName lists the ones there are."""
        found = next((recipe for recipe in self.spec.recipes if recipe.name == name), None)
        if found is None:
            names = ", ".join(f"`{recipe.name}`" for recipe in self.spec.recipes)
            raise UnknownName(f"`{self.spec.name}` has no recipe `{name}`", hint=f"it has {names}")
        return found

    def model_path(self, recipe: EngineRecipe) -> str | None:
        """Where the worker finds weights that need no download."""
        if recipe.model_path is None or not recipe.ships_with_us:
            return recipe.model_path
        return str((self.path.parent / recipe.model_path).resolve())


Catalogue = Mapping[str, Entry]


def load_catalogue() -> Catalogue:
    """Every spec by name: those that ship with us, and the user's own, which win. Each is read once asked for."""
    found = {file.stem: file for folder in (shipped_specs(), user_specs()) for file in folder.glob("*.yaml")}
    return _Files(dict(sorted(found.items())))


class _Files(Mapping[str, Entry]):
    """Specs by the name that their files and they themselves have; BadFile where one is wrong."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._read: dict[str, Entry] = {}

    def __getitem__(self, name: str) -> Entry:
        if name not in self._read:
            self._read[name] = load_entry(self._files[name])
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def find(catalogue: Catalogue, name: str) -> Entry:
    """The spec of that name or alias; UnknownName offers the closest names."""
    entry = known(catalogue, name)
    if entry is None:
        close = difflib.get_close_matches(name, [*catalogue, *_by_alias(catalogue)], n=3, cutoff=0.5)
        meant = f"did you mean {_either(close)}? " if close else ""
        raise UnknownName(f"no model spec is named `{name}`", hint=f"{meant}`biai-xinf specs list` shows them all")
    return entry


def known(catalogue: Catalogue, name: str) -> Entry | None:
    """The spec of that name or alias, if there is one."""
    return catalogue.get(name) or _by_alias(catalogue).get(name)


def _by_alias(catalogue: Catalogue) -> dict[str, Entry]:
    return {alias: entry for entry in catalogue.values() for alias in entry.spec.aliases}


def load_entry(path: Path) -> Entry:
    """One spec file with the registrations and shapes it names; BadFile says where it is wrong."""
    spec = yamlfile.load(path, MODEL_SPEC)
    if spec.name != path.stem:
        raise BadFile(f"{path}: name: `{spec.name}` must equal the file's name, `{path.stem}`")
    engine_recipes = [recipe for recipe in spec.recipes if isinstance(recipe, EngineRecipe)]
    registrations = {
        recipe.name: _load_registration(path, spec, recipe, recipe.registration)
        for recipe in engine_recipes
        if recipe.registration is not None
    }
    for recipe in engine_recipes:
        if recipe.ships_with_us and not (path.parent / str(recipe.model_path)).exists():
            raise BadFile(f"{path}: recipe `{recipe.name}`: model_path: `{recipe.model_path}` is not there")
    for other in spec.recipes:
        if isinstance(other, UpstreamRecipe):
            _know_provider(path, other)
    return Entry(spec, path, registrations, _load_shapes(path, spec))


def shipped_specs() -> Path:
    """The folder of the specs that ship with us: in the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "model_specs"
    return installed if installed.is_dir() else package.parent / "model_specs"


def user_specs() -> Path:
    """The folder of the user's own specs: `BIAI_XINF_SPECS`, or `specs` in our home directory."""
    return Path(os.environ.get("BIAI_XINF_SPECS") or home() / "specs")


def _load_registration(spec_path: Path, spec: ModelSpec, recipe: EngineRecipe, name: str) -> Mapping[str, Any]:
    path = spec_path.parent / name
    try:
        registration = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"{spec_path}: recipe `{recipe.name}`: registration: `{name}` cannot be read") from error
    except ValueError as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadFile(f"{path}{line}: is not JSON: {error}") from error
    found = registration.get("model_name") if isinstance(registration, dict) else None
    if found != recipe.model.model_name:
        raise BadFile(f"{path}: model_name: `{found}` must equal the recipe's, `{recipe.model.model_name}`")
    # What the Web UI says of a model.
    return {"model_description": spec.description, **registration}


def _load_shapes(spec_path: Path, spec: ModelSpec) -> dict[str, Shape]:
    """The shapes that its weights name: from `shapes/` beside the spec, else from ours."""
    shapes: dict[str, Shape] = {}
    for index, weights in enumerate(spec.weights):
        _know_quantizations(spec_path, index, weights)
        name = weights.shape
        files = [folder / "shapes" / f"{name}.yaml" for folder in (spec_path.parent, shipped_specs())]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            place = yamlfile.where(spec_path, ("weights", index, "shape"))
            raise BadFile(f"{place}: there is no `{files[0]}`", hint="copy the model's config.json into such a file")
        if name not in shapes:
            shapes[name] = load_shape(file)
    return shapes


def _know_quantizations(spec_path: Path, index: int, weights: PublishedWeights) -> None:
    """Where the size of the files is not told, their quantization has to tell it."""
    for quantization in (name for name, size in weights.formats.get("ggufv2", {}).items() if size is None):
        try:
            gguf_mix(quantization)
        except ValueError as error:
            place = yamlfile.where(spec_path, ("weights", index, "formats", "ggufv2", quantization))
            raise BadFile(f"{place}: {error}", hint="name it as llama.cpp does, such as `q4_k_m`") from error


def _know_provider(path: Path, recipe: UpstreamRecipe) -> None:
    # Imported here: most specs name no provider, and `status` and `launch` start faster without them.
    from biai_xinf.providers import find_provider

    try:
        find_provider(recipe.upstream.provider)
    except UnknownName as error:
        said = f"{path}: recipe `{recipe.name}`: upstream.provider: {error.message}"
        raise BadFile(said, details=error.details, hint=error.hint) from error


def _either(names: Iterable[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)
