"""What is true of this endpoint now, as one document: the JSON of `/biai/status` and what the operator page shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, get_args

from biai_xinf.extension import stats
from biai_xinf.extension.balance import Health
from biai_xinf.extension.engines import context_of
from biai_xinf.extension.metrics import host_and_port
from biai_xinf.extension.replicas import Replica
from biai_xinf.extension.stats import Figures, ModelFigures
from biai_xinf.upstreams import Role, ServedModel, Upstream

Json = dict[str, Any]
State = Literal["ok", "failing", "starting", "stopped", "unknown"]

# Xinference 4.1's LaunchStatus; what it adds one day is unknown.
_REPLICA_STATES: Mapping[str, State] = {
    "READY": "ok",
    "ERROR": "failing",
    "CREATING": "starting",
    "LOADING": "starting",
    "UPDATING": "starting",
    "TERMINATING": "stopped",
    "TERMINATED": "stopped",
}


@dataclass(frozen=True)
class TargetHealth:
    """What the gate found of a replica or an upstream server, for `age_s` seconds now (None: it never changed)."""

    state: Literal["ok", "failing", "unknown"] = "unknown"
    reason: str | None = None
    age_s: float | None = None
    in_flight: int = 0

    @classmethod
    def of_server(cls, health: Health, clock: float) -> TargetHealth:
        """What the relay knows of a server; `clock` is its clock now."""
        return cls(health.state, health.reason, clock - health.since if health.since else None, health.in_flight)

    @classmethod
    def of_replica(cls, replica: Replica, clock: float) -> TargetHealth:
        """What requests found of a replica; `clock` is `time.monotonic()`."""
        age_s = clock - replica.since if replica.since else None
        return cls("failing" if replica.reason else "ok", replica.reason, age_s, replica.in_flight)


@dataclass(frozen=True)
class Seen:
    """All that is known at `now`.

    `models` is the `data` of Xinference's `GET /v1/models`, `replicas` per uid the answer of
    `GET /v1/models/{uid}/replicas`. `replica_health` is keyed by `replica_model_uid`, `server_health` by
    `(url, model)` of the server, `figures` by uid (`Stats.summary()`). `workers` is the answer of
    `workers.worker_facts()`; None where nobody asked.
    """

    now: datetime
    models: Sequence[Mapping[str, Any]] = ()
    replicas: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    replica_health: Mapping[str, TargetHealth] = field(default_factory=dict)
    upstreams: Sequence[Upstream] = ()
    server_health: Mapping[tuple[str, str], TargetHealth] = field(default_factory=dict)
    served: Sequence[ServedModel] = ()
    figures: Mapping[str, ModelFigures] = field(default_factory=dict)
    workers: Mapping[str, Mapping[str, Any]] | None = None


def status_document(seen: Seen) -> Json:
    """The JSON of `GET /biai/status`. Times are UTC in ISO 8601, durations seconds, null is unknown.

    - `now`; `window_s`: how far back figures look
    - `roles`: `{"role", "models": [uid]}` for each role that something serves
    - `models`, by name:
      - `uid`; `kind`: `native` (run by Xinference) or `upstream`; `role`; `aliases`; `fallback`
      - `state`: `ok`, `degraded` (some of its targets serve), `failing` (none does), `starting`, `stopped`, `unknown`
      - `runs`: what it is, such as `qwen3 8B ggufv2 Q4_K_M on llama.cpp`; `context`: tokens; `spec`, `recipe`
      - `targets`: replicas and upstream servers, each with `name`, `kind` (`replica`, `server`), `where` (host and
        port), `state` (as above, never `degraded`), `reason`, `since`, `in_flight` (requests now), `figures`
      - `in_flight`; `figures`: those of `stats.Figures` and `error_share` (0..1); null where nothing was asked
      - `evidence`: `{"verified_at", "checks": [{"asked", "problem"}]}`, null where nothing was checked; a `problem`
        says what was wrong with the answer, null that it was right
      - `last_change`: `{"at", "what"}`
    - `workers`: `{"address", "facts"}`, facts as in `workers.worker_facts()`, memory in bytes; null where nobody asked
    """
    upstreams = {upstream.name for upstream in seen.upstreams}
    entries = {str(entry.get("id")): entry for entry in seen.models}
    served = {model.uid: model for model in seen.served}
    natives = sorted((entries.keys() | _existing(seen.replicas) | served.keys()) - upstreams)
    models = [_native(uid, entries.get(uid), served.get(uid), seen) for uid in natives]
    models += [_upstream(upstream, served.get(upstream.name), seen) for upstream in seen.upstreams]
    models.sort(key=lambda model: str(model["uid"]))
    return {
        "now": _iso(seen.now),
        "window_s": stats.WINDOW_S,
        "roles": _roles(models),
        "models": models,
        "workers": None
        if seen.workers is None
        else [{"address": address, "facts": dict(facts)} for address, facts in sorted(seen.workers.items())],
    }


def _existing(replicas: Mapping[str, Sequence[Mapping[str, Any]]]) -> set[str]:
    # Xinference keeps telling the replicas of models that were stopped.
    return {uid for uid, known in replicas.items() if any(one.get("status") != "TERMINATED" for one in known)}


def _roles(models: Sequence[Json]) -> list[Json]:
    by_role = {role: [model["uid"] for model in models if model["role"] == role] for role in get_args(Role)}
    return [{"role": role, "models": uids} for role, uids in by_role.items() if uids]


def _native(uid: str, entry: Mapping[str, Any] | None, served: ServedModel | None, seen: Seen) -> Json:
    figures = seen.figures.get(uid)
    replicas = [one for one in seen.replicas.get(uid, ()) if one.get("status") != "TERMINATED"]
    targets = [_replica(one, seen, figures) for one in replicas]
    state = _together(targets) or ("stopped" if entry is None else "unknown")
    started = [
        (datetime.fromtimestamp(one["created_ts"], timezone.utc), f"{one.get('replica_model_uid')} was launched")
        for one in replicas
        if one.get("created_ts")
    ]
    return {
        "uid": uid,
        "kind": "native",
        "role": served.role if served else None,
        "aliases": [*served.aliases, *served.tags] if served else [],
        "fallback": [],
        "state": state,
        "runs": _runs(entry) if entry else None,
        "context": context_of(entry, served) if entry else None,
        "spec": served.spec if served else None,
        "recipe": served.recipe if served else None,
        **_shared(targets, figures, served, started, seen.now),
    }


def _upstream(upstream: Upstream, served: ServedModel | None, seen: Seen) -> Json:
    figures = seen.figures.get(upstream.name)
    targets = []
    for server in upstream.servers:
        health = seen.server_health.get((server.url, server.model))
        found = figures.targets.get(server.url) if figures else None
        name = f"{server.model} on {server.provider}"
        state, reason = (health.state, health.reason) if health else ("unknown", None)
        targets.append(_target(name, "server", host_and_port(server), state, reason, health, found, seen.now))
    return {
        "uid": upstream.name,
        "kind": "upstream",
        "role": upstream.role,
        "aliases": [],
        "fallback": list(upstream.fallback),
        "state": _together(targets),
        "runs": ", ".join(dict.fromkeys(target["name"] for target in targets)),
        "context": upstream.context,
        "spec": served.spec if served else None,
        "recipe": served.recipe if served else None,
        **_shared(targets, figures, served, [], seen.now),
    }


def _shared(
    targets: Sequence[Json],
    figures: ModelFigures | None,
    served: ServedModel | None,
    changes: Iterable[tuple[datetime, str]],
    now: datetime,
) -> Json:
    verified = _time(served.verified_at) if served else None
    happened = [
        *changes,
        *((_time(one["since"]), f"{one['name']} is {one['state']}") for one in targets),
        (verified, "its answers were checked"),
    ]
    known = [(at, what) for at, what in happened if at is not None and at <= now]
    last = max(known, default=None)
    return {
        "targets": list(targets),
        "in_flight": sum(target["in_flight"] for target in targets),
        "figures": _figures(figures.total if figures else None),
        "evidence": _evidence(served),
        "last_change": {"at": _iso(last[0]), "what": last[1]} if last else None,
    }


def _replica(replica: Mapping[str, Any], seen: Seen, figures: ModelFigures | None) -> Json:
    name = str(replica.get("replica_model_uid"))
    health = seen.replica_health.get(name)
    state: State = _REPLICA_STATES.get(str(replica.get("status")), "unknown")
    reason = replica.get("error_message") if state != "ok" else None
    if state == "ok" and health and health.state == "failing":
        # We know of a death at once, Xinference 25 s later.
        state, reason = "failing", health.reason
    found = figures.targets.get(name) if figures else None
    return _target(name, "replica", replica.get("worker_address"), state, reason, health, found, seen.now)


def _target(
    name: str,
    kind: Literal["replica", "server"],
    where: str | None,
    state: State,
    reason: str | None,
    health: TargetHealth | None,
    figures: Figures | None,
    now: datetime,
) -> Json:
    # An age belongs to what the gate found; what only Xinference says has none.
    age_s = health.age_s if health and health.state == state else None
    in_flight = health.in_flight if health else figures.in_flight if figures else 0
    return {
        "name": name,
        "kind": kind,
        "where": where,
        "state": state,
        "reason": reason,
        "since": None if age_s is None else _iso(now - timedelta(seconds=age_s)),
        "in_flight": in_flight,
        "figures": _figures(figures),
    }


def _together(targets: Sequence[Json]) -> str | None:
    """The state of a model from those of its targets; None where it has none."""
    states = {target["state"] for target in targets}
    if "ok" in states:
        return "ok" if states == {"ok"} else "degraded"
    return next((state for state in ("starting", "unknown", "failing", "stopped") if state in states), None)


def _figures(figures: Figures | None) -> Json | None:
    if figures is None:
        return None
    last = figures.last_error
    told = asdict(figures)
    # Told beside the figures: it is of this moment, not of the window.
    del told["in_flight"]
    return {
        **told,
        "error_share": figures.errors / figures.requests if figures.requests else None,
        "last_error": last and {**asdict(last), "at": _iso(datetime.fromtimestamp(last.at, timezone.utc))},
    }


def _evidence(served: ServedModel | None) -> Json | None:
    if served is None or (served.verified_at is None and not served.checks):
        return None
    checks = [{"asked": check.get("asked"), "problem": check.get("problem")} for check in served.checks]
    return {"verified_at": served.verified_at, "checks": checks}


def _runs(entry: Mapping[str, Any]) -> str | None:
    size = entry.get("model_size_in_billions")
    parts = (
        entry.get("model_name"),
        # Xinference writes 1.5 as "1_5".
        None if size is None else f"{size}B".replace("_", "."),
        entry.get("model_format"),
        entry.get("quantization"),
    )
    what = " ".join(str(part) for part in parts if part not in (None, "", "none"))
    engine = entry.get("model_engine")
    return f"{what} on {engine}" if what and engine else what or None


def _time(text: str | None) -> datetime | None:
    try:
        # `Z` only since Python 3.11.
        found = datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=timezone.utc)


def _iso(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
