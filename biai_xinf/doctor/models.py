"""The models: which failed, hang, are lost or half there, and which answer though nobody knows of them."""

from __future__ import annotations

from collections import Counter

from biai_xinf import wire
from biai_xinf.doctor.finding import Check, Verdict, doubtful, ill, listed, skipped, unknown, well
from biai_xinf.doctor.sight import Seen
from biai_xinf.errors import BadFile, XinferenceError
from biai_xinf.pins import EmbedderPin, how_to_redo
from biai_xinf.state import ObservedModel

# A launch takes half a minute at least, and minutes to read large weights; a download shows progress.
STUCK_S, STILL = 10 * 60, 0.01
# Xinference renews its list of models every 3 s.
LISTED_S = 15


def _models(seen: Seen) -> Verdict:
    models = [model for model in seen.models if not model.is_upstream]
    failed = [model for model in models if model.phase == "failed"]
    if failed:
        reasons = [f"`{m.uid}`: {next((r.reason for r in m.replicas if r.reason), 'no reason given')}" for m in failed]
        return ill("; ".join(reasons), "biai-xinf launch tries again; the entry of a failure stays until then")
    ready = sum(model.phase == "ready" for model in models)
    return well(f"{ready} of {len(models)} ready" if models else "none runs")


def _stuck(seen: Seen) -> Verdict:
    """A launch that more workers were asked for than there are leaves its uid behind, and so it stays (4.1.0)."""
    loading = [one for one in seen.instances if one.status == "CREATING"]
    if not loading:
        return skipped("nothing is being launched")
    old = {one.model_uid: age for one in loading if (age := _age(seen, one)) > STUCK_S}
    stuck = [f"`{uid}` for {age / 60:.0f} min" for uid, age in old.items() if (seen.progress.get(uid) or 0) < STILL]
    if stuck:
        hint = "`biai-xinf stop UID` frees the uid; its row may stay until Xinference is restarted, and takes nothing"
        return ill(f"being launched without progress: {listed(stuck)}", hint)
    if old:
        shares = [f"`{uid}` is at {(seen.progress[uid] or 0):.0%} after {age / 60:.0f} min" for uid, age in old.items()]
        return doubtful(listed(shares), "`biai-xinf logs UID` says what it waits for")
    return well(f"{len(loading)} being launched")


def _leftovers(seen: Seen) -> Verdict:
    rows = [one for one in seen.instances if one.status == "ERROR" and not one.error_message and _is_native(seen, one)]
    if not rows:
        return well("no launch left anything behind")
    uids = listed(f"`{one.model_uid}`" for one in rows)
    return well(f"{len(rows)} rows of launches that were taken back ({uids}); they take nothing")


def _forgotten(seen: Seen) -> Verdict:
    """What a cancel of a model that was ready leaves: it holds its memory, and nobody can ask or stop it (4.1.0)."""
    lost = [
        f"`{one.model_uid}`"
        for one in seen.instances
        if one.status == "READY"
        and not one.is_still_loading
        and one.model_uid not in seen.listed
        and _age(seen, one) > LISTED_S
        and any(replica.status == "READY" for replica in one.replica_statuses)
    ]
    if lost:
        hint = "launch it under the same uid or restart its worker; `biai-xinf stop` can no longer reach it"
        return doubtful(
            f"Xinference says {listed(lost)} is ready, and does not list it: it may still hold memory", hint
        )
    return well("what is ready is listed")


def _replicas(seen: Seen) -> Verdict:
    ready = [one for one in seen.instances if one.status == "READY" and one.replica_statuses and _is_native(seen, one)]
    fewer = []
    for one in ready:
        serving = sum(replica.status == "READY" for replica in one.replica_statuses)
        launched = max(one.replica or 0, len(one.replica_statuses))
        if 0 < serving < launched and not one.is_still_loading:
            fewer.append(f"`{one.model_uid}` has {serving} of {launched}")
    if fewer:
        hint = "`biai-xinf apply FILE` restores them, `biai-xinf watch FILE` whenever one is lost"
        return doubtful(listed(fewer), hint)
    return well(f"{len(ready)} models have all their replicas") if ready else skipped("no model is ready")


def _spread(seen: Seen) -> Verdict:
    """Xinference 4.1 picks the device with the fewest models, for all replicas alike."""
    if len(seen.reported) < 2:
        return skipped("there is no second worker")
    together = []
    for one in seen.instances:
        where = Counter(
            replica.worker_address
            for replica in one.replica_statuses
            if replica.status == "READY" and replica.worker_address
        )
        if one.status == "READY" and where and set(where) < set(seen.reported):
            together += [f"{count} of `{one.model_uid}` on {address}" for address, count in where.items() if count > 1]
    if together:
        hint = "a worker that dies takes them all; a cluster file spreads them, unless it says `policy: pack`"
        return doubtful(f"{listed(together)}, while another worker has none", hint)
    return well("no worker has two replicas of a model while another has none")


def _serving(seen: Seen) -> Verdict:
    """The endpoint itself finds a death at once, Xinference after 25 s."""
    dead = {
        one.model_uid: "Xinference"
        for one in seen.instances
        if one.status == "READY"
        and one.replica_statuses
        and not one.is_still_loading
        and _is_native(seen, one)
        and not any(replica.status == "READY" for replica in one.replica_statuses)
    }
    dead |= {one.uid: _reason(one) for one in _told(seen) if one.kind == "native" and one.state == "failing"}
    failed = {model.uid for model in seen.models if model.phase == "failed"}
    told = [f"`{uid}` ({reason})" for uid, reason in dead.items() if uid not in failed]
    if told:
        return ill(
            f"no replica serves {listed(told)}", "`biai-xinf logs UID` says why, `biai-xinf launch` starts it again"
        )
    return well("every model that is ready has a replica that serves")


