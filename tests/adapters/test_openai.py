"""`connect`: where it asks, who it is there, which model it means, and what it repeats."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

openai = pytest.importorskip("openai")
pytest.importorskip("uvicorn")

from biai_xinf.adapters.openai import BrokeOff, Endpoint, connect, connect_async  # noqa: E402
from biai_xinf.client import Client  # noqa: E402
from biai_xinf.credentials import Credentials, save_credentials  # noqa: E402
from biai_xinf.errors import AuthFailed, BadFile, MissingExtra, NotFound, Unreachable  # noqa: E402
from tests.adapters.asking import QUESTION, FailsFirst, Kind, say  # noqa: E402
from tests.fake_xinference import FakeXinference  # noqa: E402
from tests.ollama_stand_in import SAYS, StandIn, served  # noqa: E402
from tests.unit.test_transport import answering, closed_port, http  # noqa: E402

KINDS = pytest.mark.parametrize("kind", ["sync", "async"])
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
USER, PASSWORD = "biai", "correct-horse"
COMPLETION = json.dumps({"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]})


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """An endpoint that serves `sql-coder`."""
    with FakeXinference() as fake:
        yield _serving(fake)


@pytest.fixture
def guarded() -> Iterator[FakeXinference]:
    """One that asks for a login."""
    with FakeXinference(auth=True) as fake:
        assert fake.auth is not None
        fake.auth.users[USER] = PASSWORD
        yield _serving(fake)


def _serving(fake: FakeXinference, uid: str = "sql-coder") -> FakeXinference:
    fake.run(uid)
    fake.chat[uid] = lambda body: f"{uid} says so"
    return fake


def _file(folder: Path, endpoint: str, auth: str = "") -> Path:
    file = folder / "cluster.yaml"
    file.write_text(f"endpoint: {endpoint}\n{auth}models:\n  - {{spec: sql-coder}}\n", encoding="utf-8")
    return file


# What a newcomer does


def test_a_client_and_a_model_are_all_it_takes(fake: FakeXinference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIAI_XINF_ENDPOINT", fake.endpoint)

    client, model = connect("sql")
    answer = client.chat.completions.create(model=model, messages=QUESTION)

    assert (model, answer.choices[0].message.content) == ("sql-coder", "sql-coder says so")


def test_an_asynchronous_application_gets_an_asynchronous_client(fake: FakeXinference) -> None:
    async def ask() -> tuple[str, str | None]:
        client, model = await connect_async("sql", endpoint=fake.endpoint)
        async with client:
            answer = await client.chat.completions.create(model=model, messages=QUESTION)
        return model, answer.choices[0].message.content

    assert asyncio.run(ask()) == ("sql-coder", "sql-coder says so")


def test_no_representation_shows_the_key(guarded: FakeXinference) -> None:
    assert guarded.auth is not None
    guarded.auth.api_keys.append("xf-secret")

    shown = [Endpoint(guarded.endpoint, "xf-secret"), connect("sql", endpoint=guarded.endpoint, api_key="xf-secret")]

    assert "secret" not in repr(shown)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "biai_xinf.adapters.openai")

    with pytest.raises(MissingExtra) as raised:
        importlib.import_module("biai_xinf.adapters.openai")

    assert str(raised.value) == "`openai` is not installed\n\nhint: pip install 'biai-xinf[openai]'"


# Where it asks


@pytest.mark.parametrize("told", ["argument", "environment", "file", "nothing"])
def test_the_endpoint_is_the_one_told_most_directly(
    told: str, fake: FakeXinference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ["argument", "environment", "file", "nothing"]
    endpoint = {way: fake.endpoint if way == told else f"http://127.0.0.1:{closed_port()}" for way in order}
    ways = order[order.index(told) :]
    if "environment" in ways:
        monkeypatch.setenv("BIAI_XINF_ENDPOINT", endpoint["environment"])
    monkeypatch.setattr("biai_xinf.reach.DEFAULT_ENDPOINT", endpoint["nothing"])

    connection = connect(
        "sql",
        endpoint=endpoint["argument"] if "argument" in ways else None,
        cluster=_file(tmp_path, endpoint["file"]) if "file" in ways else None,
    )

    assert str(connection.client.base_url) == f"{fake.endpoint}/v1/"


def test_an_endpoint_may_be_written_with_v1_behind_it(fake: FakeXinference) -> None:
    assert str(connect("sql", endpoint=f"{fake.endpoint}/v1").client.base_url) == f"{fake.endpoint}/v1/"


@pytest.mark.parametrize("value", [0, -1, None, "30", float("inf"), float("nan")], ids=str)
def test_a_timeout_that_nothing_can_be_done_in_is_a_programming_error(value: object) -> None:
    with pytest.raises(ValueError, match=r"^timeout is ") as raised:
        connect(endpoint=f"http://127.0.0.1:{closed_port()}", timeout=value)  # type: ignore[arg-type]  # what is wrong

    assert str(raised.value) == f"timeout is {value!r}, and must be a number of seconds above 0"


@pytest.mark.parametrize("value", [-1, None, 1.5], ids=str)
def test_a_number_of_retries_that_is_none_is_a_programming_error(value: object) -> None:
    with pytest.raises(ValueError, match=r"^max_retries is ") as raised:
        asyncio.run(connect_async(endpoint="http://127.0.0.1:1", max_retries=value))  # type: ignore[arg-type]  # what is wrong

    assert str(raised.value) == f"max_retries is {value!r}, and must be a whole number of at least 0"


def test_where_nothing_answers_one_sentence_says_so() -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}"

    with pytest.raises(Unreachable, match=f"^nothing answers at `{endpoint}`"):
        connect("sql", endpoint=endpoint)


def test_a_cluster_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"none\.yaml"):
        connect("sql", cluster=tmp_path / "none.yaml")


@KINDS
def test_a_proxy_is_not_asked_for_this_machine(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    with served(StandIn()) as url:
        assert say(kind, endpoint=url) == SAYS["sql-coder"]


@KINDS
def test_a_proxy_leads_to_other_machines(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    models = json.dumps({"data": [{"id": "sql-coder"}]})
    with answering(http("200 OK", models), http("200 OK", COMPLETION)) as (proxy, seen):
        monkeypatch.setenv("http_proxy", proxy)

        assert say(kind, endpoint="http://xinference.test:9997") == "Hi"

    assert [line.split(b"\r\n")[0] for line in seen] == [
        b"GET http://xinference.test:9997/v1/models HTTP/1.1",
        b"POST http://xinference.test:9997/v1/chat/completions HTTP/1.1",
    ]


@KINDS
def test_a_certificate_that_nobody_vouches_for_is_refused(kind: Kind, tmp_path: Path) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate: apt-get install openssl")
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    with _behind_tls(tmp_path) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
        assert say(kind, endpoint=url) == "Hi"
        client, model = connect("sql-coder", endpoint=url, max_retries=0)

        patch.delenv("REQUESTS_CA_BUNDLE")
        strict = Endpoint(url, max_retries=0)
        with pytest.raises(openai.APIConnectionError):
            strict.sync_client(strict.xinference()).chat.completions.create(model=model, messages=QUESTION)
        client.close()


@contextmanager
def _behind_tls(folder: Path) -> Iterator[str]:
    """An endpoint that answers over TLS, by the certificate in the folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(json.dumps({"data": [{"id": "sql-coder"}]}))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._say(COMPLETION)

        def _say(self, text: str) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


