"""A cluster file against the cluster: another endpoint, workers that are missing, models that are not as it says."""

from __future__ import annotations

from dataclasses import dataclass

from biai_xinf.clusterfile import ClusterFile
from biai_xinf.doctor.finding import Check, Verdict, doubtful, ill, listed, skipped, well
from biai_xinf.doctor.models import made_by
from biai_xinf.doctor.sight import Seen
from biai_xinf.pins import redo_command


@dataclass(frozen=True)
class Compared:
    """A cluster file, under the name it was given by, and the cluster as it was seen."""

    name: str
    file: ClusterFile
    seen: Seen


def _endpoint(compared: Compared) -> Verdict:
    written, asked = compared.file.endpoint, compared.seen.endpoint
    if written != asked:
        return doubtful(f"the file is of {written}, this is {asked}", "leave `--endpoint` and BIAI_XINF_ENDPOINT out")
    return well(f"it is of {written}")


def _workers(compared: Compared) -> Verdict:
    named = {worker.address: name for name, worker in compared.file.workers.items()}
    joined = set(compared.seen.reported)
    if not named:
        return skipped("the file takes whatever joins")
    missing = [f"`{name}` ({address})" for address, name in named.items() if address not in joined]
    others = [address for address in sorted(joined) if address not in named]
    beside = f"; {listed(others)} is in no line of it" if others else ""
    if missing:
        hint = f"`biai-xinf worker --supervisor {compared.seen.endpoint}` there, at that address and port"
        return ill(f"{len(missing)} of {len(named)} workers have not joined: {listed(missing)}{beside}", hint)
    if others:
        return doubtful(
            f"{len(named)} of {len(named)} workers have joined{beside}", "a model with `where` never goes there"
        )
    return well(f"{len(named)} of {len(named)} workers have joined")


def _models(compared: Compared) -> Verdict:
    found = {model.uid: model for model in compared.seen.models}
    lacking = []
    for wanted in compared.file.models:
        model = found.get(wanted.served_as)
        if model is None or model.phase != "ready":
            lacking.append(f"`{wanted.served_as}` {f'is {model.phase}' if model else 'does not run'}")
        elif 0 < (ready := sum(one.phase == "ready" for one in model.replicas)) < wanted.replicas:
            lacking.append(f"`{wanted.served_as}` has {ready} of {wanted.replicas} replicas")
    total = len(compared.file.models)
    if lacking:
        return ill(
            f"{len(lacking)} of {total} are not as the file says: {listed(lacking)}", f"biai-xinf apply {compared.name}"
        )
    return well(f"{total} of {total} run")


def _pins(compared: Compared) -> Verdict:
    pinned = [wanted for wanted in compared.file.models if wanted.pin is not None]
    if not pinned:
        return skipped("the file pins no embedder")
    running = compared.seen.ready
    other = {
        wanted.served_as: f"`{wanted.served_as}` wants {' and '.join(found)}"
        for wanted in pinned
        if wanted.pin and (model := running.get(wanted.served_as))
        if (found := wanted.pin.differences(made_by(model, wanted.pin)))
    }
    if other:
        again = " and ".join(f"`{redo_command(uid)}`" for uid in other)
        hint = f"launch what the file pins; or take the pin out, and {again} where vectors are stored"
        return ill(f"what runs makes other vectors than the file pins: {'; '.join(other.values())}", hint)
    return well(f"{len(pinned)} embedders make the vectors that the file pins")


def _unmanaged(compared: Compared) -> Verdict:
    named = {model.served_as for model in compared.file.models}
    others = [f"`{one.uid}`" for one in compared.seen.models if one.uid not in named and not one.is_upstream]
    if others:
        hint = f"`biai-xinf apply {compared.name} --prune` stops them; a line in the file keeps them"
        return doubtful(f"{listed(others)} runs and is not in the file: its memory is not planned with", hint)
    return well("nothing runs that the file does not name")


AGAINST_FILE: tuple[Check[Compared], ...] = (
    Check("file-endpoint", _endpoint, "file", quiet=False),
    Check("file-workers", _workers, "file", quiet=False),
    Check("file-models", _models, "file", quiet=False),
    Check("file-pins", _pins, "file"),
    Check("file-unmanaged", _unmanaged, "file", quiet=False),
)
