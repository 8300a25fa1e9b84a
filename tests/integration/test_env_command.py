"""`biai-xinf env`: byte for byte what it writes, once; what nginx and Compose make of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import yaml

from biai_xinf.compose_override import compose_override
from tests.commandline import Result, run
from tests.fake_xinference import FakeXinference
from tests.xinference_fixtures import free_port

BEFORE = b"""\
# BIAI\r
OLLAMA_HOST = http://localhost:11434\r
OLLAMA_MODEL=qwen2.5-coder:7b-instruct-q4_K_M\r
CHROMA_HOST=localhost\r
ORACLE_PASSWORD=s3cret"""
KEY = "sk-canary-1"


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    with FakeXinference() as server:
        yield server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """BIAI's folder, in which the command is typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def env(fake: FakeXinference, *words: str) -> Result:
    result = run("--endpoint", fake.endpoint, "env", *words)
    assert result.exit_code == 0, result.stderr
    return result


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_the_address_changes_and_the_old_file_is_kept(fake: FakeXinference, folder: Path) -> None:
    (folder / ".env").write_bytes(BEFORE)

    result = env(fake)

    after = BEFORE.replace(b"http://localhost:11434", fake.endpoint.encode())
    assert files(folder) == {".env": after, ".env.before-biai-xinf": BEFORE}
    assert result.stdout.splitlines() == [
        "--- .env",
        "+++ .env",
        "@@ -2 +2 @@",
        "-OLLAMA_HOST = http://localhost:11434",
        f"+OLLAMA_HOST = {fake.endpoint}",
    ]
    assert "s3cret" not in result.stdout + result.stderr
    assert result.stderr.splitlines() == [
        ".env is written; as it was, it is kept in .env.before-biai-xinf",
        "note: CHROMA_HOST has no effect in BIAI",
    ]


def test_a_second_run_writes_nothing_and_a_third_way_keeps_the_first_copy(fake: FakeXinference, folder: Path) -> None:
    (folder / ".env").write_bytes(BEFORE)
    env(fake, "--compose")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}

    again = env(fake, "--compose")

    assert again.stdout == ""
    assert again.stderr.splitlines()[:2] == [
        ".env says so already; nothing was written",
        "docker-compose.override.yml says so already; nothing was written",
    ]
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    env(fake, "--model", "narrator")
    assert files(folder)[".env.before-biai-xinf"] == BEFORE
    assert b"\r\nOLLAMA_MODEL=narrator\r\n" in files(folder)[".env"]


def test_without_a_file_one_is_made(fake: FakeXinference, folder: Path) -> None:
    env(fake)

    assert files(folder) == {".env": f"OLLAMA_HOST={fake.endpoint}\nOLLAMA_MODEL=biai:latest\n".encode()}


def test_a_dry_run_shows_the_same_and_writes_nothing(fake: FakeXinference, folder: Path) -> None:
    (folder / ".env").write_bytes(BEFORE)

    result = env(fake, "--compose", "--dry-run")

    assert files(folder) == {".env": BEFORE}
    assert f"+OLLAMA_HOST = {fake.endpoint}" in result.stdout
    assert result.stderr.splitlines()[0] == "nothing was written"
    assert "+++ docker-compose.override.yml" in result.stdout


