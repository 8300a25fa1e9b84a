"""`biai-xinf status FILE`: what a cluster file says beside what runs, why they differ, and what memory it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biai_xinf.cli.output import say, show, show_json, table
from biai_xinf.cli.render import plan_data
from biai_xinf.cli.status import as_data, gpu_memory, worker_memory
from biai_xinf.cli.wished import connect_to, from_file
from biai_xinf.clusterfile import ClusterFile
from biai_xinf.errors import NothingFits, OtherVectors, UidTaken
from biai_xinf.memory import Need
from biai_xinf.needs import need_of
from biai_xinf.observe import observe
from biai_xinf.plan import Action, Change, Plan, Refused, make_plan
from biai_xinf.resolve import recipe_running
from biai_xinf.specs import EngineRecipe
from biai_xinf.state import Cluster, Desired, DesiredModel, ObservedModel
from biai_xinf.units import format_size


def status_of_file(path: Path, given: str | None, *, as_json: bool) -> None:
    """Print it; nothing is changed."""
    file, desired = from_file(path, prune=False)
    with connect_to(file, given) as client:
        cluster = observe(client, desired, with_facts=True)
    plan = _plan(desired, cluster)
    rows = [_model(want, cluster.model(want.uid), plan) for want in desired.models]
    if as_json:
        show_json(_as_data(cluster, plan, rows))
        return
    show(
        table(["MODEL", "STATE", "REPLICAS", "MEMORY EACH", "DIFFERS FROM THE FILE"], _model_rows(rows, plan, cluster))
    )
    show()
    show(table(["WORKER", "ADDRESS", "MEMORY", "GPUS", "MODELS TAKE"], _worker_rows(file, cluster, rows)))
    for line in _reasons(plan):
        show(line)
    say()
    say(_what_is_true_now(path, cluster, plan, rows))


@dataclass(frozen=True)
class Row:
    """One model of the file: what runs of it, and what one replica takes.

    `need` is None where no recipe of its spec runs; `estimated` where no figure of the recipe tells it.
    """

    want: DesiredModel
    model: ObservedModel | None
    differs: str | None
    need: Need | None = None
    estimated: bool = True

    @property
    def serving(self) -> list[str]:
        """The worker of each replica that is ready."""
        replicas = self.model.replicas if self.model else ()
        return [replica.worker for replica in replicas if replica.phase == "ready"]


def _plan(desired: Desired, cluster: Cluster) -> Plan:
    try:
        return make_plan(desired, cluster)
    except (NothingFits, OtherVectors, UidTaken) as error:
        # What one model is asked for alone is refused at once.
        (only,) = desired.models
        others = tuple(model.uid for model in cluster.models if model.uid != only.uid)
        return Plan((), others, (Refused(only.uid, error),))


def _model(want: DesiredModel, model: ObservedModel | None, plan: Plan) -> Row:
    recipe = recipe_running(want, model) if model else None
    if not isinstance(recipe, EngineRecipe):
        return Row(want, model, _differs(want.uid, model, plan))
    need = need_of(want.entry, recipe, context=want.context, parallel=want.parallel)
    told = recipe.requires.vram if need.gpus else recipe.requires.memory
    return Row(want, model, _differs(want.uid, model, plan), need, estimated=told is None)


def _differs(uid: str, model: ObservedModel | None, plan: Plan) -> str | None:
    """In what a model is not as the file says; None where it is."""
    for refused in plan.refused:
        if refused.uid == uid:
            return refused.error.message
    change = next(change for change in plan.changes if change.uid == uid)
    if change.as_wished:
        return None
    failed = next((replica.reason for replica in model.replicas if replica.reason), None) if model else None
    return f"{_said(change)}{f': {failed}' if failed else ''}"


def _said(change: Change) -> str:
    if change.action is Action.RELAUNCH:
        return f"{change.reason}, not what the file allows"
    return change.reason


def _model_rows(rows: list[Row], plan: Plan, cluster: Cluster) -> list[list[str]]:
    found = [[row.want.uid, _state(row.model), _replicas(row), _each(row), row.differs or "-"] for row in rows]
    for uid in plan.unmanaged:
        model = cluster.model(uid)
        count = str(len(model.replicas)) if model else "-"
        found.append([uid, _state(model), count, "-", "is not in it, and left alone"])
    return found


def _state(model: ObservedModel | None) -> str:
    return model.phase if model else "-"


def _replicas(row: Row) -> str:
    where = f" on {', '.join(dict.fromkeys(row.serving))}" if row.serving else ""
    return f"{len(row.serving)} of {row.want.replicas}{where}"


def _each(row: Row) -> str:
    """What one replica takes; `about` marks an estimate."""
    if row.need is None:
        return "-"
    about = "about " if row.estimated else ""
    if row.need.gpus and row.need.vram:
        return f"{about}{row.need.gpus} GPU x {format_size(row.need.vram)}"
    return f"{about}{format_size(row.need.memory)}" if row.need.memory else "-"


def _worker_rows(file: ClusterFile, cluster: Cluster, rows: list[Row]) -> list[list[str]]:
    names = {worker.address: name for name, worker in file.workers.items()}
    taken = _taken(rows)
    joined = [
        [
            names.get(worker.address, "-"),
            worker.address,
            worker_memory(worker),
            gpu_memory(worker),
            taken.get(worker.address, "-"),
        ]
        for worker in cluster.workers
    ]
    there = {worker.address for worker in cluster.workers}
    missing = [[name, address, "has not joined", "-", "-"] for address, name in names.items() if address not in there]
    return joined + missing


def _taken(rows: list[Row]) -> Mapping[str, str]:
    """What the file's models take on each worker, by their recipes' figures and estimates."""
    memory: defaultdict[str, int] = defaultdict(int)
    vram: defaultdict[str, int] = defaultdict(int)
    estimated: set[str] = set()
    for row in rows:
        for worker in row.serving if row.need else ():
            assert row.need is not None
            memory[worker] += row.need.memory
            vram[worker] += row.need.gpus * row.need.vram
            estimated |= {worker} if row.estimated else set()
    told = {}
    for worker in memory:
        parts = [
            f"{format_size(size)} of {what}"
            for size, what in ((memory[worker], "memory"), (vram[worker], "GPUs"))
            if size
        ]
        told[worker] = ("about " if worker in estimated else "") + (" and ".join(parts) or "unknown")
    return told


def _reasons(plan: Plan) -> list[str]:
    """Of each model that finds no place, every recipe and why it is not taken."""
    lines = []
    for refused in plan.refused:
        if refused.error.details:
            lines += ["", f"{refused.uid}: {refused.error.message}", *(f"  {line}" for line in refused.error.details)]
    return lines


def _what_is_true_now(path: Path, cluster: Cluster, plan: Plan, rows: list[Row]) -> str:
    as_wished = sum(row.differs is None for row in rows)
    said = f"{as_wished} of {len(rows)} models at {cluster.endpoint} are as {path} says"
    return said if plan.is_empty and not plan.refused else f"{said}; next: biai-xinf plan {path}"


def _as_data(cluster: Cluster, plan: Plan, rows: list[Row]) -> dict[str, object]:
    """As `status --json` tells the cluster, with the file's models and the plan beside it; memory in bytes."""
    models = [
        {
            "uid": row.want.uid,
            "as_wished": row.differs is None,
            "differs": row.differs,
            "replicas_wished": row.want.replicas,
            "replicas_ready": len(row.serving),
            "memory_each": row.need.memory if row.need else None,
            "gpus_each": row.need.gpus if row.need else None,
            "vram_each": row.need.vram if row.need else None,
            "memory_is_estimated": row.estimated if row.need else None,
        }
        for row in rows
    ]
    return {**as_data(cluster), "file": {"models": models, "unmanaged": list(plan.unmanaged), "plan": plan_data(plan)}}
