"""What the endpoint keeps: it is there after a restart, and nothing is lost to a crash or a damaged file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from biai_xinf.extension.registry import Registry
from biai_xinf.upstreams import ServedModel, Upstream, UpstreamServer


def upstream(name: str = "qwen", url: str = "http://host:11434") -> Upstream:
    server = UpstreamServer(provider="ollama", url=url, model="qwen2.5-coder:7b", key_env="OLLAMA_KEY")
    return Upstream(name=name, role="sql", servers=[server])


def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "biai-xinf" / "endpoint.json"
    served = ServedModel(uid="sql-coder", spec="sql-coder", recipe="bundled", role="sql", tags=["qwen3-coder:30b"])
    registry = Registry(path)

    registry.put_upstream(upstream())
    registry.put_served(served)

    again = Registry(path)
    assert dict(again.upstreams) == {"qwen": upstream()}
    assert dict(again.served) == {"sql-coder": served}


def test_how_a_model_was_launched_is_kept_until_it_is_another(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "endpoint.json")
    launched = ServedModel(uid="sql", spec="coder", recipe="gpu", role="sql", context=8192)

    registry.put_served(launched)
    registry.put_served(launched.model_copy(update={"context": None, "verified_at": "2026-11-27T00:00:00+00:00"}))
    assert registry.served["sql"].context == 8192

    registry.put_served(launched.model_copy(update={"context": None, "recipe": "cpu"}))
    assert registry.served["sql"].context is None


def test_an_upstream_of_the_same_name_is_replaced_and_a_removed_one_stays_away(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "endpoint.json")
    registry.put_upstream(upstream())
    registry.put_upstream(upstream(url="http://other:11434"))

    assert registry.upstreams["qwen"].servers[0].url == "http://other:11434"
    assert registry.remove_upstream("qwen")
    assert not registry.remove_upstream("qwen")
    assert dict(Registry(tmp_path / "endpoint.json").upstreams) == {}


def test_a_damaged_file_is_set_aside_and_not_overwritten(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "endpoint.json"
    path.write_text('{"version": 1, "upstreams": [{"name"', encoding="utf-8")

    registry = Registry(path)
    registry.put_upstream(upstream())

    assert (tmp_path / "endpoint.unreadable").read_text(encoding="utf-8") == '{"version": 1, "upstreams": [{"name"'
    assert "endpoint.unreadable" in caplog.text
    assert list(Registry(path).upstreams) == ["qwen"]


def test_a_write_that_fails_leaves_file_and_memory_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "endpoint.json"
    registry = Registry(path)
    registry.put_upstream(upstream())
    before = path.read_text(encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        registry.put_upstream(upstream("other"))

    assert path.read_text(encoding="utf-8") == before
    assert list(tmp_path.iterdir()) == [path]
    assert list(registry.upstreams) == ["qwen"]


def test_the_file_names_the_variable_of_a_key_and_never_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_KEY", "canary-7d1f")
    path = tmp_path / "endpoint.json"

    Registry(path).put_upstream(upstream())

    assert json.loads(path.read_text(encoding="utf-8"))["upstreams"][0]["servers"][0]["key_env"] == "OLLAMA_KEY"
    assert "canary" not in path.read_text(encoding="utf-8")
