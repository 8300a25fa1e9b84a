"""`biai-xinf scale`: run a model in more replicas, or in fewer."""

from __future__ import annotations

import click

from biai_xinf.catalogue import Entry, load_catalogue
from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import progress, say, show_json
from biai_xinf.cli.render import plan_text
from biai_xinf.cli.stop import unknown
from biai_xinf.errors import NothingFits, UnknownName
from biai_xinf.observe import observe
from biai_xinf.plan import Action
from biai_xinf.reconcile import carry_out, prepare
from biai_xinf.resolve import recipe_running
from biai_xinf.state import Cluster, Desired, DesiredModel, ObservedModel


@click.command("scale")
@click.argument("uid")
@click.argument("replicas", type=click.IntRange(1, 100))
@click.option("--pack", is_flag=True, help="Put replicas on as few machines as hold them; on many unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(endpoint: str | None, uid: str, replicas: int, pack: bool, as_json: bool) -> None:
    """Run the model UID in so many REPLICAS: missing ones start where there is room, those too many stop.

    A cluster file that names the model wins at the next `apply` or `watch`.
    """
    with connect(endpoint) as client:
        entry = _entry(uid, observe(client))
        desired = Desired((DesiredModel(uid, entry, replicas=replicas, policy="pack" if pack else "spread"),))
        _, plan = prepare(client, desired)
        say(plan_text(plan))
        say()
        (outcome,) = carry_out(client, plan, desired, lambda change: progress(change.uid))
        if outcome.error is not None:
            raise outcome.error
        model = next(one for one in client.instances() if one.model_uid == uid)
    ready = sum(replica.status == "READY" for replica in model.replica_statuses)
    if as_json:
        show_json({"uid": uid, "replicas": ready, "changed": outcome.change.action is Action.SCALE})
    say(f"`{uid}` runs in {ready} replica{'s' * (ready != 1)}")
    if ready != replicas:
        raise NothingFits(
            f"`{uid}` should run in {replicas}, there is room for {ready}", hint="`biai-xinf status` shows it"
        )


def _entry(uid: str, cluster: Cluster) -> Entry:
    """The spec that a running model is of."""
    model = cluster.model(uid)
    if model is None or model.phase != "ready":
        raise unknown(uid, cluster)
    if model.is_upstream:
        raise UnknownName(f"`{uid}` runs on servers of others", hint="`biai-xinf upstream add` names one more of them")
    found = next((entry for entry in load_catalogue().values() if _is_of(entry, model)), None)
    if found is None:
        raise UnknownName(
            f"`{uid}` runs no recipe of any spec, so what a replica takes is not known",
            hint="`biai-xinf specs list` shows the specs; one of your own may name what runs",
        )
    return found


def _is_of(entry: Entry, model: ObservedModel) -> bool:
    return recipe_running(DesiredModel(model.uid, entry), model) is not None