# Who it is there


@KINDS
@pytest.mark.parametrize("told", ["argument", "key", "password", "file's key", "file's password", "saved login"])
def test_every_way_to_say_who_we_are_lets_us_in(
    told: str, kind: Kind, guarded: FakeXinference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert guarded.auth is not None
    guarded.auth.api_keys.append("xf-key")
    where: dict[str, object] = {"endpoint": guarded.endpoint}
    if told == "argument":
        where["api_key"] = "xf-key"
    elif told == "key":
        monkeypatch.setenv("BIAI_XINF_API_KEY", "xf-key")
    elif told == "password":
        monkeypatch.setenv("BIAI_XINF_USERNAME", USER)
        monkeypatch.setenv("BIAI_XINF_PASSWORD", PASSWORD)
    elif told == "file's key":
        monkeypatch.setenv("SHOP_KEY", "xf-key")
        where = {"cluster": _file(tmp_path, guarded.endpoint, "auth: {api_key: SHOP_KEY}\n")}
    elif told == "file's password":
        monkeypatch.setenv("SHOP_USER", USER)
        monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
        auth = "auth: {username: SHOP_USER, password: SHOP_PASSWORD}\n"
        where = {"cluster": _file(tmp_path, guarded.endpoint, auth)}
    else:
        with Client(guarded.endpoint, Credentials(username=USER, password=PASSWORD)) as client:
            save_credentials(guarded.endpoint, client.login())

    assert say(kind, "sql", **where) == "sql-coder says so"
    assert guarded.auth.failures == 0


def test_a_key_of_the_environment_does_not_go_to_an_endpoint_whose_file_names_another(
    guarded: FakeXinference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIAI_XINF_API_KEY", "xf-for-another")

    with pytest.raises(AuthFailed, match=r"^not set in the environment: `SHOP_KEY`"):
        connect("sql", cluster=_file(tmp_path, guarded.endpoint, "auth: {api_key: SHOP_KEY}\n"))


def test_without_a_login_the_endpoint_says_what_to_do(guarded: FakeXinference) -> None:
    with pytest.raises(AuthFailed, match="biai-xinf login"):
        connect("sql", endpoint=guarded.endpoint)


@KINDS
def test_a_login_that_ended_is_renewed(kind: Kind, guarded: FakeXinference, monkeypatch: pytest.MonkeyPatch) -> None:
    assert guarded.auth is not None
    auth = guarded.auth
    monkeypatch.setenv("BIAI_XINF_USERNAME", USER)
    monkeypatch.setenv("BIAI_XINF_PASSWORD", PASSWORD)

    if kind == "sync":
        client, model = connect("sql", endpoint=guarded.endpoint)
        auth.expire_tokens()
        answer = client.chat.completions.create(model=model, messages=QUESTION)
    else:

        async def ask() -> object:
            client, model = await connect_async("sql", endpoint=guarded.endpoint)
            auth.expire_tokens()
            return await client.chat.completions.create(model=model, messages=QUESTION)

        answer = asyncio.run(ask())  # type: ignore[assignment]

    assert answer.choices[0].message.content == "sql-coder says so"
    assert auth.failures == 1


def test_a_key_that_was_refused_is_not_sent_again(guarded: FakeXinference) -> None:
    assert guarded.auth is not None
    guarded.auth.api_keys.append("xf-key")
    client, model = connect("sql", endpoint=guarded.endpoint, api_key="xf-key")
    guarded.auth.api_keys.clear()

    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model=model, messages=QUESTION)
    for _ in range(20):
        with pytest.raises(AuthFailed):
            client.chat.completions.create(model=model, messages=QUESTION)

    assert guarded.auth.failures == 1


@KINDS
def test_without_a_login_no_key_is_made_up(kind: Kind) -> None:
    stand_in = StandIn()
    with served(stand_in) as url:
        say(kind, endpoint=url)

    assert not [name for scope in stand_in.scopes for name, _ in scope["headers"] if name == b"authorization"]


# Which model


def _told(uid: str, role: str | None, *aliases: str, kind: str = "native") -> dict[str, object]:
    return {"uid": uid, "kind": kind, "state": "ok", "role": role, "aliases": list(aliases), "spec": None}


@pytest.mark.parametrize(
    ("name", "uid"),
    [("sql", "coder"), ("narrator", "storyteller"), ("biai-coder", "coder"), ("storyteller", "storyteller")],
)
def test_the_endpoint_tells_what_a_role_or_an_alias_means(name: str, uid: str) -> None:
    with FakeXinference(extension=True) as fake:
        assert fake.extension is not None
        fake.run("coder")
        fake.run("storyteller")
        # An upstream of a role stands behind a model of Xinference's own; what does not run serves nothing.
        fake.extension.told += [_told("gone", "sql"), _told("coder", "sql", "biai-coder")]
        fake.extension.told.append(_told("storyteller", "narrator"))

        assert connect(name, endpoint=fake.endpoint).model == uid


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("sql", "xiyan-sql"),
        ("xiyan-sql", "xiyan-sql"),
        ("embedding", "vectors"),
        ("rerank", "order"),
        ("anything", "anything"),
    ],
)
def test_a_stock_xinference_tells_it_by_uids_and_types(name: str, uid: str) -> None:
    with FakeXinference() as fake:
        fake.run("anything")
        fake.run("xiyan-sql")
        fake.run("vectors", model_type="embedding")
        fake.run("order", model_type="rerank")

        assert connect(name, endpoint=fake.endpoint).model == uid


