"""Ollama's store: what it has under which name, and every way in which a model of it cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from biai_xinf.errors import CannotImport, UnknownName
from biai_xinf.ollama import store as ollama_store
from biai_xinf.ollama.store import Store, find_store, full_name
from tests.ollama_stores import OllamaStore
from tests.tiny_models import tiny_llm_gguf


@pytest.fixture
def store(tmp_path: Path) -> OllamaStore:
    return OllamaStore(tmp_path / "models")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tiny_llm_gguf(tmp_path)


def refusal(store: OllamaStore, tag: str = "coder") -> CannotImport:
    with pytest.raises(CannotImport) as refused:
        Store(store.folder).read(tag)
    return refused.value


def test_a_model_is_read_with_everything_beside_its_weights(store: OllamaStore, weights: Path) -> None:
    blob = store.put(
        "coder:7b", weights, params={"num_ctx": 8192, "stop": ["<|im_end|>"]}, template="{{ .Prompt }}", system="You.",
        license="MIT", messages="[]",
    )  # fmt: skip

    read = Store(store.folder).read("coder:7b")

    assert read.tag == "coder:7b"
    assert read.weights == blob
    assert blob.name == f"sha256-{read.digest}"
    assert read.size == weights.stat().st_size
    assert read.params == {"num_ctx": 8192, "stop": ["<|im_end|>"]}
    assert (read.template, read.system, read.beside) == ("{{ .Prompt }}", "You.", frozenset({"messages"}))


def test_names_are_those_that_ollama_shows(store: OllamaStore, weights: Path) -> None:
    store.put("coder", weights)
    store.put("Arctic:7b", weights, under="registry.ollama.ai/a-kore")
    store.put("Qwen3-GGUF:Q4_K_M", weights, under="hf.co/unsloth")
    (store.folder / "manifests" / ".DS_Store").write_text("")
    (store.folder / "manifests" / "registry.ollama.ai" / "library" / "coder" / ".hidden").write_text("")

    assert list(Store(store.folder).tags()) == ["a-kore/Arctic:7b", "coder:latest", "hf.co/unsloth/Qwen3-GGUF:Q4_K_M"]


@pytest.mark.parametrize(
    "spelled", ["coder", "coder:latest", "CODER:Latest", "library/coder", "registry.ollama.ai/library/coder:latest"]
)
def test_a_name_is_found_however_ollama_lets_it_be_spelled(store: OllamaStore, weights: Path, spelled: str) -> None:
    store.put("coder", weights)

    assert Store(store.folder).read(spelled).tag == "coder:latest"


def test_a_name_that_is_not_there_is_answered_with_those_that_are(store: OllamaStore, weights: Path) -> None:
    store.put("coder", weights)

    with pytest.raises(UnknownName, match=r"has no model `\.\./\.\./etc/passwd`") as refused:
        Store(store.folder).read("../../etc/passwd")
    assert refused.value.hint == "it has `coder:latest`"
    assert full_name("hf.co:443/a/b") == "hf.co:443/a/b:latest"


def test_a_blob_that_is_missing(store: OllamaStore, weights: Path) -> None:
    store.put("coder", weights).unlink()

    assert (refusal(store).code, refusal(store).hint) == ("blob-missing", "`ollama pull coder:latest` brings it back")


def test_a_blob_that_was_cut_short(store: OllamaStore, weights: Path) -> None:
    blob = store.put("coder", weights)
    blob.write_bytes(blob.read_bytes()[:1000])

    assert refusal(store).code == "cut-short"
    assert f"cut short: 1000 B of {weights.stat().st_size}" in refusal(store).message


def test_weights_that_are_no_gguf(store: OllamaStore, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"PK\x03\x04 something else")
    store.put("coder", tmp_path / "weights")

    assert refusal(store).code == "not-gguf"


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        (["model", "adapter"], "adapter"),
        (["model", "model"], "split"),
        (["tensor", "tensor"], "tensors"),
        (["template"], "no-weights"),
        ([], "no-weights"),
    ],
)
def test_layers_that_are_not_one_file_of_weights(
    store: OllamaStore, weights: Path, kinds: list[str], code: str
) -> None:
    store.write_manifest("coder", [store.layer(kind, weights) for kind in kinds])

    assert refusal(store).code == code


@pytest.mark.parametrize(
    "digest",
    ["sha256:../../../../etc/passwd", "../secret", "sha256:" + "a" * 63, "sha256:" + "A" * 64, "md5:" + "a" * 64, ""],
)
def test_a_digest_that_may_be_a_path_is_refused(store: OllamaStore, weights: Path, digest: str) -> None:
    layer = {**store.layer("model", weights), "digest": digest}
    store.write_manifest("coder", [layer])

    assert refusal(store).code == "bad-digest"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"layers": 5}', '{"layers": [{"digest": 1}]}', "\x00", "[" * 5000, '{"layers":' * 5000],
)
def test_a_manifest_that_cannot_be_understood(store: OllamaStore, weights: Path, text: str) -> None:
    store.put("coder", weights)
    store.manifest("coder").write_text(text)

    assert refusal(store).code == "bad-manifest"


@pytest.mark.parametrize("size", [-1, 2**63, 10**400, 1.5], ids=["below 0", "64 bits", "no float", "half a byte"])
def test_a_size_that_no_file_has(store: OllamaStore, weights: Path, size: float) -> None:
    store.write_manifest("coder", [{**store.layer("model", weights), "size": size}])

    assert refusal(store).code == "bad-manifest"


@pytest.mark.parametrize(
    "params",
    ["", "[1]", "nonsense", "1", "[" * 5000, '{"stop":' * 5000, f'{{"stop": {"[" * 900}{"]" * 900}}}', '["\\ud800"]',
     '{"stop": "\\ud800"}', '{"seed": ' + "1" * 9000 + "}"],
)  # fmt: skip
def test_parameters_that_are_no_object(store: OllamaStore, weights: Path, params: str) -> None:
    store.put("coder", weights, params=params)

    assert refusal(store).code == "bad-manifest"


def test_text_that_is_none_or_too_large(store: OllamaStore, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b" " * (4 * 1024**2 + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    store.write_manifest("coder", [store.layer("model", weights), store.layer("template", tmp_path / "large")])
    store.write_manifest("other", [store.layer("model", weights), store.layer("system", tmp_path / "binary")])

    assert (refusal(store).code, refusal(store, "other").code) == ("bad-manifest", "bad-manifest")


def test_what_another_user_keeps_to_himself_is_told_with_his_name(
    store: OllamaStore, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = store.put("coder", weights)

    def denied(path: Path, *words: Any, **more: Any) -> Any:
        if path in (blob, store.folder / "manifests" / "registry.ollama.ai"):
            raise PermissionError(13, "Permission denied", str(path))
        return kept[more.pop("of", "open")](path, *words, **more)

    # Root, who runs tests in containers, may read everything.
    kept = {"open": Path.open, "iterdir": Path.iterdir}
    monkeypatch.setattr(ollama_store, "_owner", lambda path: "ollama")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", denied)
        read = refusal(store)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda path: denied(path, of="iterdir"))
        listed = refusal(store)

    assert (read.code, listed.code) == ("unreadable", "unreadable")
    assert read.message == f"{blob} cannot be read: Permission denied"
    assert listed.message.endswith("registry.ollama.ai cannot be read: Permission denied")
    assert "sudo usermod -a -G ollama $USER" in str(listed.hint)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_blob_without_leave_to_read(store: OllamaStore, weights: Path) -> None:
    store.put("coder", weights).chmod(0)

    assert refusal(store).code == "unreadable"


def test_the_store_is_looked_for_where_ollama_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: OllamaStore
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    nowhere = {"HOME": str(tmp_path / "home")}

    assert find_store(environ={"OLLAMA_MODELS": str(store.folder)}).folder == store.folder
    assert find_store(store.folder, environ=nowhere).folder == store.folder
    # Who names Ollama's own folder means the one in it.
    assert find_store(tmp_path, environ=nowhere).folder == store.folder

    own = OllamaStore(tmp_path / "home" / ".ollama" / "models")
    assert find_store(environ=nowhere).folder == own.folder


def test_no_store_is_told_with_the_places_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr("sys.platform", "linux")

    with pytest.raises(UnknownName) as refused:
        find_store(environ={})
    with pytest.raises(UnknownName, match=f"^no store of Ollama is at {tmp_path / 'x'}\n"):
        find_store(tmp_path / "x", environ={})

    assert refused.value.message == (
        f"no store of Ollama is at {tmp_path / '.ollama' / 'models'} and /usr/share/ollama/.ollama/models"
    )


def test_nothing_in_the_store_is_changed_by_reading(store: OllamaStore, weights: Path) -> None:
    store.put("coder", weights, params={"num_ctx": 8192})
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in store.folder.rglob("*")}

    Store(store.folder).read("coder")

    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in store.folder.rglob("*")} == before
    assert json.loads(store.manifest("coder").read_text())["schemaVersion"] == 2
