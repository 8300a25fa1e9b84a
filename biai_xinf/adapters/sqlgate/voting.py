"""Voting: of several candidates, the one whose rows most of them agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from biai_xinf.adapters.sqlgate.gate import Checked, Gate
from biai_xinf.adapters.sqlgate.problems import Code, Problem, SqlRefused
from biai_xinf.databases.rows import same_rows

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True)
class Vote:
    """The winner and its rows; `agreement` is the share of all candidates, refused ones too, that gave these rows."""

    winner: Checked
    rows: Rows
    agreement: float
    groups: tuple[tuple[str, ...], ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class _Ballot:
    checked: Checked
    rows: Rows


def vote(
    gate: Gate,
    candidates: Iterable[str],
    execute: Callable[[str], Rows],
    *,
    dropped_on: tuple[type[Exception], ...] = (Exception,),
) -> Vote:
    """Gate every candidate, have `execute` run what passes, and take the largest group of equal rows.

    Rows are equal in any order, unless both queries say one. Of groups of one size, one with rows wins over one
    without, and then the earlier one. A candidate for which `execute` raises one of `dropped_on` has no vote.
    SqlRefused where no candidate is left.
    """
    groups: list[list[_Ballot]] = []
    dropped: list[str] = []
    problems: list[Problem] = []
    for candidate in candidates:
        try:
            checked = gate.check(candidate)
            ballot = _Ballot(checked, [[_plain(value) for value in row] for row in execute(checked.sql)])
        except SqlRefused as error:
            problems += error.problems
            dropped.append(candidate)
        except dropped_on:
            dropped.append(candidate)
        else:
            _cast(ballot, groups)
    if not groups:
        raise SqlRefused(problems or [Problem(Code.NO_SQL, "no candidate could be run")])
    best = max(groups, key=lambda group: (len(group), bool(group[0].rows)))
    votes = sum(map(len, groups)) + len(dropped)
    told = tuple(tuple(ballot.checked.sql for ballot in group) for group in groups)
    return Vote(best[0].checked, best[0].rows, len(best) / votes, told, tuple(dropped))


def _cast(ballot: _Ballot, groups: list[list[_Ballot]]) -> None:
    group = next((group for group in groups if _agree(group[0], ballot)), None)
    if group is None:
        groups.append([ballot])
    else:
        group.append(ballot)


def _agree(one: _Ballot, other: _Ballot) -> bool:
    if len(one.rows) != len(other.rows):
        return False
    if one.checked.ordered and other.checked.ordered:
        return all(same_rows([a], [b]) for a, b in zip(one.rows, other.rows, strict=True))
    return same_rows(one.rows, other.rows)


def _plain(value: object) -> object:
    """A value that can be compared and counted: databases give money as Decimal or as float, arrays as lists."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return repr(sorted(value.items())) if isinstance(value, dict) else value
