"""Where credentials come from, how a login is kept, and that no secret is ever shown."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biai_xinf.credentials import (
    Credentials,
    credentials_file,
    forget_credentials,
    load_credentials,
    save_credentials,
    saved_credentials,
)
from biai_xinf.errors import AuthFailed, BadFile

HERE = "http://127.0.0.1:9997"
LOGIN = Credentials(username="ann", access_token="access-1", refresh_token="refresh-1")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"BIAI_XINF_API_KEY": ""}, None),
        ({"BIAI_XINF_API_KEY": " xf-1\n"}, Credentials(api_key="xf-1")),
        (
            {"BIAI_XINF_USERNAME": "ann", "BIAI_XINF_PASSWORD": " pass word "},
            Credentials(username="ann", password=" pass word "),
        ),
        (
            {"BIAI_XINF_API_KEY": "xf-1", "BIAI_XINF_USERNAME": "ann", "BIAI_XINF_PASSWORD": "p"},
            Credentials(api_key="xf-1"),
        ),
    ],
    ids=["nothing", "an empty key", "a key with blanks around it", "a user", "a key before a user"],
)
def test_the_environment_names_credentials(
    environ: Mapping[str, str], expected: Credentials | None, tmp_path: Path
) -> None:
    assert load_credentials(HERE, {**environ, "BIAI_XINF_HOME": str(tmp_path)}) == expected


@pytest.mark.parametrize("name", ["BIAI_XINF_USERNAME", "BIAI_XINF_PASSWORD"])
def test_half_a_user_is_refused(name: str) -> None:
    with pytest.raises(AuthFailed, match="one is missing") as caught:
        load_credentials(HERE, {name: "s3cret"})

    assert "s3cret" not in str(caught.value)


def test_a_saved_login_is_found_again_however_the_endpoint_is_written() -> None:
    save_credentials(HERE, LOGIN)

    assert load_credentials(f"{HERE}/v1/") == LOGIN
    assert load_credentials("http://127.0.0.1:9998") is None


def test_the_environment_comes_before_a_saved_login(own_home: Path) -> None:
    save_credentials(HERE, LOGIN)

    found = load_credentials(HERE, {"BIAI_XINF_HOME": str(own_home), "BIAI_XINF_API_KEY": "xf-1"})

    assert found == Credentials(api_key="xf-1")


def test_a_forgotten_login_leaves_the_others() -> None:
    save_credentials(HERE, LOGIN)
    save_credentials("http://elsewhere:9997", Credentials(api_key="xf-1"))

    assert forget_credentials(HERE) is True
    assert forget_credentials(HERE) is False

    assert saved_credentials(HERE) is None
    assert saved_credentials("http://elsewhere:9997") == Credentials(api_key="xf-1")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_is_readable_by_its_owner_only(own_home: Path) -> None:
    file = save_credentials(HERE, LOGIN)
    file.chmod(0o644)

    save_credentials(HERE, LOGIN)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [left.name for left in own_home.iterdir()] == ["credentials.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_credentials(HERE, LOGIN)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        save_credentials(HERE, Credentials(api_key="xf-1"))

    assert saved_credentials(HERE) == LOGIN
    assert [left.name for left in own_home.iterdir()] == ["credentials.json"]


def test_a_password_is_never_written(own_home: Path) -> None:
    with pytest.raises(ValueError, match="a password is not saved"):
        save_credentials(HERE, Credentials(username="ann", password="s3cret"))

    assert list(own_home.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"http://127.0.0.1:9997": 1}', '{"http://127.0.0.1:9997": {"api_key": ["s3cret"]}}'],
)
def test_a_damaged_file_is_told_without_its_content(own_home: Path, content: str) -> None:
    file = own_home / "credentials.json"
    file.write_text(content)

    with pytest.raises(BadFile) as caught:
        load_credentials(HERE)

    assert caught.value.message == f"{file}: cannot be read as saved logins"
    assert "s3cret" not in str(caught.value)


def test_an_entry_without_a_secret_is_told_with_its_endpoint(own_home: Path) -> None:
    file = own_home / "credentials.json"
    file.write_text(json.dumps({HERE: {"username": "ann"}}))

    with pytest.raises(BadFile) as caught:
        load_credentials(HERE)

    assert caught.value.message.startswith(f"{file}: {HERE}: ")


def test_the_default_home_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)

    assert credentials_file({}) == tmp_path / ".biai-xinf" / "credentials.json"


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(api_key="s3cret"),
        Credentials(username="ann", password="s3cret"),
        Credentials(username="ann", access_token="s3cret", refresh_token="s3cret"),
    ],
    ids=["key", "password", "tokens"],
)
def test_secrets_are_not_in_the_repr(credentials: Credentials) -> None:
    assert "s3cret" not in repr(credentials)
    assert "s3cret" not in f"{[credentials]}"


@given(st.text(min_size=1))
def test_a_key_that_fits_no_header_is_refused_without_being_quoted(tail: str) -> None:
    secret = f"s3cret{tail}"
    try:
        Credentials(api_key=secret)
    except AuthFailed as error:
        told = str(error)
    else:
        told = ""

    assert "s3cret" not in told
    assert bool(told) == any(not "!" <= letter <= "~" for letter in tail)
