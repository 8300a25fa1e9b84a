"""Xinference with authentication, as the client sees it: the first user, logins, API keys, and what they may do."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from biai_xinf.client import Client
from biai_xinf.credentials import Credentials
from biai_xinf.errors import AuthFailed, Banned, Forbidden, Rejected
from biai_xinf.transport import Call, Transport
from tests.contract.conftest import wait_until
from tests.fake_xinference import FakeXinference
from tests.xinference_fixtures import needs_xinference

USER, PASSWORD = "ann", "correct-horse"


@dataclass
class Guarded:
    """A server with authentication, and its first user."""

    endpoint: str
    setup_token: str

    def client(self, credentials: Credentials | None = None) -> Client:
        return Client(self.endpoint, credentials)

    def admin(self) -> Client:
        return self.client(Credentials(username=USER, password=PASSWORD))


REAL = pytest.param("real", marks=[pytest.mark.real, pytest.mark.slow, needs_xinference])


@pytest.fixture(scope="module", params=["fake", REAL])
def guarded(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    if request.param == "real":
        real = request.getfixturevalue("real_xinference_with_auth")
        found = wait_until(lambda: re.search(r"(?i)setup token\W+(\S+)", real.log.read_text(errors="replace")))
        server = Guarded(real.endpoint, found[1])
        set_up(server)
        yield server
        return
    with FakeXinference(auth=True) as fake:
        assert fake.auth is not None
        server = Guarded(fake.endpoint, fake.auth.setup_token)
        set_up(server)
        yield server


def set_up(server: Guarded) -> None:
    with pytest.raises(Forbidden, match="Invalid setup token"):
        server.client().setup_admin("wrong", USER, PASSWORD)
    with pytest.raises(Rejected, match="Password must be at least 8 characters"):
        server.client().setup_admin(server.setup_token, USER, "short")
    server.client().setup_admin(server.setup_token, USER, PASSWORD)


def test_the_first_user_is_set_up_once(guarded: Guarded) -> None:
    with pytest.raises(Forbidden, match="Setup already completed"):
        guarded.client().setup_admin(guarded.setup_token, "bob", PASSWORD)


def test_some_routes_are_open(guarded: Guarded) -> None:
    client = guarded.client()

    assert client.auth_enabled() is True
    assert client.status().workers


def test_a_request_without_credentials_is_refused(guarded: Guarded) -> None:
    with pytest.raises(AuthFailed) as caught:
        guarded.client().models()

    assert caught.value.message == "Xinference refused us: Could not validate credentials"


def test_a_wrong_password_is_refused(guarded: Guarded) -> None:
    with pytest.raises(AuthFailed) as caught:
        guarded.client(Credentials(username=USER, password="wrong")).login()

    assert caught.value.message == "Xinference refused us: Incorrect username or password"


def test_the_first_user_may_do_everything(guarded: Guarded) -> None:
    client = guarded.admin()

    assert client.models() == []
    assert client.instances() == []
    assert client.cached_models() == []
    assert client.version()
    assert client.cluster_info()
    assert client.engines("LLM", "nonesuch") == {}


def test_a_login_gives_tokens_that_tell_when_they_expire(guarded: Guarded) -> None:
    credentials = guarded.admin().login()

    assert credentials.password is None
    assert credentials.access_token is not None
    payload = credentials.access_token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["exp"] > 0
    assert guarded.client(credentials).models() == []


def test_a_refused_access_token_is_refreshed(guarded: Guarded) -> None:
    login = guarded.admin().login()
    voided = Credentials(access_token="voided", refresh_token=login.refresh_token)

    assert guarded.client(voided).models() == []


def test_a_refresh_token_is_good_for_one_use(guarded: Guarded) -> None:
    login = guarded.admin().login()
    only_refresh = Credentials(refresh_token=login.refresh_token)
    guarded.client(only_refresh).models()

    with pytest.raises(AuthFailed) as caught:
        guarded.client(only_refresh).models()

    assert caught.value.message == "Xinference refused us: Invalid or expired refresh token"


def test_a_cluster_with_an_administrator_needs_no_setup(guarded: Guarded) -> None:
    assert guarded.client(None).needs_setup() is False


def test_an_api_key_for_some_models_may_not_ask_others(guarded: Guarded) -> None:
    key = guarded.admin().create_api_key("shop", models=["sql"])

    client = guarded.client(Credentials(api_key=key.key))

    with pytest.raises(Forbidden):
        client.chat("narrator", [{"role": "user", "content": "hello"}])


def test_an_api_key_may_list_but_change_nothing(guarded: Guarded) -> None:
    key = guarded.admin().create_api_key("reporting")

    client = guarded.client(Credentials(api_key=key.key))

    assert key.key.startswith("xf-")
    assert client.models() == []
    assert client.instances() == []
    for forbidden in (
        lambda: client.launch({"model_name": "x", "model_engine": "vLLM"}),
        lambda: client.terminate("x"),
        lambda: client.record_launch("x", "x", {}),
        client.cached_models,
        client.version,
    ):
        with pytest.raises(Forbidden, match="API keys can only access model query and inference endpoints"):
            forbidden()


def test_a_wrong_api_key_is_refused(guarded: Guarded) -> None:
    with pytest.raises(AuthFailed) as caught:
        guarded.client(Credentials(api_key="xf-wrong")).models()

    assert caught.value.message == "Xinference refused us: Could not validate credentials"


def test_a_launch_form_is_filled_in_for_the_user_who_recorded_the_launch(guarded: Guarded) -> None:
    bob = Credentials(username="bob", password=PASSWORD)
    with guarded.admin() as admin, guarded.client(bob) as other:
        admin.record_launch("coder", "sql", {"n_gpu": 1})
        create = Call("POST", "/v1/admin/users", {"username": "bob", "password": PASSWORD, "permissions": ["admin"]})
        transport = Transport(guarded.endpoint, Credentials(username=USER, password=PASSWORD))
        transport.request(create, object)
        transport.close()

        seen = [[kept.model_uid for kept in client.launch_history("coder")] for client in (admin, other)]

    assert seen == [["sql"], []]


def test_many_requests_without_a_token_lock_nobody_out(guarded: Guarded) -> None:
    for _ in range(12):
        with pytest.raises(AuthFailed):
            guarded.client().models()

    assert guarded.admin().models() == []


def test_many_wrong_passwords_lock_nobody_out(guarded: Guarded) -> None:
    for _ in range(12):
        with pytest.raises(AuthFailed):
            guarded.client(Credentials(username=USER, password="wrong")).login()

    assert guarded.admin().models() == []


def test_ten_refused_tokens_lock_this_address_out(guarded: Guarded) -> None:
    """Runs last: after it nobody gets in here for an hour."""
    login = guarded.admin().login()

    for _ in range(10):
        with pytest.raises((AuthFailed, Banned)):
            guarded.client(Credentials(api_key="xf-wrong")).models()

    with pytest.raises(Banned) as caught:
        guarded.client(login).models()
    assert caught.value.status == 429
    assert guarded.client().auth_enabled() is True
