"""The endpoint: whether it lets us in, what it runs, who else may come in, and how soon it notices a death."""

from __future__ import annotations

from urllib.parse import urlsplit

from biai_xinf import __version__, wire
from biai_xinf.doctor.finding import Check, Verdict, doubtful, ill, listed, skipped, unknown, well
from biai_xinf.doctor.machine import SUPPORTED
from biai_xinf.doctor.sight import LARGE_ANSWER_PATIENCE_S, Door, Seen
from biai_xinf.endpoint import is_loopback
from biai_xinf.errors import AuthFailed, Banned, Forbidden, Unreachable, XinferenceError

SWITCH = "XINFERENCE_EXTENSIONS=biai_xinf.extension:create"
# Xinference 4.1.0 parks 6 of the `cpus + 4` threads that such a supervisor has, 9 while it relaunches a child.
FEW_CPUS, MANY_ENTRIES = 2, 100
CLOCK_TOLERANCE_S = 30
# Xinference's own settings notice a dead worker after 25 s, ours after 6.
SLOW_DETECTION_S = 30
_DAY_S = 24 * 3600
_EVERYWHERE = ("0.0.0.0", "::", "")


def _answers(door: Door) -> Verdict:
    if isinstance(door.auth, XinferenceError):
        return ill(door.auth.message, door.auth.hint)
    return well(f"{door.endpoint} answers, authentication is {'on' if door.auth else 'off'}")


def _lets_in(door: Door) -> Verdict:
    if isinstance(door.instances, (AuthFailed, Forbidden, Banned)):
        return ill(door.instances.message, door.instances.hint)
    if isinstance(door.instances, XinferenceError):
        raise door.instances
    return well("models can be listed")


def _versions(seen: Seen) -> Verdict:
    for answer in (seen.version, seen.nodes):
        if isinstance(answer, (AuthFailed, Forbidden)):
            return unknown(answer.message, "an administrator can see them")
        if isinstance(answer, XinferenceError):
            return unknown(answer.message, answer.hint)
    version, nodes = seen.version, seen.nodes
    if not isinstance(version, str) or not isinstance(nodes, list):
        return skipped("nobody was asked")
    found = {node.ip_address: node.software_version for node in nodes}
    other = [f"{address} runs {its}" for address, its in found.items() if its not in (None, version)]
    if other:
        seen_there = f"the supervisor runs {version}, but {', '.join(other)}"
        return ill(seen_there, "install the same version everywhere")
    if not version.startswith(SUPPORTED + "."):
        return doubtful(f"the cluster runs {version}, biai-xinf is tested with {SUPPORTED}")
    return well(f"supervisor and workers run {version}")


def _extension(seen: Seen) -> Verdict:
    running = seen.extension
    if isinstance(running, XinferenceError):
        hint = "Xinference's log says what failed"
        return ill(f"Xinference answers, but not its extension: {running.message}", hint)
    if running is None:
        return _extension_off(seen)
    # Xinference compares the names of extensions when a worker joins, not their versions.
    theirs = {address: told.biai_xinf for address, told in seen.facts.items() if told.biai_xinf}
    others = [f"{address} runs {version}" for address, version in theirs.items() if version != running.biai_xinf]
    if running.biai_xinf != __version__:
        others.append(f"this is biai-xinf {__version__}")
    if others:
        hint = "install the same version everywhere, then restart Xinference"
        return doubtful(f"the endpoint runs {running.biai_xinf}, but {', '.join(others)}", hint)
    return well(f"{running.biai_xinf} is on")


def _extension_off(seen: Seen) -> Verdict:
    if seen.service and seen.service.stock:
        return unknown("off, Xinference was started with `biai-xinf up --stock`")
    hint = "`biai-xinf down`, then `biai-xinf up`" if seen.service else f"start supervisor and workers with {SWITCH}"
    return doubtful("off: no upstreams, no Ollama routes, no replay when a replica dies", hint)


