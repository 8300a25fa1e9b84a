"""What our recipes and registrations say of Xinference's catalogue, held against Xinference itself."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from biai_xinf.catalogue import load_entry, shipped_specs
from biai_xinf.client import Client
from biai_xinf.specs import EngineRecipe, ModelType
from tests.xinference_fixtures import RealXinference, needs_xinference

pytestmark = [pytest.mark.real, needs_xinference]

# Engines that any machine runs; the others answer why they cannot.
EVERYWHERE = {
    "llama.cpp": "xllamacpp",
    "Transformers": "transformers",
    "sentence_transformers": "sentence_transformers",
}

Choice = tuple[str, str, str, str]


def recipes() -> list[tuple[ModelType, EngineRecipe, Mapping[str, Any] | None]]:
    """Every shipped recipe with its type and, where it has one, its registration."""
    return [
        (entry.spec.model_type, recipe, entry.registrations.get(recipe.name))
        for entry in map(load_entry, sorted(shipped_specs().glob("*.yaml")))
        for recipe in entry.spec.recipes
        if isinstance(recipe, EngineRecipe)
    ]


def families() -> dict[str, tuple[ModelType, Mapping[str, Any]]]:
    """Every registration by its name, with the type its spec gives it."""
    return {str(family["model_name"]): (kind, family) for kind, _, family in recipes() if family is not None}


@pytest.mark.parametrize("name", sorted(families()))
def test_xinferences_own_classes_read_the_registration(name: str) -> None:
    from xinference.model.embedding.custom import CustomEmbeddingModelFamilyV2
    from xinference.model.llm.llm_family import CustomLLMFamilyV2
    from xinference.model.rerank.custom import CustomRerankModelFamilyV2

    classes = {
        "LLM": CustomLLMFamilyV2,
        "embedding": CustomEmbeddingModelFamilyV2,
        "rerank": CustomRerankModelFamilyV2,
    }
    kind, family = families()[name]

    read = classes[kind].parse_raw(json.dumps(family))

    assert read.model_name == name
    assert len(read.model_specs) == len(family["model_specs"])
    # Without a template of its own a family that is nobody's gets its own name as one (XINFERENCE 4.1.0).
    assert getattr(read, "chat_template", None) != name


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        pytest.param(
            "arctic-text2sql-r1",
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n"
            "<|im_start|>assistant\nLet me solve this step by step. \n<think>",
            id="arctic-begins-to-think",
        ),
        pytest.param(
            "llama-3-sqlcoder-8b",
            "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nQ"
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n```sql\n",
            id="llama-3-sqlcoder-begins-a-code-block",
        ),
        pytest.param("sqlcoder-7b-2", "SQ", id="sqlcoder-goes-on-with-the-text"),
    ],
)
def test_a_template_of_our_own_begins_the_answer_as_the_model_was_trained(name: str, asked: str) -> None:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    template = families()[name][1]["chat_template"]
    talk = [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}]

    # Set up as Xinference does (`model/llm/utils.py`, 4.1.0).
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)

    assert environment.from_string(template).render(messages=talk, add_generation_prompt=True) == asked


def test_families_of_xinferences_own_have_what_our_specs_list_of_them() -> None:
    ours = families()
    built_in = set(published_by_xinference())
    listed = {
        (published.model_name, model_format, str(published.model_size_in_billions), quantization)
        for entry in map(load_entry, sorted(shipped_specs().glob("*.yaml")))
        for published in entry.spec.weights
        if published.model_name not in ours
        for model_format, quantizations in published.formats.items()
        for quantization in quantizations
    }
    launched = {
        (choice.model_name, choice.model_format, str(choice.model_size_in_billions), choice.quantization)
        for _, recipe, family in recipes()
        if family is None
        for choice in [recipe.model]
    }

    assert sorted((listed | launched) - built_in) == []


def test_registered_names_are_not_xinferences_own() -> None:
    taken = {name for name, *_ in published_by_xinference()}

    assert sorted(set(families()) & taken) == []


def test_a_real_server_takes_every_registration_and_offers_every_recipe(real_xinference: RealXinference) -> None:
    asked = sorted({(kind, recipe.model.model_name) for kind, recipe, _ in recipes()})

    with Client(real_xinference.endpoint) as client, registered(client):
        offers = {(kind, name): client.engines(kind, name) for kind, name in asked}

    assert {
        place(kind, recipe): wrong for kind, recipe, _ in recipes() if (wrong := missing(offers, kind, recipe))
    } == {}


def missing(offers: Mapping[tuple[str, str], Mapping[str, Any]], kind: str, recipe: EngineRecipe) -> str | None:
    """Why the server does not offer the recipe, though it should; None where it does, or says why its engine cannot."""
    told = {engine.lower(): offer for engine, offer in offers[kind, recipe.model.model_name].items()}
    offer = told.get(recipe.engine.lower())
    here = recipe.engine in EVERYWHERE and importlib.util.find_spec(EVERYWHERE[recipe.engine]) is not None
    if not here:
        return None if offer is None or isinstance(offer, str) else f"an engine that is not here offers {offer}"
    if offer is None or isinstance(offer, str):
        return f"{recipe.engine} says: {offer}"
    choice = recipe.model
    offered = any(
        option.model_format == choice.model_format
        and str(option.model_size_in_billions) == str(choice.model_size_in_billions)
        and choice.quantization in option.quantizations
        for option in offer
    )
    return None if offered else f"{recipe.engine} offers {offer}"


@contextmanager
def registered(client: Client) -> Iterator[None]:
    """Our registrations, taken back afterwards: other tests run on the same server."""
    done: list[tuple[ModelType, str]] = []
    try:
        for name, (kind, family) in families().items():
            if client.registration(kind, name) is None:
                client.register(kind, family, persist=False)
                done.append((kind, name))
        yield
    finally:
        for kind, name in done:
            client.unregister(kind, name)


def place(kind: str, recipe: EngineRecipe) -> str:
    choice = recipe.model
    size = choice.model_size_in_billions
    return f"{kind} {choice.model_name} {size} {choice.model_format} {choice.quantization} on {recipe.engine}"


def published_by_xinference() -> set[Choice]:
    """All that its catalogue lists at Hugging Face: name, format, size and quantization."""
    spec = importlib.util.find_spec("xinference")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "model"
    found = set()
    for file in [file for kind in ("llm", "embedding", "rerank") for file in (folder / kind / "models").glob("*.json")]:
        for family in json.loads(file.read_text(encoding="utf-8")):
            for weights in family["model_specs"]:
                hub = weights["model_src"].get("huggingface", {})
                for quantization in hub.get("quantizations", []):
                    size = str(weights.get("model_size_in_billions"))
                    found.add((family["model_name"], weights["model_format"], size, quantization))
    return found
