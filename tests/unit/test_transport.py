"""What our errors say when the other side is absent, silent, broken, or no Xinference at all."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf import wire
from biai_xinf.client import Client
from biai_xinf.credentials import Credentials, save_credentials, saved_credentials
from biai_xinf.endpoint import is_loopback, parse_endpoint, proxies_to
from biai_xinf.errors import (
    AlreadyRunning,
    AuthFailed,
    Banned,
    Forbidden,
    NotFound,
    NotReady,
    NotXinference,
    Rejected,
    ServerFailed,
    Unreachable,
    XinferenceError,
)
from biai_xinf.transport import Call, Transport, failure
from biai_xinf.wire import without_noise
from tests.fake_auth import FakeAuth
from tests.fake_xinference import FakeXinference

PASSWORD = "correct-horse"
OK = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"auth":false}'


@contextmanager
def answering(*answers: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """A socket that answers one request per connection with these bytes, and closes it; None says nothing.

    Yields its endpoint and the first bytes of each request.
    """
    seen: list[bytes] = []
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                seen.append(connection.recv(65536))
                if answer is None:
                    over.wait(10)
                else:
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        over.set()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def http(status: str, body: str, content_type: str = "application/json", **headers: str) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{more}content-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


# Endpoints


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("http://127.0.0.1:9997", "http://127.0.0.1:9997"),
        (" http://127.0.0.1:9997/ ", "http://127.0.0.1:9997"),
        ("http://h:9997/v1", "http://h:9997"),
        ("http://0.0.0.0:9997", "http://127.0.0.1:9997"),
        ("https://Example.org/xinf/v1/", "https://example.org/xinf"),
        ("http://[::1]:9997", "http://[::1]:9997"),
    ],
)
def test_an_endpoint_is_kept_in_one_form(text: str, endpoint: str) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text",
    ["", "localhost:9997", "127.0.0.1:9997", "ftp://h", "http://", "http://h:x", "http://h:99999", "http://[::1"],
)
def test_what_is_no_endpoint_is_told_with_an_example(text: str) -> None:
    with pytest.raises(Unreachable) as caught:
        Client(text)

    assert str(caught.value) == f"`{text}` is no endpoint\n\nhint: write it as `http://127.0.0.1:9997`"


def test_a_password_in_the_endpoint_is_refused_and_not_quoted() -> None:
    with pytest.raises(Unreachable, match="holds a username or password") as caught:
        Client("http://ann:s3cret@127.0.0.1:9997")

    assert "s3cret" not in str(caught.value)


@given(st.text() | st.from_regex(r"https?://[^/]*", fullmatch=True))
def test_any_text_is_an_endpoint_or_refused(text: str) -> None:
    try:
        endpoint = parse_endpoint(text)
    except Unreachable:
        return

    assert parse_endpoint(endpoint) == endpoint


@pytest.mark.parametrize(
    ("endpoint", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.9.9.9:1", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://127.evil.example:1", False),
        ("http://10.0.0.1:1", False),
    ],
)
def test_this_machine_is_recognised(endpoint: str, here: bool) -> None:
    assert is_loopback(endpoint) is here


# Nothing, or nothing sensible, at the other end


def test_an_endpoint_where_nothing_listens_is_unreachable() -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}"

    with pytest.raises(Unreachable) as caught:
        Client(endpoint).auth_enabled()

    assert caught.value.message == f"nothing answers at `{endpoint}`"
    assert caught.value.hint is not None
    assert "`biai-xinf up`" in caught.value.hint
    assert "BIAI_XINF_ENDPOINT" in caught.value.hint


def test_a_server_that_stays_silent_is_unreachable() -> None:
    with answering(None) as (endpoint, _), pytest.raises(Unreachable) as caught:
        Client(endpoint, timeout=0.2).version()

    assert caught.value.message == f"`{endpoint}` did not answer `GET /v1/cluster/version` within 0.2 s"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what answers at `{}` does not speak HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x50", "what answers at `{}` does not speak HTTP"),
        (http("200 OK", "<html>", "text/html"), "`{}` answers, but not as Xinference does"),
        (http("200 OK", '{"error": "Unexpected endpoint"}'), "`{}` answers, but not as Xinference does"),
        (http("200 OK", "[1]"), "`{}` answers, but not as Xinference does"),
        (http("404 Not Found", "404 page not found", "text/plain"), "`{}` has no `GET /v1/cluster/auth` (status 404)"),
        (http("404 Not Found", '{"detail":"Not Found"}'), "`{}` has no `GET /v1/cluster/auth` (status 404)"),
        (
            http("404 Not Found", '{"error":{"code":404,"message":"File Not Found"}}'),
            "`{}` has no `GET /v1/cluster/auth` (status 404)",
        ),
        (
            http("400 Bad Request", "The plain HTTP request was sent to HTTPS port", "text/html"),
            "`{}` has no `GET /v1/cluster/auth` (status 400)",
        ),
        (
            http("301 Moved Permanently", "", "text/html", location="https://h/"),
            "`{}` redirects to `https://h/`",
        ),
    ],
    ids=["ssh", "tls", "a page", "lm studio", "other json", "ollama", "fastapi", "llama-server", "nginx tls", "moved"],
)
def test_what_is_no_xinference_is_told_apart(answer: bytes, said: str) -> None:
    with answering(answer, answer) as (endpoint, _), pytest.raises(NotXinference) as caught:
        Client(endpoint).auth_enabled()

    assert caught.value.message == said.format(endpoint)
    assert caught.value.hint is not None


def test_https_to_a_plain_server_hints_at_http() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (endpoint, _), pytest.raises(NotXinference) as caught:
        Client(endpoint.replace("http:", "https:")).auth_enabled()

    assert caught.value.hint is not None
    assert f"use `{endpoint}`" in caught.value.hint


def test_a_gateway_that_fails_is_no_reason_to_doubt_the_endpoint() -> None:
    answer = http("502 Bad Gateway", "<html>nginx", "text/html")
    with answering(answer) as (endpoint, _), pytest.raises(ServerFailed) as caught:
        Client(endpoint).auth_enabled()

    assert caught.value.message == f"`{endpoint}` failed at `GET /v1/cluster/auth` with status 502"


@pytest.mark.parametrize("cut", [b"", OK[:-5]], ids=["at once", "in the body"])
def test_a_get_on_a_connection_that_breaks_is_repeated_once(cut: bytes) -> None:
    with answering(cut, OK) as (endpoint, seen):
        assert Client(endpoint).auth_enabled() is False

    assert len(seen) == 2


def test_a_get_is_not_repeated_twice() -> None:
    with answering(b"", b"", OK) as (endpoint, seen), pytest.raises(Unreachable) as caught:
        Client(endpoint).auth_enabled()

    said = f"`{endpoint}` closed the connection instead of answering `GET /v1/cluster/auth`"
    assert caught.value.message == said
    assert len(seen) == 2


def test_texts_on_a_connection_that_breaks_are_sent_once_more() -> None:
    vectors = '{"data": [{"index": 0, "embedding": [1, 0.5]}]}'

    with answering(b"", http("200 OK", vectors)) as (endpoint, seen):
        assert Client(endpoint).embed("bge-m3", ["orders"]) == [[1, 0.5]]

    assert len(seen) == 2


def test_half_a_character_at_the_end_of_an_answer_is_no_reason_to_throw_it_away() -> None:
    with answering(http("200 OK", '"cut \\ud83d"')) as (endpoint, _):
        assert Client(endpoint).supervisor_address() == "cut \ud83d"


def test_a_launch_on_a_connection_that_breaks_is_not_repeated() -> None:
    with answering(b"", b"") as (endpoint, seen), pytest.raises(Unreachable) as caught:
        Client(endpoint).launch({"model_name": "x"})

    said = f"`{endpoint}` closed the connection instead of answering `POST /v1/models`"
    assert caught.value.message == said
    assert len(seen) == 1


# The environment


def test_a_proxy_in_the_environment_does_not_stand_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")

    with FakeXinference() as fake:
        assert Client(fake.endpoint).auth_enabled() is False


def test_a_proxy_in_the_environment_leads_to_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "direct.example")

    assert proxies_to("http://xinference.example:9997")["http"] == proxy
    assert proxies_to("http://direct.example:9997") == {}
    with pytest.raises(Unreachable, match="the proxy does not lead to"):
        Client("http://xinference.example:9997").auth_enabled()


def test_a_login_in_netrc_does_not_replace_our_bearer(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("netrc") / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with answering(http("200 OK", '{"version": "4.1.0"}')) as (endpoint, seen):
        Client(endpoint, Credentials(api_key="xf-1")).version()

    assert b"Authorization: Bearer xf-1\r\n" in seen[0]


# From status and detail to our errors


@pytest.mark.parametrize(
    ("status", "detail", "kind"),
    [
        (400, "Model not found in the model list, uid: x", NotFound),
        (400, "Model not found, name: x, format: None, size: None, quantization: None", NotFound),
        (400, "Model x not found", NotFound),
        (400, "Model is already in the model list, uid: x", AlreadyRunning),
        (400, "Model x already registered", Rejected),
        (400, "Model x cannot be run on engine vLLM.", Rejected),
        (401, "Could not validate credentials", AuthFailed),
        (403, "Not enough permissions", Forbidden),
        (404, "Model not found in the model list, uid: x (cached, retry after 10.0s)", NotFound),
        (429, "Rate limit reached", Rejected),
        (429, "Too many failed attempts. IP temporarily banned.", Banned),
        (429, "Too many failed attempts for this key.", Banned),
        (500, "Model x has not been launched yet", NotFound),
        (500, "Remote server 127.0.0.1:1 closed", ServerFailed),
        (503, "No available slot found for the model", ServerFailed),
    ],
)
def test_each_failure_has_its_class(status: int, detail: str, kind: type[XinferenceError]) -> None:
    error = failure(status, f"[address=127.0.0.1:30795, pid=4141] {detail}")

    assert type(error) is kind
    assert error.status == status
    assert detail in error.message
    assert "address=" not in error.message


def test_a_503_that_says_when_to_come_back_is_a_model_that_loads() -> None:
    assert type(failure(503, "Model is loading, please retry later: x", retry_after=True)) is NotReady


def test_a_long_failure_is_a_sentence_and_its_details() -> None:
    error = failure(400, "[address=127.0.0.1:1, pid=2] 1 validation error for X\nname\n  field required")

    assert (error.message, error.details) == ("1 validation error for X", ["name", "field required"])


def test_an_answer_in_openai_shape_is_understood() -> None:
    answer = http("429 Too Many Requests", '{"error": {"message": "slow down", "type": "x"}}')
    with answering(answer) as (endpoint, _), pytest.raises(Rejected, match=r"^slow down$"):
        Client(endpoint).chat("x", [])


@given(st.text(), st.from_regex(r"[\w.:\[\]/]{1,30}", fullmatch=True), st.integers(0, 10**7), st.text())
def test_noise_is_stripped_and_nothing_else(before: str, address: str, pid: int, after: str) -> None:
    noise = f"[address={address.translate({91: None, 93: None})}, pid={pid}] "

    assert without_noise(f"{before}{noise}{after}") == without_noise(before + after)


@given(st.integers(300, 599), st.text())
def test_any_failure_becomes_one_of_our_errors(status: int, detail: str) -> None:
    error = failure(status, detail)

    assert error.message
    assert "\n" not in error.message


# Answers


def test_a_gpu_whose_memory_cannot_be_read_has_none() -> None:
    device = {"name": "ROCm GPU 0", "mem_total": 1, "mem_used": 0, "mem_free": 1, "mem_usage": 0.0, "gpu_util": 0}

    status = wire.WorkerStatus.model_validate({"status": {"gpu-0": device}})

    assert status.gpus == {"0": wire.GpuStatus(name="ROCm GPU 0", gpu_util=0)}


def test_an_answer_of_another_version_may_say_more_and_less() -> None:
    model = wire.RunningModel.model_validate({"id": "x", "model_size_in_billions": "0_5", "news": {"a": 1}})

    assert model == wire.RunningModel(id="x", model_size_in_billions="0_5")


# Tokens


@pytest.fixture
def fake() -> Iterator[FakeXinference]:
    """One with authentication and the user `ann`."""
    with FakeXinference(auth=True) as fake:
        auth_of(fake).users["ann"] = PASSWORD
        yield fake


def auth_of(fake: FakeXinference) -> FakeAuth:
    assert fake.auth is not None
    return fake.auth


def logged_in(fake: FakeXinference) -> Credentials:
    credentials = Client(fake.endpoint, Credentials(username="ann", password=PASSWORD)).login()
    fake.calls.clear()
    return credentials


def test_open_routes_are_asked_without_credentials(fake: FakeXinference) -> None:
    client = Client(fake.endpoint, Credentials(api_key="xf-wrong"))

    assert client.auth_enabled() is True
    assert client.status().workers
    assert auth_of(fake).failures == 0


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(api_key="xf-wrong"),
        Credentials(access_token="wrong"),
        Credentials(access_token="wrong", refresh_token="wrong"),
        Credentials(username="ann", password="wrong"),
    ],
    ids=["key", "token", "tokens", "password"],
)
def test_refused_credentials_are_sent_once_however_often_we_ask(fake: FakeXinference, credentials: Credentials) -> None:
    client = Client(fake.endpoint, credentials)

    for _ in range(20):
        with pytest.raises(AuthFailed):
            client.models()

    sends_a_token = credentials.password is None
    assert auth_of(fake).failures == int(sends_a_token)
    assert fake.calls.count(("GET", "/v1/models")) == 1
    assert fake.calls.count(("POST", "/token")) == int(not sends_a_token)
    assert fake.calls.count(("POST", "/v1/auth/refresh")) == int(credentials.refresh_token is not None)


def test_a_refused_password_is_not_sent_again_by_login(fake: FakeXinference) -> None:
    client = Client(fake.endpoint, Credentials(username="ann", password="wrong"))

    for _ in range(3):
        with pytest.raises(AuthFailed):
            client.login()

    assert fake.calls.count(("POST", "/token")) == 1


def test_no_credentials_are_asked_for_with_a_hint(fake: FakeXinference) -> None:
    with pytest.raises(AuthFailed) as caught:
        Client(fake.endpoint).models()

    assert caught.value.status == 401
    assert caught.value.hint is not None
    assert "BIAI_XINF_API_KEY" in caught.value.hint


def test_a_password_is_traded_once_for_a_token(fake: FakeXinference) -> None:
    client = Client(fake.endpoint, Credentials(username="ann", password=PASSWORD))

    for _ in range(3):
        client.models()

    assert fake.calls == [("GET", "/v1/models"), ("POST", "/token"), *[("GET", "/v1/models")] * 3]


def test_a_password_is_not_sent_where_nobody_asks_for_it() -> None:
    with FakeXinference() as fake:
        Client(fake.endpoint, Credentials(username="ann", password=PASSWORD)).models()

        assert fake.calls == [("GET", "/v1/models")]


def test_to_log_in_where_nobody_asks_for_it_is_rejected() -> None:
    with FakeXinference() as fake, pytest.raises(Rejected, match="asks for no login"):
        Client(fake.endpoint, Credentials(username="ann", password=PASSWORD)).login()


def test_a_voided_token_is_refreshed_once(fake: FakeXinference) -> None:
    client = Client(fake.endpoint, logged_in(fake))
    auth_of(fake).expire_tokens()

    client.models()
    client.models()

    models = ("GET", "/v1/models")
    assert fake.calls == [models, ("POST", "/v1/auth/refresh"), models, models]


def test_an_expired_token_is_refreshed_before_it_costs_a_failure(
    fake: FakeXinference, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(fake.endpoint, logged_in(fake))
    auth_of(fake).expire_tokens()
    expired_at = time.time() + 1800
    monkeypatch.setattr("biai_xinf.bearer.time.time", lambda: expired_at)

    client.models()

    assert fake.calls == [("POST", "/v1/auth/refresh"), ("GET", "/v1/models")]
    assert auth_of(fake).failures == 0


def test_a_saved_login_is_kept_fresh_in_its_file(fake: FakeXinference) -> None:
    before = logged_in(fake)
    save_credentials(fake.endpoint, before)
    client = Client(fake.endpoint, before)
    auth_of(fake).expire_tokens()

    client.models()

    after = saved_credentials(fake.endpoint)
    assert after is not None
    assert after.username == "ann"
    assert after.refresh_token != before.refresh_token
    Client(fake.endpoint, after).models()


def test_a_login_that_another_process_refreshed_is_taken_from_the_file(fake: FakeXinference) -> None:
    login = logged_in(fake)
    save_credentials(fake.endpoint, login)
    mine, other = Client(fake.endpoint, login), Client(fake.endpoint, login)
    auth_of(fake).expire_tokens()
    other.models()

    mine.models()

    assert fake.calls.count(("POST", "/v1/auth/refresh")) == 2


def test_a_saved_login_that_is_void_altogether_is_sent_once(fake: FakeXinference) -> None:
    void = Credentials(username="ann", access_token="void", refresh_token="void")
    save_credentials(fake.endpoint, void)
    client = Client(fake.endpoint, void)

    for _ in range(3):
        with pytest.raises(AuthFailed):
            client.models()

    assert fake.calls == [("GET", "/v1/models"), ("POST", "/v1/auth/refresh")]


def test_tokens_that_are_not_saved_stay_unsaved(fake: FakeXinference) -> None:
    client = Client(fake.endpoint, logged_in(fake))
    auth_of(fake).expire_tokens()

    client.models()

    assert saved_credentials(fake.endpoint) is None


def test_many_threads_refresh_a_token_once(fake: FakeXinference) -> None:
    client = Client(fake.endpoint, logged_in(fake))
    auth_of(fake).expire_tokens()
    threads = [threading.Thread(target=client.models) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert fake.calls.count(("POST", "/v1/auth/refresh")) == 1


def test_an_api_key_may_not_launch(fake: FakeXinference) -> None:
    key = Client(fake.endpoint, logged_in(fake)).create_api_key("app").key
    client = Client(fake.endpoint, Credentials(api_key=key))

    with pytest.raises(Forbidden) as caught:
        client.launch({"model_name": "x", "model_engine": "vLLM"})

    assert client.models() == []
    assert caught.value.hint is not None
    assert "`biai-xinf login`" in caught.value.hint


def test_secrets_are_in_no_error(fake: FakeXinference) -> None:
    told: list[str] = []
    for credentials in (Credentials(api_key="s3cret"), Credentials(username="ann", password="s3cret")):
        client = Client(fake.endpoint, credentials)
        calls: list[Callable[[], object]] = [client.models, client.login]
        for call in calls:
            with pytest.raises(XinferenceError) as caught:
                call()
            told.append(f"{caught.value!r} {caught.value}")

    assert not re.search("s3cret", "".join(told))


def test_a_request_without_its_body_shape_is_a_servers_failure_and_the_next_one_works() -> None:
    with FakeXinference() as fake:
        transport = Transport(fake.endpoint)

        with pytest.raises(ServerFailed):
            transport.request(Call("POST", "/v1/chat/completions", {}), object)

        assert transport.request(Call("GET", "/v1/cluster/auth"), wire.AuthState).auth is False
