"""A plan kept in a file, to be carried out later exactly as it was read, or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from biai_xinf.cli.render import plan_data
from biai_xinf.errors import BadFile, PlanMovedOn
from biai_xinf.plan import Plan

_KIND = "biai-xinf plan"


@dataclass(frozen=True)
class PlanFile:
    """What was planned, for which cluster file as it was then, at which endpoint."""

    cluster_file: Path
    sha256: str
    endpoint: str
    prune: bool
    plan: dict[str, Any]

    def refuse_if_moved_on(self, plan: Plan) -> None:
        """PlanMovedOn where today's plan is another one: what changed meanwhile has to be looked at first."""
        today = _plain(plan)
        if self.plan == today:
            return
        then, now = _actions(self.plan), _actions(today)
        changed = [
            f"{uid}: then {then.get(uid, 'left alone')}, now {now.get(uid, 'left alone')}"
            for uid in then | now
            if then.get(uid) != now.get(uid)
        ]
        raise PlanMovedOn(
            "the cluster is not as it was when this was planned",
            details=changed or ["the same actions, at other places or with other recipes"],
            hint=f"biai-xinf plan {self.cluster_file} --out FILE",
        )


def write(path: Path, cluster_file: Path, endpoint: str, prune: bool, plan: Plan) -> None:
    """Keep a plan; BadFile where the file cannot be written."""
    kept = PlanFile(cluster_file.resolve(), _hash(cluster_file), endpoint, prune, _plain(plan))
    try:
        path.write_text(json.dumps({"kind": _KIND, **asdict(kept)}, indent=2, default=str), encoding="utf-8")
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {error.strerror}") from error


def is_plan(path: Path) -> bool:
    """Whether the file is a plan; a cluster file is YAML."""
    return path.suffix == ".json"


def read(path: Path) -> PlanFile:
    """A plan kept by `write`; BadFile where it is none, or its cluster file was changed since."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(kept, dict) or kept.pop("kind", None) != _KIND:
            raise TypeError
        plan = PlanFile(**{**kept, "cluster_file": Path(kept["cluster_file"])})
    except (OSError, ValueError, KeyError, TypeError):
        raise BadFile(f"{path}: is no plan", hint="`biai-xinf plan FILE --out PLAN.json` writes one") from None
    if not plan.cluster_file.is_file() or _hash(plan.cluster_file) != plan.sha256:
        raise BadFile(
            f"{plan.cluster_file}: was changed since it was planned",
            hint=f"biai-xinf plan {plan.cluster_file} --out {path}",
        )
    return plan


def _plain(plan: Plan) -> dict[str, Any]:
    """A plan as JSON keeps it, without the reasons: free memory moves all the time, and changes nothing by itself."""
    data = json.loads(json.dumps(plan_data(plan), default=str))
    for change in data["changes"]:
        del change["reason"], change["recipes"]
    del data["memory"]
    data["refused"] = [refused["uid"] for refused in data["refused"]]
    return dict(data)


def _actions(plan: dict[str, Any]) -> dict[str, str]:
    done = {change["uid"]: str(change["action"]) for change in plan["changes"]}
    return done | dict.fromkeys(plan["refused"], "refused")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
