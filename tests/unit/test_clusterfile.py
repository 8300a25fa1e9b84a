"""A cluster file says what should run where; what is wrong with it is told with its line."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from biai_xinf.catalogue import load_catalogue
from biai_xinf.clusterfile import desired, json_schema, load
from biai_xinf.errors import BadFile
from biai_xinf.state import Desired
from tests.docs.blocks import ROOT

CLUSTER = ROOT / "cluster"
SHIPPED = sorted(CLUSTER.glob("*.yaml"))
GOOD = """\
endpoint: http://10.0.0.10:9997
auth: {username: XINF_USER, password: XINF_PASSWORD}
workers:
  north: {address: "10.0.0.11:20001", labels: {gpu: l4, zone: a}}
  south: {address: "10.0.0.12:20001", labels: {gpu: l4, zone: b}}
  cellar: {address: "10.0.0.13:20001"}
models:
  - spec: sql-coder
    uid: sql
    replicas: 2
    recipes: [gpu-24g, gpu-12g]
    context: 8192
    parallel: 4
    where: {labels: {gpu: l4}}
    policy: pack
  - spec: bge-m3
    where: {workers: [cellar]}
"""
# CI asks a thousand; `BIAI_XINF_FUZZ=10000` asks ten.
FUZZ = int(os.environ.get("BIAI_XINF_FUZZ", "1000"))


def written(folder: Path, text: str) -> Path:
    file = folder / "cluster.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def asked(path: Path) -> Desired:
    return desired(path, load(path), load_catalogue())


def mistake(folder: Path, old: str, new: str) -> str:
    assert old in GOOD
    file = written(folder, GOOD.replace(old, new, 1))
    with pytest.raises(BadFile) as caught:
        asked(file)
    return str(caught.value).replace(str(file), "cluster.yaml")


def test_a_file_becomes_the_desired_state(tmp_path: Path) -> None:
    sql, embedding = asked(written(tmp_path, GOOD)).models

    assert (sql.uid, sql.entry.spec.name, sql.replicas, sql.policy) == ("sql", "sql-coder", 2, "pack")
    assert (sql.recipes, sql.context, sql.parallel) == (("gpu-24g", "gpu-12g"), 8192, 4)
    assert sql.workers == {"10.0.0.11:20001", "10.0.0.12:20001"}
    assert (embedding.uid, embedding.replicas, embedding.recipes) == ("bge-m3", 1, None)
    assert embedding.workers == {"10.0.0.13:20001"}


def test_a_demonstration_never_stands_in_for_a_model_unless_its_recipe_is_named(tmp_path: Path) -> None:
    named = GOOD.replace("recipes: [gpu-24g, gpu-12g]", "recipes: [bundled]").replace("bge-m3", "sql-coder")

    first, second = asked(written(tmp_path, named)).models

    assert (first.recipes, first.allow_demonstration) == (("bundled",), True)
    assert (second.recipes, second.allow_demonstration) == (None, False)


PIN = "pin: {model_name: bge-m3, model_format: ggufv2, quantization: Q8_0, pooling: cls, dimensions: 1024}"


def test_a_file_pins_an_embedder_for_everybody_who_has_it(tmp_path: Path) -> None:
    _, embedding = asked(written(tmp_path, GOOD + f"    {PIN}\n")).models

    assert embedding.pin is not None
    assert embedding.pin.described == "bge-m3 ggufv2 Q8_0, cls pooling"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            PIN.replace("Q8_0", "Q9_0"),
            "cluster.yaml:18: models[1].pin: no recipe of `bge-m3` makes bge-m3 ggufv2 Q9_0, not bge-m3 pytorch none\n\n"
            "hint: it has `bge-m3 pytorch none`, `bge-m3 ggufv2 F16`, `bge-m3 ggufv2 Q8_0`",
        ),
        (
            PIN.replace("1024", "384"),
            "cluster.yaml:18: models[1].pin: no recipe of `bge-m3` makes 384 dimensions, not 1024\n\n"
            "hint: it has `bge-m3 pytorch none`, `bge-m3 ggufv2 F16`, `bge-m3 ggufv2 Q8_0`",
        ),
        (
            PIN.replace("pooling: cls", "pools: cls"),
            "cluster.yaml:18: models[1].pin.pools: unknown field",
        ),
        (PIN.replace(", dimensions: 1024", ""), "cluster.yaml:18: models[1].pin.dimensions: missing"),
    ],
    ids=["quantization", "dimensions", "unknown-key", "missing-key"],
)
def test_a_pin_that_nothing_can_meet_is_a_mistake(tmp_path: Path, line: str, said: str) -> None:
    file = written(tmp_path, GOOD + f"    {line}\n")

    with pytest.raises(BadFile) as caught:
        asked(file)

    assert str(caught.value).replace(str(file), "cluster.yaml") == said


def test_only_an_embedder_is_pinned(tmp_path: Path) -> None:
    found = mistake(tmp_path, "    policy: pack\n", f"    {PIN}\n")

    assert found == "cluster.yaml:15: models[0].pin: `sql-coder` is for sql: only an embedder has a pin"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_files_we_ship_are_right(file: Path) -> None:
    assert asked(file).models


def test_the_schema_beside_the_files_is_current() -> None:
    beside = json.loads((CLUSTER / "schema.json").read_text(encoding="utf-8"))

    assert beside == json_schema(), "run `biai-xinf specs schema --cluster > cluster/schema.json`"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("http://10.0.0.10:9997", "10.0.0.10", "cluster.yaml:1: endpoint: `10.0.0.10` is no endpoint"),
        ("auth: {username: XINF_USER, password: XINF_PASSWORD}", "auth: {username: XINF_USER}", "cluster.yaml:2: auth: name the variable of an `api_key`, or those of a `username` and a `password`"),
        ("password: XINF_PASSWORD", "password: hunter2", "cluster.yaml:2: auth.password: string should match pattern"),
        ("10.0.0.12:20001", "10.0.0.11:20001", "cluster.yaml:1: the address `10.0.0.11:20001` is used twice"),
        ("spec: bge-m3", "spec: bge-m4", "cluster.yaml:16: models[1].spec: no model spec is named `bge-m4`"),
        ("[gpu-24g, gpu-12g]", "[gpu-24g, gpu-11g]", "cluster.yaml:11: models[0].recipes[1]: `sql-coder` has no recipe `gpu-11g`"),
        ("{workers: [cellar]}", "{workers: [attic]}", "cluster.yaml:17: models[1].where: no worker is named `attic`\n\nhint: the file names `north`, `south`, `cellar`"),
        ("{labels: {gpu: l4}}", "{labels: {gpu: h100}}", "cluster.yaml:14: models[0].where: no worker of the file carries `gpu: h100`"),
        ("uid: sql", "uid: sql-rep0", "cluster.yaml:9: models[0].uid: `sql-rep0` ends like the name of a replica"),
        ("uid: sql", "uid: bge-m3", "cluster.yaml:1: the uid `bge-m3` is used twice"),
        ("replicas: 2", "replicas: 0", "cluster.yaml:10: models[0].replicas: input should be greater than or equal to 1, found `0`"),
        ("replicas: 2", "replica: 2", "cluster.yaml:10: models[0].replica: unknown field"),
        ("policy: pack", "policy: heap", "cluster.yaml:15: models[0].policy: `heap` is none of 'spread' or 'pack'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert mistake(tmp_path, old, new).startswith(said)


def test_whatever_a_file_holds_it_is_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    randomness = random.Random(20260801)
    said = [word for _ in range(FUZZ) if (word := refusal(written(tmp_path, mutated(randomness)))) is not None]

    assert len(said) > FUZZ / 2
    assert [word for word in said if "\n" in word or not word.startswith(str(tmp_path))] == []


def refusal(file: Path) -> str | None:
    """What is said against a file, None where it is read; anything but BadFile fails the test."""
    try:
        asked(file)
    except BadFile as error:
        return error.message
    return None


def mutated(randomness: random.Random) -> str:
    """The good file after one to three accidents: characters lost, doubled, swapped or typed by mistake."""
    text = GOOD
    for _ in range(randomness.randint(1, 3)):
        start = randomness.randrange(len(text))
        end = min(len(text), start + randomness.choice([1, 1, 2, 5, 20]))
        typed = randomness.choice(
            ["", "", ":", "-", "  ", "\n", "{", "]", "'", "&a", "*a", "!!x", "\t", "0", "null", "é", "\x00", "<<: 1"]
        )
        text = text[:start] + randomness.choice([typed, text[start:end] * 2, text[end:] + text[start:end]]) + text[end:]
    return text