def test_a_name_that_nothing_serves_is_told_with_what_is_served() -> None:
    with FakeXinference() as fake:
        fake.run("one", model_type="embedding")
        fake.run("other", model_type="embedding")

        with pytest.raises(NotFound) as raised:
            connect("embedding", endpoint=fake.endpoint)

    assert str(raised.value) == (
        f"nothing serves `embedding` at `{fake.endpoint}`; it serves `one`, `other`\n\n"
        "hint: `biai-xinf specs list` shows what `biai-xinf launch` can serve"
    )


# What it repeats


@KINDS
@STREAM
def test_an_endpoint_that_is_not_ready_is_asked_again(kind: Kind, stream: bool) -> None:
    app = FailsFirst(StandIn(), 503, 503)
    with served(app) as url:
        assert say(kind, stream=stream, endpoint=url) == SAYS["sql-coder"]

    assert app.questions == 3


@KINDS
def test_it_is_asked_no_more_often_than_was_said(kind: Kind) -> None:
    app = FailsFirst(StandIn(), 503, 503)
    with served(app) as url, pytest.raises(openai.InternalServerError):
        say(kind, endpoint=url, max_retries=1)

    assert app.questions == 2


@KINDS
def test_a_wrong_request_is_not_repeated(kind: Kind) -> None:
    app = FailsFirst(StandIn(), 400)
    with served(app) as url, pytest.raises(openai.BadRequestError):
        say(kind, endpoint=url)

    assert app.questions == 1


