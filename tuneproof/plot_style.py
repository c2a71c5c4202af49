"""How every plot of a report looks: colours safe for colour-blind readers, one size, one legend."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, MUTED, GRID = "#1f2933", "#5d6b7a", "#e3e7ec"
BETTER, WORSE, NEUTRAL = "#0072b2", "#d55e00", "#8a94a0"
VARIANT_COLOURS = ("#9aa5b1", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""The base in grey, then the Okabe-Ito palette."""
STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # names may hold a dollar sign
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "ytick.left": False,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.dpi": 180,
}


def figure_of(height: float) -> tuple[Figure, Axes]:
    """Return an empty figure of a page column's width, with its axes; inches."""
    figure = Figure(figsize=(5.8, height))
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.1)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(axis="x", color=GRID)
    return figure, axes


def legend_below(axes: Axes, columns: int) -> None:
    """Put the legend under the axes."""
    axes.figure.legend(loc="outside lower left", ncols=columns, fontsize=9)


def colour_of(index: int) -> str:
    """Return the colour of a variant by its place in reading order."""
    return VARIANT_COLOURS[index % len(VARIANT_COLOURS)]


def short(name: str) -> str:
    """Shorten a long name."""
    return name if len(name) <= 24 else f"{name[:23]}…"


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
