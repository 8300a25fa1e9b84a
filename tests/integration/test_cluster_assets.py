"""What `cluster/` ships, asked of the programs that read it: systemd, Compose, kustomize, nginx, Caddy, tini.

None of them comes from PyPI. Where one is not installed its tests are skipped, and say so; on Debian
`apt-get install systemd nginx-light caddy docker-compose tini openssl` brings all but kustomize (kubectl has it).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
import requests
import yaml

from biai_xinf import clusterfile, joining, local
from biai_xinf.catalogue import load_catalogue
from biai_xinf.cli import group
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials
from tests.commandline import interruptible
from tests.fake_xinference import FakeXinference

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
UNITS = sorted((CLUSTER / "systemd").glob("*.service"))
# Machines of CI are busy; what is waited for here comes in milliseconds.
PATIENCE_S = 60

Body = dict[str, Any]


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where none of the programs is installed."""
    found = any(shutil.which(program) for program in programs)
    return pytest.mark.skipif(not found, reason=f"{' or '.join(programs)} is not installed")


def output(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command printed; its complaint where it failed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# systemd


@needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_nothing_to_say_about_a_unit(unit: Path, tmp_path: Path) -> None:
    text, times = re.subn(
        "^ExecStart=/opt/biai-xinf/bin/biai-xinf", f"ExecStart={sys.executable}", unit.read_text(), flags=re.M
    )
    assert times == 1
    copied = tmp_path / unit.name
    copied.write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copied], capture_output=True, text=True, timeout=PATIENCE_S
    )

    # What it says of other units of this machine is not about us.
    assert [line for line in done.stderr.splitlines() if "biai-xinf" in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_every_unit_is_ended_by_the_signal_that_xinference_tidies_up_for(unit: Path) -> None:
    assert settings(unit)["KillSignal"] == "SIGINT"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_every_file_of_settings_has_an_example(unit: Path) -> None:
    file = Path(settings(unit)["EnvironmentFile"].removeprefix("-"))

    assert str(file.parent) == "/etc/biai-xinf"
    assert unit.with_name(f"{file.name}.example").is_file()


def settings(unit: Path) -> dict[str, str]:
    """A unit's settings; of those that are there twice the last."""
    return dict(line.split("=", 1) for line in unit.read_text().splitlines() if re.match(r"[A-Z]\w*=", line))


# Compose


@pytest.fixture
def compose(tmp_path: Path) -> Path:
    """The folder of Compose as somebody has it who copied the examples."""
    folder = tmp_path / "cluster" / "compose"
    shutil.copytree(CLUSTER / "compose", folder, ignore=shutil.ignore_patterns("*.env"))
    for example in folder.glob("*.env.example"):
        example.rename(example.with_suffix(""))
    return folder


@needs("docker", "docker-compose")
@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.gpu.yaml"]], ids=["cpu", "gpu"])
def test_compose_reads_its_files(files: list[str], compose: Path) -> None:
    has_plugin = (
        shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    )
    if not has_plugin and not shutil.which("docker-compose"):
        pytest.skip("docker has no `compose` here")
    program = ["docker", "compose"] if has_plugin else ["docker-compose"]
    chosen = [word for file in files for word in ("-f", file)]

    read = yaml.safe_load(output(*program, *chosen, "config", cwd=compose))

    engine = "gpu" if len(files) == 2 else "cpu"
    assert {service["image"] for service in read["services"].values()} == {f"biai-xinf:{engine}"}
    assert read["services"]["supervisor"]["build"]["args"] == {"ENGINE": engine}


def composed() -> dict[str, Body]:
    """The services of compose.yaml."""
    services: dict[str, Body] = yaml.safe_load((CLUSTER / "compose" / "compose.yaml").read_text())["services"]
    return services


@pytest.mark.parametrize("name", ["supervisor", "worker-1", "worker-2"])
def test_every_node_of_compose_is_ended_gently_watched_and_keeps_what_it_has(name: str) -> None:
    service = composed()[name]

    assert (service["stop_signal"], service["restart"]) == ("SIGINT", "unless-stopped")
    assert service["volumes"] == [f"{name}:/var/lib/biai-xinf"]
    assert service["hostname"] == service["environment"]["BIAI_XINF_HOST"] == name
    port, page = (local.DEFAULT_PORT, "v1/cluster/auth") if name == "supervisor" else (joining.METRICS_PORT, "metrics")
    assert service["healthcheck"]["test"][-1] == f"http://{name}:{port}/{page}"


def test_compose_opens_one_port_and_that_to_this_machine_alone() -> None:
    assert {name: service["ports"] for name, service in composed().items() if "ports" in service} == {
        "supervisor": [f"127.0.0.1:{local.DEFAULT_PORT}:{local.DEFAULT_PORT}"]
    }


def test_only_watch_is_given_the_login() -> None:
    assert [name for name, service in composed().items() if "watch.env" in service["env_file"]] == ["watch"]


def test_the_cluster_file_of_compose_names_its_workers() -> None:
    file = clusterfile.load(CLUSTER / "compose" / "cluster.yaml")

    workers = [name for name in composed() if name.startswith("worker")]
    assert [worker.address for worker in file.workers.values()] == [f"{name}:{joining.WORKER_PORT}" for name in workers]


# The image


def instructions() -> list[list[str]]:
    """The Dockerfile's, word by word."""
    text = (CLUSTER / "compose" / "Dockerfile").read_text()
    return [line.split() for line in text.splitlines() if re.match("[A-Z]+ ", line)]


@needs("tini")
def test_the_signal_that_stops_a_container_reaches_the_children_too(tmp_path: Path) -> None:
    entry = next(json.loads(" ".join(words[1:])) for words in instructions() if words[0] == "ENTRYPOINT")
    assert (entry[0], entry[-1], ["STOPSIGNAL", "SIGINT"] in instructions()) == ("tini", "biai-xinf", True)
    program = tmp_path / "node.py"
    program.write_text(
        "import signal, subprocess, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "role = sys.argv[1]\n"
        "if role == 'host':\n"
        "    child = subprocess.Popen([sys.executable, __file__, 'child'], stdout=subprocess.PIPE, text=True)\n"
        "    assert child.stdout.readline() == 'up\\n'\n"
        "print('up', flush=True)\n"
        "signal.sigwait({signal.SIGINT})\n"
        "print(role, 'was asked to end', flush=True)\n"
        "if role == 'host': print(child.stdout.read(), end='')\n"
    )

    # Outside of a container tini is not the first process, and wants to be told so.
    command = ["tini", "-s", *entry[1:-1], sys.executable, program, "host"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=interruptible) as tini:
        assert tini.stdout is not None
        assert tini.stdout.readline() == "up\n"
        tini.send_signal(signal.SIGINT)
        said = tini.communicate(timeout=PATIENCE_S)[0]

    assert said == "host was asked to end\nchild was asked to end\n"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip is not installed in this environment")
def test_what_the_image_copies_is_enough_to_install_us(tmp_path: Path) -> None:
    copied = [words[1:] for words in instructions() if words[0] == "COPY" and not words[1].startswith("--from")]
    for *sources, target in copied:
        for source in sources:
            whole = ROOT / source
            if whole.is_dir():
                shutil.copytree(whole, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(whole, tmp_path / target)

    output(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path / "wheels", tmp_path)

    assert [wheel.name.split("-")[0] for wheel in (tmp_path / "wheels").iterdir()] == ["biai_xinf"]


# Kubernetes


def built(folder: str) -> list[Body]:
    """The objects that a kustomization makes."""
    program = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]
    return list(yaml.safe_load_all(output(*program, CLUSTER / "kubernetes" / folder)))


def pods(objects: list[Body]) -> dict[str, Body]:
    """What the pods are made of, by the name of what makes them."""
    makers = [made for made in objects if made["kind"] in ("StatefulSet", "Deployment")]
    return {made["metadata"]["name"]: made["spec"]["template"]["spec"] for made in makers}


@pytest.mark.slow
@needs("kubectl", "kustomize")
@pytest.mark.parametrize("folder", ["base", "gpu"])
def test_the_manifests_are_what_kubernetes_says_they_should_be(folder: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="needs biai-xinf[slow-test]")

    for made in built(folder):
        kubernetes_validate.validate(made, "1.33", strict=True)


@needs("kubectl", "kustomize")
def test_the_manifests_make_a_supervisor_workers_and_a_watch_that_are_closed_to_the_outside() -> None:
    objects = built("base")

    assert sorted((made["kind"], made["metadata"]["name"]) for made in objects if made["kind"] != "ConfigMap") == [
        ("Deployment", "biai-xinf-watch"),
        ("Namespace", "biai-xinf"),
        ("NetworkPolicy", "biai-xinf"),
        ("NetworkPolicy", "biai-xinf-http"),
        ("PodDisruptionBudget", "biai-xinf-worker"),
        ("Service", "biai-xinf"),
        ("Service", "biai-xinf-supervisor"),
        ("Service", "biai-xinf-worker"),
        ("StatefulSet", "biai-xinf-supervisor"),
        ("StatefulSet", "biai-xinf-worker"),
    ]
    # Kubernetes' own variables for our services would begin with BIAI_XINF_, as our settings do.
    assert {name: pod["enableServiceLinks"] for name, pod in pods(objects).items()} == dict.fromkeys(
        pods(objects), False
    )


@needs("kubectl", "kustomize")
def test_the_nodes_of_kubernetes_have_lasting_homes_and_names() -> None:
    objects = built("base")
    services = {made["metadata"]["name"]: made["spec"] for made in objects if made["kind"] == "Service"}

    for made in (made for made in objects if made["kind"] == "StatefulSet"):
        spec, container = made["spec"], made["spec"]["template"]["spec"]["containers"][0]
        service = services[spec["serviceName"]]
        assert service["clusterIP"] == "None"
        assert service["selector"] == spec["selector"]["matchLabels"]
        assert [claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]] == ["home"]
        host = next(variable["value"] for variable in container["env"] if variable["name"] == "BIAI_XINF_HOST")
        assert host == f"$(POD_NAME).{spec['serviceName']}.$(POD_NAMESPACE).svc.cluster.local"
        numbers = {port["containerPort"] for port in container["ports"]}
        is_worker = container["args"] == ["worker"]
        ours = (
            (joining.WORKER_PORT, joining.METRICS_PORT) if is_worker else (local.DEFAULT_PORT, joining.SUPERVISOR_PORT)
        )
        assert numbers == set(ours)


