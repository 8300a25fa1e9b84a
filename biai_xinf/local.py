"""The Xinference of this machine, as a background service of the user: started, found again, stopped.

One service per `BIAI_XINF_HOME` (by default `~/.biai-xinf`), which keeps its state and logs; loopback only.
Models and accounts stay where Xinference keeps them: `XINFERENCE_HOME`, by default `~/.xinference`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from biai_xinf import local_log, ports, processes
from biai_xinf.errors import LocalServiceFailed
from biai_xinf.home import home
from biai_xinf.locking import locked
from biai_xinf.processes import Process
from biai_xinf.progress import Report, silent
from biai_xinf.units import GIB, format_size

DEFAULT_PORT = 9997
SETTINGS = {
    # One environment for every model, the one `biai-xinf[server]` installed: by default Xinference 4.1 makes
    # one per model and engine, and downloads into it at the first launch.
    "XINFERENCE_ENABLE_VIRTUAL_ENV": "0",
    # Recipes name Hugging Face; by default Xinference tries the hubs at start and may take another one.
    "XINFERENCE_MODEL_SRC": "huggingface",
    # We use no virtual models of its token router, and it costs a call to the supervisor per request.
    "XINFERENCE_TOKEN_ROUTER_ENABLED": "0",
    # By default a model process that dies at once is started again for ever.
    "XINFERENCE_MODEL_ACTOR_AUTO_RECOVER_LIMIT": "5",
}
_SECRETS = ("BIAI_XINF_PASSWORD", "BIAI_XINF_API_KEY")


@dataclass(frozen=True)
class LocalService:
    """A started service; `started` in seconds since the epoch, `home` is its XINFERENCE_HOME.

    `stock` is Xinference as it comes, without our extension and repairs.
    """

    endpoint: str
    pid: int
    birth: str
    log: Path
    auth: bool
    started: float
    home: Path
    stock: bool = False

    @property
    def process(self) -> Process:
        return Process(self.pid, self.birth)

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])


def running() -> LocalService | None:
    """The service of this user, which may still be getting ready; forgets one that has ended."""
    service = _read_state()
    if service is None or processes.alive(service.process):
        return service
    if not processes.family([service.process]):
        _forget(service)
    return None


def abandoned() -> LocalService | None:
    """The service whose main process died while others of it live on and hold memory; `stop` ends them."""
    service = _read_state()
    if service is None or processes.alive(service.process) or not processes.family([service.process]):
        return None
    return service


def start(
    port: int | None = None,
    *,
    auth: bool = False,
    stock: bool = False,
    probe: Callable[[str], bool] = ports.worker_joined,
    report: Report = silent,
    timeout_s: float = 300,
    command: Sequence[str] | None = None,
) -> LocalService:
    """Start the service, or find it running, and wait until `probe(endpoint)` says that a worker has joined.

    `port` None is 9997, or where it already runs. An environment that asks for authentication
    (`XINFERENCE_AUTH_ADVANCED=1`) gets it without `auth`. `stock` leaves out our extension and repairs; one that
    runs without them is taken as it is. What was started is stopped again when it is not ready within `timeout_s`
    or the wait is interrupted. `command` is started in Xinference's place.
    Raises LocalServiceFailed.
    """
    auth = auth or _environment_asks_for_auth()
    deadline = time.monotonic() + timeout_s
    with _only_start(deadline):
        service = running()
        if service is not None:
            _refuse_contradiction(service, port, auth, stock)
            _wait(service, probe, deadline, report)
            return service
        if leftover := abandoned():
            stop(leftover)
        if command is None:
            command = _launcher(port or DEFAULT_PORT, stock)
        service = _spawn(command, port or DEFAULT_PORT, auth, stock)
        try:
            _write_state(service)
            report(None, "starting Xinference")
            _wait(service, probe, deadline, report)
        except BaseException:
            stop(service)
            raise
        return service


def stop(service: LocalService, timeout_s: float = 60) -> None:
    """End the service and every process it started, gracefully within `timeout_s`; raises LocalServiceFailed.

    An interrupt while waiting ends them at once.
    """
    members = {service.process} | processes.family([service.process])
    try:
        # Its main process ends the others in order, so it alone is asked as long as it lives.
        processes.ask_to_end([service.process] if processes.alive(service.process) else members)
        members = _outlast(members, timeout_s)
    finally:
        members = _kill(members)
        _reap(service.pid)
        if not members:
            _forget(service)
    if members:
        left = ", ".join(str(process.pid) for process in sorted(members, key=lambda process: process.pid))
        raise LocalServiceFailed(f"these processes of the local Xinference do not end: {left}")


def xinference_home() -> Path:
    """Where Xinference keeps models and accounts, by its own rule."""
    chosen = os.environ.get("XINFERENCE_HOME")
    return (Path(chosen).expanduser() if chosen else Path.home() / ".xinference").absolute()


def _environment_asks_for_auth() -> bool:
    return os.environ.get("XINFERENCE_AUTH_ADVANCED", "0").lower() not in ("0", "false", "no", "")


def _refuse_contradiction(service: LocalService, port: int | None, auth: bool, stock: bool) -> None:
    here, hint = f"the local Xinference already runs at {service.endpoint}", "`biai-xinf down` stops it"
    if port not in (None, service.port):
        raise LocalServiceFailed(f"{here}, not on port {port}", hint=hint)
    if auth and not service.auth:
        raise LocalServiceFailed(f"{here}, without authentication", hint=hint)
    if stock and not service.stock:
        raise LocalServiceFailed(f"{here}, with our extension and repairs", hint=hint)


def _launcher(port: int, stock: bool) -> list[str]:
    """The command that runs Xinference."""
    look_before_start()
    options = ["--host", ports.LOOPBACK, "--port", str(port)]
    return [sys.executable, "-m", "biai_xinf.local_server", *["--stock"] * stock, "local", *options]


def look_before_start() -> None:
    """LocalServiceFailed for what would make Xinference fail here later and less clearly."""
    if importlib.util.find_spec("xinference") is None:
        raise LocalServiceFailed(
            f"Xinference is not installed in {sys.executable}", hint="pip install 'biai-xinf[server]'"
        )
    directory = xinference_home()
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if (free := shutil.disk_usage(existing).free) < GIB:
        raise LocalServiceFailed(
            f"the disk of {directory} has {format_size(free)} free, Xinference needs at least 1 GiB",
            hint="free some space, or set XINFERENCE_HOME to a folder on another disk",
        )


def _spawn(command: Sequence[str], port: int, auth: bool, stock: bool) -> LocalService:
    _refuse_taken(port)
    started = time.time()
    log = local_log.new(home() / "logs", started)
    with local_log.open_private(log) as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(auth),
            # Python puts the current folder before its own library: ours holds nothing to import.
            cwd=home(),
            # Survives the terminal; hidden rather than detached on Windows, where children open windows.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0)
            | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    _children[process.pid] = process
    found = processes.find(process.pid) or Process(process.pid, "ended at once")
    endpoint = f"http://{ports.LOOPBACK}:{port}"
    return LocalService(endpoint, found.pid, found.birth, log, auth, started, xinference_home(), stock)


# A child that ended stays a zombie until its parent, which may be a long `watch`, asks for its exit status.
_children: dict[int, subprocess.Popen[bytes]] = {}


def _reap(pid: int) -> None:
    if child := _children.pop(pid, None):
        child.poll()


def _refuse_taken(port: int) -> None:
    try:
        if ports.is_free(port):
            return
    except PermissionError:
        what, hint = f"you may not listen on port {port}", "choose one above 1023 with `--port`"
        raise LocalServiceFailed(what, hint=hint) from None
    other = ports.next_free(port)
    hint = f"choose another port: `biai-xinf up --port {other or 'N'}`"
    raise LocalServiceFailed(f"port {port} is taken by {ports.who_answers(port)}", hint=hint)


def environment(auth: bool) -> dict[str, str]:
    """What Xinference is started with: the user's own settings win, except where it would not be what we say it is."""
    # Our own logins are no business of the models, whose processes inherit all this.
    own = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return {
        **SETTINGS,
        **own,
        **_python_path(),
        "XINFERENCE_HOME": str(xinference_home()),
        # Xinference 4.1 has authentication on by default: nothing works before an admin was created.
        "XINFERENCE_AUTH_ADVANCED": "1" if auth else "0",
    }


