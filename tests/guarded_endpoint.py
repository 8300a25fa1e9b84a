"""A real endpoint as a team would run it: authentication on, an admin, an API key, a SQL model and an embedding."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import requests

from biai_xinf.client import Client
from biai_xinf.credentials import Credentials
from tests.commandline import run
from tests.tiny_models import embedding_family, tiny_embedding_gguf
from tests.xinference_fixtures import RealXinference, running_xinference

USER, PASSWORD = "ann", "correct-horse"
SQL, EMBEDDER = "sql-coder", "guarded-embedder"
# A key of a server behind the endpoint, which must show up nowhere.
CANARY = "canary-9c41e7"
KEY_VARIABLE = "GUARDED_UPSTREAM_KEY"


@dataclass(frozen=True)
class GuardedEndpoint:
    """Where it is; `key` may use every model, `sql_key` the SQL model only."""

    server: RealXinference
    home: Path
    key: str
    sql_key: str

    @property
    def url(self) -> str:
        return self.server.endpoint

    def admin(self) -> Client:
        return Client(self.url, Credentials(username=USER, password=PASSWORD))

    def post(self, path: str, body: Any, key: str | None = None) -> requests.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return requests.post(self.url + path, json=body, headers=headers, timeout=60)

    def get(self, path: str, key: str | None = None) -> requests.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return requests.get(self.url + path, headers=headers, timeout=60)


@pytest.fixture(scope="session")
def guarded_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedEndpoint]:
    """One for all tests that ask for it."""
    with running_guarded_endpoint(tmp_path_factory.mktemp("guarded")) as endpoint:
        yield endpoint


@contextmanager
def running_guarded_endpoint(folder: Path) -> Iterator[GuardedEndpoint]:
    """One with everything in it, ended afterwards."""
    home = folder / "xinference"
    home.mkdir()
    with running_xinference(home, XINFERENCE_AUTH_ADVANCED="1", **{KEY_VARIABLE: CANARY}) as server:
        admin = {"authorization": f"Bearer {_first_login(server)}"}
        key = _api_key(server.endpoint, admin, "all", [{"permission_type": "all"}])
        only_sql = [{"permission_type": "model_id", "permission_value": SQL}]
        sql_key = _api_key(server.endpoint, admin, "sql", only_sql)
        endpoint = GuardedEndpoint(server, home, key, sql_key)
        _launch_models(endpoint, folder)
        yield endpoint


def _first_login(server: RealXinference) -> str:
    token = _setup_token(server)
    body = {"setup_token": token, "username": USER, "password": PASSWORD}
    requests.post(f"{server.endpoint}/v1/admin/setup", json=body, timeout=60).raise_for_status()
    login = requests.post(f"{server.endpoint}/token", json={"username": USER, "password": PASSWORD}, timeout=60)
    access: str = login.json()["access_token"]
    return access


def _setup_token(server: RealXinference) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := re.search(r"(?i)setup token\W+(\S+)", server.log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.1)
    raise AssertionError("Xinference told no setup token")


def _api_key(url: str, admin: dict[str, str], name: str, permissions: list[dict[str, str]]) -> str:
    body = {"name": name, "model_permissions": permissions}
    made = requests.post(f"{url}/v1/admin/keys", json=body, headers=admin, timeout=60)
    made.raise_for_status()
    key: str = made.json()["key"]
    return key


def _launch_models(endpoint: GuardedEndpoint, folder: Path) -> None:
    who = {"BIAI_XINF_USERNAME": USER, "BIAI_XINF_PASSWORD": PASSWORD, "BIAI_XINF_HOME": str(folder / "biai-xinf")}
    with patch.dict(os.environ, {**who, "HF_HUB_OFFLINE": "1"}):
        result = run("--endpoint", endpoint.url, "launch", SQL, "--recipe", "bundled")
    assert result.exit_code == 0, result.stderr
    weights = folder / "embedder"
    weights.mkdir()
    family = embedding_family(EMBEDDER, tiny_embedding_gguf(weights))
    with endpoint.admin() as client:
        client.register("embedding", json.loads(json.dumps(family)))
        sizing = {"model_format": "ggufv2", "quantization": "f16", "n_parallel": 1, "n_ctx": 512}
        body = {"model_uid": EMBEDDER, "model_name": EMBEDDER, "model_type": "embedding", "model_engine": "llama.cpp"}
        client.launch({**body, **sizing}, wait_ready=True, timeout=180)