@needs("kubectl", "kustomize")
def test_the_gpu_overlay_gives_each_worker_a_gpu_and_the_image_with_vllm() -> None:
    of_pods = pods(built("gpu"))

    assert {pod["containers"][0]["image"] for pod in of_pods.values()} == {"biai-xinf:gpu"}
    worker = of_pods["biai-xinf-worker"]["containers"][0]
    assert worker["resources"]["limits"] == {"nvidia.com/gpu": 1}
    assert {mount["mountPath"] for mount in worker["volumeMounts"]} == {"/dev/shm", "/var/lib/biai-xinf"}


# All of them


def started() -> Iterator[tuple[str, list[str]]]:
    """Everything that `cluster/` starts of ours: where it stands, and the words after `biai-xinf`."""
    for unit in UNITS:
        # systemd leaves out a variable that no file sets.
        words = settings(unit)["ExecStart"].split()[1:]
        yield unit.stem, [word for word in words if not word.startswith("$")]
    for name, service in composed().items():
        yield f"compose-{name}", service["command"]
    for file in sorted((CLUSTER / "kubernetes" / "base").glob("*.yaml")):
        for made in yaml.safe_load_all(file.read_text()):
            if made.get("kind") in ("StatefulSet", "Deployment"):
                yield made["metadata"]["name"], made["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize(
    ("where", "words"), list(started()), ids=lambda value: value if isinstance(value, str) else None
)
def test_what_is_started_is_a_command_of_ours(where: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIAI_XINF_SUPERVISOR", "http://10.0.0.10:9997")
    context = click.Context(group, info_name="biai-xinf", **group.context_settings)
    command = group.get_command(context, words[0])

    assert command is not None
    command.make_context(words[0], words[1:], parent=context)


def test_the_files_that_the_page_says_to_copy_are_there() -> None:
    page = (CLUSTER / "README.md").read_text()
    named = re.findall(r"(?<!/)\bcluster/[\w./-]+", page)

    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("file", ["compose/cluster.yaml", "kubernetes/base/cluster.yaml"])
def test_the_cluster_files_name_specs_that_there_are(file: str) -> None:
    path = CLUSTER / file

    desired = clusterfile.desired(path, clusterfile.load(path), load_catalogue())

    assert [(model.uid, model.replicas) for model in desired.models] == [
        ("sql-coder", 2),
        ("bge-m3", 1),
        ("bge-reranker-v2-m3", 1),
    ]


# TLS


@dataclass
class Backend:
    """A server behind the proxy: it tells what it is asked, or streams as slowly as its reader reads."""

    port: int = 0
    read: threading.Event = field(default_factory=threading.Event)
    was_read: bool = False
    asked: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    connections: list[int] = field(default_factory=list)


@pytest.fixture
def backend() -> Iterator[Backend]:
    backend = Backend()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            backend.connections.append(self.client_address[1])
            self._answer({name.lower(): value for name, value in self.headers.items()})

        def do_POST(self) -> None:
            digest = hashlib.sha256(self.rfile.read(int(self.headers["content-length"]))).hexdigest()
            backend.asked.set()
            if self.path == "/silent":
                return self._be_silent_until_nobody_listens()
            if self.path == "/digest":
                return self._answer({"sha256": digest})
            self.send_response(200)
            self.send_header("content-type", "text/event-stream" if self.path == "/sse" else "application/x-ndjson")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            if self.path == "/endless":
                return self._talk_until_nobody_listens()
            self._piece(b"first\n")
            # The last piece is sent when the first was read, on the other side of the proxy.
            backend.was_read = backend.read.wait(PATIENCE_S)
            self._piece(b"last\n")
            self._piece(b"")

        def _be_silent_until_nobody_listens(self) -> None:
            self.close_connection = True
            # Nothing more is sent by a client that listens.
            if self.connection.recv(1) == b"":
                backend.gone.set()

        def _talk_until_nobody_listens(self) -> None:
            self.close_connection = True
            try:
                while True:
                    self._piece(b"more\n")
                    time.sleep(0.01)
            except OSError:
                backend.gone.set()

        def _piece(self, content: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

        def _answer(self, body: dict[str, str]) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    backend.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield backend
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Certificate:
    """One that its owner signed, for 127.0.0.1."""

    cert: Path
    key: Path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    whose = ["-subj", "/CN=biai-xinf test", "-addext", "subjectAltName=IP:127.0.0.1"]
    output("openssl", "req", *kind, *whose, "-out", made.cert, "-keyout", made.key)
    return made


def with_ours_in_place(text: str, replaced: dict[str, str]) -> str:
    """A configuration with what it asks people to set; each is there once."""
    for example, ours in replaced.items():
        assert text.count(example) == 1, example
        text = text.replace(example, ours)
    return text


def nginx(folder: Path, port: int, upstream: int, certificate: Certificate) -> list[str | Path]:
    """The command that runs nginx with our file, in the foreground and with nothing outside of its folder."""
    ours = with_ours_in_place(
        (CLUSTER / "tls" / "nginx.conf").read_text(),
        {
            "server 10.0.0.10:9997;": f"server 127.0.0.1:{upstream};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/biai-xinf/tls/cert.pem": str(certificate.cert),
            "/etc/biai-xinf/tls/key.pem": str(certificate.key),
        },
    )
    (folder / "biai-xinf.conf").write_text(ours)
    temporary = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Root's nginx would hand its work to a user who may not read the folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\n  access_log off;\n{temporary}  include {folder}/biai-xinf.conf;\n}}\n"
    )
    return ["nginx", "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]


def caddy(folder: Path, port: int, upstream: int, certificate: Certificate) -> list[str | Path]:
    """The command that runs Caddy with our file."""
    ours = with_ours_in_place(
        (CLUSTER / "tls" / "Caddyfile").read_text(),
        {
            "https://biai.example.com {": f"https://127.0.0.1:{port} {{\n\tbind 127.0.0.1",
            "/etc/biai-xinf/tls/cert.pem": str(certificate.cert),
            "/etc/biai-xinf/tls/key.pem": str(certificate.key),
            "reverse_proxy 10.0.0.10:9997 {": f"reverse_proxy 127.0.0.1:{upstream} {{",
        },
    )
    (folder / "Caddyfile").write_text(ours)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]


Proxied = Callable[[int], AbstractContextManager[str]]


@pytest.fixture(
    params=[pytest.param(nginx, marks=needs("nginx")), pytest.param(caddy, marks=needs("caddy"))],
    ids=["nginx", "caddy"],
)
def proxied(request: pytest.FixtureRequest, tmp_path: Path, certificate: Certificate) -> Proxied:
    """Puts the real proxy with our file before a port; the value is the https endpoint."""

    @contextmanager
    def proxied(upstream: int) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = request.param(tmp_path, port, upstream, certificate)
        # Caddy keeps its own things in the user's home.
        surroundings = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=surroundings)
        try:
            wait_until_it_listens(port, process, tmp_path / "log")
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE_S)

    return proxied


