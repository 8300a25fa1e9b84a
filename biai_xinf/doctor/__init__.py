"""The doctor: look at this machine and the cluster, and say of each thing whether it is well, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from biai_xinf.client import Client
from biai_xinf.clusterfile import ClusterFile
from biai_xinf.doctor.against_file import AGAINST_FILE, Compared
from biai_xinf.doctor.endpoint import DOOR, ENDPOINT
from biai_xinf.doctor.finding import Finding, Health, findings
from biai_xinf.doctor.machine import MACHINE, look_at_machine
from biai_xinf.doctor.models import MODELS
from biai_xinf.doctor.sight import knock, look
from biai_xinf.doctor.workers import WORKERS

__all__ = ["CHECKS", "Finding", "Health", "examine"]

CHECKS = (*MACHINE, *DOOR, *ENDPOINT, *WORKERS, *MODELS, *AGAINST_FILE)


def examine(client: Client, file: tuple[Path, ClusterFile] | None = None) -> Iterator[Finding]:
    """All findings in order: this machine first, then the cluster as far as it can be reached.

    With a cluster file also what differs from that.
    """
    machine = look_at_machine()
    yield from findings(MACHINE, machine)
    door = knock(client)
    for finding in findings(DOOR, door):
        yield finding
        if finding.health is Health.ILL:
            return
    seen = look(client, machine.hub, door)
    yield from findings((*ENDPOINT, *WORKERS, *MODELS), seen)
    if file:
        name, content = file
        yield from findings(AGAINST_FILE, Compared(str(name), content, seen))
