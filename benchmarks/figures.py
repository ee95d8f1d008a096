"""What was measured, as a table in Markdown and as a plot."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Unit = Literal["×", "s", "ms", "MiB"]


@dataclass(frozen=True)
class Figure:
    """One comparison: its value over all rounds, and that of each round."""

    row: int
    work: str
    beside: str
    middle: float
    rounds: tuple[float, ...]
    unit: Unit
    goal: float | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.goal is None else self.middle <= self.goal

    def text(self, value: float) -> str:
        """A value as the table has it."""
        return f"{value:.{_digits(self.unit, value)}f}"

    def cells(self) -> list[str]:
        """A row of the table."""
        spread = f"{self.text(min(self.rounds))} to {self.text(max(self.rounds))}"
        unit = "" if self.unit == "×" else f" {self.unit}"
        goal = "–" if self.goal is None else f"≤ {self.goal:g}{unit}"
        met = {None: "–", True: "met", False: "**not met**"}[self.met]
        return [str(self.row), self.work, self.beside, f"{self.text(self.middle)}{unit}", spread, goal, met]


@dataclass(frozen=True)
class Missing:
    """What couldn't be measured, and why."""

    row: int
    why: str

    def cells(self) -> list[str]:
        """A row of the table."""
        return [str(self.row), f"not measured: {self.why}".replace("|", "\\|"), "", "", "", "", ""]


def ratio(
    row: int, work: str, beside: str, ours: Sequence[float], theirs: Sequence[float], goal: float | None
) -> Figure:
    """Ours by theirs."""
    rounds = tuple(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Figure(row, work, beside, statistics.median(ours) / statistics.median(theirs), rounds, "×", goal)


def growth(
    row: int, work: str, beside: str, more: Sequence[float], less: Sequence[float], unit: Unit, goal: float | None
) -> Figure:
    """What one takes more than the other; both in seconds."""
    scale = 1000 if unit == "ms" else 1
    rounds = tuple((much - little) * scale for much, little in zip(more, less, strict=True))
    middle = (statistics.median(more) - statistics.median(less)) * scale
    return Figure(row, work, beside, middle, rounds, unit, goal)


def amount(row: int, work: str, values: Sequence[float], unit: Unit, goal: float | None) -> Figure:
    """A measure by itself."""
    return Figure(row, work, "", statistics.median(values), tuple(values), unit, goal)


def table(found: Sequence[Figure | Missing]) -> str:
    """All of it in Markdown."""
    heads = ["", "work", "beside", "measured", "lowest to highest", "goal", ""]
    lines = [heads, ["---"] * len(heads), *(each.cells() for each in found)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _digits(unit: Unit, value: float) -> int:
    if unit == "×":
        return 3 if abs(value) < 0.1 else 2
    return {"s": 2, "ms": 1, "MiB": 1}[unit]


WIDTH, LEFT, RIGHT, LINE, TOP, BOTTOM = 1020, 520, 110, 22, 44, 34
DECADES = (0.001, 0.01, 0.1, 1.0, 10.0)

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.faint { fill: #777 } .grid { stroke: #ddd } .one { stroke: #888 }
.spread { stroke: #3a6ea5; stroke-width: 3; opacity: .4 } .met { fill: #3a6ea5 } .missed { fill: #c2410c }
.goal { stroke: #222; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .faint { fill: #999 } .grid { stroke: #333 } .one { stroke: #999 }
  .spread { stroke: #7fb0e0 } .met { fill: #7fb0e0 } .missed { fill: #fb923c } .goal { stroke: #eee }
}
"""


def plot(found: Sequence[Figure | Missing], caption: str) -> str:
    """The ratios as SVG, on a logarithmic scale: a dot with its lowest and highest, a stroke for the goal."""
    shown = [each for each in found if isinstance(each, Figure) and each.unit == "×"]
    values = [value for each in shown for value in (*each.rounds, each.middle, each.goal or 1)]
    at, ticks = _scale(min(values, default=0.1), max(values, default=1))
    height = TOP + LINE * len(shown) + BOTTOM
    foot = height - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f"<title>What setlist takes, by what others take: {escape(caption)}</title>",
        f"<style>{STYLE}</style>",
        f'<text x="{LEFT}" y="16">what setlist takes ÷ what the other takes: further left is less</text>',
    ]
    for tick in ticks:
        kind = "one" if tick == 1 else "grid"
        parts.append(f'<line class="{kind}" x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="{TOP - 10}" y2="{foot}"/>')
        parts.append(f'<text class="faint" x="{at(tick):.1f}" y="{TOP - 14}" text-anchor="middle">{tick:g}</text>')
    for number, each in enumerate(shown):
        parts += _line(each, TOP + LINE * number + LINE / 2, at)
    legend = "● median, between the lowest and the highest of all rounds   ┃ goal"
    parts.append(f'<text class="faint" x="{LEFT}" y="{height - 12}" xml:space="preserve">{legend}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _line(each: Figure, y: float, at: Callable[[float], float]) -> list[str]:
    label = escape(f"{each.row}  {each.work} ÷ {each.beside}".replace("`", ""))
    low, high, middle = (f"{at(value):.1f}" for value in (min(each.rounds), max(each.rounds), each.middle))
    parts = [
        f'<text x="{LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{label}</text>',
        f'<line class="spread" x1="{low}" x2="{high}" y1="{y:.1f}" y2="{y:.1f}"/>',
        f'<circle class="{"missed" if each.met is False else "met"}" cx="{middle}" cy="{y:.1f}" r="4.5"/>',
        f'<text x="{WIDTH - RIGHT + 14}" y="{y + 4:.1f}">{each.text(each.middle)}</text>',
    ]
    if each.goal is not None:
        goal = f"{at(each.goal):.1f}"
        parts.append(f'<line class="goal" x1="{goal}" x2="{goal}" y1="{y - 8:.1f}" y2="{y + 8:.1f}"/>')
        parts.append(f'<text class="faint" x="{WIDTH - RIGHT + 52}" y="{y + 4:.1f}">≤ {each.goal:g}</text>')
    return parts


def _scale(lowest: float, highest: float) -> tuple[Callable[[float], float], list[float]]:
    """Where a ratio stands, and which ones have a line of the grid."""
    first, last = math.log10(lowest) - 0.05, math.log10(max(highest, 1)) + 0.05
    ticks = [step * decade for decade in DECADES for step in (1, 2, 5)]

    def at(value: float) -> float:
        return LEFT + (math.log10(value) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    return at, [tick for tick in ticks if first <= math.log10(tick) <= last]
