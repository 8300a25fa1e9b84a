"""`biai-xinf import`: models of another program, served from where they lie."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

import click

from biai_xinf import imported
from biai_xinf.catalogue import Entry, load_catalogue
from biai_xinf.cli.apply import as_data, said
from biai_xinf.cli.connect import connect_or_start
from biai_xinf.cli.launch import engine_words
from biai_xinf.cli.output import board, say, show, show_json, table
from biai_xinf.cli.render import plan_text
from biai_xinf.client import Client
from biai_xinf.errors import BadFile, CannotImport, UnknownName
from biai_xinf.imported import Held, Imported, find_imported, without_imported
from biai_xinf.needs import need_of
from biai_xinf.ollama_import import Import, ImportRole, plan_import, uid_of
from biai_xinf.ollama_store import StoredModel, find_store, full_name
from biai_xinf.plan import Action, Plan
from biai_xinf.reconcile import Outcome, carry_out, prepare
from biai_xinf.specs import EngineRecipe
from biai_xinf.state import Desired, DesiredModel
from biai_xinf.units import format_size


@click.group("import")
def command() -> None:
    """Serve the models of another program, from where they lie."""


# A model as it will be served, one that is served though Ollama has it no more, or why it cannot be.
_Found = Import | Imported | CannotImport


@command.command("ollama")
@click.argument("tags", nargs=-1, metavar="[TAG...]")
@click.option("--store", type=click.Path(path_type=Path), metavar="PATH", help="Ollama's models; found unless given.")
@click.option("--role", type=click.Choice(get_args(ImportRole)), help="What they are for; told by the model otherwise.")
@click.option("--context", type=click.IntRange(min=1), metavar="N", help="Tokens one request may hold.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before launching.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found and done as JSON.")
@click.pass_context
def ollama(
    ctx: click.Context,
    tags: tuple[str, ...],
    store: Path | None,
    role: ImportRole | None,
    context: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Serve models of Ollama on this machine, without downloading, moving or copying them.

    Each TAG (all of them if none is given) becomes a model spec of your own whose weights are a hard link to Ollama's,
    is launched and checked as `launch` does it, and answers under its tag. A second run does nothing.
    """
    found = _find(store, tags, role, context)
    refused = [one for one in found.values() if isinstance(one, CannotImport)]
    wanted = [one for one in found.values() if not isinstance(one, CannotImport)]
    if tags and refused:
        raise refused[0]
    told = role is not None or context is not None
    new = [one for one in wanted if isinstance(one, Import) and (told or not imported.is_written(one))]
    data = [_data(tag, one) for tag, one in found.items()]
    if not as_json:
        show(_overview(found, new))
    if dry_run or not wanted:
        _end_here([one.stored.tag if isinstance(one, Import) else one.tag for one in wanted])
        if as_json:
            show_json({"models": data})
        return
    plan, outcomes = _serve(ctx.obj, wanted, new, yes)
    if as_json:
        show_json({"models": data, **as_data(plan, outcomes)})
    if plan.refused or any(outcome.error for outcome in outcomes):
        ctx.exit(1)


def _serve(
    endpoint: str | None, wanted: Sequence[Import | Imported], new: Sequence[Import], yes: bool
) -> tuple[Plan, tuple[Outcome, ...]]:
    """Write what is new, and bring all of it up as `launch` does; asks before the first thing it changes."""
    if new:
        _ask(yes, [one.uid for one in new])
    # Weights that a tag had before are running still, and are replaced.
    pulled_again = {one.uid for one in new if imported.has_other_weights(one)}
    for one in new:
        _say_how_it_is_held(one, imported.write(one))
    desired = Desired(models=tuple(_desired(one, pulled_again) for one in wanted))
    with connect_or_start(endpoint) as client:
        _, plan = prepare(client, desired)
        say(plan_text(plan))
        say()
        if not new and not plan.is_empty:
            _ask(yes, [change.uid for change in plan.changes])
        with board() as row, engine_words(client):
            outcomes = carry_out(client, plan, desired, lambda change: row(change.uid))
        _say_what_is_true_now(client, plan, outcomes, new)
    _say_how_a_cluster_file_has_them(desired)
    ready = {outcome.change.uid for outcome in outcomes if outcome.error is None}
    for one in new:
        if one.uid in ready:
            imported.drop_older(one)
    return plan, outcomes


def _find(given: Path | None, tags: Sequence[str], role: ImportRole | None, context: int | None) -> dict[str, _Found]:
    """What becomes of each tag, of all in the store if none is named; a tag that Ollama dropped may be ours still."""
    try:
        store = find_store(given)
        there = store.tags()
    except (UnknownName, CannotImport):
        gone = {tag: find_imported(tag) for tag in tags}
        if not tags or None in gone.values():
            raise
        return {one.tag: one for one in gone.values() if one is not None}
    models = without_imported(load_catalogue())
    found: dict[str, _Found] = {}
    for tag in tags or there:
        named = next((name for name in there if full_name(name) == full_name(tag)), None)
        if named is None and (kept := find_imported(tag)) is not None:
            found[kept.tag] = kept
            continue
        try:
            stored = store.read(named or tag)
            found[stored.tag] = _planned(stored, models, role, context)
        except CannotImport as error:
            found[named or tag] = error
    return found


def _planned(stored: StoredModel, models: Mapping[str, Entry], role: ImportRole | None, context: int | None) -> Import:
    """The import of a model; role and context that are not given are those of the import before this one."""
    role_before, context_before = _before(stored.tag)
    one = plan_import(stored, models, role or role_before, context)
    if context or not context_before or {recipe.requires.context for recipe in one.spec.recipes} == {context_before}:
        return one
    return plan_import(stored, models, role or role_before, context_before)