def wait_until_it_listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as visitor:
            if visitor.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"the proxy does not listen:\n{log.read_text(errors='replace')}")


@pytest.mark.parametrize("path", ["/sse", "/ndjson"])
def test_a_stream_passes_piece_by_piece(
    path: str, proxied: Proxied, backend: Backend, certificate: Certificate
) -> None:
    with (
        proxied(backend.port) as endpoint,
        requests.post(endpoint + path, data=b"{}", stream=True, verify=certificate.cert, timeout=PATIENCE_S) as answer,
    ):
        lines = answer.iter_lines(chunk_size=1)
        first = next(lines)
        backend.read.set()
        rest = list(lines)

    assert (first, backend.was_read, rest) == (b"first", True, [b"last"])


@pytest.mark.parametrize("path", ["/silent", "/endless"], ids=["before-the-answer", "amid-the-answer"])
def test_a_client_that_goes_away_is_gone_for_the_server_too(
    path: str, proxied: Proxied, backend: Backend, certificate: Certificate
) -> None:
    with proxied(backend.port) as endpoint:
        trust = ssl.create_default_context(cafile=str(certificate.cert))
        client = HTTPSConnection(endpoint.removeprefix("https://"), context=trust, timeout=PATIENCE_S)
        client.request("POST", path, body=b"{}")
        was_asked = backend.asked.wait(PATIENCE_S)
        if path == "/endless":
            client.getresponse().readline()
        client.close()

        assert (was_asked, backend.gone.wait(PATIENCE_S)) == (True, True)