def test_a_key_is_written_only_where_it_is_asked_for_and_never_shown(
    fake: FakeXinference, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIAI_XINF_API_KEY", KEY)

    without = env(fake)
    assert KEY.encode() not in files(folder)[".env"]
    with_key = env(fake, "--with-key", "--compose")
    rotated = env(fake, "--with-key")

    assert f"OLLAMA_HOST={fake.endpoint}/ollama/k/{KEY}\n".encode() in files(folder)[".env"]
    assert KEY.encode() not in files(folder)["docker-compose.override.yml"]
    assert "note: .env holds a secret now" in with_key.stderr
    assert "note: Compose takes the key from the variable BIAI_XINF_API_KEY, not from its file" in with_key.stderr
    assert f"+OLLAMA_HOST={fake.endpoint}/ollama/k/***" in with_key.stdout
    said = "".join(result.stdout + result.stderr for result in (without, with_key, rotated))
    assert KEY not in said


def test_a_key_is_written_so_that_it_is_one_part_of_the_address(
    fake: FakeXinference, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIAI_XINF_API_KEY", "sk/a?b")

    dry = env(fake, "--with-key", "--dry-run")
    env(fake, "--with-key")

    assert "note: .env would hold a secret" in dry.stderr
    assert files(folder)[".env"].startswith(f"OLLAMA_HOST={fake.endpoint}/ollama/k/sk%2Fa%3Fb\n".encode())


def test_a_password_in_an_address_is_not_shown(fake: FakeXinference, folder: Path) -> None:
    (folder / ".env").write_bytes(b"OLLAMA_HOST=http://ann:s3/cr@et@box:11434  # our GPU box\n")

    result = env(fake)

    assert "-OLLAMA_HOST=http://ann:***@box:11434  # our GPU box" in result.stdout
    assert files(folder)[".env"].startswith(f"OLLAMA_HOST={fake.endpoint}  # our GPU box\n".encode())


def test_a_byte_order_mark_is_told(fake: FakeXinference, folder: Path) -> None:
    (folder / ".env").write_bytes(b"\xef\xbb\xbfOLLAMA_HOST=a\n")

    result = env(fake)

    assert "note: .env begins with a byte order mark" in result.stderr
    assert files(folder)[".env"].startswith(f"\ufeffOLLAMA_HOST={fake.endpoint}\n".encode())


def test_a_file_of_another_encoding_is_refused(fake: FakeXinference, folder: Path) -> None:
    (folder / ".env").write_bytes("OLLAMA_HOST=a\n".encode("utf-16"))

    result = run("--endpoint", fake.endpoint, "env")

    assert result.exit_code == 1
    assert "error: .env: is UTF-16, and BIAI reads UTF-8" in result.stderr
    assert files(folder) == {".env": "OLLAMA_HOST=a\n".encode("utf-16")}


def test_an_address_of_ipv6_is_written(folder: Path) -> None:
    port = free_port()

    result = run("--endpoint", f"http://[::1]:{port}", "env")

    assert result.exit_code == 0
    assert files(folder)[".env"].startswith(f"OLLAMA_HOST=http://[::1]:{port}\n".encode())


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_new_file_with_a_secret_is_its_owners_alone_and_an_old_one_keeps_its_mode(
    fake: FakeXinference, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIAI_XINF_API_KEY", KEY)
    (folder / "old.env").write_bytes(BEFORE)
    (folder / "old.env").chmod(0o640)

    env(fake, "--with-key")
    env(fake, "--with-key", "--file", "old.env")

    assert [(folder / name).stat().st_mode & 0o777 for name in (".env", "old.env")] == [0o600, 0o640]


def test_a_key_that_is_not_there_is_an_error_with_a_way_on(fake: FakeXinference, folder: Path) -> None:
    result = run("--endpoint", fake.endpoint, "env", "--with-key")

    assert result.exit_code == 1
    assert "error: `--with-key` takes the key from BIAI_XINF_API_KEY, which is not set" in result.stderr
    assert files(folder) == {}


def test_an_endpoint_that_asks_for_a_login_and_one_that_is_not_there(folder: Path) -> None:
    with FakeXinference(auth=True) as guarded:
        asked = env(guarded)
        env(guarded, "--compose")
    port = free_port()
    gone = run("--endpoint", f"http://127.0.0.1:{port}", "env")

    assert "asks for a login, which BIAI cannot send; `--with-key` puts a key into the address" in asked.stderr
    assert b"Authorization" in files(folder)["docker-compose.override.yml"]
    assert f"note: nothing answers at http://127.0.0.1:{port} yet" in gone.stderr.splitlines()


def test_a_value_that_cannot_be_written_and_a_file_that_is_a_folder(fake: FakeXinference, folder: Path) -> None:
    (folder / "here").mkdir()

    odd = run("--endpoint", fake.endpoint, "env", "--model", "two words")
    taken = run("--endpoint", fake.endpoint, "env", "--file", "here/x/.env")

    assert odd.exit_code == 2
    assert "OLLAMA_MODEL cannot be `two words`" in odd.stderr
    assert (taken.exit_code, "cannot be written" in taken.stderr) == (1, True)


def test_a_compose_file_of_a_persons_own_is_not_written_over(fake: FakeXinference, folder: Path) -> None:
    (folder / "docker-compose.override.yml").write_text("services: {}\n")

    result = run("--endpoint", fake.endpoint, "env", "--compose")

    assert result.exit_code == 1
    assert "is there, and not ours to write over" in result.stderr
    assert files(folder) == {"docker-compose.override.yml": b"services: {}\n"}


@pytest.mark.parametrize("name", ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"])
def test_what_a_second_compose_file_cannot_take_back_is_told(fake: FakeXinference, folder: Path, name: str) -> None:
    (folder / "docker-compose.yaml").touch()
    (folder / name).write_text(
        "x-gpu: &gpu {gpus: all, deploy: {}}\n"
        "x-since: 2024-13-45\n"
        "services:\n"
        "  ollama: {<<: *gpu, image: ollama/ollama, ports: !reset [], x: !!odd {}, runtime: nvidia, devices: [], entrypoint: x}\n"
    )

    result = env(fake, "--compose")

    stays = "`deploy`, `gpus`, `runtime`, `devices`, `entrypoint`"
    assert f"note: {stays} of `ollama` in {name} would hold for the proxy too: take it out there" in result.stderr


@pytest.mark.parametrize("content", ["a: [", "[" * 3000, "a: !!int x"])
def test_a_compose_file_that_cannot_be_read_is_told_and_stops_nothing(
    fake: FakeXinference, folder: Path, content: str
) -> None:
    (folder / "docker-compose.yml").write_text(content)

    result = env(fake, "--compose")

    assert "note: docker-compose.yml is not YAML" in result.stderr
    assert (folder / ".env").exists()


def test_a_compose_file_that_is_read_instead_of_ours_is_told(fake: FakeXinference, folder: Path) -> None:
    (folder / "compose.override.yaml").write_text("services: {}")

    ours = env(fake, "--compose")
    named = env(fake, "--compose", "other.yml")

    assert "note: Compose reads compose.override.yaml instead of docker-compose.override.yml" in ours.stderr
    assert "instead" not in named.stderr


def test_a_compose_file_that_is_a_folder_stops_all_before_anything_is_written(
    fake: FakeXinference, folder: Path
) -> None:
    (folder / "docker-compose.yml").mkdir()

    result = run("--endpoint", fake.endpoint, "env", "--compose")

    assert result.exit_code == 1
    assert "error: docker-compose.yml: cannot be read" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["docker-compose.yml"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere containers reach the machine that they run on")
def test_a_container_that_would_not_reach_the_endpoint_is_told(fake: FakeXinference, folder: Path) -> None:
    override = env(fake, "--compose", "--model", "narrator")
    (folder / "docker-compose.override.yml").write_bytes(b"# Written by `biai-xinf env --compose`\n")
    env(fake, "--compose")

    assert f"note: on Linux no container reaches {fake.endpoint}" in override.stderr
    assert sorted(files(folder)) == [".env", "docker-compose.override.yml"]


OVERRIDE = """\
# Written by `biai-xinf env --compose`: beside BIAI's docker-compose.yml, where Compose reads it by itself.
# The name `ollama` and port 11434 lead to http://10.0.0.5:9997
# by a proxy in Ollama's place, and no Ollama is started.
services:
  ollama:
    image: nginx:1.28-alpine
    command:
      - sh
      - -c
      - |
        cat > /etc/nginx/conf.d/default.conf <<'END'
        server {
            listen 11434;
            client_max_body_size 256m;
            location / {
                proxy_pass http://10.0.0.5:9997;
                proxy_http_version 1.1;
                proxy_ssl_server_name on;
                proxy_set_header Host $$proxy_host;
                proxy_set_header Connection "";
                # Answers stream, and a model may read for long before its first word.
                proxy_buffering off;
                proxy_request_buffering off;
                proxy_read_timeout 1h;
                proxy_send_timeout 1h;
            }
        }
        END
        exec nginx -g 'daemon off;'
    extra_hosts: ["host.docker.internal:host-gateway"]
    healthcheck:
      test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:11434/api/version"]
      interval: 10s
      timeout: 5s
      retries: 12
"""


def test_the_compose_file_is_this_one() -> None:
    assert compose_override("http://10.0.0.5:9997", with_key=False) == OVERRIDE


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        ("http://127.0.0.1:9997", "http://host.docker.internal:9997"),
        ("http://localhost", "http://host.docker.internal"),
        ("https://biai.example.com/xinference", "https://biai.example.com/xinference/"),
    ],
)
def test_a_container_reaches_this_machine_by_another_name(endpoint: str, target: str) -> None:
    assert f"proxy_pass {target};" in compose_override(endpoint, with_key=False)


BIAI = {
    "services": {
        "biai-app": {"image": "biai", "depends_on": ["ollama"], "environment": {"OLLAMA_HOST": "http://ollama:11434"}},
        "ollama": {"image": "ollama/ollama", "ports": ["11434:11434"], "volumes": ["models:/root/.ollama"]},
    },
    "volumes": {"models": {}},
}


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
@pytest.mark.parametrize("with_key", [False, True])
def test_compose_puts_the_proxy_into_ollamas_place(folder: Path, with_key: bool) -> None:
    (folder / "docker-compose.yml").write_text(yaml.safe_dump(BIAI))
    (folder / "docker-compose.override.yml").write_text(compose_override("http://10.0.0.5:9997", with_key=with_key))
    environ = {name: value for name, value in os.environ.items() if name != "BIAI_XINF_API_KEY"}

    def config(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker-compose", "config"], capture_output=True, text=True, env={**environ, **more}, timeout=60
        )

    merged = yaml.safe_load(config(BIAI_XINF_API_KEY=KEY).stdout)["services"]

    assert merged["ollama"]["image"] == "nginx:1.28-alpine"
    assert [port["target"] for port in merged["ollama"]["ports"]] == [11434]
    assert merged["biai-app"]["environment"]["OLLAMA_HOST"] == "http://ollama:11434"
    assert (f"Bearer {KEY}" in merged["ollama"]["command"][2]) == with_key
    assert config().returncode == (1 if with_key else 0)


class _Endpoint(BaseHTTPRequestHandler):
    """Says who asked for what."""

    def do_GET(self) -> None:
        said = f"{self.path} {self.headers['Authorization']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *words: object) -> None:
        pass


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_leads_to_the_endpoint_with_the_key(folder: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    text = compose_override("http://10.0.0.5:9997", with_key=True)
    script = yaml.safe_load(text)["services"]["ollama"]["command"][2]
    site = script.partition("<<'END'\n")[2].partition("\nEND\n")[0]
    site = site.replace("$$", "$").replace("${BIAI_XINF_API_KEY:?an API key of the cluster}", KEY)
    site = site.replace("http://10.0.0.5:9997", f"http://127.0.0.1:{server.server_port}")
    site = site.replace("listen 11434", f"listen 127.0.0.1:{port}")
    of = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = " ".join(f"{name}_temp_path {folder}/{name};" for name in of)
    main = (
        f"daemon off; pid {folder}/pid; error_log {folder}/log; events {{}}\nhttp {{ access_log off; {own}\n{site}\n}}"
    )
    (folder / "nginx.conf").write_text(main)
    nginx = subprocess.Popen(["nginx", "-e", f"{folder}/log", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        answer = _patiently(f"http://127.0.0.1:{port}/api/version")
    finally:
        nginx.terminate()
        nginx.wait(30)
        server.shutdown()

    assert answer == f"/api/version Bearer {KEY}"


def _patiently(url: str) -> str:
    deadline = time.monotonic() + 30
    while True:
        try:
            return requests.get(url, timeout=10).text
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "nginx did not start"
            time.sleep(0.05)
