"""Machines that join a cluster: what is refused before Xinference starts, and what is started then."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from biai_xinf import __version__, joining
from biai_xinf.client import Client
from biai_xinf.errors import CannotJoin, LocalServiceFailed
from biai_xinf.joining import Process
from tests.commandline import run
from tests.fake_xinference import FakeXinference

HERE = "127.0.0.1"
# Set aside for documents (RFC 5737): no machine has it.
NOBODYS = "192.0.2.77"

Installed = Callable[[str], None]


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Xinference 4.1.0 is installed as far as anybody can tell without importing it; called, another version."""
    site = tmp_path / "site"
    (site / "xinference").mkdir(parents=True)
    (site / "xinference" / "__init__.py").touch()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("XINFERENCE_HOME", str(tmp_path / "xinference"))

    def install(version: str) -> None:
        for old in site.glob("*.dist-info"):
            (old / "METADATA").unlink()
            old.rmdir()
        folder = site / f"xinference-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xinference\nVersion: {version}\n")

    install("4.1.0")
    return install


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """A supervisor that runs the same versions as this machine."""
    with FakeXinference(extension=True) as fake:
        assert fake.extension is not None
        fake.extension.version = __version__
        yield fake


@pytest.fixture
def client(fake: FakeXinference) -> Iterator[Client]:
    with Client(fake.endpoint) as client:
        yield client


@pytest.fixture
def ports() -> list[int]:
    """Three that are free."""
    listeners = [socket.create_server((HERE, 0)) for _ in range(3)]
    numbers = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return numbers


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HERE, 0)) as listener:
        yield listener.getsockname()[1]


def refusal(start: Callable[[], Process]) -> str:
    """What is said instead of starting."""
    with pytest.raises(CannotJoin) as refused:
        start()
    return str(refused.value)


# What is started


def test_a_supervisor_is_started_with_fixed_ports_at_the_address_the_others_reach(ports: list[int]) -> None:
    process = joining.supervisor(HERE, ports[0], ports[1], auth=True)

    options = ["--host", HERE, "--port", str(ports[0]), "--supervisor-port", str(ports[1])]
    assert process.command == [sys.executable, "-m", "biai_xinf.local_server", "supervisor", *options]


def test_a_stock_supervisor_says_so_to_the_launcher(ports: list[int]) -> None:
    process = joining.supervisor(HERE, ports[0], ports[1], auth=True, stock=True)

    assert process.command[2:5] == ["biai_xinf.local_server", "--stock", "supervisor"]


def test_a_worker_is_started_with_fixed_ports_and_metrics_where_the_supervisor_reaches_them(
    client: Client, ports: list[int]
) -> None:
    process = joining.worker(client, HERE, ports[0], ports[1])

    options = ["--endpoint", client.endpoint, "--host", HERE, "--worker-port", str(ports[0])]
    metrics = ["--metrics-exporter-host", HERE, "--metrics-exporter-port", str(ports[1])]
    assert process.command == [sys.executable, "-m", "biai_xinf.local_server", "worker", *options, *metrics]


def test_a_worker_finds_out_itself_under_which_address_the_supervisor_reaches_it(
    client: Client, ports: list[int]
) -> None:
    process = joining.worker(client, None, ports[0], ports[1])

    assert process.address == HERE


def test_a_worker_of_a_stock_supervisor_is_stock(ports: list[int]) -> None:
    with FakeXinference() as fake, Client(fake.endpoint) as client:
        process = joining.worker(client, HERE, ports[0], ports[1])

    assert process.stock is True


@pytest.mark.parametrize("auth", [True, False], ids=["with-auth", "without-auth"])
def test_a_worker_is_run_with_or_without_authentication_as_its_supervisor(auth: bool, ports: list[int]) -> None:
    with FakeXinference(auth=auth) as fake, Client(fake.endpoint) as client:
        process = joining.worker(client, HERE, ports[0], ports[1])

    assert process.environment["XINFERENCE_AUTH_ADVANCED"] == ("1" if auth else "0")


def test_joining_changes_nothing_on_the_supervisor(fake: FakeXinference, client: Client, ports: list[int]) -> None:
    joining.worker(client, HERE, ports[0], ports[1])

    assert fake.mutating_calls == []


def test_dead_workers_are_noticed_soon_and_streams_are_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in joining.HEALTH:
        monkeypatch.delenv(name, raising=False)

    environment = Process("supervisor", HERE, (), auth=True).environment

    assert {name: environment[name] for name in joining.HEALTH} == {
        "XINFERENCE_HEALTH_CHECK_INTERVAL": "2",
        "XINFERENCE_HEALTH_CHECK_TIMEOUT": "6",
        "XINFERENCE_HEALTH_CHECK_FAILURE_THRESHOLD": "3",
        "XINFERENCE_SSE_PING_ATTEMPTS_SECONDS": "15",
    }


def test_what_the_environment_says_already_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINFERENCE_HEALTH_CHECK_INTERVAL", "9")

    assert Process("worker", HERE, (), auth=True).environment["XINFERENCE_HEALTH_CHECK_INTERVAL"] == "9"


def test_the_models_never_see_our_own_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIAI_XINF_PASSWORD", "secret")

    assert "secret" not in Process("worker", HERE, (), auth=True).environment.values()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no exec")
def test_xinference_takes_the_place_of_our_process_so_that_signals_reach_it() -> None:
    # A role that the launcher does not know: it ends at once, and says so.
    code = "from biai_xinf.joining import *; become(Process('nothing', '', (), auth=False))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr.split()[:4]) == (1, ["usage:", "python", "-m", "biai_xinf.local_server"])