def _before(tag: str) -> tuple[ImportRole | None, int | None]:
    before = find_imported(tag)
    if before is None:
        return None, None
    try:
        spec = before.entry().spec
    except BadFile:
        return None, None
    contexts = {recipe.requires.context for recipe in spec.recipes}
    return cast(ImportRole, spec.role), next(iter(contexts)) if len(contexts) == 1 else None


def _ask(yes: bool, uids: Sequence[str]) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked; `--yes` launches without asking")
    click.confirm(f"Launch {' and '.join(uids)}?", abort=True, err=True)


def _desired(one: Import | Imported, pulled_again: Collection[str]) -> DesiredModel:
    if isinstance(one, Import):
        return DesiredModel(one.uid, imported.as_imported(one).entry(), upgrade=one.uid in pulled_again)
    return DesiredModel(uid_of(one.tag), one.entry())


# What is shown


def _overview(found: Mapping[str, _Found], new: Sequence[Import]) -> str:
    rows = [_row(tag, one) for tag, one in found.items() if isinstance(one, Import)]
    parts = [table(["OLLAMA", "ROLE", "AS", "LOADS", "CONTEXT", "SIZE", "TAKES"], rows)] if rows else []
    parts += [_details(tag, one, one in new) for tag, one in found.items()]
    return "\n\n".join(parts) + "\n" if parts else "Ollama's store holds no models"


def _row(tag: str, one: Import) -> list[str]:
    gguf = one.gguf
    contexts = dict.fromkeys(str(recipe.requires.context) for recipe in one.spec.recipes)
    return [
        tag,
        one.spec.role,
        one.stands_for or "-",
        f"{gguf.architecture} {_count(gguf.parameters)} {gguf.quantization}",
        " or ".join(contexts),
        format_size(one.stored.size),
        _takes(one),
    ]


def _details(tag: str, one: _Found, is_new: bool) -> str:
    if isinstance(one, CannotImport):
        hint = [f"    hint: {one.hint}"] if one.hint else []
        return "\n".join([f"! {one.message}", *hint])
    if isinstance(one, Imported):
        return f"= {tag}  is imported; Ollama has it no more, and the weights are kept here"
    if not is_new:
        return f"= {tag}  is imported"
    lines = [f"+ {line}" for line in (f"role {one.spec.role}: {one.because}", *one.carried)]
    return "\n  ".join([f"+ {tag}", *lines, *(f"- {line}" for line in one.lost)])


def _takes(one: Import) -> str:
    """Memory of one replica with the longest context; the weights are not linked yet, so the blob is read."""
    entry = Entry(one.spec, Path(), {})
    recipes = [recipe for recipe in one.spec.recipes if isinstance(recipe, EngineRecipe)]
    at_blob = [recipe.model_copy(update={"model_path": str(one.stored.weights)}) for recipe in recipes]
    gpu, cpu = (next(r for r in at_blob if bool(r.requires.gpus) is on_gpu) for on_gpu in (True, False))
    return f"{format_size(need_of(entry, gpu).vram)} of a GPU, or {format_size(need_of(entry, cpu).memory)} RAM"


def _count(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 10**9 else f"{parameters / 1e6:.2f}M"


def _say_how_it_is_held(one: Import, held: Held) -> None:
    if held.how == "hard":
        say(f"{one.uid}: a hard link holds the weights, no byte was copied; `ollama rm` leaves them")
    else:
        where = f"{one.uid}: the weights are used where they lie, and `ollama rm` would take them"
        say(f"{where} (no hard link can be made: {held.reason})")


def _end_here(tags: Sequence[str]) -> None:
    say(
        f"nothing was changed; next: biai-xinf import ollama {' '.join(tags)}" if tags else "there is nothing to import"
    )


def _say_what_is_true_now(client: Client, plan: Plan, outcomes: Sequence[Outcome], new: Sequence[Import]) -> None:
    for outcome in outcomes:
        for line in said(outcome):
            say(line)
    kept = {change.uid for change in plan.changes if change.action is Action.KEEP} & {one.uid for one in new}
    for uid in sorted(kept):
        say(f"`{uid}` runs as it was launched; `biai-xinf stop {uid}` and this command again take what is new")
    if plan.is_empty and not kept and not any(outcome.error for outcome in outcomes):
        say("nothing to do: all of it is imported, and answers right")
    say()
    say(f"OpenAI base URL   {client.endpoint}/v1")
    say(f"Ollama's API      {client.endpoint}")


def _say_how_a_cluster_file_has_them(desired: Desired) -> None:
    say("in a cluster file:")
    for want in desired.models:
        say(f'  - {{spec: {want.entry.spec.name}, uid: "{want.uid}"}}')


def _data(tag: str, one: _Found) -> dict[str, object]:
    if isinstance(one, CannotImport):
        return {"tag": tag, "refused": one.code, "reason": one.message, "hint": one.hint}
    if isinstance(one, Imported):
        return {"tag": tag, "uid": uid_of(tag), "spec": one.path.stem, "in_store": False}
    return {
        "tag": tag,
        "uid": one.uid,
        "spec": one.spec.name,
        "in_store": True,
        "imported": imported.is_written(one),
        "role": one.spec.role,
        "stands_for": one.stands_for,
        "because": one.because,
        "architecture": one.gguf.architecture,
        "parameters": one.gguf.parameters,
        "quantization": one.gguf.quantization,
        "contexts": list(dict.fromkeys(recipe.requires.context for recipe in one.spec.recipes)),
        "size": one.stored.size,
        "digest": f"sha256:{one.stored.digest}",
        "blob": str(one.stored.weights),
        "carried": list(one.carried),
        "lost": list(one.lost),
    }
