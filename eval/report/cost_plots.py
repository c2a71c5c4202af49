"""The plots of quality against compute: one per metric, and one per kind of validation loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from tuneproof.eval.cost import ALIKE
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report import wording
from tuneproof.formats.figures import CostRow, MetricFigure
from tuneproof.formats.report import Report
from tuneproof.plot_style import (
    GRID,
    INK,
    MUTED,
    colour_of,
    figure_of,
    legend_below,
    short,
)

WIDE = 10
"""From this ratio of the dearest to the cheapest training on, the axis is logarithmic."""
APART = 9
"""Points of paper between figures of trainings that are equally dear."""
LOSSES = {
    "text": ("Loss on the answers, while training", "validation loss (nats, mean over examples)"),
    "head": ("Loss on the labels, while training", "validation loss (nats per text)"),
}
"""By the kind of a run: losses of different kinds cannot be compared."""
Plots = dict[str, tuple[str, Callable[[], Figure | None]]]
"""Name -> description for those who cannot see it, and what draws it, if there is anything."""


def compute_plots(report: Report) -> Plots:
    """Return plot name -> description and maker; nothing where fewer than two runs were trained."""
    if report.compute is None or len(_trained(report)) < 2:
        return {}
    plots: Plots = {
        f"compute_{metric}": (
            f"{METRICS[metric].title} of every run against the FLOPs of its training",
            partial(metric_plot, report, metric),
        )
        for metric in report.compute.metrics
    }
    for kind, (title, _) in LOSSES.items():
        description = f"{title}, against its FLOPs"
        plots[f"compute_loss_{kind}"] = (description, partial(loss_plot, report, kind))
    return plots


def metric_plot(report: Report, metric: str) -> Figure | None:
    """Draw a metric on the test items with its interval over the FLOPs of each training.

    Where it is accuracy, the validation accuracy of every evaluation leads there.
    """
    rows = [row for row in _trained(report) if metric in row.quality]
    if len(rows) < 2:
        return None
    figure, axes = figure_of(height=4.2)
    _lines(axes, report, metric)
    has_curves = False
    costs = _costs(rows)
    for row, cost, shift in zip(rows, costs, _shifts(costs), strict=True):
        colour = _colour(report, row.variant)
        if metric == "accuracy":
            curve = _curve(report, row.variant, "validation_accuracy")
            has_curves = has_curves or bool(curve)
            axes.plot(
                *_columns(curve), color=colour, linewidth=1.4, alpha=0.6, marker=".", markersize=5
            )
        cell = row.quality[metric]
        moved = offset_copy(axes.transData, figure, x=shift, units="points")
        if cell.low is not None and cell.high is not None:
            ends = [cell.low, cell.high]
            axes.plot([cost, cost], ends, color=colour, linewidth=2.2, transform=moved)
        axes.plot(
            [cost], [cell.value], "o", color=colour, markersize=8, transform=moved,
            label=short(row.variant),
        )  # fmt: skip
        if metric in row.front:
            axes.plot(
                [cost], [cell.value], "o", markersize=15, markerfacecolor="none",
                markeredgecolor=INK, markeredgewidth=1.3, transform=moved,
            )  # fmt: skip
    axes.plot(
        [], [], "o", markersize=12, markerfacecolor="none", markeredgecolor=INK,
        label="on the Pareto front",
    )  # fmt: skip
    if has_curves:
        axes.plot(
            [], [], color=MUTED, linewidth=1.4, marker=".", label="validation, while training"
        )
    percent = f"{100 * report.settings.confidence:g} %"
    arrow = {"higher": "↑", "lower": "↓"}.get(METRICS[metric].direction, "")
    axes.set_title(f"{METRICS[metric].title} {arrow} for the FLOPs of training".replace("  ", " "))
    axes.set_ylabel(f"test items, {percent} interval")
    _compute_axis(axes, costs, [_curve(report, row.variant, "flops") for row in rows])
    if any(_shifts(costs)):
        axes.set_xlabel("FLOPs of training (side by side: those within 5 %)")
    _metric_axis(axes, [row.quality[metric] for row in rows])
    legend_below(axes, columns=2)
    return figure


def loss_plot(report: Report, kind: str) -> Figure | None:
    """Draw the validation loss of the runs of a kind over FLOPs, with their Pareto front."""
    rows = [row for row in _trained(report) if row.kind == kind]
    drawn = ((row.variant, _curve(report, row.variant, "validation_loss")) for row in rows)
    curves = {name: curve for name, curve in drawn if curve}
    if len(curves) < 2:
        return None
    figure, axes = figure_of(height=4.2)
    for name, curve in curves.items():
        axes.plot(
            *_columns(curve), color=_colour(report, name), linewidth=2, marker="o", markersize=5,
            label=short(name),
        )  # fmt: skip
    front = lowest([point for curve in curves.values() for point in curve])
    axes.plot(
        *_columns(front), "o", markersize=12, markerfacecolor="none", markeredgecolor=INK,
        markeredgewidth=1.2, label="on the Pareto front",
    )  # fmt: skip
    title, label = LOSSES[kind]
    axes.set_title(f"{title} ↓")
    axes.set_ylabel(label)
    _compute_axis(axes, _costs(rows), list(curves.values()))
    legend_below(axes, columns=2)
    return figure


def lowest(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points (FLOPs, loss) for which no other is as cheap and lower, cheapest first.

    As in the table, trainings count as equally dear where their FLOPs hardly differ.
    """
    return [
        (flops, loss)
        for flops, loss in sorted(set(points))
        if not any(
            other < loss or (other == loss and cost * ALIKE < flops)
            for cost, other in points
            if cost <= flops * ALIKE
        )
    ]


