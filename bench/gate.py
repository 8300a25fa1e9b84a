"""How long the SQL gate takes on a schema of 200 tables, and what it lets through.

`python bench/gate.py` needs biai-xinf[test] and a checkout, whose statements (`tests/sqlgate`) it reads; nothing is
started and no SQL is run. `docs/performance.md` explains the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import quantiles

from measure import finish, say, seconds

# Only a checkout has `tests`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from biai_xinf.adapters.sqlgate import DIALECTS, Gate, Schema, SqlRefused
from tests.sqlgate.statements import HERE, Statement, attacks, legitimate

_TABLES = 200
_COLUMNS = 15


def main() -> None:
    """Measure, explain to a person, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often every query is timed")
    parser.add_argument("--json", action="store_true", help="print nothing but the last line to stdout")
    arguments = parser.parse_args()
    gates = {dialect: Gate(dialect, schema=_schema(dialect), max_rows=1000) for dialect in DIALECTS}
    harmful, good = attacks(), legitimate()
    times = _milliseconds(gates, good, arguments.rounds)
    results = {
        "p50_ms": round(quantiles(times, n=100)[49], 2),
        "p99_ms": round(quantiles(times, n=100)[98], 2),
        "attacks": len(harmful),
        "false_accepts": sum(_passes(Gate(it.dialect), it) or _passes(gates[it.dialect], it) for it in harmful),
        "legitimate": len(good),
        "accepted_share": round(sum(_passes(gates[it.dialect], it) for it in good) / len(good), 4),
    }
    if not arguments.json:
        for name, found in results.items():
            say(f"{name:<16} {found}")
    finish(results)


def _schema(dialect: str) -> Schema:
    """The tables that the queries read, and others up to 200."""
    tables = json.loads((HERE / "schema.json").read_text(encoding="utf-8"))
    for number in range(_TABLES - len(tables)):
        tables[f"fact_{number}"] = [f"attribute_{column}" for column in range(_COLUMNS)]
    return Schema.from_data(tables, dialect)


def _milliseconds(gates: dict[str, Gate], statements: list[Statement], rounds: int) -> list[float]:
    """Every query once for nothing, then its time in each round."""
    for it in statements:
        _passes(gates[it.dialect], it)
    return [1000 * seconds(lambda it=it: _passes(gates[it.dialect], it)) for _ in range(rounds) for it in statements]


def _passes(gate: Gate, statement: Statement) -> bool:
    try:
        gate.check(statement.sql)
    except SqlRefused:
        return False
    return True


if __name__ == "__main__":
    main()