def _threads(seen: Seen) -> Verdict:
    """Whether the supervisor has threads left to decode large answers."""
    hint = "start it with `biai-xinf supervisor`, which gives it more threads, or on a machine with 6 processors"
    answer = seen.large_answer
    if isinstance(answer, Unreachable):
        waited = f"`GET /v1/model_registrations/LLM` got no answer in {LARGE_ANSWER_PATIENCE_S:g} s"
        if seen.mute:
            return unknown(f"{waited}: it asks all workers, and {listed(seen.mute)} does not answer")
        return ill(f"{waited}, small requests do: its threads are used up", hint)
    if answer is None or isinstance(answer, XinferenceError):
        return unknown(answer.message if answer else "nobody was asked")
    took = f"{answer.entries} registrations were listed in {answer.seconds:.2f} s"
    told = seen.status.supervisor if isinstance(seen.status, wire.EndpointStatus) else None
    by_us = told is not None and told.launched is not None
    # A short list is decoded without a thread.
    if told and not by_us and (told.cpus or FEW_CPUS + 1) <= FEW_CPUS and answer.entries < MANY_ENTRIES:
        return doubtful(f"it has {told.cpus} processors and was not started by biai-xinf; {took}, more may hang", hint)
    return well(took + (f", it was started by biai-xinf as {told.launched}" if told and by_us else ""))


def _access(seen: Seen) -> Verdict:
    if seen.auth:
        return well("authentication is on")
    hosts = {_host(seen.endpoint), _host(seen.supervisor) if isinstance(seen.supervisor, str) else "127.0.0.1"}
    beyond = sorted(host for host in hosts if not is_loopback(f"http://{host}"))
    if not beyond:
        return well("authentication is off, and only this machine gets in")
    seen_there = f"authentication is off, and {', '.join(beyond)} is reached from beyond this machine: whoever "
    hint = "start Xinference with XINFERENCE_AUTH_ADVANCED=1, then `biai-xinf init`; or keep it in a private network"
    return doubtful(seen_there + "gets there may launch, stop and ask", hint)


def _token(seen: Seen) -> Verdict:
    login = seen.login
    if not seen.auth:
        return skipped("it asks for no login")
    if login is None:
        return skipped("nothing is sent")
    if login.ends is None:
        return well(f"{login.kind}, which tells no end")
    left = login.ends - seen.supervisor_now
    seen_there = f"{login.kind} ends {_in(left)}"
    if left < (_DAY_S if login.renewable else _DAY_S / 24):
        risk = "a token that has expired counts as a failed login, and ten of those ban this address for an hour"
        return doubtful(f"{seen_there}; {risk}", "`biai-xinf login`")
    return well(seen_there)


def _in(seconds: float) -> str:
    if seconds < 0:
        return "in the past"
    return f"in {seconds / _DAY_S:.0f} days" if seconds > 2 * _DAY_S else f"in {seconds / 3600:.1f} h"


def _clock(seen: Seen) -> Verdict:
    if seen.clock_ahead is None:
        return skipped("its answers carry no date")
    ahead = seen.clock_ahead
    if abs(ahead) < 2:
        return well("the supervisor's clock agrees with this one")
    seen_there = f"the supervisor's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this one"
    if abs(ahead) > CLOCK_TOLERANCE_S:
        return doubtful(f"{seen_there}: logins end at other times than they seem to", "let NTP set both clocks")
    return well(seen_there)


def _addresses(seen: Seen) -> Verdict:
    """What supervisor and workers call themselves: the others take that literally."""
    addresses = seen.addresses
    if not addresses:
        return skipped("none was told")
    everywhere = [address for address in addresses if _host(address) in _EVERYWHERE]
    hint = "start each with `--host` and the one address that the other machines reach"
    if everywhere:
        seen_there = f"{listed(everywhere)} is every address and none, and is told to the others as it is"
        return (ill if len(seen.reported) != 1 else doubtful)(seen_there, hint)
    alone = [address for address in addresses if is_loopback(f"http://{address}")]
    if alone and len(alone) < len(addresses):
        return doubtful(f"{listed(alone)} is reached from its own machine only, the others are not on it", hint)
    return well(f"{len(addresses)} addresses, each a machine's own")


