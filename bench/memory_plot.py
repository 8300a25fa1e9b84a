"""Draws what `bench/memory.py` found, as an SVG that reads on light and on dark pages.

`python bench/memory.py --json | python bench/memory_plot.py > docs/memory.svg`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH, LEFT, ROW, HEAD = 760, 270, 24, 34
# Room for the figure after the longest bar.
BAR = WIDTH - LEFT - 20
GIB = 1024**3
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.bar { fill: #c3c9d0; }
.ours { stroke: #0969da; stroke-width: 3; }
.rule { stroke: #bc4c00; stroke-width: 3; }
.grid { stroke: #8c959f; stroke-width: 0.5; stroke-dasharray: 2 4; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .bar { fill: #484f58; }
  .ours { stroke: #4493f8; }
  .rule { stroke: #f0883e; }
}
"""


def main() -> None:
    """Read the last line of stdin, write the drawing to stdout."""
    print(drawn(json.loads(sys.stdin.read().splitlines()[-1])["measured"]))


def drawn(points: Sequence[Mapping[str, Any]]) -> str:
    """A row for each point: the measured peak as a bar, and where the two estimates of it lie."""
    longest = max(max(point["peak"], point["estimated"], point["gpustack"]) for point in points)
    height = HEAD + ROW * len(points) + 22
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    said = "Memory that models took beside what was estimated"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{said}">'
    rows = [line for number, point in enumerate(points) for line in _row(point, HEAD + number * ROW, longest)]
    return "\n".join([head, f"<style>{STYLE}</style>", *_legend(), *_axis(longest, height), *rows, "</svg>"])


def _legend() -> Iterator[str]:
    yield f'<rect class="bar" x="{LEFT}" y="6" width="26" height="14" rx="2"/>'
    yield f'<text x="{LEFT + 32}" y="18">measured peak</text>'
    for x, kind, name in ((150, "ours", "our estimate"), (260, "rule", "1.2 x weights + 2 GiB")):
        yield f'<line class="{kind}" x1="{LEFT + x}" y1="5" x2="{LEFT + x}" y2="21"/>'
        yield f'<text x="{LEFT + x + 8}" y="18">{name}</text>'


def _axis(longest: int, height: int) -> Iterator[str]:
    for gibibytes in range(longest // GIB + 1):
        x = LEFT + BAR * gibibytes * GIB / longest
        yield f'<line class="grid" x1="{x:.1f}" y1="{HEAD}" x2="{x:.1f}" y2="{height - 20}"/>'
        yield f'<text x="{x:.1f}" y="{height - 5}" text-anchor="middle">{gibibytes} GiB</text>'


def _row(point: Mapping[str, Any], top: int, longest: int) -> Iterator[str]:
    def place(size: int) -> float:
        return BAR * size / longest

    name = f"{point['engine']} {point['size']} {point['quantization']} {point['context']} x {point['parallel']}"
    yield f'<text x="{LEFT - 8}" y="{top + 16}" text-anchor="end">{name}</text>'
    yield f'<rect class="bar" x="{LEFT}" y="{top + 3}" width="{place(point["peak"]):.1f}" height="{ROW - 8}" rx="2"/>'
    for kind, size in (("rule", point["gpustack"]), ("ours", point["estimated"])):
        x = LEFT + place(size)
        yield f'<line class="{kind}" x1="{x:.1f}" y1="{top + 1}" x2="{x:.1f}" y2="{top + ROW - 3}"/>'


if __name__ == "__main__":
    main()