@KINDS
@pytest.mark.parametrize("word", ["", "the replica died"], ids=["without a word", "with an error"])
def test_a_stream_that_broke_is_never_begun_again(kind: Kind, word: str) -> None:
    stand_in = StandIn(breaks=word)
    app = FailsFirst(stand_in)
    with served(app) as url:
        if word:
            with pytest.raises(openai.APIError):
                say(kind, stream=True, endpoint=url)
        else:
            # The end of a stream tells nothing of whether it was the end that was meant.
            assert say(kind, stream=True, endpoint=url) == SAYS["sql-coder"].split(" ")[0]

    assert app.questions == 1


@KINDS
def test_a_stream_that_is_cut_off_is_never_begun_again(kind: Kind) -> None:
    models = http("200 OK", json.dumps({"data": [{"id": "sql-coder"}]}))
    piece = b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    cut_off = head + b"%x\r\n%s\r\n" % (len(piece), piece)
    with answering(models, cut_off, cut_off, cut_off) as (endpoint, seen):
        with pytest.raises((openai.APIConnectionError, BrokeOff)):
            say(kind, stream=True, endpoint=endpoint)

        assert len(seen) == 2


@KINDS
@STREAM
def test_what_got_no_answer_in_time_is_not_repeated(kind: Kind, stream: bool) -> None:
    stand_in = StandIn()
    app = FailsFirst(_Slow(stand_in))
    with served(app) as url:
        began = time.monotonic()
        with pytest.raises(openai.APITimeoutError):
            say(kind, stream=stream, endpoint=url, timeout=1)
        took = time.monotonic() - began

    assert app.questions == 1
    assert took < 2.5


class _Slow:
    """Lists its models at once, and answers nothing else before the client has given up."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        self._stand_in.delay_s = 0 if scope["path"] == "/v1/models" else 3
        await self._stand_in(scope, receive, send)  # type: ignore[arg-type]


@KINDS
def test_a_connection_that_closes_before_the_answer_begins_is_made_anew(kind: Kind) -> None:
    models = http("200 OK", json.dumps({"data": [{"id": "sql-coder"}]}))
    with answering(models, b"", http("200 OK", COMPLETION)) as (endpoint, seen):
        assert say(kind, endpoint=endpoint) == "Hi"

    assert len(seen) == 3


def test_the_core_starts_without_it() -> None:
    code = "import sys, biai_xinf.cli; sys.exit('openai' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