def _ports(seen: Seen) -> Verdict:
    """Xinference's RPC has no password: who reaches it may run anything there. Nor has `/metrics` or `/status`."""
    if seen.on_this_machine:
        return skipped("the endpoint is on this machine, which must reach them")
    answering = [port.address for port in seen.ports if port.answers]
    seen_there = f"{len(answering)} of {len(seen.ports)} RPC ports answer this machine"
    if any(port.ours for port in seen.ports):
        return well(f"{seen_there}, which is one of the cluster's")
    if not answering:
        return well(f"{seen_there}; `/metrics` and `/status` of the endpoint ask for no login")
    what = f"which is none of the cluster's: {listed(answering)}; they know no password, as `/metrics` and `/status`"
    return doubtful(f"{seen_there}, {what}", "let only the cluster's own machines reach them (firewall, WireGuard)")


def _detection(seen: Seen) -> Verdict:
    """How long a dead worker is still asked."""
    if len(seen.reported) < 2:
        return skipped("there is no second worker to take over")
    told = seen.status.supervisor if isinstance(seen.status, wire.EndpointStatus) else None
    health = told.health_check if told else None
    hint = "`biai-xinf supervisor` and `worker` set XINFERENCE_HEALTH_CHECK_INTERVAL=2 and _FAILURE_THRESHOLD=3"
    if health and not health.enabled:
        return ill("XINFERENCE_DISABLE_HEALTH_CHECK is set: a dead worker is asked for ever", "unset it")
    if health:
        after = health.interval * health.threshold
        seen_there = (
            f"a dead worker is noticed after about {after:g} s ({health.threshold} times {health.interval:g} s)"
        )
        replayed = f"{seen_there}; until then requests that have sent nothing yet go to another replica"
        return doubtful(replayed, hint) if after > SLOW_DETECTION_S else well(replayed)
    misses = max((one.failure_remaining_count or 0 for one in seen.reported.values()), default=0)
    if seen.extension is None:
        seen_there = f"a dead worker may be missed {misses} times, and without the extension its models answer 500"
        return doubtful(f"{seen_there} until then (about 25 s as Xinference comes)", f"{hint}; {SWITCH}")
    return unknown(f"a dead worker may be missed {misses} times; how often it is looked at is not told")


def _autostart(seen: Seen) -> Verdict:
    if not isinstance(seen.autostart, list):
        return unknown(seen.autostart.message if seen.autostart else "nobody was asked")
    uids = [f"`{entry.model_uid}`" for entry in seen.autostart if entry.enabled]
    if not uids:
        return well("Xinference launches nothing by itself")
    seen_there = f"Xinference launches {listed(uids)} by itself"
    if len(seen.reported) < 2:
        return well(seen_there)
    why = "with several workers it may start a model twice, and never one that names a worker's port"
    hint = "delete it in Xinference's Web UI or by `DELETE /v1/autostart/models/UID`; `biai-xinf watch` keeps models up"
    return doubtful(f"{seen_there}; {why}", hint)


def _host(address: str) -> str:
    return urlsplit(address if "//" in address else f"//{address}").hostname or ""


DOOR: tuple[Check[Door], ...] = (
    Check("endpoint", _answers, "endpoint", quiet=False),
    Check("login", _lets_in, "login", quiet=False),
)

ENDPOINT: tuple[Check[Seen], ...] = (
    Check("versions", _versions, "versions", quiet=False),
    Check("extension", _extension, "extension", quiet=False),
    Check("supervisor-threads", _threads, "supervisor"),
    Check("access", _access, "access"),
    Check("token", _token, "token"),
    Check("clock", _clock, "clock"),
    Check("addresses", _addresses, "addresses"),
    Check("open-ports", _ports, "ports"),
    Check("detection", _detection, "detection"),
    Check("autostart", _autostart, "autostart"),
)
