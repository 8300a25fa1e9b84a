"""Machines that join a cluster: what must hold before Xinference's own process starts there, and how it is started.

Each check stands for a way in which Xinference 4.1 would start, seem well, and never be found by the others.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import NoReturn
from urllib.parse import urlsplit

from biai_xinf import __version__, local, ports
from biai_xinf.client import Client
from biai_xinf.endpoint import is_loopback
from biai_xinf.errors import CannotJoin

SUPERVISOR_PORT, WORKER_PORT, METRICS_PORT = 9998, 20001, 9999
# Xinference's own values let a dead worker be asked for 25 s; these cost a small request every two seconds.
HEALTH = {
    "XINFERENCE_HEALTH_CHECK_INTERVAL": "2",
    "XINFERENCE_HEALTH_CHECK_TIMEOUT": "6",
    "XINFERENCE_HEALTH_CHECK_FAILURE_THRESHOLD": "3",
    # Proxies close a stream that is silent for a minute; Xinference is silent for ten.
    "XINFERENCE_SSE_PING_ATTEMPTS_SECONDS": "15",
}
_DOCUMENTATION_NET = "192.0.2.1"


@dataclass(frozen=True)
class Process:
    """One process of Xinference to be started here: the arguments of our launcher, and its environment."""

    role: str
    address: str
    options: tuple[str, ...]
    auth: bool
    stock: bool = False

    @property
    def command(self) -> list[str]:
        """The whole command line."""
        stock = ["--stock"] * self.stock
        return [sys.executable, "-m", "biai_xinf.local_server", *stock, self.role, *self.options]

    @property
    def environment(self) -> dict[str, str]:
        """Our settings; what the environment says already wins."""
        return {**HEALTH, **local.environment(self.auth)}


def supervisor(host: str | None, port: int, supervisor_port: int, *, auth: bool, stock: bool = False) -> Process:
    """A supervisor that others reach at `host` (None: the address this machine has to the others); CannotJoin."""
    address = _address(host or _way_to(_DOCUMENTATION_NET))
    _installed_and_room()
    for number in (port, supervisor_port):
        _free(address, number)
    options = ("--host", address, "--port", str(port), "--supervisor-port", str(supervisor_port))
    return Process("supervisor", address, options, auth, stock)


def worker(client: Client, host: str | None, port: int, metrics_port: int) -> Process:
    """A worker of the supervisor at the client's endpoint, run like it; CannotJoin says what is in the way."""
    _installed_and_room()
    endpoint = client.endpoint
    auth = client.auth_enabled()
    stock = _must_be_stock(client)
    address = _address(host or _way_to(urlsplit(endpoint).hostname or endpoint))
    if is_loopback(f"http://{address}") and not is_loopback(endpoint):
        raise CannotJoin(
            f"`{address}` is this machine alone, the supervisor at {endpoint} would ask itself",
            hint="give with `--host` the address that it reaches this machine at",
        )
    _reachable(client)
    for number in (port, metrics_port):
        _free(address, number)
    options = ("--endpoint", endpoint, "--host", address, "--worker-port", str(port))
    metrics = ("--metrics-exporter-host", address, "--metrics-exporter-port", str(metrics_port))
    return Process("worker", address, options + metrics, auth, stock)


def become(process: Process) -> NoReturn:
    """Turn this process into Xinference's, so that the signals of whoever started us reach it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(process.command[0], process.command, process.environment)
    # Windows has no such turn: the child shares our console and its Ctrl-C.
    sys.exit(subprocess.run(process.command, env=process.environment, check=False).returncode)


def _address(address: str) -> str:
    if address in ("0.0.0.0", "::", ""):
        raise CannotJoin(
            f"`{address}` is every address and none: Xinference would tell it to the others as its own",
            hint="give with `--host` the one address that the other machines reach",
        )
    return address


def _way_to(host: str) -> str:
    """The address this machine has for those at `host`: nothing is sent, the routing table answers."""
    try:
        family = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family[0], socket.SOCK_DGRAM) as probe:
            probe.connect(family[4])
            return str(probe.getsockname()[0])
    except OSError:
        return ports.LOOPBACK


def _installed_and_room() -> None:
    local.look_before_start()


def _free(address: str, port: int) -> None:
    try:
        if ports.is_free(port, address):
            return
    except PermissionError:
        raise CannotJoin(f"you may not listen on port {port}", hint="choose one above 1023") from None
    except OSError as error:
        raise CannotJoin(
            f"this machine has no address `{address}`: {error.strerror}",
            hint="`--host` takes an address of this machine, `ip address` lists them",
        ) from None
    raise CannotJoin(
        f"port {port} of {address} is taken", hint=f"{ports.next_free(port, address) or 'another one'} is free"
    )


def _must_be_stock(client: Client) -> bool:
    """Whether the supervisor runs without our extension: workers with other extensions are turned away."""
    theirs = client.extension()
    if theirs is None:
        return True
    ours = metadata.version("xinference")
    if theirs.xinference is not None and theirs.xinference != ours:
        raise CannotJoin(
            f"the supervisor runs Xinference {theirs.xinference}, here {ours} is installed",
            hint=f"pip install 'xinference=={theirs.xinference}'",
        )
    if theirs.biai_xinf != __version__:
        raise CannotJoin(
            f"the supervisor runs biai-xinf {theirs.biai_xinf}, this is {__version__}",
            hint="install the same version on every machine",
        )
    return False


def _reachable(client: Client) -> None:
    """Workers learn the supervisor's own address over HTTP, and then talk to that one."""
    address = client.supervisor_address()
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise CannotJoin(
            f"the supervisor names {address} as its own address, which does not answer here: {error.strerror or error}",
            hint="open that port on its machine, or start it with `--host` and an address that is reached from here",
        ) from None