def _python_path() -> dict[str, str]:
    """A checkout that is not installed is importable from the current folder only, which changes."""
    package_root = str(Path(__file__).parents[1])
    if package_root in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))}


def _wait(service: LocalService, probe: Callable[[str], bool], deadline: float, report: Report) -> None:
    while time.monotonic() < deadline:
        if not processes.alive(service.process):
            raise _not_ready(service, "the local Xinference ended while starting")
        if probe(service.endpoint):
            return
        report(None, "starting Xinference")
        time.sleep(0.2)
    raise _not_ready(service, f"the local Xinference did not get ready in time at {service.endpoint}")


def _not_ready(service: LocalService, what: str) -> LocalServiceFailed:
    last = local_log.last_words(service.log)
    return LocalServiceFailed(what, details=[last], hint=f"the whole log: {service.log}")


def _outlast(members: set[Process], timeout_s: float) -> set[Process]:
    """Wait until they have all ended; what lives after `timeout_s`, with what they started meanwhile."""
    deadline = time.monotonic() + timeout_s
    while (living := processes.family(members)) and time.monotonic() < deadline:
        members = members | living
        time.sleep(0.1)
    return living


def _kill(members: set[Process]) -> set[Process]:
    """End them and what they start meanwhile, at once; what still lives after ten seconds."""
    deadline = time.monotonic() + 10
    while (living := processes.family(members)) and time.monotonic() < deadline:
        members = members | living
        processes.kill(living)
        time.sleep(0.1)
    return living


@contextlib.contextmanager
def _only_start(deadline: float) -> Iterator[None]:
    """Hold this user's start-up lock."""
    with contextlib.ExitStack() as stack:
        try:
            home().mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(locked(home() / "local.lock", deadline))
        except TimeoutError as error:
            raise LocalServiceFailed("another `biai-xinf` has been starting Xinference all the while") from error
        except OSError as error:
            raise LocalServiceFailed(f"cannot write to {home()}: {error.strerror}") from error
        yield


def _state_file() -> Path:
    return home() / "local.json"


def _read_state() -> LocalService | None:
    try:
        state = json.loads(_state_file().read_text(encoding="utf-8"))
        return LocalService(**{**state, "log": Path(state["log"]), "home": Path(state["home"])})
    except OSError:
        return None
    except (ValueError, KeyError, TypeError):
        # Not ours, or cut short by a full disk: there is nothing in it to go by.
        _state_file().unlink(missing_ok=True)
        return None


def _write_state(service: LocalService) -> None:
    partial = _state_file().with_suffix(".partial")
    partial.write_text(json.dumps(asdict(service), default=str, indent=2), encoding="utf-8")
    partial.replace(_state_file())


def _forget(service: LocalService) -> None:
    if _read_state() == service:
        _state_file().unlink(missing_ok=True)
