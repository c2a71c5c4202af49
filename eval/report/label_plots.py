"""The plots of a classification: what is confused with what, label by label, and how sure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tuneproof.eval.report.plot_style import (
    GRID,
    INK,
    MUTED,
    colour_of,
    figure_of,
    legend_below,
    short,
)

MOST_COUNTS = 10
"""Most labels of a confusion matrix whose counts are written into the cells."""
MOST_NAMES = 40
"""Most labels that are named along an axis."""

BLIND = ("chance", "majority")


def label_plots(report: Mapping[str, Any]) -> dict[str, tuple[str, Callable[[], Figure | None]]]:
    """Return plot name -> (description, maker) of the plots that only labels have."""
    found: dict[str, tuple[str, Callable[[], Figure | None]]] = {
        "label_f1": ("F1 of every label for every variant", partial(label_f1_plot, report)),
        "reliability": (
            "Accuracy of the scored labels against their probability",
            partial(reliability_plot, report),
        ),
    }
    for number, name in enumerate(report["confusion"], 1):
        description = f"Confusion matrix of {name}: rows are right labels, columns given ones"
        if not _is_blind(report, name):
            found[f"confusion_{number}"] = (description, partial(confusion_plot, report, name))
    return found


def confusion_plot(report: Mapping[str, Any], variant: str) -> Figure:
    """Draw which labels a variant gave to the items of each label, as shares of the row."""
    labels, counts = report["labels"], np.array(report["confusion"][variant])
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


def label_f1_plot(report: Mapping[str, Any]) -> Figure | None:
    """Draw the F1 of every label, most frequent first, as one bar per variant that gives any."""
    classes = report["classes"]
    if not classes or len(report["labels"]) > MOST_NAMES:
        return None
    support = {label: cell["support"] for label, cell in next(iter(classes.values())).items()}
    labels = sorted((label for label in support if support[label]), key=lambda x: -support[x])
    shown = [name for name in classes if not _is_blind(report, name)]
    figure, axes = figure_of(height=1.6 + len(labels) * (0.12 + 0.11 * len(shown)))
    thickness = 0.8 / max(len(shown), 1)
    for index, name in enumerate(shown):
        offset = (index - (len(shown) - 1) / 2) * thickness
        cells = [classes[name][label]["f1"] for label in labels]
        places = np.arange(len(labels)) + offset
        colour = colour_of(list(report["metrics"]).index(name))
        axes.barh(
            places,
            [cell["value"] or 0 for cell in cells],
            thickness * 0.9,
            color=colour,
            label=short(name),
        )
        for place, cell in zip(places, cells, strict=True):
            if cell["low"] is not None:
                axes.plot([cell["low"], cell["high"]], [place] * 2, color=INK, linewidth=0.8)
    named = [f"{short(label)} ({support[label]:,})" for label in labels]
    axes.set_yticks(range(len(labels)), named, fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_title("F1, label by label")
    axes.set_xlabel("F1 (number of items in brackets), line = interval")
    legend_below(axes, columns=min(len(shown), 4))
    return figure


def reliability_plot(report: Mapping[str, Any]) -> Figure | None:
    """Draw accuracy against confidence in bins; on the diagonal, 80 % sure is 80 % right."""
    if not report["reliability"]:
        return None
    figure, axes = figure_of(height=5.0)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
    for name, bins in report["reliability"].items():
        colour = colour_of(list(report["metrics"]).index(name))
        confidence = [b["confidence"] for b in bins]
        accuracy = [b["accuracy"] for b in bins]
        sizes = [8 + 120 * b["n"] / sum(b["n"] for b in bins) for b in bins]
        error = report["metrics"][name]["calibration_error"]["value"]
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


def _is_blind(report: Mapping[str, Any], variant: str) -> bool:
    """Say whether a variant is a baseline that never looks at the text: nothing to see by label."""
    kinds = {row["name"]: row.get("kind") for row in report["variants"]}
    return kinds[variant] == "baseline" and variant in BLIND
