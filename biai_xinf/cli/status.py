"""`biai-xinf status`: the models and machines of the cluster, from one sweep of reads."""

from __future__ import annotations

from dataclasses import asdict

import click

from biai_xinf.cli.connect import connect
from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.cli.render import model_rows, worker_rows
from biai_xinf.observe import observe
from biai_xinf.state import Cluster


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was seen as JSON.")
@click.pass_obj
def command(endpoint: str | None, as_json: bool) -> None:
    """Show the models and machines of the cluster."""
    with connect(endpoint) as client:
        cluster = observe(client)
    if as_json:
        show_json(as_data(cluster))
        return
    if cluster.models:
        show(table(["MODEL", "STATE", "WEIGHTS", "ENGINE", "REPLICAS"], model_rows(cluster.models)))
        show()
    show(table(["WORKER", "CPUS", "MEMORY", "GPUS"], worker_rows(cluster.workers)))
    say()
    say(_what_is_true_now(cluster))


def as_data(cluster: Cluster) -> dict[str, object]:
    """A cluster for machines; memory in bytes, null where it is unknown."""
    return {
        "endpoint": cluster.endpoint,
        "models": [asdict(model) for model in cluster.models],
        "workers": [asdict(worker) for worker in cluster.workers],
    }


def _what_is_true_now(cluster: Cluster) -> str:
    ready = sum(model.phase == "ready" for model in cluster.models)
    models = f"{ready} of {len(cluster.models)} models ready" if cluster.models else "no model runs"
    following = "biai-xinf doctor" if ready < len(cluster.models) else "biai-xinf launch sql-coder"
    return f"{models} at {cluster.endpoint}" + (
        "" if ready and ready == len(cluster.models) else f"; next: {following}"
    )
