"""The statements of this folder: attacks that no gate may let through, and what people ask of their data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from biai_xinf.adapters.sqlgate import DIALECTS, Dialect, Schema

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Statement:
    """One statement, and where it is written."""

    dialect: Dialect
    sql: str
    where: str


def attacks() -> list[Statement]:
    """Every attack, by its dialect."""
    hidden = yaml.safe_load((HERE / "attacks" / "hidden.yaml").read_text(encoding="utf-8"))
    unseen = [Statement(it["dialect"], it["sql"], f"hidden:{it['why']}") for it in hidden]
    return [*_in_folder("attacks"), *unseen]


def legitimate() -> list[Statement]:
    """Every query that has to pass, with the schema and without."""
    return _in_folder("legitimate")


def schema(dialect: Dialect) -> Schema:
    """The tables that the legitimate queries read."""
    return Schema.from_data(json.loads((HERE / "schema.json").read_text(encoding="utf-8")), dialect)


def _in_folder(name: str) -> list[Statement]:
    """Statements stand in one file for each dialect, with an empty line between two."""
    found = []
    for dialect in DIALECTS:
        line = 1
        for sql in (HERE / name / f"{dialect}.sql").read_text(encoding="utf-8").split("\n\n"):
            found.append(Statement(dialect, sql.strip("\n"), f"{dialect}:{line}"))
            line += sql.count("\n") + 2
    return found
