"""The plots of a report, as PNG bytes: one figure per question, safe for colour-blind readers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report import wording
from tuneproof.eval.report.cost_plots import compute_plots
from tuneproof.eval.report.examples import item_gains
from tuneproof.eval.report.label_plots import label_plots
from tuneproof.eval.report.plot_style import (
    BETTER,
    GRID,
    INK,
    MUTED,
    NEUTRAL,
    STYLE,
    WORSE,
    colour_of,
    figure_of,
    legend_below,
    png_of,
    short,
)
from tuneproof.eval.score import Scores
from tuneproof.formats.comparison import Comparison

VERDICT_STYLE = {
    "better": (BETTER, "o"),
    "worse": (WORSE, "s"),
    "no measurable difference": (NEUTRAL, "D"),
    "different": (INK, "D"),
}


def draw(
    report: Mapping[str, Any], comparison: Comparison, scores: Scores
) -> dict[str, tuple[str, bytes]]:
    """Return plot name -> (description for those who cannot see it, PNG bytes).

    A plot that has nothing to show, such as gains without a second variant, is left out.
    """
    makers: dict[str, tuple[str, Callable[[], Figure | None]]] = {
        "gains": (
            "Gain of every metric over the base with its interval",
            lambda: gains_plot(report),
        ),
        "metrics": (
            "Every metric for every variant, with intervals",
            lambda: metrics_plot(report),
        ),
        "lengths": (
            "Distribution of answer lengths by variant",
            lambda: lengths_plot(comparison, scores),
        ),
        "item_gains": (
            "ROUGE-L gain of every item, sorted",
            lambda: item_gains_plot(comparison, scores),
        ),
    }
    if comparison.labels is not None:
        makers = {"gains": makers["gains"], "metrics": makers["metrics"], **label_plots(report)}
    makers |= compute_plots(report)
    images = {}
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        for name, (description, make) in makers.items():
            figure = make()
            if figure is not None:
                images[name] = (description, png_of(figure))
    return images


def gains_plot(report: Mapping[str, Any]) -> Figure | None:
    """Draw a forest plot: one row per metric and variant, shares and scores on one axis."""
    rows = [
        (metric, variant, gain)
        for metric in METRICS
        for variant, gains in report["gains"].items()
        if (gain := gains.get(metric)) and metric != "length"
    ]
    if not rows:
        return None
    figure, axes = figure_of(height=_panel_height(report, len(rows)))
    several = len(report["gains"]) > 1
    labels = []
    for row, (metric, variant, gain) in enumerate(rows):
        colour, marker = VERDICT_STYLE[gain["verdict"]]
        if gain["low"] is not None:
            axes.plot([gain["low"], gain["high"]], [row, row], color=colour, linewidth=2.4)
        axes.plot([gain["value"]], [row], marker, color=colour, markersize=7)
        labels.append(_axis_label(metric) + (f"\n{short(variant)}" if several else ""))
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title("What changed, and how sure that is")
    percent = f"{100 * report['settings']['confidence']:g} %"
    axes.set_xlabel(f"difference from {short(report['base'])} (0 to 1 scale), {percent} interval")
    used = {gain["verdict"] for _, _, gain in rows}
    for verdict in wording.VERDICTS:
        if verdict in used:
            colour, marker = VERDICT_STYLE[verdict]
            axes.plot([], [], marker, linestyle="-", color=colour, label=verdict)
    legend_below(axes, columns=len(used))
    return figure


def metrics_plot(report: Mapping[str, Any]) -> Figure:
    """Draw the value of every metric as one bar per variant, with its interval."""
    variants = list(report["metrics"])
    names = [
        n for n in METRICS if n != "length" and any(n in m for m in report["metrics"].values())
    ]
    figure, axes = figure_of(height=_panel_height(report, len(names)))
    thickness = 0.8 / len(variants)
    for index, variant in enumerate(variants):
        found = [(row, report["metrics"][variant].get(name)) for row, name in enumerate(names)]
        cells = [(row, cell) for row, cell in found if cell]
        places = [row + (index - (len(variants) - 1) / 2) * thickness for row, _ in cells]
        values = [cell["value"] for _, cell in cells]
        colour = colour_of(index)
        axes.barh(places, values, thickness * 0.9, color=colour, label=short(variant))
        for place, (_, cell) in zip(places, cells, strict=True):
            if cell["low"] is not None:
                axes.plot([cell["low"], cell["high"]], [place, place], color=INK, linewidth=1.1)
    axes.set_yticks(range(len(names)), [_axis_label(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    lowest = min(cell["value"] for cells in report["metrics"].values() for cell in cells.values())
    axes.set_xlim(min(0, lowest), 1)
    axes.set_title("Every metric, every variant")
    axes.set_xlabel("mean over the items (0 to 1 scale), line = interval")
    legend_below(axes, columns=min(len(variants), 4))
    return figure


def lengths_plot(comparison: Comparison, scores: Scores) -> Figure | None:
    """Draw how long the answers are, one outline per variant over shared bins."""
    table = scores.values.get("length")
    if table is None:
        return None
    figure, axes = figure_of(height=3.6)
    edges = np.linspace(0, max(float(np.nanmax(table)), 1.0) + 1, 31)
    for index, name in enumerate(comparison.names):
        lengths = table[:, index][~np.isnan(table[:, index])]
        if not lengths.size:
            continue
        share = np.histogram(lengths, edges)[0] / lengths.size * 100
        label = f"{short(name)} (median {np.median(lengths):.0f})"
        axes.stairs(share, edges, color=colour_of(index), fill=True, alpha=0.18)
        axes.stairs(share, edges, color=colour_of(index), linewidth=2, label=label)
    axes.set_title("How long the answers are")
    axes.set_xlabel(f"length of the answer ({scores.length_unit})")
    axes.set_ylabel("share of answers (%)")
    axes.grid(axis="y", color=GRID)
    axes.grid(visible=False, axis="x")
    axes.set_xlim(0, edges[-1])
    legend_below(axes, columns=min(len(comparison.names), 3))
    return figure


def item_gains_plot(comparison: Comparison, scores: Scores) -> Figure | None:
    """Draw every item's ROUGE-L gain, sorted from loss to gain, one curve per tuned variant."""
    gains = item_gains(comparison, scores)
    figure, axes = figure_of(height=3.6)
    for index, name in enumerate(comparison.tuned):
        curve = np.sort(gains[:, index][~np.isnan(gains[:, index])])
        if not curve.size:
            continue
        edges = np.linspace(0, 100, curve.size + 1)
        up, down = (100 * np.mean(curve > 0), 100 * np.mean(curve < 0))
        label = f"{short(name)}: {up:.0f} % of items up, {down:.0f} % down"
        colour = colour_of(index + 1)
        if len(comparison.tuned) == 1:
            axes.stairs(np.maximum(curve, 0), edges, fill=True, color=BETTER, alpha=0.75)
            axes.stairs(np.minimum(curve, 0), edges, fill=True, color=WORSE, alpha=0.75)
            colour = INK
        axes.stairs(curve, edges, baseline=None, color=colour, linewidth=1.4, label=label)
    if not axes.patches:
        return None
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.set_title("ROUGE-L gain, item by item")
    axes.set_xlabel("items, sorted by gain (%)")
    axes.set_ylabel(f"ROUGE-L minus {short(comparison.base)}")
    axes.grid(axis="y", color=GRID)
    axes.grid(visible=False, axis="x")
    axes.set_xlim(0, 100)
    legend_below(axes, columns=1)
    return figure


def _panel_height(report: Mapping[str, Any], rows: int) -> float:
    """Return one height, in inches, for the two plots that stand side by side on the page."""
    variants = report["metrics"]
    names = {name for cells in variants.values() for name in cells} - {"length"}
    return 1.6 + max(0.36 * rows, len(names) * (0.22 + 0.17 * len(variants)))


def _axis_label(metric: str) -> str:
    arrow = {"higher": " ↑", "lower": " ↓", "none": ""}[METRICS[metric].direction]
    return METRICS[metric].title + arrow
