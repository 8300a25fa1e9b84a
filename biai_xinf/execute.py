"""Carry out one change of a plan, and leave nothing half done: what was begun is finished or taken back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from biai_xinf import wire
from biai_xinf.client import Client
from biai_xinf.errors import (
    AlreadyRunning,
    BiaiXinfError,
    Interrupted,
    LaunchFailed,
    NotFound,
    UidTaken,
    XinferenceError,
)
from biai_xinf.observe import is_started_again
from biai_xinf.plan import Action, Change
from biai_xinf.progress import Report
from biai_xinf.state import Launch, Scaling, UpstreamLaunch
from biai_xinf.units import format_size

if TYPE_CHECKING:
    from biai_xinf.specs import ModelType

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
    elif isinstance(change.launch, Scaling):
        scale(client, change.launch, report)
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
        _launch_where_it_is_known(client, launch, report)
    except KeyboardInterrupt:
        raise _interrupted(client, launch.uid, report) from None


def _launch_where_it_is_known(client: Client, launch: Launch, report: Report) -> None:
    try:
        _begin(client, launch)
        wait_until_ready(client, launch.uid, report)
    except (LaunchFailed, NotFound) as error:
        if launch.registration is None or not _is_unknown_there(error):
            raise
        report(None, "registering again, for a worker that joined late")
        register_again(client, launch.model_type, launch.registration)
        _begin(client, launch)
        wait_until_ready(client, launch.uid, report)


def scale(client: Client, scaling: Scaling, report: Report) -> None:
    """Stop the replicas that are too many or gone, then start those that are missing; LaunchFailed says why not."""
    for number in scaling.drop:
        report(None, "stopping a replica")
        with contextlib.suppress(NotFound):
            client.remove_replica(scaling.uid, number)
    if not scaling.devices:
        return
    count = len(scaling.devices)
    report(None, "starting a replica" if count == 1 else f"starting {count} replicas")
    try:
        client.add_replicas(scaling.uid, scaling.add)
    except (LaunchFailed, NotFound) as error:
        if scaling.registration is None or not _is_unknown_there(error):
            raise
        register_again(client, scaling.model_type, scaling.registration)
        client.add_replicas(scaling.uid, scaling.add)


def _is_unknown_there(error: BiaiXinfError) -> bool:
    """Whether a worker does not know the model: one that joined after it was registered never heard of it (4.1)."""
    return "Model not found, name" in error.message


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
    if theirs is None:
        client.register(launch.model_type, ours)
    # Its description may be another spec's that shares the file, or an admin's who edited it in the Web UI.
    elif not _says(theirs, {key: value for key, value in ours.items() if key != "model_description"}):
        register_again(client, launch.model_type, ours)


def register_again(client: Client, model_type: ModelType, registration: Mapping[str, Any]) -> None:
    """Register on every worker that is there now, in place of what was registered before; running models stay."""
    client.unregister(model_type, str(registration["model_name"]))
    client.register(model_type, registration)


def wait_until_ready(client: Client, uid: str, report: Report) -> None:
    """Return once the model is loaded; LaunchFailed holds the engine's own reason where one was given."""
    seen, moved = None, time.monotonic()
    while True:
        instance = _instance(client, uid)
        if instance is None:
            raise LaunchFailed(f"`{uid}` was stopped by someone else while it was loading")
        failed = instance.status == "ERROR" or (instance.replicas_are("ERROR") and instance.error_message)
        if failed and not is_started_again(client, instance):
            raise _failed(client, instance)
        if instance.status == "READY" and not instance.is_still_loading:
            return
        progress = client.progress(uid)
        if progress != seen:
            seen, moved = progress, time.monotonic()
        elif time.monotonic() - moved > _STALLED_S:
            remove(client, uid)
            raise LaunchFailed(
                f"`{uid}` was loading without progress for {_STALLED_S / 60:.0f} minutes, and was taken back",
                hint="Xinference's log says what it waited for",
            )
        report(progress.progress, _stage_of(progress), _bytes_of(progress))
        time.sleep(_POLL_S)


def _stage_of(progress: wire.Progress) -> str:
    stage = (progress.stage or "loading").lower()
    # Weights that lie on the worker are "downloading" too, for a moment.
    return "loading" if stage == "downloading" and progress.downloaded is None else stage


def _bytes_of(progress: wire.Progress) -> str:
    if progress.downloaded is None:
        return ""
    done, total = progress.downloaded
    return f"{format_size(done)} of {format_size(total)}"


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
