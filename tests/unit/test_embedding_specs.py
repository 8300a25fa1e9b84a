"""What our embedding and rerank specs must hold, so that no recipe silently makes other vectors than its spec says."""

import pytest

from biai_xinf.catalogue import Entry, load_entry, shipped_specs
from biai_xinf.specs import EmbeddingSpec, EngineRecipe, RerankSpec

# llama.cpp's numbers, which Xinference 4.1 hands on as they are.
POOLING_TYPES = {"mean": 1, "cls": 2, "last": 3}
# By the first word of a model's name Xinference 4.1 decides what its vLLM engine may embed or rerank.
VLLM_NAMES = {"bge", "gte", "text2vec", "m3e", "Qwen3"}

ENTRIES = [
    entry
    for path in sorted(shipped_specs().glob("*.yaml"))
    if isinstance((entry := load_entry(path)).spec, EmbeddingSpec | RerankSpec)
]
RECIPES = [(entry, recipe) for entry in ENTRIES for recipe in entry.spec.recipes if isinstance(recipe, EngineRecipe)]
EMBEDDINGS = [entry.spec for entry in ENTRIES if isinstance(entry.spec, EmbeddingSpec)]


def cases(*engines: str) -> pytest.MarkDecorator:
    """Run a test with every recipe, or with those on one of the engines."""
    chosen = [(entry, recipe) for entry, recipe in RECIPES if not engines or recipe.engine in engines]
    return pytest.mark.parametrize(
        ("entry", "recipe"), chosen, ids=[f"{entry.spec.name}-{recipe.name}" for entry, recipe in chosen]
    )


each_embedding = pytest.mark.parametrize("spec", EMBEDDINGS, ids=[spec.name for spec in EMBEDDINGS])


@cases("llama.cpp")
def test_llama_cpp_pools_as_the_model_was_trained(entry: Entry, recipe: EngineRecipe) -> None:
    expected = POOLING_TYPES[entry.spec.pooling or ""] if isinstance(entry.spec, EmbeddingSpec) else None

    assert recipe.engine_options.get("pooling_type") == expected


@cases("llama.cpp")
def test_llama_cpp_has_room_for_the_context_in_every_slot_and_batch(entry: Entry, recipe: EngineRecipe) -> None:
    options, requires = recipe.engine_options, recipe.requires

    assert options == options | {
        "n_parallel": requires.parallel,
        "n_ctx": (requires.context or 0) * (requires.parallel or 0),
        "n_batch": requires.context,
        "n_ubatch": requires.context,
    }


@cases("vllm")
def test_vllm_is_told_the_context_and_takes_the_name(entry: Entry, recipe: EngineRecipe) -> None:
    name = recipe.model.model_name

    assert recipe.engine_options["max_model_len"] == recipe.requires.context
    assert name.split("-", 1)[0] in VLLM_NAMES


@cases()
def test_no_recipe_promises_more_context_than_the_model_reads(entry: Entry, recipe: EngineRecipe) -> None:
    published = entry.spec.published(recipe.model)

    assert published is not None
    assert (recipe.requires.context or 0) <= (published.context or 0)


@each_embedding
def test_all_recipes_of_an_embedding_share_one_vector_space(spec: EmbeddingSpec) -> None:
    models = {recipe.model.model_name for recipe in spec.recipes if isinstance(recipe, EngineRecipe)}

    assert len(models) == 1


@each_embedding
def test_the_probe_asks_as_an_application_must(spec: EmbeddingSpec) -> None:
    question, match = spec.probe.similar
    same_question, other = spec.probe.different

    assert question == same_question
    assert question.startswith(spec.query_prefix)
    assert match.startswith(spec.document_prefix)
    assert other.startswith(spec.document_prefix)


@each_embedding
def test_an_embedding_says_how_it_is_pooled(spec: EmbeddingSpec) -> None:
    assert spec.pooling is not None
