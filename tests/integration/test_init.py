"""`init` on a fake Xinference that asks for a login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commandline import run
from tests.fake_xinference import FakeXinference


@pytest.fixture
def fake(own_home: Path) -> Iterator[FakeXinference]:
    with FakeXinference(auth=True) as server:
        assert server.auth is not None
        server.auth.users.clear()
        yield server


@pytest.fixture
def file(fake: FakeXinference, tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    text = f"endpoint: {fake.endpoint}\nmodels:\n  - {{spec: sql-coder, uid: sql}}\n  - spec: bge-m3\n"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_first_administrator_is_made_logged_in_and_kept(
    fake: FakeXinference, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fake.auth is not None
    monkeypatch.setenv("BIAI_XINF_PASSWORD", "correct horse")

    made = run("--endpoint", fake.endpoint, "init", "--setup-token", fake.auth.setup_token)
    monkeypatch.delenv("BIAI_XINF_PASSWORD")
    again = run("--endpoint", fake.endpoint, "init")

    assert made.exit_code == 0, made.stderr
    assert fake.auth.users == {"admin": "correct horse"}
    assert made.stderr.startswith(f"`admin` is the administrator of {fake.endpoint}; the login is kept in ")
    assert "correct horse" not in (own_home / "credentials.json").read_text(encoding="utf-8")
    assert again.exit_code == 0, again.stderr


def test_a_key_is_made_for_the_models_of_a_file_and_shown_once(
    fake: FakeXinference, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fake.auth is not None
    monkeypatch.setenv("BIAI_XINF_PASSWORD", "correct horse")

    result = run("init", "--setup-token", fake.auth.setup_token, "--key-for", str(file))

    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() in fake.auth.api_keys
    assert "an API key for sql, bge-m3; it is shown this once:\n" in result.stderr


def test_a_wrong_setup_token_is_said_and_nothing_is_kept(
    fake: FakeXinference, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIAI_XINF_PASSWORD", "correct horse")

    result = run("--endpoint", fake.endpoint, "init", "--setup-token", "wrong")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: Xinference forbids this: Invalid setup token.")
    assert not (own_home / "credentials.json").exists()


def test_without_authentication_there_is_nothing_to_set_up(own_home: Path) -> None:
    with FakeXinference() as fake:
        result = run("--endpoint", fake.endpoint, "init")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{fake.endpoint} asks nobody for a login: there is nothing to set up\n"