def _trained(report: Report) -> list[CostRow]:
    """Return the rows of trainings; a merged run is the same training once more."""
    rows = report.compute.rows if report.compute else ()
    return [row for row in rows if row.kind in LOSSES and row.flops]


def _curve(report: Report, name: str, value: str) -> list[tuple[float, float]]:
    points = report.compute.curves.get(name, ()) if report.compute else ()
    return [(p["flops"], p[value]) for p in points if p.get("flops") and value in p]


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _colour(report: Report, name: str) -> str:
    """Return a variant's colour: the one that it has in all plots."""
    return colour_of(report.names.index(name))


def _costs(rows: Sequence[CostRow]) -> list[float]:
    return [row.flops for row in rows if row.flops is not None]


def _shifts(costs: Sequence[float]) -> list[float]:
    """Return by how many points of paper to move figures that would lie on one another."""
    alike = [[n for n, other in enumerate(costs) if _ratio(other, cost) <= 1.05] for cost in costs]
    return [
        APART * (together.index(number) - (len(together) - 1) / 2)
        for number, together in enumerate(alike)
    ]


def _ratio(one: float, other: float) -> float:
    return max(one, other) / min(one, other)


def _lines(axes: Axes, report: Report, metric: str) -> None:
    """Draw the base and the best baseline as lines: they cost no training of a model."""
    kinds = {variant.name: variant.is_baseline for variant in report.variants}
    cells = {name: known[metric] for name, known in report.metrics.items() if metric in known}
    sign = METRICS[metric].sign
    baselines = [name for name in cells if kinds[name]]
    best = sorted(baselines, key=lambda name: sign * cells[name].value)[-1:]
    for name, style in [(report.base, "--"), *((name, ":") for name in best)]:
        if name in cells:
            value = wording.amount(cells[name].value, METRICS[metric].unit)
            axes.axhline(
                cells[name].value, color=MUTED, linestyle=style, linewidth=1.2,
                label=f"{short(name)} ({value})",
            )  # fmt: skip


def _metric_axis(axes: Axes, cells: Sequence[MetricFigure]) -> None:
    """Make room for the intervals: matplotlib ignores them where figures are moved."""
    ends = [end for cell in cells for end in (cell.low, cell.high) if end is not None]
    drawn = [*axes.get_ylim(), *ends, *(cell.value for cell in cells)]
    spare = 0.04 * (max(drawn) - min(drawn))
    axes.set_ylim(min(drawn) - spare, max(drawn) + spare)


def _compute_axis(
    axes: Axes, costs: Sequence[float], curves: Sequence[Sequence[tuple[float, float]]]
) -> None:
    """Set the axis of FLOPs: logarithmic where the trainings are very different, else from 0."""
    axes.set_xlabel("FLOPs of training")
    if _ratio(max(costs), min(costs)) >= WIDE:
        axes.set_xscale("log")
    else:
        most = max([*costs, *(x for curve in curves for x, _ in curve)])
        axes.set_xlim(0, most * 1.12)
        axes.xaxis.set_major_formatter(lambda value, _: wording.large(value))
    axes.grid(axis="y", color=GRID)
