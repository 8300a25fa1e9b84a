"""`biai-xinf embeddings`: what the vectors of a Chroma store were made by, and how they are made anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import progress, say, show, show_json, table
from biai_xinf.pins import EmbedderPin, redo_command, release_pins
from biai_xinf.reach import endpoint_of

if TYPE_CHECKING:
    from biai_xinf.adapters.chroma_store import Described

_STORE = click.argument("store", type=click.Path(path_type=Path))


@click.group("embeddings")
def command() -> None:
    """Show what a Chroma store was built with, and make its vectors anew.

    These run where the application runs: they open its store with its own chromadb. docs/embeddings.md says more.
    """


@command.command("show")
@_STORE
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def show_store(store: Path, as_json: bool) -> None:
    """Show the collections of the Chroma folder STORE, and what made their vectors."""
    # Imported here: chromadb is the application's, and takes a second to import.
    from biai_xinf.adapters.chroma_store import describe

    found = describe(store)
    if as_json:
        show_json([_as_data(one) for one in found])
        return
    show(table(["COLLECTION", "ENTRIES", "DIMENSIONS", "MODEL", "BUILT WITH"], [_row(one) for one in found]))
    pins = {one.pinned.pin.model_dump_json(exclude_defaults=True): one.pinned for one in found if one.pinned}
    for pinned in pins.values():
        say()
        say(f"in a cluster file, at the model `{pinned.model_uid}`: pin: {_yaml(pinned.pin)}")
    if any(one.pinned is None and one.entries for one in found):
        say()
        say(f"next: `{redo_command('UID', str(store))}` makes anew what nobody wrote down")


@command.command("redo")
@_STORE
@click.option("--model", required=True, metavar="UID", help="The running model that makes the vectors from now on.")
@click.option("--collection", "only", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--spec", metavar="NAME", help="The spec that tells its prefixes, where its uid does not lead to one.")
@click.pass_obj
def redo_store(endpoint: str | None, store: Path, model: str, only: tuple[str, ...], spec: str | None) -> None:
    """Make the vectors of the Chroma folder STORE anew, from its documents.

    Stop the application before. Each collection is embedded into a new one, which takes its place once it is whole:
    an interrupt loses nothing, and the next call goes on from there.
    """
    # Imported here: chromadb is the application's, and takes a second to import.
    from biai_xinf.adapters.chroma_store import redo
    from biai_xinf.adapters.source import Source

    source = Source(model, endpoint_of(endpoint), spec=spec)
    with progress(str(store)) as report:
        done = list(redo(store, source, only, report))
    for one in done:
        how = f"{one.embedded} embedded" if one.embedded else "nothing to embed"
        show(f"{one.name}: {one.entries} entries, {how}")
    say(f"the vectors of {store} are those of `{model}`")


@command.command("release")
@click.argument("uid")
@click.pass_obj
def release(endpoint: str | None, uid: str) -> None:
    """Let the model UID be launched by a recipe that makes other vectors.

    What was built with it is not touched, and its applications refuse it until it is made anew.
    """
    with connect(endpoint) as client:
        released = release_pins(client.endpoint, uid)
    if not released:
        say(f"nothing rests on `{uid}` at {client.endpoint}")
        return
    for one in released:
        say(f"{one.whose} were made by {one.pin}")
    stores = dict.fromkeys(one.store for one in released)
    say(f"next: biai-xinf launch {uid}, then {' and '.join(redo_command(uid, store) for store in stores)}")


def _row(one: Described) -> list[str]:
    dimensions = "-" if one.dimensions is None else str(one.dimensions)
    if one.pinned is None:
        return [one.name, str(one.entries), dimensions, "-", "nobody wrote it down"]
    return [one.name, str(one.entries), dimensions, one.pinned.model_uid, one.pinned.pin.described]


def _as_data(one: Described) -> dict[str, object]:
    kept = one.pinned
    return {
        "collection": one.name,
        "entries": one.entries,
        "dimensions": one.dimensions,
        "model": kept.model_uid if kept else None,
        "pin": kept.pin.model_dump() if kept else None,
    }


def _yaml(pin: EmbedderPin) -> str:
    """A pin on one line: JSON's strings are YAML's too."""
    facts = pin.model_dump(exclude_defaults=True).items()
    return "{" + ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts) + "}"