def test_keys_pass_and_the_client_is_named_whatever_it_says_itself(
    proxied: Proxied, backend: Backend, certificate: Certificate
) -> None:
    said = {"Authorization": "Bearer xf-key", "X-Forwarded-For": "203.0.113.9"}

    with proxied(backend.port) as endpoint:
        seen = requests.get(endpoint, headers=said, verify=certificate.cert, timeout=PATIENCE_S).json()

    told = {name: seen.get(name) for name in ("authorization", "x-forwarded-for", "x-forwarded-proto", "host")}
    assert told == {
        "authorization": "Bearer xf-key",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "https",
        "host": endpoint.removeprefix("https://"),
    }


def test_large_bodies_pass(proxied: Proxied, backend: Backend, certificate: Certificate) -> None:
    body = os.urandom(1 << 20) * 8

    with proxied(backend.port) as endpoint:
        answer = requests.post(endpoint + "/digest", data=body, verify=certificate.cert, timeout=PATIENCE_S)

    assert answer.json() == {"sha256": hashlib.sha256(body).hexdigest()}


@needs("nginx")
@pytest.mark.parametrize("proxied", [nginx], indirect=True, ids=["nginx"])
def test_connections_to_the_supervisor_are_kept(proxied: Proxied, backend: Backend, certificate: Certificate) -> None:
    with proxied(backend.port) as endpoint, requests.Session() as session:
        for _ in range(5):
            session.get(endpoint, verify=certificate.cert, timeout=PATIENCE_S).raise_for_status()

    assert len(backend.connections) == 5
    assert len(set(backend.connections)) == 1


def test_our_client_works_through_tls(
    proxied: Proxied, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.cert))

    with FakeXinference(auth=True) as fake:
        assert fake.auth is not None
        fake.auth.users["admin"] = "correct horse"
        port = int(fake.endpoint.rpartition(":")[2])
        with (
            proxied(port) as endpoint,
            Client(endpoint, Credentials(username="admin", password="correct horse")) as client,
        ):
            assert (client.auth_enabled(), client.version(), client.models()) == (True, "4.1.0", [])
