"""Charts as SVG that takes its colours from the page around it: curves, and bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 860, 62, 16, 40, 42
"""Of a chart in its own units: the width, and what stands around the plot."""
HEIGHT = 280
TICKS = 5
Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a chart."""

    name: str
    """For the legend; empty leaves it out there."""
    points: Sequence[Point]
    """x and y, in the order of x."""
    colour: Literal["first", "second"] = "first"
    """Which of the page's two colours."""
    is_faint: bool = False
    """Whether it stands behind the others."""
    has_marks: bool = False
    """Whether its points are marked, and say their values."""


def curves(title: str, x_title: str, lines: Sequence[Curve]) -> str:
    """Return a chart of curves; empty where no line has a point.

    Args:
        title: What y is, with its unit.
        x_title: What x is.
        lines: What is drawn, the first at the back.
    """
    points = [point for line in lines for point in line.points if math.isfinite(point[1])]
    if not points:
        return ""
    xs = ticks(min(x for x, _ in points), max(x for x, _ in points))
    ys = ticks(min(y for _, y in points), max(y for _, y in points))
    frame = _Frame(x0=xs[0], x1=xs[-1], y0=ys[0], y1=ys[-1])
    parts = [*_grid(frame, xs, ys), *_titles(title, x_title), *_legend(lines)]
    for line in lines:
        parts += _line(line, frame)
    return _svg(title, parts)


def bars(
    title: str, groups: Sequence[tuple[str, Sequence[float]]], names: Sequence[str] = ()
) -> str:
    """Return a chart of bars, a group of them for each text on the x axis.

    Args:
        title: What is counted.
        groups: A text and its figures, one for each name.
        names: What the figures of a group are; none for a single one.
    """
    most = max((count for _, counts in groups for count in counts), default=0)
    if not most:
        return ""
    ys = ticks(0, most)
    frame = _Frame(x0=0, x1=len(groups), y0=0, y1=ys[-1])
    parts = [*_grid(frame, [], ys), *_titles(title, ""), *_names(names)]
    for index, (text, counts) in enumerate(groups):
        width = 0.8 / len(counts)
        for bar, count in enumerate(counts):
            x0, x1 = (frame.x(index + 0.1 + width * (bar + end)) for end in (0, 1))
            y = frame.y(count)
            said = f"{names[bar]}, {text}" if names else text
            parts.append(
                f'<rect class="bar bar{bar}" x="{x0:.1f}" y="{y:.1f}" width="{x1 - x0 - 1:.1f}" '
                f'height="{HEIGHT - BOTTOM - y:.1f}">'
                f"<title>{escape(said)}: {number(count)}</title></rect>"
            )
        parts.append(_text(frame.x(index + 0.5), HEIGHT - BOTTOM + 18, text, "middle"))
    return _svg(title, parts)


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers, about five steps apart, that hold low and high between them."""
    if high <= low:
        reach = abs(low) / 10 or 1.0
        low, high = low - reach, high + reach
    rough = (high - low) / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def number(value: float) -> str:
    """Return a number as an axis shows it."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e7):
        return f"{value:.3g}"
    return f"{value:,.10g}" if abs(value) >= 1 else f"{value:.4g}"


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """Where values lie in the chart."""

    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (HEIGHT - TOP - BOTTOM)


def _grid(frame: _Frame, xs: Sequence[float], ys: Sequence[float]) -> list[str]:
    parts = []
    for value in ys:
        y = frame.y(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text(LEFT - 8, y + 4, number(round(value, 10)), "end"))
    for value in xs:
        parts.append(
            _text(frame.x(value), HEIGHT - BOTTOM + 18, number(round(value, 10)), "middle")
        )
    return parts


def _titles(title: str, x_title: str) -> list[str]:
    return [
        f'<text class="title" x="{LEFT - 48}" y="18">{escape(title)}</text>',
        _text(WIDTH - RIGHT, HEIGHT - 6, x_title, "end"),
    ]


def _legend(lines: Sequence[Curve]) -> list[str]:
    parts, x = [], float(WIDTH - RIGHT)
    for line in reversed([line for line in lines if line.name]):
        parts.append(_text(x, 18, line.name, "end"))
        x -= 7.0 * len(line.name) + 8
        parts.append(f'<rect class="{line.colour}" x="{x - 14:.1f}" y="9" width="14" height="8"/>')
        x -= 32
    return parts


def _names(names: Sequence[str]) -> list[str]:
    """Return the legend of bars."""
    parts, x = [], float(WIDTH - RIGHT)
    for index, name in reversed(list(enumerate(names))):
        parts.append(_text(x, 18, name, "end"))
        x -= 7.0 * len(name) + 8
        kind = f"bar bar{index}"
        parts.append(f'<rect class="{kind}" x="{x - 14:.1f}" y="9" width="14" height="8"/>')
        x -= 32
    return parts


def _line(line: Curve, frame: _Frame) -> list[str]:
    points = [(x, y) for x, y in line.points if math.isfinite(y)]
    kind = f"{line.colour} faint" if line.is_faint else line.colour
    path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)
    parts = [f'<polyline class="{kind}" points="{path}"/>']
    if line.has_marks or len(points) == 1:
        parts += [
            f'<circle class="{kind}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="4">'
            f"<title>{escape(line.name)} {y:.4g} at {number(x)}</title></circle>"
            for x, y in points
        ]
    return parts


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )
