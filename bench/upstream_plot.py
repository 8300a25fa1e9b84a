"""Draws what `bench/upstream.py` found, as an SVG that reads on light and on dark pages.

`python bench/upstream.py --json | python bench/upstream_plot.py > docs/upstream.svg`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NAMES = {"passthrough": "least proxy", "ours": "biai-xinf", "litellm": "LiteLLM"}
WIDTH, LEFT, ROW, PANEL_GAP = 720, 110, 24, 22
# Room for the figure after the longest bar.
BAR = WIDTH - LEFT - 90
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.bar { fill: #8c959f; }
.ours { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .bar { fill: #6e7681; }
  .ours { fill: #4493f8; }
}
"""


@dataclass(frozen=True)
class Panel:
    """One figure of every subject, bars from zero."""

    title: str
    values: Mapping[str, float]
    unit: str
    decimals: int


def main() -> None:
    """Read the last line of stdin, write the drawing to stdout."""
    print(drawn(json.loads(sys.stdin.read().splitlines()[-1])["subjects"]))


def drawn(subjects: Mapping[str, Any]) -> str:
    """The drawing of what was found of each subject."""
    panels = list(_panels(subjects))
    heights = [ROW * (len(panel.values) + 1) + PANEL_GAP for panel in panels]
    bodies = [_drawn(panel, sum(heights[:number])) for number, panel in enumerate(panels)]
    size = f'width="{WIDTH}" height="{sum(heights)}" viewBox="0 0 {WIDTH} {sum(heights)}"'
    said = "What an upstream behind biai-xinf costs, beside the least proxy and LiteLLM"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{said}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *bodies, "</svg>"])


def _panels(subjects: Mapping[str, Any]) -> Iterator[Panel]:
    direct, shown = subjects["direct"], [name for name in NAMES if name in subjects]

    def added(key: str, to: str) -> dict[str, float]:
        return {name: subjects[name][key] - direct[to] for name in shown}

    rates = {name: subjects[name]["rate"] for name in shown}
    yield Panel("Answers per second, 16 at a time (more is better)", rates, "", 0)
    yield Panel("Added to an answer, median (less is better)", added("p50_ms", "p50_ms"), " ms", 1)
    yield Panel("Added to an answer, 99th percentile", added("p99_ms", "p50_ms"), " ms", 1)
    yield Panel("Added to the first token of a stream, median", added("ttft_ms", "ttft_ms"), " ms", 1)


def _drawn(panel: Panel, top: int) -> str:
    lines = [f'<text class="title" x="0" y="{top + 16}">{panel.title}</text>']
    longest = max(panel.values.values())
    for number, (name, value) in enumerate(panel.values.items(), 1):
        y, length = top + number * ROW, max(BAR * value / longest, 1)
        kind = "bar ours" if name == "ours" else "bar"
        figure = f"{value:,.{panel.decimals}f}{panel.unit}"
        lines += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{NAMES[name]}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 8}" rx="2"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{y + 15}">{figure}</text>',
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
