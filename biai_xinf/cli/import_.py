"""`biai-xinf import`: models of another program, served from where they lie."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

import click

from biai_xinf.catalogue import Entry, load_catalogue
from biai_xinf.cli import apply
from biai_xinf.cli.connect import connect_or_start
from biai_xinf.cli.import_shown import Found, as_data, overview
from biai_xinf.cli.launch import engine_words
from biai_xinf.cli.output import board, say, show, show_json
from biai_xinf.cli.render import plan_text
from biai_xinf.client import Client
from biai_xinf.errors import BadFile, CannotImport, UnknownName
from biai_xinf.ollama import imported
from biai_xinf.ollama.imported import Held, Imported, find_imported, without_imported
from biai_xinf.ollama.importing import Import, plan_import
from biai_xinf.ollama.model import ImportRole, uid_of
from biai_xinf.ollama.store import StoredModel, find_store, full_name
from biai_xinf.plan import Action, Plan
from biai_xinf.reconcile import Outcome, carry_out, prepare
from biai_xinf.state import Desired, DesiredModel


@click.group("import")
def command() -> None:
    """Serve the models of another program, from where they lie."""


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
    data = [as_data(tag, one) for tag, one in found.items()]
    if not as_json:
        show(overview(found, new))
    if dry_run or not wanted:
        _end_here([one.stored.tag if isinstance(one, Import) else one.tag for one in wanted])
        if as_json:
            show_json({"models": data})
        return
    plan, outcomes = _serve(ctx.obj, wanted, new, yes)
    if as_json:
        show_json({"models": data, **apply.as_data(plan, outcomes)})
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


def _find(given: Path | None, tags: Sequence[str], role: ImportRole | None, context: int | None) -> dict[str, Found]:
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
    found: dict[str, Found] = {}
    for tag in tags or there:
        named = next((name for name in there if full_name(name) == full_name(tag)), None)
        if named is None and (kept := find_imported(tag)) is not None:
            found[kept.tag] = kept
            continue
        try:
            one = _planned(store.read(named or tag), models, role, context)
            imported.refuse_taken_name(one, [other for other in found.values() if isinstance(other, Import)])
            found[one.stored.tag] = one
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
        for line in apply.said(outcome):
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
