"""Where words go: data to stdout, everything else to stderr; colour and bars only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import click

from biai_xinf.progress import Report

Row = Callable[[str], AbstractContextManager[Report]]


def show(text: str = "") -> None:
    """Data, to stdout."""
    click.echo(text)


def show_json(value: object) -> None:
    """Data for machines, to stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say(text: str = "") -> None:
    """Everything that is not the data, to stderr."""
    click.echo(text, err=True)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two blanks apart, ready to print; cells wrap on a terminal, and stay on one line elsewhere."""
    if sys.stdout.isatty():
        return _wrapped(headings, rows)
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (headings, *rows)
    )


def _wrapped(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    # Imported here: rich costs half as much as the rest of the command line together.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(*headings, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for row in rows:
        grid.add_row(*map(Text, row))
    console = Console(color_system=None)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """Long work: a bar on a terminal, one plain line per new stage elsewhere."""
    with board() as row, row(title) as report:
        yield report


@contextmanager
def board() -> Iterator[Row]:
    """Rows for work that goes on side by side, each as `progress` shows it; a row goes when its work is done."""
    if sys.stderr.isatty():
        with _bars() as row:
            yield row
    else:
        yield lambda title: nullcontext(_plain(title))


def _plain(title: str) -> Report:
    said: set[str] = set()

    def report(fraction: float | None, stage: str, detail: str = "") -> None:
        if stage not in said:
            said.add(stage)
            say(f"{title}: {stage}")

    return report


@contextmanager
def _bars() -> Iterator[Row]:
    # Imported here: rich costs more than the rest of the command line together.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[title]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        @contextmanager
        def row(title: str) -> Iterator[Report]:
            task = bars.add_task("starting", total=None, title=title)

            def report(fraction: float | None, stage: str, detail: str = "") -> None:
                known = fraction is not None and fraction > 0
                bars.update(
                    task,
                    description=f"{stage} {detail}".rstrip(),
                    total=1.0 if known else None,
                    completed=fraction if known else 0,
                )

            try:
                yield report
            finally:
                bars.remove_task(task)

        yield row
