import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from biai_xinf import catalogue
from biai_xinf.catalogue import find, load_catalogue, load_entry, shipped_specs
from biai_xinf.errors import BadFile, UnknownName
from biai_xinf.specs import json_schema
from biai_xinf.units import GIB
from tests.builders import recipe, spec_data

GOOD = """\
name: coder
role: sql
description: Writes SQL.
license: apache-2.0
recipes:
  - name: cpu
    requires: {memory: 4GiB}
    model: {model_name: coder, model_format: ggufv2, quantization: q8_0}
    engine: llama.cpp
prompt:
  dialects: [sqlite]
probe:
  questions:
    - question: How many customers?
      sql: SELECT COUNT(*) FROM customers
"""


def written(folder: Path, text: str, name: str = "coder.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def mistake(folder: Path, old: str, new: str) -> str:
    assert old in GOOD
    file = written(folder, GOOD.replace(old, new))
    with pytest.raises(BadFile) as caught:
        load_entry(file)
    return str(caught.value).replace(str(file), "coder.yaml")


def test_a_good_file_is_read_with_its_sizes_in_bytes(tmp_path: Path) -> None:
    spec = load_entry(written(tmp_path, GOOD)).spec

    assert spec.name == "coder"
    assert spec.recipes[0].requires.memory == 4 * GIB


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("license:", "licence:", "coder.yaml:4: licence: unknown field\n  also coder.yaml:1: license: missing"),
        ("engine: llama.cpp", "engine: lama.cpp", "coder.yaml:9: recipes[0].engine: `lama.cpp` is none of 'vLLM', 'SGLang'"),
        ("{memory: 4GiB}", "{memory: 4Gib of it}", "coder.yaml:7: recipes[0].requires.memory: `4Gib of it` is not a"),
        ("{memory: 4GiB}", "{gpus: 1}", "coder.yaml:1: recipe `cpu` needs `vram`"),
        ("role: sql", "role: sequel", "coder.yaml:2: role: `sequel` is none of 'sql', 'narrator', 'chat', 'embedding', 'rerank'"),
        ("name: coder\n", "name: Coder X\n", "coder.yaml:1: name: string should match pattern"),
        ("name: coder\n", "name: other\n", "coder.yaml: name: `other` must equal the file's name, `coder`"),
        ("role: sql\n", "role: sql\nrole: sql\n", "coder.yaml:3: role: written twice"),
        ("role: sql\n", "role: [sql\n", "coder.yaml:3: is not YAML"),
        ("  dialects: [sqlite]", "  dialects: []", "coder.yaml:11: prompt.dialects: list should have at least 1 item"),
        ("    engine: llama.cpp", "    engine: llama.cpp\n    model_path: no.gguf", "coder.yaml: recipe `cpu`: model_path: `no.gguf` is not there"),
        ("    engine: llama.cpp", "    engine: llama.cpp\n    registration: no.json", "coder.yaml: recipe `cpu`: registration: `no.json` cannot be read"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert mistake(tmp_path, old, new).startswith(said)


@pytest.mark.parametrize("content", [b"", b"# only a comment", b"\xff\xfe\x00", b"- a list", b"just text"])
def test_a_file_that_is_no_spec_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "coder.yaml"
    file.write_bytes(content)

    with pytest.raises(BadFile, match=r"coder\.yaml"):
        load_entry(file)


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"gone\.yaml: cannot be read"):
        load_entry(tmp_path / "gone.yaml")


def test_what_was_seen_to_work_is_read_as_it_is_written(tmp_path: Path) -> None:
    seen = "    verified:\n      - {hardware: no GPU, xinference: 4.1.0, on: 2026-11-22, accuracy: off by none}\n"
    file = written(tmp_path, GOOD.replace("    engine: llama.cpp\n", f"    engine: llama.cpp\n{seen}"))

    (verified,) = load_entry(file).spec.recipes[0].verified

    assert verified.model_dump(exclude_none=True) == {
        "hardware": "no GPU",
        "xinference": "4.1.0",
        "on": "2026-11-22",
        "accuracy": "off by none",
    }


def test_a_registration_must_name_the_recipes_model(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"model_name": "other"}')
    file = written(
        tmp_path, GOOD.replace("    engine: llama.cpp", "    engine: llama.cpp\n    registration: other.json")
    )

    with pytest.raises(BadFile, match=r"other\.json: model_name: `other` must equal the recipe's, `coder`"):
        load_entry(file)


def test_two_recipes_cannot_share_a_name(tmp_path: Path) -> None:
    file = written(tmp_path, yaml.safe_dump(spec_data(recipe("cpu"), recipe("cpu"))))

    with pytest.raises(BadFile, match="two recipes are named `cpu`"):
        load_entry(file)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    )
)
@example({"<<": None})
def test_any_yaml_is_a_spec_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "coder.yaml"
    file.write_text(yaml.safe_dump({**spec_data(), "recipes": value}), encoding="utf-8")

    # YAML's own word for "merge" is no key of anything.
    with pytest.raises(BadFile, match=r"coder\.yaml:\d+: (recipes|a key must be a word)"):
        load_entry(file)


def test_the_users_own_spec_replaces_ours_and_adds_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIAI_XINF_SPECS", str(tmp_path))
    written(tmp_path, GOOD)
    written(tmp_path, GOOD.replace("name: coder\n", "name: sql-coder\n"), "sql-coder.yaml")

    found = load_catalogue()

    assert found["coder"].path.parent == tmp_path
    assert found["sql-coder"].path.parent == tmp_path
    assert found["bge-m3"].path.parent == shipped_specs()


def test_a_spec_is_found_by_name_and_alias() -> None:
    found = load_catalogue()

    assert find(found, "sql-coder") is find(found, "sql")


def test_an_unknown_name_offers_the_closest() -> None:
    with pytest.raises(UnknownName) as caught:
        find(load_catalogue(), "sql-codr")

    assert str(caught.value).startswith("no model spec is named `sql-codr`\n\nhint: did you mean `sql-coder`")


def test_the_schema_beside_the_specs_is_current() -> None:
    beside = json.loads((shipped_specs() / "schema.json").read_text(encoding="utf-8"))

    assert beside == json_schema(), "run `biai-xinf specs schema > model_specs/schema.json`"


@pytest.mark.parametrize("file", sorted(shipped_specs().glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_spec_is_valid_and_names_the_schema(file: Path) -> None:
    load_entry(file)

    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=./schema.json\n")


def test_aliases_are_nobody_elses_name() -> None:
    found = load_catalogue()
    names = [name for entry in found.values() for name in (entry.spec.name, *entry.spec.aliases)]

    assert len(names) == len(set(names))


def test_specs_lie_in_the_package_or_beside_it() -> None:
    assert (catalogue.shipped_specs() / "sql-coder.yaml").is_file()


def test_only_the_file_of_the_name_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIAI_XINF_SPECS", str(tmp_path))
    written(tmp_path, "name: [", "broken.yaml")
    written(tmp_path, GOOD)

    found = load_catalogue()

    assert find(found, "coder").spec.name == "coder"
    assert "broken" in found
    with pytest.raises(BadFile, match=r"broken\.yaml"):
        find(found, "broken")
