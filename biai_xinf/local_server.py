"""Starts Xinference in this process with our extension, and with three faults of its host process repaired.

`python -m biai_xinf.local_server local --host 127.0.0.1 --port 9997` is `xinference-local` with the same
options; `supervisor` and `worker` work alike. `--stock` as the first argument is Xinference as it comes.
The children Xinference starts are interpreters of their own: they inherit the environment and so the extension;
the repairs do not reach them, nor need to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    import uvicorn

ROLES = ("local", "supervisor", "worker")
EXTENSION = "biai_xinf.extension:create"
LAUNCHED = "BIAI_XINF_LAUNCHED"
USAGE = f"usage: python -m biai_xinf.local_server [--stock] ({'|'.join(ROLES)}) [options of xinference-ROLE]"
# Xinference 4.1.0 parks three threads per child process, nine while it relaunches its API or supervisor.
THREADS = 32


def main(arguments: list[str]) -> None:
    """Run one role of Xinference until it is told to stop; `arguments` are those after the module's name."""
    stock = arguments[:1] == ["--stock"]
    role, *options = arguments[stock:] or [""]
    if role not in ROLES:
        raise SystemExit(USAGE)
    switch_extension(on=not stock)
    if not stock:
        # Read by the extension in the children: that their host is repaired.
        os.environ[LAUNCHED] = role
        widen_default_executor()
        send_small_replies_at_once()
        keep_ports_from_clients()
    _xinference_command(role).main(args=options, prog_name=f"xinference-{role}")


def switch_extension(on: bool) -> None:
    """Put our extension behind those of the user, or leave it out, for this process and its children."""
    configured = (entry.strip() for entry in os.environ.pop("XINFERENCE_EXTENSIONS", "").split(","))
    wanted = [entry for entry in configured if entry not in ("", EXTENSION)] + [EXTENSION] * on
    if wanted:
        os.environ["XINFERENCE_EXTENSIONS"] = ",".join(wanted)


def widen_default_executor() -> None:
    """Give every event loop of this process enough threads.

    Xinference 4.1.0 keeps threads of asyncio's default executor blocked for as long as its children live
    (`deploy/api_host.py`), and xoscar decodes replies of more than 100 objects in that same executor: with
    the six threads of a 2-core machine `xinference-supervisor` never answers `GET /v1/models/prompts`, nor
    with a worker `GET /v1/model_registrations/LLM` (no answer in 90 s; 0.01 s with this).
    Delete when Xinference waits for its children in threads of its own.
    """

    class WideLoopPolicy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            loop = super().new_event_loop()
            loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="asyncio"))
            return loop

    asyncio.set_event_loop_policy(WideLoopPolicy())


def send_small_replies_at_once() -> None:
    """Set TCP_NODELAY on the HTTP listener, which the connections it accepts inherit.

    uvicorn binds a socket without naming its protocol, so asyncio does not recognise TCP and leaves Nagle's
    algorithm on: in `xinference-local` 4.1.0 every reply on a kept connection waits for the client's delayed
    acknowledgement (p50 of `GET /v1/models` 47.8 ms; 2.1 ms with this). uvloop sets the option itself, but
    the local API shares the host's plain asyncio loop (`deploy/local_host.py`). Delete when uvicorn's
    `Config.bind_socket` passes `IPPROTO_TCP`.
    """
    import uvicorn

    bind = uvicorn.Config.bind_socket

    def bind_without_delay(config: uvicorn.Config) -> socket.socket:
        listener: socket.socket = bind(config)
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener

    uvicorn.Config.bind_socket = bind_without_delay


def keep_ports_from_clients() -> None:
    """Have xoscar choose ports that the system gives to no outgoing connection.

    `xinference-supervisor` 4.1.0 asks its child for seconds before that listens (`deploy/supervisor_host.py`). Where
    the port is one that Linux gives to clients, such a call now and then gets it as its own, reaches itself, and the
    start ends with "'SendMessage' object has no attribute 'as_instanceof_cause'" (1 of some 40 starts in one run of
    our tests; calls to a free even port reached themselves after 7,500 to 20,000 tries). Delete when Xinference waits
    for its child otherwise.
    """
    import xoscar.utils

    with contextlib.suppress(OSError):  # other systems than Linux have no such file, and start higher
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        if first > xoscar.utils.LOW_PORT_BOUND + 1000:
            xoscar.utils.HIGH_PORT_BOUND = first - 1


def _xinference_command(role: str) -> click.Command:
    # ~10 s and most of PyTorch: only this process needs it.
    from xinference.deploy import cmdline

    command: click.Command = getattr(cmdline, role)
    return command


if __name__ == "__main__":
    main(sys.argv[1:])
