"""`biai-xinf specs`: the catalogue, and a check of one's own files."""

from __future__ import annotations

from pathlib import Path

import click

from biai_xinf import clusterfile
from biai_xinf.catalogue import find, load_catalogue, load_entry
from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.cli.render import evidence, needs, weights
from biai_xinf.errors import BadFile, BiaiXinfError
from biai_xinf.specs import json_schema


@click.group("specs")
def command() -> None:
    """List, show and check the model specs.

    Your own go into `~/.biai-xinf/specs` (or BIAI_XINF_SPECS); one that has the name of ours replaces it.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_specs(as_json: bool) -> None:
    """List the models that can be launched."""
    specs = [entry.spec for entry in load_catalogue().values()]
    if as_json:
        keys = {"name", "role", "description", "license", "languages", "aliases", "ollama_tags"}
        show_json([spec.model_dump(include=keys) for spec in specs])
        return
    rows = [[spec.name, spec.role, str(len(spec.recipes)), spec.license, spec.description] for spec in specs]
    show(table(["SPEC", "ROLE", "RECIPES", "LICENCE", "DESCRIPTION"], rows))
    say()
    say("next: biai-xinf specs show NAME")


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the whole spec as JSON.")
def show_spec(name: str, as_json: bool) -> None:
    """Show one spec with its recipes, best first."""
    entry = find(load_catalogue(), name)
    if as_json:
        show_json(entry.spec.model_dump(mode="json"))
        return
    spec = entry.spec
    show(f"{spec.name}  ({spec.role}, {spec.license})")
    show(spec.description)
    show(f"file: {entry.path}")
    if spec.ollama_tags:
        show(f"Ollama clients may call it: {', '.join(spec.ollama_tags)}")
    show()
    rows = [[recipe.name, needs(entry, recipe), weights(recipe)] for recipe in spec.recipes]
    show(table(["RECIPE", "NEEDS", "LOADS"], rows))
    for recipe in spec.recipes:
        for line in evidence(recipe):
            show(f"{recipe.name}: {line}")
    say()
    say(f"next: biai-xinf plan {spec.name}")


@command.command("validate")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(paths: tuple[Path, ...]) -> None:
    """Check spec files, or all `*.yaml` of folders; every mistake is named with its line."""
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    mistakes = [error for file in files if (error := _mistake(file)) is not None]
    if not files:
        raise BadFile(f"{paths[0]}: holds no `*.yaml` file")
    if mistakes:
        lines = [line for error in mistakes for line in (error.message, *error.details)]
        raise BadFile(f"{len(mistakes)} of {len(files)} files are wrong", details=lines)
    say(f"{len(files)} of {len(files)} files are right")


@command.command("schema")
@click.option("--cluster", is_flag=True, help="That of a cluster file instead.")
def schema(cluster: bool) -> None:
    """Print the JSON Schema of a spec file, for editors."""
    show_json(clusterfile.json_schema() if cluster else json_schema())


def _mistake(file: Path) -> BiaiXinfError | None:
    try:
        load_entry(file)
    except BadFile as error:
        return error
    return None