def _reason(model: wire.EndpointModel) -> str:
    return next((target.reason for target in model.targets if target.reason), "no reason given")


def _lost(seen: Seen) -> Verdict:
    """Xinference 4.1 forgets a model with its only worker, and does not bring it back when that returns."""
    if not isinstance(seen.status, wire.EndpointStatus):
        return skipped("only the extension remembers them")
    there = {model.uid for model in seen.models}
    lost = [f"`{one.uid}`" for one in _told(seen) if one.state == "stopped" and one.spec and one.uid not in there]
    if lost:
        hint = "`biai-xinf launch` starts it again, `biai-xinf watch FILE` does so by itself"
        return doubtful(f"{listed(lost)} was launched, and is gone though nobody stopped it", hint)
    return well("nothing that was launched is gone")


def _embedders(seen: Seen) -> Verdict:
    """What applications of this user keep vectors of, against what runs."""
    if isinstance(seen.pins, BadFile):
        return unknown(seen.pins.message, seen.pins.hint)
    if not seen.pins:
        return skipped("no application of this user keeps vectors of its models")
    running = seen.ready
    other, away = {}, []
    for pinned in seen.pins:
        model = running.get(pinned.model_uid)
        if model is None:
            away.append(f"`{pinned.model_uid}` does not run, and nothing else can search {pinned.whose}")
        elif found := pinned.pin.differences(made_by(model, pinned.pin)):
            other[f"`{model.uid}` does not make {pinned.whose}: they want {' and '.join(found)}"] = pinned
    if other:
        hints = [f"launch what made them, or {how_to_redo(pinned.model_uid, [pinned])}" for pinned in other.values()]
        return ill("; ".join([*other, *away]), "; ".join(dict.fromkeys(hints)))
    if away:
        return doubtful("; ".join(away), "`biai-xinf launch` starts it again, by a recipe that makes the same vectors")
    uids = listed(dict.fromkeys(f"`{pinned.model_uid}`" for pinned in seen.pins))
    return well(f"{uids} runs as what made the vectors that are stored")


def made_by(model: ObservedModel, pin: EmbedderPin) -> EmbedderPin:
    """The pin with what is seen of the model: how it pools, and how long its vectors are, only answers tell."""
    weights = model.weights
    name = model.servers[0].model if model.servers else weights.model_name if weights else model.uid
    told = (weights.model_format, weights.quantization) if weights else (None, None)
    return pin.model_copy(update={"model_name": name, "model_format": told[0], "quantization": told[1]})


def _upstreams(seen: Seen) -> Verdict:
    if seen.upstreams is None:
        return skipped("only the extension serves them")
    if isinstance(seen.upstreams, XinferenceError):
        return unknown(seen.upstreams.message, seen.upstreams.hint)
    failing = [one for one in seen.upstreams if any(health.state == "failing" for health in one.health)]
    if not failing:
        return well(", ".join(f"`{one.name}`" for one in seen.upstreams) or "none")
    found = [_failing(one) for one in failing]
    told, hint = "; ".join(what for what, _, _ in found), "; ".join(hint for _, hint, _ in found)
    return doubtful(told, hint) if all(served for _, _, served in found) else ill(told, hint)


def _failing(upstream: wire.Upstream) -> tuple[str, str, bool]:
    """What fails of an upstream, what to do, and whether something else serves it all the same."""
    health = [(server, upstream.health_of(server)) for server in upstream.servers]
    failures = [(server, one.reason or "no reason given") for server, one in health if one.state == "failing"]
    told = "; ".join(f"`{upstream.name}` at {server.url}: {reason}" for server, reason in failures)
    unset = {server.key_env for server, reason in failures if server.key_env and f"`{server.key_env}` is not" in reason}
    hint = f"`biai-xinf upstream check {upstream.name}` asks it anew"
    if unset:
        hint = f"set {', '.join(sorted(unset))} where Xinference starts, and restart it: it reads its environment once"
    return told, hint, len(failures) < len(upstream.servers) or bool(upstream.fallback)


def _told(seen: Seen) -> list[wire.EndpointModel]:
    return seen.status.models if isinstance(seen.status, wire.EndpointStatus) else []


def _is_native(seen: Seen, instance: wire.Instance) -> bool:
    return not any(model.is_upstream for model in seen.models if model.uid == instance.model_uid)


def _age(seen: Seen, instance: wire.Instance) -> float:
    # Xinference 4.1 tells it in seconds.
    return seen.supervisor_now - (instance.instance_created_ts or seen.supervisor_now)


MODELS: tuple[Check[Seen], ...] = (
    Check("models", _models, "models", quiet=False),
    Check("stuck-launches", _stuck, "launches"),
    Check("leftovers", _leftovers, "leftovers"),
    Check("forgotten-models", _forgotten, "forgotten"),
    Check("replicas", _replicas, "replicas"),
    Check("spread", _spread, "spread"),
    Check("serving", _serving, "serving"),
    Check("lost-models", _lost, "lost"),
    Check("upstreams", _upstreams, "upstreams", quiet=False),
    Check("embedders", _embedders, "embedders"),
)
