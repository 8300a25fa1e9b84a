"""A chart of a query's rows: which kind they make, if any, and its picture; that needs the extra `chart`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from biai_xinf.databases.rows import Rows
from biai_xinf.errors import MissingExtra, QuestionFailed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
_MOST_BARS = 40
_MOST_SERIES = 6
_DAY = re.compile(r"(\d{4}-\d{2})(-\d{2})?([ T]\d{2}:\d{2}(:\d{2})?)?")
# Numbers that only name a row.
_ID = re.compile(r"(^|_)id$", re.IGNORECASE)

Label = datetime | float | str
Values = Sequence[object]


@dataclass(frozen=True)
class Chart:
    """What is drawn: series of numbers, each over the same labels, which the column `over` holds."""

    kind: Literal["line", "bar"]
    over: str
    labels: tuple[Label, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]


def chart_of(rows: Rows) -> Chart:
    """A line over days or over an ordered number, bars over categories; QuestionFailed says why it is neither."""
    if len(rows.rows) < 2:
        raise _no_chart(f"it takes two rows, and there {'is one' if rows.rows else 'is none'}")
    columns = list(zip(rows.columns, zip(*rows.rows, strict=True), strict=True))
    numbers = [(name, values) for name, values in columns if _are_numbers(values)]
    others = [(name, values) for name, values in columns if not _are_numbers(values)]
    if len(others) > 1:
        raise _no_chart(f"the rows have several names, {' and '.join(f'`{name}`' for name, _ in others[:2])}")
    if not others and _is_ordered(numbers[0][1]):
        others, numbers = numbers[:1], numbers[1:]
    if not others:
        raise _no_chart("no column names the rows: a day, a category or a number in order")
    measures = [(name, values) for name, values in numbers if not _ID.search(name)]
    if not measures:
        raise _no_chart("no column holds numbers to draw")
    if len(measures) > _MOST_SERIES:
        raise _no_chart(f"{len(measures)} columns hold numbers, and no more than {_MOST_SERIES} can be told apart")
    return _over(*others[0], measures)


def draw(chart: Chart, title: str, path: Path) -> None:
    """Write the picture as its file's name ends; QuestionFailed where it cannot be written."""
    figure = load()(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, wrap=True)
    axes.set_xlabel(chart.over)
    (_draw_lines if chart.kind == "line" else _draw_bars)(axes, chart)
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    if len(chart.series) > 1:
        axes.legend()
    else:
        axes.set_ylabel(chart.series[0][0])
    try:
        figure.savefig(path)
    except OSError as error:
        raise QuestionFailed(f"`{path}` cannot be written: {error.strerror}") from error


def load() -> type[Figure]:
    """What draws, without a screen; MissingExtra where it is not installed."""
    try:
        # Imported here: it takes longer to import than everything else together, and is an extra.
        from matplotlib.figure import Figure
    except ImportError as error:
        message = "charts are drawn by `matplotlib`, which is not installed"
        raise MissingExtra(message, hint="pip install 'biai-xinf[chart]'") from error
    return Figure


def _no_chart(reason: str) -> QuestionFailed:
    return QuestionFailed(f"no chart: {reason}")


def _are_numbers(values: Values) -> bool:
    told = [value for value in values if value is not None]
    return bool(told) and all(isinstance(it, (int, float, Decimal)) and not isinstance(it, bool) for it in told)


def _is_ordered(values: Values) -> bool:
    numbers = [_number(value) for value in values]
    pairs = list(pairwise(numbers))
    return all(a < b for a, b in pairs) or all(a > b for a, b in pairs)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float, Decimal)) else math.nan


def _over(name: str, values: Values, measures: Sequence[tuple[str, Values]]) -> Chart:
    labels = _labels(values)
    twice = next((value for value, label in zip(values, labels, strict=True) if labels.count(label) > 1), None)
    if twice is not None:
        raise _no_chart(f"several rows have the same `{name}`, {twice}")
    kind: Literal["line", "bar"] = "bar" if isinstance(labels[0], str) else "line"
    if kind == "bar" and len(labels) > _MOST_BARS:
        raise _no_chart(f"{len(labels)} values of `{name}` are too many for bars, {_MOST_BARS} are the most")
    order = sorted(range(len(labels)), key=labels.__getitem__) if kind == "line" else range(len(labels))
    series = ((title, tuple(_number(numbers[place]) for place in order)) for title, numbers in measures)
    return Chart(kind, name, tuple(labels[place] for place in order), tuple(series))


def _labels(values: Values) -> list[Label]:
    """All of one type, so that they can be put in order."""
    if _are_numbers(values):
        return [_number(value) for value in values]
    days = [_day(value) for value in values]
    told = [day for day in days if day is not None]
    return [*told] if len(told) == len(days) else ["NULL" if value is None else str(value) for value in values]


def _day(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    found = _DAY.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}{found[2] or '-01'}{found[3] or ''}")
    except ValueError:
        return None


def _draw_lines(axes: Axes, chart: Chart) -> None:
    for name, numbers in chart.series:
        axes.plot(chart.labels, numbers, marker="o", markersize=3, label=name)  # type: ignore[arg-type]  # days go, too
    if isinstance(chart.labels[0], datetime):
        axes.figure.autofmt_xdate()
    elif all(isinstance(label, float) and label.is_integer() for label in chart.labels):
        axes.locator_params(axis="x", integer=True)


def _draw_bars(axes: Axes, chart: Chart) -> None:
    width = 0.8 / len(chart.series)
    for number, (name, numbers) in enumerate(chart.series):
        shift = (number - (len(chart.series) - 1) / 2) * width
        axes.bar([place + shift for place in range(len(chart.labels))], numbers, width, label=name)
    axes.set_xticks(range(len(chart.labels)), [str(label) for label in chart.labels], rotation=45, ha="right")