# What is refused


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_an_address_that_is_every_address_is_refused(address: str, client: Client, ports: list[int]) -> None:
    said = (
        f"`{address}` is every address and none: Xinference would tell it to the others as its own\n\n"
        "hint: give with `--host` the one address that the other machines reach"
    )

    assert refusal(lambda: joining.supervisor(address, ports[0], ports[1], auth=True)) == said
    assert refusal(lambda: joining.worker(client, address, ports[0], ports[1])) == said


@pytest.mark.parametrize("place", [0, 1], ids=["first-port", "second-port"])
def test_a_taken_port_is_refused_and_a_free_one_offered(
    place: int, client: Client, ports: list[int], taken: int
) -> None:
    numbers = [ports[0], ports[1]]
    numbers[place] = taken

    supervisor = refusal(lambda: joining.supervisor(HERE, numbers[0], numbers[1], auth=True))
    worker = refusal(lambda: joining.worker(client, HERE, numbers[0], numbers[1]))

    assert supervisor.splitlines()[0] == worker.splitlines()[0] == f"port {taken} of {HERE} is taken"
    assert supervisor.endswith("is free")


def test_an_address_of_another_machine_is_refused(ports: list[int]) -> None:
    assert refusal(lambda: joining.supervisor(NOBODYS, ports[0], ports[1], auth=True)) == (
        f"this machine has no address `{NOBODYS}`: {os.strerror(errno.EADDRNOTAVAIL)}\n\n"
        "hint: `--host` takes an address of this machine, `ip address` lists them"
    )


def test_another_biai_xinf_than_the_supervisors_is_refused(
    fake: FakeXinference, client: Client, ports: list[int]
) -> None:
    assert fake.extension is not None
    fake.extension.version = "9.9.9"

    assert refusal(lambda: joining.worker(client, HERE, ports[0], ports[1])) == (
        f"the supervisor runs biai-xinf 9.9.9, this is {__version__}\n\nhint: install the same version on every machine"
    )


def test_another_xinference_than_the_supervisors_is_refused(
    client: Client, ports: list[int], installed: Installed
) -> None:
    installed("4.0.2")

    assert refusal(lambda: joining.worker(client, HERE, ports[0], ports[1])) == (
        "the supervisor runs Xinference 4.1.0, here 4.0.2 is installed\n\nhint: pip install 'xinference==4.1.0'"
    )


def test_a_supervisor_whose_own_address_does_not_answer_is_refused(
    fake: FakeXinference, client: Client, ports: list[int]
) -> None:
    fake.supervisor_address = f"{HERE}:{ports[2]}"

    assert refusal(lambda: joining.worker(client, HERE, ports[0], ports[1])) == (
        f"the supervisor names {HERE}:{ports[2]} as its own address, which does not answer here: "
        f"{os.strerror(errno.ECONNREFUSED)}\n\n"
        "hint: open that port on its machine, or start it with `--host` and an address that is reached from here"
    )


def test_a_loopback_worker_of_a_supervisor_elsewhere_is_refused(
    fake: FakeXinference, ports: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Reached as the proxy of another address, the fake stands on another machine.
    monkeypatch.setenv("HTTP_PROXY", fake.endpoint)
    with Client(f"http://{NOBODYS}:9997") as client:
        said = refusal(lambda: joining.worker(client, HERE, ports[0], ports[1]))

    assert said == (
        f"`{HERE}` is this machine alone, the supervisor at http://{NOBODYS}:9997 would ask itself\n\n"
        "hint: give with `--host` the address that it reaches this machine at"
    )


def test_a_full_disk_is_refused(ports: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 0}))

    with pytest.raises(LocalServiceFailed, match="Xinference needs at least 1 GiB"):
        joining.supervisor(HERE, ports[0], ports[1], auth=True)


# What people see


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """What the commands would have turned into."""
    processes: list[Process] = []
    monkeypatch.setattr(joining, "become", processes.append)
    return processes


def test_the_supervisor_says_what_to_type_on_the_other_machines(ports: list[int], started: list[Process]) -> None:
    result = run("supervisor", "--host", HERE, "--port", str(ports[0]), "--supervisor-port", str(ports[1]))

    endpoint = f"http://{HERE}:{ports[0]}"
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        f"the supervisor will answer at {endpoint}",
        f"on every machine with models: biai-xinf worker --supervisor {endpoint}",
        f"once, to make the first administrator: biai-xinf --endpoint {endpoint} init",
    ]
    assert [(process.role, process.auth) for process in started] == [("supervisor", True)]


def test_a_worker_may_be_told_all_by_its_environment_as_services_and_containers_do(
    fake: FakeXinference, ports: list[int], started: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIAI_XINF_SUPERVISOR", fake.endpoint + "/")
    monkeypatch.setenv("BIAI_XINF_HOST", HERE)

    result = run("worker", "--port", str(ports[0]), "--metrics-port", str(ports[1]))

    assert result.stderr.splitlines() == [
        f"the worker will join {fake.endpoint} as {HERE}:{ports[0]}",
        f"what it offers, once it has joined: biai-xinf --endpoint {fake.endpoint} status",
    ]
    assert [process.address for process in started] == [HERE]


def test_a_refusal_starts_nothing_and_exits_with_1(started: list[Process]) -> None:
    result = run("supervisor", "--host", "0.0.0.0")

    assert (result.exit_code, started) == (1, [])
    assert result.stderr.startswith("error: `0.0.0.0` is every address and none")
