"""Which rows make which chart, and that the picture is there."""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from biai_xinf.charts import Chart, chart_of, draw
from biai_xinf.databases import Rows
from biai_xinf.errors import MissingExtra, QuestionFailed

POLISH = Chart("bar", "województwo", ("Łódź", "Świętokrzyskie", "Śląsk"), (("sprzedaż", (1.0, 2.0, 3.0)),))


def rows(columns: str, *values: tuple[object, ...]) -> Rows:
    return Rows(tuple(columns.split()), values)


@pytest.mark.parametrize(
    ("given", "chart"),
    [
        pytest.param(
            rows("country n", ("PL", 3), (None, Decimal("1.5"))),
            Chart("bar", "country", ("PL", "NULL"), (("n", (3.0, 1.5)),)),
            id="category",
        ),
        pytest.param(
            rows("n country m", (3, "PL", 1), (2, "DE", 5)),
            Chart("bar", "country", ("PL", "DE"), (("n", (3.0, 2.0)), ("m", (1.0, 5.0)))),
            id="two-series-around-it",
        ),
        pytest.param(
            rows("customer_id name total", (7, "Anna", 1), (3, "Jan", 2)),
            Chart("bar", "name", ("Anna", "Jan"), (("total", (1.0, 2.0)),)),
            id="ids-are-no-measure",
        ),
        pytest.param(
            rows("day n", (date(2024, 2, 1), 2), (date(2024, 1, 1), 1)),
            Chart("line", "day", (datetime(2024, 1, 1), datetime(2024, 2, 1)), (("n", (1.0, 2.0)),)),
            id="days-in-order",
        ),
        pytest.param(
            rows("month n", ("2024-01", 2), ("2024-02", 1)),
            Chart("line", "month", (datetime(2024, 1, 1), datetime(2024, 2, 1)), (("n", (2.0, 1.0)),)),
            id="months-as-text",
        ),
        pytest.param(
            rows("at n", ("2024-01-01 12:30:00+00", 2), ("2024-01-01T13:30", 1)),
            Chart("line", "at", (datetime(2024, 1, 1, 12, 30), datetime(2024, 1, 1, 13, 30)), (("n", (2.0, 1.0)),)),
            id="moments-as-text",
        ),
        pytest.param(
            rows("year n", (2025, 2), (2024, 5)),
            Chart("line", "year", (2024.0, 2025.0), (("n", (5.0, 2.0)),)),
            id="ordered-number",
        ),
        pytest.param(
            rows("code n", ("2024-13", 2), ("2024-02", 1)),
            Chart("bar", "code", ("2024-13", "2024-02"), (("n", (2.0, 1.0)),)),
            id="no-month",
        ),
    ],
)
def test_the_columns_say_what_is_drawn(given: Rows, chart: Chart) -> None:
    assert chart_of(given) == chart


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (rows("n"), "it takes two rows, and there is none"),
        (rows("country n", ("PL", 3)), "it takes two rows, and there is one"),
        (rows("a b", ("x", "y"), ("x", "z")), "the rows have several names, `a` and `b`"),
        (rows("a", ("x",), ("y",)), "no column holds numbers to draw"),
        (rows("a ok", ("x", True), ("y", False)), "the rows have several names, `a` and `ok`"),
        (rows("name id", ("x", 1), ("y", 2)), "no column holds numbers to draw"),
        (rows("n m", (3, 1), (1, 2), (2, 2)), "no column names the rows: a day, a category or a number in order"),
        (rows("a n", ("x", 1), ("x", 2)), "several rows have the same `a`, x"),
        (rows("a n", *((f"x{i}", i) for i in range(41))), "41 values of `a` are too many for bars, 40 are the most"),
        (rows("a " + "n " * 7, ("x", *range(7)), ("y", *range(7))), "7 columns hold numbers, and no more than 6 can be told apart"),
    ],
)  # fmt: skip
def test_where_there_is_no_chart_one_sentence_says_why(given: Rows, reason: str) -> None:
    with pytest.raises(QuestionFailed) as failed:
        chart_of(given)

    assert str(failed.value) == f"no chart: {reason}"


def test_a_picture_needs_no_screen_and_has_every_polish_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)

    with warnings.catch_warnings():
        # Of a letter that its font does not have, matplotlib warns.
        warnings.simplefilter("error")
        draw(POLISH, "Zażółć gęślą jaźń", tmp_path / "bars.png")
        draw(POLISH, "Zażółć gęślą jaźń", tmp_path / "bars.svg")

    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "Świętokrzyskie" in (tmp_path / "bars.svg").read_text(encoding="utf-8")


def test_days_and_years_are_drawn_as_lines(tmp_path: Path) -> None:
    days = Chart("line", "day", (datetime(2024, 1, 1), datetime(2024, 2, 1)), (("a", (1, 2)), ("b", (2, float("nan")))))
    years = Chart("line", "year", (2023.0, 2024.0), (("n", (1, 2)),))

    draw(days, "by day", tmp_path / "days.svg")
    draw(years, "by year", tmp_path / "years.svg")

    assert "2024-01-01" in (tmp_path / "days.svg").read_text(encoding="utf-8")
    assert "<!-- 2023 -->" in (tmp_path / "years.svg").read_text(encoding="utf-8")
    assert "2023.2" not in (tmp_path / "years.svg").read_text(encoding="utf-8")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuestionFailed, match=r"no/folder\.png` cannot be written: No such file or directory"):
        draw(POLISH, "", tmp_path / "no" / "folder.png")


def test_without_matplotlib_the_extra_is_named() -> None:
    script = "import sys; sys.modules['matplotlib'] = None; from biai_xinf import charts; charts.load()"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert MissingExtra.__name__ in done.stderr
    assert "pip install 'biai-xinf[chart]'" in done.stderr
