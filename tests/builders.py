"""Small, valid values for tests that care about one part of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biai_xinf.catalogue import Entry
from biai_xinf.hardware import Gpu, Worker
from biai_xinf.shapes import Shape
from biai_xinf.specs import MODEL_SPEC, EngineRecipe
from biai_xinf.state import Cluster, DesiredModel, ObservedModel, Phase, Replica, Server, Weights
from biai_xinf.units import GIB

MODEL = {
    "model_name": "coder",
    "model_format": "ggufv2",
    "model_size_in_billions": 7,
    "quantization": "q4_k_m",
}


def recipe(name: str, *, gpus: int = 0, gib: float = 1, **more: Any) -> dict[str, Any]:
    """A recipe that needs `gib` GiB of VRAM on each of `gpus` GPUs, or of RAM."""
    size = f"{gib}GiB"
    requires = {"gpus": gpus, "vram": size} if gpus else {"memory": size}
    model = {**MODEL, "quantization": f"q-{name}"}
    return {"name": name, "requires": requires, "model": model, "engine": "llama.cpp", **more}


SERVER = {"provider": "openai-compatible", "url": "http://10.0.0.7:11434", "model": "coder:7b"}


def upstream_recipe(name: str = "elsewhere", **server: Any) -> dict[str, Any]:
    """A recipe that another server runs already."""
    return {"name": name, "upstream": {**SERVER, **server}}


def spec_data(*recipes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A SQL spec, as it stands in a file."""
    return {
        "name": "coder",
        "role": "sql",
        "description": "Writes SQL.",
        "license": "apache-2.0",
        "recipes": list(recipes) or [recipe("only")],
        "prompt": {"dialects": ["sqlite"], "system": "Write {dialect} for\n{schema}"},
        "probe": {"questions": [{"question": "How many customers?", "sql": "SELECT COUNT(*) FROM customers"}]},
        **more,
    }


def entry(
    *recipes: dict[str, Any], folder: Path = Path("/specs"), shapes: Mapping[str, Shape] | None = None, **more: Any
) -> Entry:
    """A catalogue entry of a SQL spec with these recipes."""
    spec = MODEL_SPEC.validate_python(spec_data(*recipes, **more))
    registrations = {
        found.name: {"model_name": found.model.model_name}
        for found in spec.recipes
        if isinstance(found, EngineRecipe) and found.registration
    }
    return Entry(spec, folder / f"{spec.name}.yaml", registrations, shapes or {})


def want(*recipes: dict[str, Any], uid: str = "coder", **more: Any) -> DesiredModel:
    """A wish for one model with these recipes."""
    return DesiredModel(uid, entry(*recipes), **more)


def worker(
    address: str = "10.0.0.1:1",
    *,
    ram: float | None = 16,
    gpus: tuple[float, ...] = (),
    capability: str | None = None,
    **more: Any,
) -> Worker:
    """A worker with `ram` GiB free, and GPUs with these many GiB free, all of the same compute capability."""
    free = None if ram is None else round(ram * GIB)
    cards = tuple(
        Gpu(index, round(size * GIB), round(size * GIB), compute_capability=capability)
        for index, size in enumerate(gpus)
    )
    return Worker(address, **{"cpus": 8, "memory_total": free, "memory_free": free, "gpus": cards, **more})


def cluster(*workers: Worker, models: tuple[ObservedModel, ...] = (), here: bool = True, **more: Any) -> Cluster:
    """A cluster of these workers."""
    return Cluster("http://10.0.0.1:9997", here, workers or (worker(),), models, **more)


def running(recipe_name: str = "only", *, uid: str = "coder", phase: Phase = "ready") -> ObservedModel:
    """A model that runs the recipe of that name."""
    weights = Weights("coder", "ggufv2", "7", f"q-{recipe_name}")
    told = phase == "ready"
    replicas = (Replica("10.0.0.1:1", phase),)
    return ObservedModel(uid, phase, "LLM", weights if told else None, "llama.cpp" if told else None, replicas)


def served(*servers: dict[str, Any], uid: str = "coder", phase: Phase = "ready") -> ObservedModel:
    """An upstream with these servers."""
    names = tuple(Server(**{**SERVER, **server}) for server in (servers or ({},)))
    return ObservedModel(uid, phase, "LLM", None, "upstream", (Replica("10.0.0.7:11434", phase),), servers=names)
