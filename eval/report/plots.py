"""The plots of a report, as PNG bytes, in colours that colour-blind readers tell apart."""

from __future__ import annotations

import warnings
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report.cost_plots import Plots, compute_plots
from tuneproof.eval.report.examples import item_gains, ranking_metric
from tuneproof.eval.score import Scores
from tuneproof.eval.stats.against import measured_against
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.figures import VERDICTS
from tuneproof.formats.report import Report
from tuneproof.plot_style import (
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

MOST_COUNTS = 10
"""Most labels of a confusion matrix whose counts are written into the cells."""
MOST_NAMES = 40
"""Most labels that are named along an axis."""

BLIND = ("chance", "majority")
VERDICT_STYLE = {
    "better": (BETTER, "o"),
    "worse": (WORSE, "s"),
    "no measurable difference": (NEUTRAL, "D"),
    "different": (INK, "D"),
}


def draw(report: Report, comparison: Comparison, scores: Scores) -> dict[str, tuple[str, bytes]]:
    """Return plot name -> (description for those who cannot see it, PNG bytes).

    A plot that has nothing to show, such as gains without a second variant, is left out.
    """
    makers: Plots = {
        "gains": (
            "Gain of every metric over the base with its interval",
            partial(gains_plot, report),
        ),
        "metrics": (
            "Every metric for every variant, with intervals",
            partial(metrics_plot, report),
        ),
        "lengths": (
            "Distribution of answer lengths by variant",
            partial(lengths_plot, comparison, scores),
        ),
    }
    if (metric := ranking_metric(report)) is not None:
        makers["item_gains"] = (
            f"{METRICS[metric].title} gain of every item, sorted",
            partial(item_gains_plot, comparison, scores, metric),
        )
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


def gains_plot(report: Report) -> Figure | None:
    """Draw a forest plot: one row per metric and variant, shares and scores on one axis."""
    rows = [
        (metric, variant, gain)
        for metric in METRICS
        for variant, gains in report.gains.items()
        if (gain := gains.get(metric)) and not METRICS[metric].is_count
    ]
    if not rows:
        return None
    figure, axes = figure_of(height=_panel_height(report, len(rows)))
    several = len(report.gains) > 1
    labels = []
    for row, (metric, variant, gain) in enumerate(rows):
        colour, marker = VERDICT_STYLE[gain.verdict]
        if gain.low is not None and gain.high is not None:
            axes.plot([gain.low, gain.high], [row, row], color=colour, linewidth=2.4)
        axes.plot([gain.value], [row], marker, color=colour, markersize=7)
        labels.append(_axis_label(metric) + (f"\n{short(variant)}" if several else ""))
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title("What changed, and how sure that is")
    percent = f"{100 * report.settings.confidence:g} %"
    base = short(report.base)
    if any(gain.against for _, _, gain in rows):
        base += ", in its better form"
    axes.set_xlabel(f"difference from {base} (0 to 1 scale), {percent} interval")
    used = {gain.verdict for _, _, gain in rows}
    for verdict in VERDICTS:
        if verdict in used:
            colour, marker = VERDICT_STYLE[verdict]
            axes.plot([], [], marker, linestyle="-", color=colour, label=verdict)
    legend_below(axes, columns=len(used))
    return figure


def metrics_plot(report: Report) -> Figure:
    """Draw the value of every metric as one bar per variant, with its interval."""
    variants = report.names
    scored = {name for values in report.metrics.values() for name in values}
    names = [name for name, metric in METRICS.items() if name in scored and not metric.is_count]
    figure, axes = figure_of(height=_panel_height(report, len(names)))
    thickness = 0.8 / len(variants)
    for index, variant in enumerate(variants):
        known = report.metrics[variant]
        cells = [(row, known[name]) for row, name in enumerate(names) if name in known]
        heights = [row + (index - (len(variants) - 1) / 2) * thickness for row, _ in cells]
        values = [cell.value for _, cell in cells]
        colour = colour_of(index)
        axes.barh(heights, values, thickness * 0.9, color=colour, label=short(variant))
        for y, (_, cell) in zip(heights, cells, strict=True):
            if cell.low is not None and cell.high is not None:
                axes.plot([cell.low, cell.high], [y, y], color=INK, linewidth=1.1)
    axes.set_yticks(range(len(names)), [_axis_label(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    lowest = min(cell.value for cells in report.metrics.values() for cell in cells.values())
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


def item_gains_plot(comparison: Comparison, scores: Scores, metric: str) -> Figure | None:
    """Draw every item's gain in a metric, from loss to gain, one curve per tuned variant."""
    gains = item_gains(comparison, scores, metric)
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
    axes.set_title(f"{METRICS[metric].title} gain, item by item")
    axes.set_xlabel("items, sorted by gain (%)")
    against = measured_against(comparison, scores).get(metric, comparison.base)
    axes.set_ylabel(f"{METRICS[metric].title} minus {short(against)}")
    axes.grid(axis="y", color=GRID)
    axes.grid(visible=False, axis="x")
    axes.set_xlim(0, 100)
    legend_below(axes, columns=1)
    return figure


def _panel_height(report: Report, rows: int) -> float:
    """Return one height, in inches, for the two plots that stand side by side on the page."""
    variants = report.metrics
    names = {name for cells in variants.values() for name in cells if not METRICS[name].is_count}
    return 1.6 + max(0.36 * rows, len(names) * (0.22 + 0.17 * len(variants)))


def _axis_label(metric: str) -> str:
    arrow = {"higher": " ↑", "lower": " ↓", "none": ""}[METRICS[metric].direction]
    return METRICS[metric].title + arrow


def label_plots(report: Report) -> Plots:
    """Return plot name -> (description, maker) of the plots that only labels have."""
    plots: Plots = {
        "label_f1": ("F1 of every label for every variant", partial(label_f1_plot, report)),
        "reliability": (
            "Accuracy of the scored labels against their probability",
            partial(reliability_plot, report),
        ),
    }
    for number, name in enumerate(report.confusion, 1):
        description = f"Confusion matrix of {name}: rows are right labels, columns given ones"
        if not _is_blind(report, name):
            plots[f"confusion_{number}"] = (description, partial(confusion_plot, report, name))
    return plots


def confusion_plot(report: Report, variant: str) -> Figure:
    """Draw which labels a variant gave to the items of each label, as shares of the row."""
    labels, counts = report.labels or (), np.array(report.confusion[variant])
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    figure, axes = figure_of(height=5.2)
    drawn = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    axes.grid(visible=False)
    size = 9 if len(labels) <= MOST_COUNTS else 7
    names = [short(label) for label in labels] if len(labels) <= MOST_NAMES else []
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.tick_params(length=0)
    if len(labels) <= MOST_COUNTS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.55 else INK
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=9)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.6, label="share of the row (%)")
    bar.outline.set_visible(False)
    axes.set_title(f"What {short(variant)} confuses")
    axes.set_ylabel("right label")
    axes.set_xlabel("given label")
    return figure


def label_f1_plot(report: Report) -> Figure | None:
    """Draw the F1 of every label, most frequent first, as one bar per variant that gives any."""
    classes = report.classes
    if not classes or len(report.labels or ()) > MOST_NAMES:
        return None
    support = {label: cell.support for label, cell in next(iter(classes.values())).items()}
    labels = sorted((label for label in support if support[label]), key=lambda x: -support[x])
    shown = [name for name in classes if not _is_blind(report, name)]
    figure, axes = figure_of(height=1.6 + len(labels) * (0.12 + 0.11 * len(shown)))
    thickness = 0.8 / max(len(shown), 1)
    for index, name in enumerate(shown):
        offset = (index - (len(shown) - 1) / 2) * thickness
        cells = [classes[name][label].f1 for label in labels]
        heights = np.arange(len(labels)) + offset
        colour = colour_of(report.names.index(name))
        axes.barh(
            heights,
            [cell.value or 0 for cell in cells],
            thickness * 0.9,
            color=colour,
            label=short(name),
        )
        for y, cell in zip(heights, cells, strict=True):
            if cell.low is not None and cell.high is not None:
                axes.plot([cell.low, cell.high], [y] * 2, color=INK, linewidth=0.8)
    named = [f"{short(label)} ({support[label]:,})" for label in labels]
    axes.set_yticks(range(len(labels)), named, fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_title("F1, label by label")
    axes.set_xlabel("F1 (number of items in brackets), line = interval")
    legend_below(axes, columns=min(len(shown), 4))
    return figure


def reliability_plot(report: Report) -> Figure | None:
    """Draw accuracy against confidence in bins; on the diagonal, 80 % sure is 80 % right."""
    if not report.reliability:
        return None
    figure, axes = figure_of(height=5.0)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
    for name, bins in report.reliability.items():
        colour = colour_of(report.names.index(name))
        confidence = [b.confidence for b in bins]
        accuracy = [b.accuracy for b in bins]
        sizes = [8 + 120 * b.n / sum(b.n for b in bins) for b in bins]
        error = report.metrics[name]["calibration_error"].value
        label = f"{short(name)} (error {error:.3f})"
        axes.plot(confidence, accuracy, color=colour, linewidth=1.4, clip_on=False)
        axes.scatter(confidence, accuracy, sizes, color=colour, clip_on=False, zorder=3)
        axes.plot([], [], "o-", color=colour, markersize=5, label=label)
    axes.grid(axis="y", color=GRID)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_title("How far its certainty can be trusted")
    axes.set_xlabel("confidence: probability of the given label (larger point = more items)")
    axes.set_ylabel("share of right labels")
    legend_below(axes, columns=2)
    return figure


def _is_blind(report: Report, variant: str) -> bool:
    """Return whether a variant is a baseline that never reads the text, as the majority class."""
    return variant in BLIND and any(v.is_baseline for v in report.variants if v.name == variant)
