"""The rows that a query gave: as values, compared with other rows, and as JSON can hold them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

Row = tuple[object, ...]


@dataclass(frozen=True)
class Rows:
    """The answer to one query; `cut` says that there were more rows than asked for."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    cut: bool = False


def same_rows(found: Iterable[Sequence[object]], expected: Iterable[Sequence[object]]) -> bool:
    """Whether two answers hold the same rows, in any order; numbers may differ in the ninth digit."""
    return Counter(map(_comparable, found)) == Counter(map(_comparable, expected))


def plain(value: object) -> object:
    """The value as JSON has it, and as it has none, as text: docs/ask.md tells of which type becomes what."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)):
        return _plain_number(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


def _plain_number(value: float | Decimal) -> float | int | str:
    if not math.isfinite(value):
        # As PostgreSQL writes them, in JSON too.
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, float):
        return value
    if value == value.to_integral_value() and value.as_tuple().exponent == 0:
        return int(value)
    # A number where a double holds all its digits.
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _comparable(row: Sequence[object]) -> Row:
    return tuple(_rounded(value) if isinstance(value, (int, float)) else value for value in row)


def _rounded(value: float) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 8 - math.floor(math.log10(abs(value))))
