"""What a recipe takes: the spec's own figures first, then the shape of its weights, then nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from biai_xinf.catalogue import Entry, load_entry
from biai_xinf.errors import BadFile
from biai_xinf.estimate import estimate
from biai_xinf.memory import Need
from biai_xinf.needs import estimate_of, need_of
from biai_xinf.shapes import read_local
from biai_xinf.specs import EngineRecipe
from biai_xinf.units import GIB
from tests.builders import MODEL, spec_data
from tests.tiny_models import tiny_llm_gguf

CONFIG = {
    "model_type": "llama",
    "hidden_size": 1024,
    "intermediate_size": 2048,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
}
WEIGHTS = {
    "model_name": "coder",
    "model_size_in_billions": 7,
    "shape": "mine",
    "context": 2048,
    "formats": {"ggufv2": {"q4_k_m": "200MB", "q5_k_m": None}},
}


def recipe(quantization: str = "q4_k_m", **more: Any) -> dict[str, Any]:
    model = {**MODEL, "quantization": quantization}
    return {"name": "only", "requires": {}, "model": model, "engine": "llama.cpp", **more}


def written(folder: Path, *recipes: dict[str, Any], weights: dict[str, Any] | None = WEIGHTS, **more: Any) -> Entry:
    """A spec file with these recipes, and the shape that its weights name beside it."""
    (folder / "shapes").mkdir(exist_ok=True)
    shape = {"source": "made up", "config": CONFIG}
    (folder / "shapes" / "mine.yaml").write_text(yaml.safe_dump(shape), encoding="utf-8")
    told = spec_data(*recipes, **({"weights": [weights]} if weights else {}), **more)
    spec = {key: value for key, value in told.items() if value is not None}
    (folder / "coder.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return load_entry(folder / "coder.yaml")


def first(entry: Entry) -> EngineRecipe:
    found = entry.spec.recipes[0]
    assert isinstance(found, EngineRecipe)
    return found


def needs(entry: Entry, **more: int) -> Need:
    return need_of(entry, first(entry), **more)


@pytest.mark.parametrize(
    ("requires", "needed"),
    [
        ({"memory": "3GiB", "context": 4096}, Need(memory=3 * GIB)),
        ({"gpus": 1, "vram": "8GiB"}, Need(gpus=1, vram=8 * GIB)),
        ({"gpus": 2, "vram": "8GiB", "memory": "1GiB"}, Need(memory=GIB, gpus=2, vram=8 * GIB)),
    ],
    ids=["cpu", "gpu", "both"],
)
def test_the_specs_own_figures_win(tmp_path: Path, requires: dict[str, Any], needed: Need) -> None:
    entry = written(tmp_path, recipe(requires=requires))

    assert needs(entry) == needed
    assert needs(entry, context=100_000, parallel=64) == needed


def test_a_recipe_of_which_nothing_is_known_takes_nothing(tmp_path: Path) -> None:
    entry = written(tmp_path, recipe(), weights=None)

    assert needs(entry) == Need()
    assert estimate_of(entry, first(entry)) is None


@pytest.mark.parametrize(("quantization", "size"), [("q4_k_m", 200_000_000), ("q5_k_m", None)])
def test_else_it_is_estimated_from_shape_and_published_size(
    tmp_path: Path, quantization: str, size: int | None
) -> None:
    options = {"n_batch": 512}
    requires = {"gpus": 1, "context": 1024, "parallel": 3}
    entry = written(tmp_path, recipe(quantization, requires=requires, engine_options=options))

    expected = estimate(
        entry.shapes["mine"],
        weights=size,
        model_format="ggufv2",
        quantization=quantization,
        engine="llama.cpp",
        context=1024,
        parallel=3,
        options=options,
        gpus=1,
    )
    assert estimate_of(entry, first(entry)) == expected
    assert needs(entry) == expected.need


def test_what_is_asked_for_counts_before_the_recipes_own(tmp_path: Path) -> None:
    requires = {"context": 1024, "parallel": 2}
    entry = written(tmp_path, recipe(requires=requires))

    assert needs(entry, context=4096, parallel=8).memory > needs(entry).memory
    assert needs(entry, context=1024, parallel=2) == needs(entry)


def test_where_nobody_sets_a_context_it_is_the_whole_one(tmp_path: Path) -> None:
    entry = written(tmp_path, recipe())

    assert needs(entry) == needs(entry, context=2048, parallel=1)


def test_weights_on_this_machine_are_read_from_their_file(tmp_path: Path) -> None:
    file = tiny_llm_gguf(tmp_path)
    entry = written(tmp_path, recipe(requires={"context": 512}, model_path=file.name))

    estimated = estimate_of(entry, first(entry))

    assert estimated is not None
    assert estimated.weights < 2 * read_local(file).size


def test_weights_on_another_machine_are_those_published(tmp_path: Path) -> None:
    with_path = written(tmp_path, recipe(model_path="/on/the/worker/only"))

    assert needs(with_path) == needs(written(tmp_path, recipe()))


def test_a_file_that_we_cannot_read_leaves_what_is_published(tmp_path: Path) -> None:
    (tmp_path / "odd.gguf").write_bytes(b"GGUF of a kind we do not know")
    with_path = written(tmp_path, recipe(model_path="odd.gguf"))

    assert needs(with_path) == needs(written(tmp_path, recipe()))


def test_a_shape_that_is_missing_is_named_with_its_line(tmp_path: Path) -> None:
    weights = {**WEIGHTS, "shape": "nowhere"}

    with pytest.raises(BadFile) as caught:
        written(tmp_path, recipe(), weights=weights)

    file, there = tmp_path / "coder.yaml", tmp_path / "shapes" / "nowhere.yaml"
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "shape: nowhere" in text)
    assert caught.value.message == f"{file}:{line}: weights[0].shape: there is no `{there}`"


def test_the_users_own_shape_goes_before_ours(tmp_path: Path) -> None:
    (tmp_path / "shapes").mkdir()
    ours = written(tmp_path, recipe(), weights={**WEIGHTS, "shape": "qwen2.5-7b"})
    (tmp_path / "shapes" / "mine.yaml").rename(tmp_path / "shapes" / "qwen2.5-7b.yaml")

    assert ours.shapes["qwen2.5-7b"].layers == 28
    assert load_entry(ours.path).shapes["qwen2.5-7b"].layers == 8


def test_a_quantization_that_llama_cpp_lacks_is_named_with_its_line(tmp_path: Path) -> None:
    weights = {**WEIGHTS, "formats": {"ggufv2": {"q4_k_m": None, "q4_k_medium": None}}}

    with pytest.raises(BadFile) as caught:
        written(tmp_path, recipe(), weights=weights)

    file = tmp_path / "coder.yaml"
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "q4_k_medium" in text)
    place = f"{file}:{line}: weights[0].formats.ggufv2.q4_k_medium"
    assert caught.value.message == f"{place}: quantization `q4_k_medium` is not known to us"
