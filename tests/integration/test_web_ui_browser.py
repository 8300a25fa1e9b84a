"""An admin at a real Xinference's Web UI: a real Chromium finds our forms filled in, and launches from them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from biai_xinf.catalogue import load_catalogue
from biai_xinf.client import Client
from biai_xinf.errors import NotFound
from tests.commandline import Result, run
from tests.web_ui import WebUi, needs_chromium
from tests.xinference_fixtures import RealXinference, needs_xinference

pytestmark = [pytest.mark.real, pytest.mark.slow, needs_xinference, needs_chromium]

# The model that ships with us: nothing is fetched.
MODEL, RECIPE = "biai-demo-sql", "bundled"


@pytest.fixture
def endpoint(real_xinference: RealXinference, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One where none of our models runs, before and after."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield real_xinference.endpoint
    with Client(real_xinference.endpoint) as client:
        for uid in ("sql-coder", "anns-model"):
            with contextlib.suppress(NotFound):
                client.terminate(uid)
        client.unregister("LLM", MODEL)


@pytest.fixture
def file(endpoint: str, tmp_path: Path) -> Path:
    """A cluster file that wants nothing but our model."""
    path = tmp_path / "cluster.yaml"
    path.write_text(f"endpoint: {endpoint}\nmodels:\n  - {{spec: sql-coder, recipes: [{RECIPE}]}}\n", encoding="utf-8")
    return path


def at(endpoint: str, *words: str) -> Result:
    result = run("--endpoint", endpoint, *words)
    assert result.exit_code == 0, result.stderr
    return result


def test_an_admin_finds_our_recipe_in_the_form_and_what_is_launched_from_it_is_seen(endpoint: str, file: Path) -> None:
    at(endpoint, "ui", "--prefill", "sql-coder", "--print")
    with WebUi(endpoint) as web_ui:
        card = web_ui.open_registrations(MODEL)
        web_ui.open_launch_form(MODEL)
        web_ui.wait_until_filled_in("sql-coder")
        labels = ("Model Engine", "Model Format", "Quantization", "Context length", "GPU Count per Replica")
        filled_in = {label: web_ui.field(label) for label in labels}
        web_ui.deploy()
    planned = run("plan", str(file), "--detailed-exitcode")

    assert "Demonstration model of biai-xinf: answers questions about its demo shop database in SQL." in card
    assert list(filled_in.values()) == ["llama.cpp", "ggufv2", "q8_0", "512", "CPU"]
    assert planned.exit_code == 0, planned.stderr


def test_the_card_of_an_embedding_model_shows_its_description(endpoint: str) -> None:
    (_, registration), *_ = load_catalogue()["nomic-embed-text"].registrations.items()
    name, description = registration["model_name"], registration["model_description"]
    with Client(endpoint) as client, WebUi(endpoint) as web_ui:
        client.register("embedding", registration)
        card = web_ui.open_registrations(name, "embedding")
        client.unregister("embedding", name)

    assert description in card


def test_a_model_that_an_admin_launches_beside_ours_is_unmanaged(endpoint: str, file: Path) -> None:
    at(endpoint, "launch", "sql-coder", "--recipe", RECIPE)
    with WebUi(endpoint) as web_ui:
        web_ui.open_registrations(MODEL)
        web_ui.open_launch_form(MODEL)
        web_ui.wait_until_filled_in("sql-coder")
        web_ui.fill_in("Model UID", "anns-model")
        web_ui.deploy()
    planned = run("plan", str(file), "--json", "--detailed-exitcode")
    shown = at(endpoint, "status", "--json")

    assert planned.exit_code == 0, planned.stderr
    assert json.loads(planned.stdout)["unmanaged"] == ["anns-model"]
    assert {"sql-coder", "anns-model"} <= {model["uid"] for model in json.loads(shown.stdout)["models"]}
