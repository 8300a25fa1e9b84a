"""What must be true of every spec that ships with us, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest

from biai_xinf.catalogue import Entry, find, load_catalogue, load_entry, shipped_specs
from biai_xinf.shapes import load_shape
from biai_xinf.specs import EngineRecipe, PublishedWeights, SqlSpec

ROLES = ("sql", "narrator", "chat", "embedding", "rerank")
# What Xinference 4.1's engines load: `match_json` of each engine in its `model/*/*/core.py`.
LOADS = {
    "LLM": {
        "vLLM": {"pytorch", "gptq", "awq", "fp4", "fp8", "bnb"},
        "SGLang": {"pytorch", "gptq", "awq", "fp8", "bnb"},
        "llama.cpp": {"ggufv2"},
        "Transformers": {"pytorch", "gptq", "awq", "fp4", "bnb"},
        "MLX": {"mlx"},
    },
    "embedding": {
        "sentence_transformers": {"pytorch"},
        "flag": {"pytorch"},
        "vllm": {"pytorch"},
        "llama.cpp": {"ggufv2"},
    },
    "rerank": {"sentence_transformers": {"pytorch"}, "vllm": {"pytorch"}, "llama.cpp": {"ggufv2"}},
}
ONLY_ON_GPUS = {"vLLM", "SGLang", "vllm"}
# A run of ours that stands behind a `verified` entry. Whoever adds one, adds how it can be repeated.
RUNS_OF_OURS = {("sql-coder", "bundled"): "tools/bundled/score.py"}


class Shipped(NamedTuple):
    """One recipe that ships with us, and its spec."""

    entry: Entry
    recipe: EngineRecipe


def entries() -> list[Entry]:
    return [load_entry(file) for file in sorted(shipped_specs().glob("*.yaml"))]


def recipes(wanted: Callable[[Shipped], bool] = lambda _: True) -> Iterator[Any]:
    for entry in entries():
        for recipe in entry.spec.recipes:
            if isinstance(recipe, EngineRecipe) and wanted(shipped := Shipped(entry, recipe)):
                yield pytest.param(shipped, id=f"{entry.spec.name}-{recipe.name}")


def weights() -> Iterator[Any]:
    for entry in entries():
        for published in entry.spec.weights:
            size = published.model_size_in_billions
            yield pytest.param(published, id=f"{entry.spec.name}-{published.model_name}-{size}")


def registration_files() -> list[Path]:
    return sorted((shipped_specs() / "registrations").glob("*.json"))


each_entry = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.spec.name)
each_recipe = pytest.mark.parametrize("shipped", list(recipes()))
each_registered = pytest.mark.parametrize("shipped", list(recipes(lambda it: it.recipe.registration is not None)))
each_of_gpus = pytest.mark.parametrize("shipped", list(recipes(lambda it: it.recipe.engine in ONLY_ON_GPUS)))
each_registration = pytest.mark.parametrize("file", registration_files(), ids=lambda file: file.stem)


@pytest.mark.parametrize("role", ROLES)
def test_an_application_that_knows_only_the_role_finds_a_model(role: str) -> None:
    assert find(load_catalogue(), role).spec.role == role


def test_names_aliases_and_ollama_tags_mean_one_model_each() -> None:
    names = [name for entry in entries() for name in (entry.spec.name, *entry.spec.aliases)]
    tags = [tag for entry in entries() for tag in entry.spec.ollama_tags]

    assert sorted(names) == sorted(set(names))
    assert sorted(tags) == sorted(set(tags))


@each_entry
def test_a_spec_tells_what_one_needs_to_know_before_using_it(entry: Entry) -> None:
    assert entry.spec.description.endswith(".")
    assert entry.spec.license
    assert entry.spec.languages


@each_entry
def test_no_two_recipes_of_a_spec_launch_the_same(entry: Entry) -> None:
    launched = [
        json.dumps([recipe.model.model_dump(), recipe.engine, recipe.requires.model_dump(), recipe.engine_options])
        for recipe in entry.spec.recipes
        if isinstance(recipe, EngineRecipe)
    ]

    assert sorted(launched) == sorted(set(launched))


@each_recipe
def test_a_recipes_engine_loads_its_format(shipped: Shipped) -> None:
    loads = LOADS[shipped.entry.spec.model_type]

    assert shipped.recipe.model.model_format in loads[shipped.recipe.engine]


@each_of_gpus
def test_an_engine_that_needs_a_gpu_asks_for_one_that_is_able_enough(shipped: Shipped) -> None:
    requires = shipped.recipe.requires

    assert requires.gpus
    # The LLMs are bfloat16 or quantized, and older GPUs compute neither; the small encoders run in any precision.
    if shipped.entry.spec.model_type == "LLM":
        assert requires.compute_capability is not None


@each_recipe
def test_a_recipe_says_how_much_context_and_how_many_at_once(shipped: Shipped) -> None:
    requires = shipped.recipe.requires
    if shipped.entry.spec.model_type == "LLM":
        assert requires.context is not None
        assert requires.parallel is not None

    published = shipped.entry.spec.published(shipped.recipe.model)
    if published and published.context and requires.context:
        assert requires.context <= published.context


@each_recipe
def test_a_recipe_loads_weights_that_are_published_with_their_shape(shipped: Shipped) -> None:
    published = shipped.entry.spec.published(shipped.recipe.model)
    if shipped.recipe.ships_with_us:
        assert shipped.recipe.requires.memory is not None
        return

    assert published is not None, "list its weights under `weights`"
    assert shipped.recipe.model.quantization in published.formats[shipped.recipe.model.model_format]


@pytest.mark.parametrize("published", list(weights()))
def test_the_shape_of_weights_is_known_and_fits_their_context(published: PublishedWeights) -> None:
    shape = load_shape(shipped_specs() / "shapes" / f"{published.shape}.yaml")

    if published.context and shape.max_context:
        assert published.context <= shape.max_context


def test_every_shape_is_somebodys() -> None:
    used = {published.shape for entry in entries() for published in entry.spec.weights}

    assert {file.stem for file in (shipped_specs() / "shapes").glob("*.yaml")} == used


@each_recipe
def test_only_runs_of_ours_are_told_as_verified(shipped: Shipped) -> None:
    if shipped.recipe.verified or shipped.recipe.unsupported:
        assert (shipped.entry.spec.name, shipped.recipe.name) in RUNS_OF_OURS


@each_registered
def test_a_registration_has_what_its_recipe_loads(shipped: Shipped) -> None:
    family = shipped.entry.registrations[shipped.recipe.name]
    choice = shipped.recipe.model

    found = [
        spec
        for spec in family["model_specs"]
        if spec["model_format"] == choice.model_format
        and str(spec.get("model_size_in_billions")) == str(choice.model_size_in_billions)
        and spec["quantization"] == choice.quantization
    ]

    assert len(found) == 1
    assert found[0].get("model_id") or shipped.recipe.model_path


def test_weights_of_our_registrations_are_listed_as_they_are_registered() -> None:
    registered = {
        (family["model_name"], str(spec.get("model_size_in_billions")), spec["model_format"], spec["quantization"])
        for family in map(read, registration_files())
        for spec in family["model_specs"]
    }
    ours = {name for name, *_ in registered}
    listed = {
        (published.model_name, str(published.model_size_in_billions), model_format, quantization)
        for entry in entries()
        for published in entry.spec.weights
        for model_format, quantizations in published.formats.items()
        for quantization in quantizations
        if published.model_name in ours
    }
    bundled = {key for key in registered if key[0] == "biai-demo-sql"}

    assert listed == registered - bundled


@each_registration
def test_a_registration_is_used_and_says_whose_it_is(file: Path) -> None:
    family = read(file)
    used = {
        recipe.registration for entry in entries() for recipe in entry.spec.recipes if isinstance(recipe, EngineRecipe)
    }

    assert f"registrations/{file.name}" in used
    assert family["model_name"] == file.stem
    assert family["model_description"]
    if not any(spec.get("model_id") is None for spec in family["model_specs"]):
        assert family["biai"] == {"managed_by": "biai-xinf"}


def test_the_formats_known_here_are_the_specs_own() -> None:
    known = set().union(*(formats for loads in LOADS.values() for formats in loads.values()))

    assert known == set(get_args(get_args(PublishedWeights.model_fields["formats"].annotation)[0]))


@pytest.mark.parametrize(
    "spec", [entry.spec for entry in entries() if isinstance(entry.spec, SqlSpec)], ids=lambda spec: spec.name
)
def test_a_sql_prompt_shows_the_schema(spec: SqlSpec) -> None:
    assert "{schema}" in (spec.prompt.system or "") + spec.prompt.user


def read(file: Path) -> Mapping[str, Any]:
    family: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return family
