"""Carry out one change of a plan, and leave nothing half done: what was begun is finished or taken back."""

from __future__ import annotations

import contextlib
import time

from biai_xinf import wire
from biai_xinf.client import Client
from biai_xinf.errors import AlreadyRunning, Interrupted, LaunchFailed, NotFound, UidTaken, XinferenceError
from biai_xinf.plan import Action, Change
from biai_xinf.progress import Report
from biai_xinf.state import Launch, UpstreamLaunch

# Loading takes seconds at least; asking more often would cost the server more than it tells us.
_POLL_S = 0.3
# The largest weights load in minutes; a launch of Xinference 4.1 whose engine aborted was seen to hang for ever.
_STALLED_S = 1800
_REMOVAL_TIMEOUT_S = 60


def execute(client: Client, change: Change, report: Report) -> None:
    """Do what one change says; LaunchFailed and XinferenceError tell why it could not be done."""
    if change.action in (Action.TERMINATE, Action.RELAUNCH) and not change.in_place:
        report(None, "stopping")
        remove(client, change.uid)
    if isinstance(change.launch, UpstreamLaunch):
        attach(client, change.launch, report)
    elif change.launch is not None:
        launch(client, change.launch, report)
    elif change.pending:
        wait_until_ready(client, change.uid, report)


def launch(client: Client, launch: Launch, report: Report) -> None:
    """Register what is missing, launch, and wait until it is loaded. An interrupt takes the launch back."""
    if launch.registration is not None:
        report(None, "registering")
        register(client, launch)
    try:
        _begin(client, launch)
        wait_until_ready(client, launch.uid, report)
    except KeyboardInterrupt:
        raise _interrupted(client, launch.uid, report) from None


def _begin(client: Client, launch: Launch) -> None:
    try:
        client.launch(launch.body)
    except AlreadyRunning as error:
        raise UidTaken(
            f"`{launch.uid}` is launched already, by somebody else",
            hint="`biai-xinf status` shows what it is; launching again waits for it",
        ) from error


def attach(client: Client, launch: UpstreamLaunch, report: Report) -> None:
    """Serve an upstream; one whose server is known not to answer is taken back, LaunchFailed says why."""
    report(None, "attaching")
    try:
        client.put_upstream(launch.upstream)
        instance = _instance(client, launch.uid)
    except KeyboardInterrupt:
        raise _interrupted(client, launch.uid, report) from None
    if instance is not None and instance.status == "ERROR":
        remove(client, launch.uid)
        (server,) = launch.upstream.servers
        raise LaunchFailed(
            f"`{launch.uid}` cannot be served: {instance.error_message or f'`{server.url}` does not answer'}",
            hint=f"start the {server.provider} server at `{server.url}`, then launch again",
        )


def register(client: Client, launch: Launch) -> None:
    """Make the registration say what ours says; one that says it already is left alone."""
    ours = dict(launch.registration or {})
    name = str(ours["model_name"])
    theirs = client.registration(launch.model_type, name)
    if theirs is not None and _says(theirs, ours):
        return
    if theirs is not None:
        client.unregister(launch.model_type, name)
    client.register(launch.model_type, ours)


def wait_until_ready(client: Client, uid: str, report: Report) -> None:
    """Return once the model is loaded; LaunchFailed holds the engine's own reason where one was given."""
    seen, moved = None, time.monotonic()
    while True:
        instance = _instance(client, uid)
        if instance is None:
            raise LaunchFailed(f"`{uid}` was stopped by someone else while it was loading")
        if instance.status == "ERROR" or (instance.replicas_are("ERROR") and instance.error_message):
            raise _failed(client, instance)
        if instance.status == "READY" and not instance.is_still_loading:
            return
        progress = client.progress(uid)
        if progress != seen:
            seen, moved = progress, time.monotonic()
        elif time.monotonic() - moved > _STALLED_S:
            raise LaunchFailed(
                f"`{uid}` has been loading without progress for {_STALLED_S / 60:.0f} minutes",
                hint=f"Xinference's log says what it waits for; `biai-xinf stop {uid}` takes the launch back",
            )
        report(progress.progress, (progress.stage or "loading").lower())
        time.sleep(_POLL_S)


def remove(client: Client, uid: str) -> None:
    """Stop a model in whatever state it is, and wait until Xinference has forgotten it.

    An upstream goes the same way: the endpoint takes it out of its lists as it does a model.
    """
    instance = _instance(client, uid)
    if instance is not None and instance.status != "READY":
        with contextlib.suppress(NotFound):
            client.cancel(uid)
    with contextlib.suppress(NotFound):
        client.terminate(uid)
    deadline = time.monotonic() + _REMOVAL_TIMEOUT_S
    while (instance := _instance(client, uid)) is not None and instance.status not in ("ERROR", "TERMINATED"):
        if time.monotonic() > deadline:
            raise XinferenceError(
                f"`{uid}` is still {instance.status} {_REMOVAL_TIMEOUT_S} s after it was stopped",
                hint="Xinference's log says why; a restart of the worker clears it",
            )
        time.sleep(_POLL_S)


def _instance(client: Client, uid: str) -> wire.Instance | None:
    return next((instance for instance in client.instances() if instance.model_uid == uid), None)


def _says(theirs: object, ours: object) -> bool:
    """Whether a registration holds all that ours says; Xinference adds defaults of its own."""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and all(_says(theirs.get(key), value) for key, value in ours.items())
    if isinstance(ours, list):
        return (
            isinstance(theirs, list)
            and len(theirs) == len(ours)
            and all(_says(a, b) for a, b in zip(theirs, ours, strict=True))
        )
    return str(theirs) == str(ours)


def _failed(client: Client, instance: wire.Instance) -> LaunchFailed:
    reason = instance.error_message
    if not reason:
        errors = [event.event_content for event in client.events(instance.model_uid) if event.event_type == "ERROR"]
        reason = errors[-1] if errors else "Xinference gives no reason"
    return launch_failure(instance.model_uid, reason)


def launch_failure(uid: str, reason: str) -> LaunchFailed:
    """A failed load in one sentence, with the hint that its reason deserves."""
    lines = [line.strip() for line in reason.strip().splitlines() if line.strip()] or ["no reason was given"]
    # The last line of a traceback is the one that says what happened.
    sentence = lines[-1] if "Traceback" in reason else lines[0]
    hint = "the log of the worker has the whole story; `biai-xinf doctor` checks the usual causes"
    for clue, advice in _ADVICE.items():
        if clue in reason.lower():
            hint = advice
            break
    return LaunchFailed(f"`{uid}` did not load: {sentence}", hint=hint)


_ADVICE = {
    "no space left": "free some disk where the worker keeps its models (XINFERENCE_HOME), then launch again",
    "out of memory": "another recipe needs less: `biai-xinf plan` lists them, `--recipe NAME` picks one",
    "no available slot": "every GPU is taken; `biai-xinf status` shows by what",
    "connection": "the worker could not fetch the weights; check its way to the model hub",
}


def _interrupted(client: Client, uid: str, report: Report) -> Interrupted:
    report(None, "stopped; cleaning up")
    try:
        remove(client, uid)
    except (KeyboardInterrupt, XinferenceError):
        return Interrupted(
            f"the launch of `{uid}` was stopped, and may still go on at {client.endpoint}",
            hint=f"`biai-xinf stop {uid}` takes it back",
        )
    return Interrupted(f"the launch of `{uid}` was stopped; nothing of it remains")
