"""The local service with a small stand-in for Xinference: what is ours, when to refuse, what must end."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import click
import pytest

from biai_xinf import local, local_log, local_server, ports, processes
from biai_xinf.cli import group
from biai_xinf.errors import LocalServiceFailed
from biai_xinf.home import home
from biai_xinf.local import LocalService

posix_only = pytest.mark.skipif(os.name != "posix", reason="process groups and signals of POSIX")

# Answers as Xinference does on `/status`, tells its environment on `/environment`, and has a child that
# ends only when it is killed, as an engine that hangs.
STAND_IN = """
import http.server, json, os, signal, subprocess, sys
stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
if os.name == "posix":
    child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    child.stdout.readline()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = dict(os.environ) if self.path == "/environment" else {"workers": {"127.0.0.1:1": {}}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for every test; what a test leaves running is ended."""
    monkeypatch.setenv("BIAI_XINF_HOME", str(tmp_path / "biai"))
    monkeypatch.setenv("XINFERENCE_HOME", str(tmp_path / "xinference"))
    monkeypatch.delenv("XINFERENCE_AUTH_ADVANCED", raising=False)
    yield tmp_path / "biai"
    if service := local.running() or local.abandoned():
        local.stop(service, timeout_s=0)


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def stand_in(port: int) -> list[str]:
    return [sys.executable, "-c", STAND_IN, str(port)]


def start(port: int, **options: object) -> LocalService:
    return local.start(port, command=stand_in(port), timeout_s=30, **options)  # type: ignore[arg-type]


def script(source: str) -> list[str]:
    return [sys.executable, "-c", source]


def never(endpoint: str) -> bool:
    return False


def write_state(home: Path, service: LocalService) -> None:
    home.mkdir(parents=True)
    (home / "local.json").write_text(json.dumps(asdict(service), default=str))


def service_of(pid: int, birth: str, home: Path) -> LocalService:
    return LocalService("http://127.0.0.1:9997", pid, birth, home / "log", False, 0.0, home)


def environment_of(service: LocalService) -> dict[str, str]:
    with urllib.request.urlopen(f"{service.endpoint}/environment", timeout=10) as answer:
        environment: dict[str, str] = json.load(answer)
    return environment


# Started once, found again


def test_a_started_service_is_found_again(port: int, own_home: Path, tmp_path: Path) -> None:
    service = start(port)

    assert local.running() == service
    assert service.endpoint == f"http://127.0.0.1:{port}"
    assert service.home == tmp_path / "xinference"
    assert service.log.parent == own_home / "logs"
    assert local.abandoned() is None


def test_a_second_start_finds_the_first(port: int) -> None:
    first = start(port)

    second = local.start(command=script("raise SystemExit('started twice')"), timeout_s=30)

    assert second == first


def test_two_starts_at_once_start_one_service(port: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        services = list(pool.map(start, [port, port]))

    assert services[0] == services[1]
    assert len(list((home() / "logs").iterdir())) == 1


@posix_only
def test_the_service_outlives_the_terminal(port: int) -> None:
    service = start(port)

    assert os.getsid(service.pid) == service.pid


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 1}, "the local Xinference already runs at {endpoint}, not on port 1"),
        ({"auth": True}, "the local Xinference already runs at {endpoint}, without authentication"),
        ({"stock": True}, "the local Xinference already runs at {endpoint}, with our extension and repairs"),
    ],
    ids=["another port", "authentication", "stock"],
)
def test_a_second_start_that_asks_for_something_else_is_refused(
    port: int, options: dict[str, bool], message: str
) -> None:
    service = start(port)

    with pytest.raises(LocalServiceFailed) as failure:
        local.start(**options)  # type: ignore[arg-type]

    assert failure.value.message == message.format(endpoint=service.endpoint)
    assert failure.value.hint == "`biai-xinf down` stops it"


def test_a_stock_service_is_remembered_and_taken_as_it_is(port: int) -> None:
    service = start(port, stock=True)

    assert service.stock
    assert local.running() == service
    assert local.start() == service


def test_a_service_started_before_there_was_an_extension_is_found(port: int, own_home: Path) -> None:
    service = start(port)
    state = {key: value for key, value in asdict(service).items() if key != "stock"}
    (own_home / "local.json").write_text(json.dumps(state, default=str))

    assert local.running() == service


def test_old_logs_make_room(port: int, own_home: Path) -> None:
    (own_home / "logs").mkdir(parents=True)
    for day in range(1, 10):
        (own_home / "logs" / f"xinference-2020010{day}-000000.log").touch()

    service = start(port)

    kept = sorted(path.name for path in (own_home / "logs").iterdir())
    assert kept == [f"xinference-2020010{day}-000000.log" for day in (6, 7, 8, 9)] + [service.log.name]


# What the service is told


def test_xinference_gets_our_settings(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in local.SETTINGS:
        monkeypatch.delenv(name, raising=False)

    environment = environment_of(start(port))

    assert {name: environment[name] for name in local.SETTINGS} == local.SETTINGS
    assert environment["XINFERENCE_AUTH_ADVANCED"] == "0"
    assert environment["XINFERENCE_HOME"] == str(tmp_path / "xinference")


def test_the_users_own_settings_win(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINFERENCE_MODEL_SRC", "modelscope")

    assert environment_of(start(port))["XINFERENCE_MODEL_SRC"] == "modelscope"


@pytest.mark.parametrize("name", ["BIAI_XINF_PASSWORD", "BIAI_XINF_API_KEY"])
def test_our_secrets_stay_out_of_the_service(port: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "secret")

    assert name not in environment_of(start(port))


def test_an_environment_that_asks_for_authentication_gets_it(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINFERENCE_AUTH_ADVANCED", "1")

    service = start(port)

    assert service.auth
    assert environment_of(service)["XINFERENCE_AUTH_ADVANCED"] == "1"


# State that no longer holds


def test_nothing_runs_where_nothing_was_started() -> None:
    assert local.running() is None
    assert local.abandoned() is None


def test_the_state_of_a_service_that_ended_is_forgotten(own_home: Path) -> None:
    child = subprocess.Popen(script("pass"))
    ended = processes.find(child.pid) or processes.Process(child.pid, "gone already")
    child.wait(timeout=30)
    write_state(own_home, service_of(ended.pid, ended.birth, own_home))

    assert local.running() is None
    assert not (own_home / "local.json").exists()


@pytest.mark.parametrize("boot", [None, "another boot"])
def test_a_process_that_only_has_the_pid_is_not_ours(own_home: Path, boot: str | None) -> None:
    me = processes.find(os.getpid())
    assert me is not None
    birth = f"1@{boot or me.birth.partition('@')[2]}"
    service = service_of(me.pid, birth, own_home)
    write_state(own_home, service)

    assert local.running() is None
    assert local.abandoned() is None
    # Would end this very test run if it were mistaken.
    local.stop(service, timeout_s=0)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": 1, "log": 3, "home": ""}'])
def test_a_damaged_state_file_is_no_service(own_home: Path, text: str) -> None:
    own_home.mkdir()
    (own_home / "local.json").write_text(text)

    assert local.running() is None
    assert not (own_home / "local.json").exists()


# What keeps it from starting


class Pages(http.server.BaseHTTPRequestHandler):
    pages: Mapping[str, str] = MappingProxyType({})

    def do_GET(self) -> None:
        page = self.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def web_server(pages: dict[str, str]) -> Iterator[int]:
    handler = type("Handler", (Pages,), {"pages": pages})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@contextlib.contextmanager
def speaking(greeting: bytes) -> Iterator[int]:
    """A listener that says this to its first visitors, and nothing else."""

    def serve() -> None:
        visitors = []
        with contextlib.suppress(OSError):
            while True:
                visitors.append(listener.accept()[0])
                visitors[-1].sendall(greeting)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("listener", "who"),
    [
        (lambda: web_server({"/": "<html>", "/v1/cluster/auth": '{"auth": true}'}), "another Xinference"),
        (lambda: web_server({"/": "Ollama is running", "/v1/models": '{"data": []}'}), "an Ollama"),
        (lambda: web_server({"/v1/models": '{"data": []}'}), "an OpenAI-compatible server"),
        (lambda: web_server({"/": "<html>", "/v1/models": "<html>"}), "a web server"),
        (lambda: speaking(b""), "a program that does not speak HTTP"),
        (lambda: speaking(b"220 mail.example.com ESMTP\r\n"), "a program that does not speak HTTP"),
    ],
    ids=["xinference", "ollama", "openai", "web", "silent", "smtp"],
)
def test_a_taken_port_is_refused_and_says_who_answers(
    listener: Callable[[], contextlib.AbstractContextManager[int]], who: str
) -> None:
    with listener() as taken, pytest.raises(LocalServiceFailed) as failure:
        start(taken)

    assert failure.value.message == f"port {taken} is taken by {who}"
    assert failure.value.hint is not None
    assert failure.value.hint.startswith("choose another port: `biai-xinf up --port ")
    assert local.running() is None


def test_a_port_that_was_just_left_is_free(port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port))
    with listener, socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
        assert not ports.is_free(port)

    assert ports.is_free(port)


def test_a_python_without_xinference_says_what_to_install(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(LocalServiceFailed) as failure:
        local.start(port)

    assert failure.value.message == f"Xinference is not installed in {sys.executable}"
    assert failure.value.hint == "pip install 'biai-xinf[server]'"


def test_a_full_disk_is_refused(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 512 * 1024**2))  # type: ignore[attr-defined]

    with pytest.raises(LocalServiceFailed) as failure:
        local.start(port)

    home = tmp_path / "xinference"
    assert failure.value.message == f"the disk of {home} has 512 MiB free, Xinference needs at least 1 GiB"


def test_a_home_that_cannot_be_written_is_refused(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BIAI_XINF_HOME", str(tmp_path / "file" / "home"))

    with pytest.raises(LocalServiceFailed) as failure:
        start(port)

    assert failure.value.message == f"cannot write to {tmp_path / 'file' / 'home'}: Not a directory"
    assert local.running() is None


# A start that fails leaves nothing behind


def test_a_process_that_ends_while_starting_leaves_its_last_words(port: int) -> None:
    with pytest.raises(LocalServiceFailed) as failure:
        local.start(port, command=script("print('loading'); raise OSError('no space left')"), timeout_s=30)

    assert failure.value.message == "the local Xinference ended while starting"
    assert failure.value.details == ["OSError: no space left"]
    assert failure.value.hint is not None
    log = Path(failure.value.hint.removeprefix("the whole log: "))
    assert log.read_text().startswith("loading\nTraceback")
    assert local.running() is None


def test_a_service_that_never_gets_ready_is_stopped(port: int) -> None:
    with pytest.raises(LocalServiceFailed) as failure:
        local.start(port, command=script("import time; time.sleep(600)"), probe=never, timeout_s=0.5)

    assert failure.value.message == f"the local Xinference did not get ready in time at http://127.0.0.1:{port}"
    assert local.running() is None
    assert local.abandoned() is None


def test_an_interrupted_start_is_stopped(port: int) -> None:
    seen = []

    def interrupted(endpoint: str) -> bool:
        seen.append(local.running())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.start(port, command=stand_in(port), probe=interrupted, timeout_s=30)

    assert seen[0] is not None
    assert not processes.alive(seen[0].process)
    assert local.running() is None
    assert local.abandoned() is None


# Stopping


@posix_only
def test_stopping_ends_the_children_too_even_those_that_resist(port: int) -> None:
    service = start(port)
    members = processes.family([service.process])

    local.stop(service, timeout_s=0.5)

    assert len(members) == 2
    assert not any(processes.alive(member) for member in members)
    assert local.running() is None


@posix_only
def test_children_whose_main_process_was_killed_are_found_and_ended(port: int) -> None:
    service = start(port)
    (child,) = processes.family([service.process]) - {service.process}
    os.kill(service.pid, signal.SIGKILL)
    while processes.alive(service.process):
        pass

    abandoned = local.abandoned()

    assert local.running() is None
    assert abandoned == service
    local.stop(abandoned, timeout_s=0.5)
    assert not processes.alive(child)
    assert local.abandoned() is None


def test_a_stopped_service_can_be_stopped_again(port: int) -> None:
    service = start(port)
    local.stop(service, timeout_s=0.5)

    local.stop(service)

    assert local.running() is None


@pytest.mark.skipif(shutil.which("ps") is None, reason="no `ps` here")
@posix_only
def test_ps_tells_the_same_processes_as_proc() -> None:
    child = subprocess.Popen(script("input()"), stdin=subprocess.PIPE, start_new_session=True)

    row = processes._ps_table("-A")[child.pid]

    assert (row.parent, row.group) == (os.getpid(), child.pid)
    child.communicate(timeout=30)
    assert child.pid not in processes._ps_table("-p", str(child.pid))


# The log


WHERE = "pid:1 role:local address:127.0.0.1:2 node:vm"
NOTICE = f"""\
2026-11-22T16:20:52.240Z WARNING xinference.api.restful_api {WHERE}\x20
============================================================
  FIRST-RUN SETUP REQUIRED
  Setup token: {{token}}
  Create the initial admin account at POST /v1/admin/setup
  (or via the web UI's setup page).
============================================================
"""


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (NOTICE.format(token="uQ6X_a-b"), "uQ6X_a-b"),
        (NOTICE.format(token="old") + NOTICE.format(token="new"), "new"),
        ("a user asked: Setup token: x y\n", None),
        ("", None),
    ],
    ids=["first run", "twice", "no notice", "empty"],
)
def test_the_setup_token_is_read_from_the_log(tmp_path: Path, text: str, token: str | None) -> None:
    (tmp_path / "log").write_text(text)

    assert local_log.find_setup_token(tmp_path / "log") == token


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("loading\n\n", "loading"),
        (
            "Traceback (most recent call last):\n  File 1\nOSError: [Errno 28] no space\n",
            "OSError: [Errno 28] no space",
        ),
        ("KeyError: 'x'\nafterwards\n", "KeyError: 'x'"),
        (
            f"2026-11-22T16:07:54.870Z ERROR uvicorn.error {WHERE} [Errno 98] in use\n"
            f"2026-11-22T16:07:55.870Z INFO uvicorn.error {WHERE} bye\n",
            "[Errno 98] in use",
        ),
        ("python: error: unrecognized\n", "python: error: unrecognized"),
        ("", "it wrote nothing"),
    ],
    ids=["plain", "traceback", "error before the end", "log line", "usage", "empty"],
)
def test_the_last_words_are_the_error_not_the_traceback(tmp_path: Path, text: str, last: str) -> None:
    (tmp_path / "log").write_text(text)

    assert local_log.last_words(tmp_path / "log") == last


def test_a_log_that_is_gone_has_no_words(tmp_path: Path) -> None:
    assert local_log.last_words(tmp_path / "log") == "it wrote nothing"
    assert local_log.find_setup_token(tmp_path / "log") is None


@posix_only
def test_the_log_is_for_its_owner_only(port: int) -> None:
    service = start(port)

    assert service.log.stat().st_mode & 0o077 == 0


# The launcher


@pytest.mark.parametrize(
    ("arguments", "repaired"),
    [(["local", "--port", "1"], True), (["--stock", "local", "--port", "1"], False)],
)
def test_the_launcher_repairs_the_host_process_unless_told_not_to(
    arguments: list[str], repaired: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    # Set, so that it is as before when the test is over.
    monkeypatch.setenv("XINFERENCE_EXTENSIONS", "")
    monkeypatch.setattr(local_server, "widen_default_executor", lambda: done.append("executor"))
    monkeypatch.setattr(local_server, "send_small_replies_at_once", lambda: done.append("no delay"))
    monkeypatch.setattr(local_server, "keep_ports_from_clients", lambda: done.append("ports"))
    xinference = click.Command("local", params=[click.Option(["--port"])], callback=lambda port: done.append(port))
    monkeypatch.setattr(local_server, "_xinference_command", lambda role: xinference)

    with pytest.raises(SystemExit, match="0"):
        local_server.main(arguments)

    assert done == (["executor", "no delay", "ports", "1"] if repaired else ["1"])
    assert os.environ.get("XINFERENCE_EXTENSIONS") == ("biai_xinf.extension:create" if repaired else None)


@pytest.mark.parametrize(
    ("configured", "switched_on", "switched_off"),
    [
        (None, "biai_xinf.extension:create", None),
        ("", "biai_xinf.extension:create", None),
        ("biai_xinf.extension:create", "biai_xinf.extension:create", None),
        ("their.own:factory", "their.own:factory,biai_xinf.extension:create", "their.own:factory"),
        (" biai_xinf.extension:create , a:b,", "a:b,biai_xinf.extension:create", "a:b"),
    ],
    ids=["nothing", "empty", "ours", "another", "both"],
)
def test_the_extension_is_put_beside_those_of_the_user(
    configured: str | None, switched_on: str, switched_off: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for on, expected in ((True, switched_on), (False, switched_off)):
        monkeypatch.delenv("XINFERENCE_EXTENSIONS", raising=False)
        if configured is not None:
            monkeypatch.setenv("XINFERENCE_EXTENSIONS", configured)

        local_server.switch_extension(on)

        assert os.environ.get("XINFERENCE_EXTENSIONS") == expected


@pytest.mark.parametrize("arguments", [[], ["--stock"], ["router"], ["LOCAL"]])
def test_a_role_the_launcher_does_not_know_ends_with_its_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        local_server.main(arguments)

    assert end.value.code == local_server.USAGE


def test_the_http_listener_sends_small_replies_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    uvicorn = pytest.importorskip("uvicorn", reason="comes with biai-xinf[server]")
    monkeypatch.setattr(uvicorn.Config, "bind_socket", uvicorn.Config.bind_socket)

    local_server.send_small_replies_at_once()

    with uvicorn.Config(None, host="127.0.0.1", port=0).bind_socket() as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_host_has_threads_to_spare_beside_those_xinference_parks() -> None:
    meeting = threading.Barrier(16)

    async def all_at_once() -> None:
        await asyncio.gather(*(asyncio.to_thread(meeting.wait, 30) for _ in range(16)))

    before = asyncio.get_event_loop_policy()
    local_server.widen_default_executor()
    try:
        asyncio.run(all_at_once())
    finally:
        asyncio.set_event_loop_policy(before)


# The commands


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        group(list(arguments))
    return int(end.value.code or 0)


def test_up_says_where_it_listens_and_what_is_next(
    port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "_launcher", lambda port, stock: stand_in(port))

    assert run("up", "--port", str(port)) == 0

    service = local.running()
    assert service is not None
    assert capsys.readouterr() == (
        "",
        "local Xinference: starting Xinference\n"
        f"Xinference runs at http://127.0.0.1:{port}, open to this machine only (pid {service.pid})\n"
        "authentication: off, whoever uses this machine may use it\n"
        f"log: {service.log}\n"
        "next: `biai-xinf launch sql-coder`; `biai-xinf down` stops it\n",
    )


def test_a_second_up_says_that_it_already_runs(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    service = start(port)

    assert run("up") == 0

    said = capsys.readouterr().err
    assert said.startswith(f"Xinference already runs at {service.endpoint}, open to this machine only")


def test_up_says_that_a_stock_service_has_no_extension(
    port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[int, bool]] = []
    monkeypatch.setattr(local, "_launcher", lambda *asked_for: asked.append(asked_for) or stand_in(port))  # type: ignore[func-returns-value]

    assert run("up", "--port", str(port), "--stock") == 0

    assert asked == [(port, True)]
    assert "\nextension: off, it was started with --stock\n" in capsys.readouterr().err


def test_up_as_json_tells_the_service(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    service = start(port)

    assert run("up", "--json") == 0

    assert json.loads(capsys.readouterr().out) == {
        "endpoint": service.endpoint,
        "pid": service.pid,
        "log": str(service.log),
        "auth": False,
        "started": service.started,
        "home": str(service.home),
        "stock": False,
    }


def test_down_stops_what_runs(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    serve = f"import http.server; http.server.test(port={port}, bind='127.0.0.1')"
    service = local.start(port, command=script(serve), probe=lambda endpoint: True, timeout_s=30)

    assert run("down") == 0

    assert capsys.readouterr().err == (
        "local Xinference: stopping\n"
        f"stopped Xinference at {service.endpoint} (pid {service.pid}); `biai-xinf up` starts it again\n"
    )
    assert not processes.alive(service.process)


def test_down_with_nothing_running_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("down") == 0
    assert capsys.readouterr().err == "no local Xinference is running; `biai-xinf up` starts one\n"


def test_the_log_tells_what_the_engine_itself_said_each_line_once(tmp_path: Path) -> None:
    log = tmp_path / "xinference.log"
    log.write_text("0.00.001.001 E an earlier launch\n", encoding="utf-8")
    since = local_log.size(log)
    with log.open("a", encoding="utf-8") as file:
        file.write(
            "0.00.002.032 I loading\n"
            "0.00.006.393 E llama_model_load: error loading model: bad magic\n"
            "0.00.007.097 E llama_model_load: error loading model: bad magic\n"
            "2026-11-22T16:59:05.321Z ERROR xinference.core.supervisor pid:1 node:vm Failed to launch\n"
        )

    assert local_log.engine_errors(log, since) == ["llama_model_load: error loading model: bad magic"]


REFUSAL = (
    "{time} ERROR xinference.core.supervisor pid:1 role:local address:127.0.0.1:2 node:vm [request 1-2] "
    'Leave add_worker, error: Worker and supervisor extensions must match, elapsed time: 0 s phase="error"\n'
    "Traceback (most recent call last):\n"
    "RuntimeError: Worker and supervisor extensions must match\n"
)


def test_the_log_tells_when_a_worker_was_last_refused(tmp_path: Path) -> None:
    log = tmp_path / "xinference.log"
    times = "2026-11-22T19:41:40.121Z", "2026-11-22T19:41:55.211Z"
    log.write_text("".join(REFUSAL.format(time=time) for time in times), encoding="utf-8")

    assert local_log.last_refusal(log) == 1795376515.211


def test_a_log_without_refusals_tells_none(tmp_path: Path) -> None:
    log = tmp_path / "xinference.log"
    log.write_text(f"2026-11-22T19:41:40.121Z INFO xinference.core.supervisor {WHERE} ready\n", encoding="utf-8")

    assert local_log.last_refusal(log) is None
    assert local_log.last_refusal(tmp_path / "gone") is None
