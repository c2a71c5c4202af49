"""Quality and compute: what every variant's training took, beside how well it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.figures import Cost, CostRow, MetricFigure
from tuneproof.formats.variant import Training, Variant

QUALITY = {True: ("accuracy", "macro_f1"), False: ("rougeL", "loop_rate")}
"""With labels or without: the metrics that are set against compute."""
ALIKE = 1.02
"""Trainings whose FLOPs differ by no more than this factor count as equally dear."""
NOTE = (
    "Time, FLOPs and tokens are those of the whole training, its evaluations apart; the figures, "
    "those of the weights that were kept: where there is validation, the ones with the lowest "
    "loss there, or most right answers. Memory is the most held meanwhile. FLOPs are counted "
    "(tuning/cost/flops.py), not measured. "
    "◎ marks the Pareto front: nothing else did better for no more FLOPs (2 % counts as the same), "
    "the base, which took none, included. It goes by the values, not by their intervals: where "
    "these overlap, another sample may have another front."
)
"""What a reader must know of the table."""


def cost_of(
    comparison: Comparison, metrics: Mapping[str, Mapping[str, MetricFigure]]
) -> Cost | None:
    """Return quality and compute: the base first, then every tuned variant.

    Args:
        comparison: Its variants carry what their training took.
        metrics: The figures by variant and metric.

    Returns:
        The table and the curves; None where the file says nothing of any training.
    """
    tuned = [comparison.by_name[name] for name in comparison.tuned]
    if not any(variant.training for variant in tuned):
        return None
    chosen = [
        name
        for name in QUALITY[comparison.labels is not None]
        if any(name in metrics[variant.name] for variant in tuned)
    ]
    rows = [_base_row(comparison.base), *map(_row, tuned)]
    rows = [
        replace(row, quality={m: f for m, f in metrics[row.variant].items() if m in chosen})
        for row in rows
    ]
    rows = [
        replace(row, front=tuple(m for m in chosen if is_on_front(row, rows, m))) for row in rows
    ]
    costs = [row.flops for row in rows if row.flops and row.kind != "merged"]
    return Cost(
        metrics=tuple(chosen),
        rows=tuple(rows),
        flops_spread=max(costs) / min(costs) - 1 if len(costs) > 1 else None,
        curves={
            variant.name: variant.training.curve
            for variant in tuned
            if variant.training and variant.training.curve and not variant.is_merged
        },
    )


def is_on_front(row: CostRow, rows: Sequence[CostRow], metric: str) -> bool:
    """Return whether nothing else is as cheap and better, or as good and cheaper."""
    if row.flops is None or metric not in row.quality:
        return False
    return not any(_beats(other, row, metric) for other in rows if other.variant != row.variant)


def _beats(one: CostRow, other: CostRow, metric: str) -> bool:
    if one.flops is None or other.flops is None or metric not in one.quality:
        return False
    sign = METRICS[metric].sign
    gain = sign * (one.quality[metric].value - other.quality[metric].value)
    if one.flops > other.flops * ALIKE:
        return False
    return gain > 0 or (gain == 0 and one.flops * ALIKE < other.flops)


def _base_row(name: str) -> CostRow:
    """Return the row of what took no training."""
    return CostRow(
        variant=name, kind="base", trainable=0, total=None, peak_bytes=None, on_gpu=False,
        seconds=0, flops=0, tokens=0, epochs=None, quality={}, front=(),
    )  # fmt: skip


def _row(variant: Variant) -> CostRow:
    training = variant.training or Training()
    on_gpu = training.peak_gpu_memory_bytes
    return CostRow(
        variant=variant.name,
        kind="merged" if variant.is_merged else "head" if variant.is_head else "text",
        trainable=variant.parameters.trainable,
        total=variant.parameters.total,
        peak_bytes=on_gpu or variant.peak_memory_bytes,
        on_gpu=on_gpu is not None,
        seconds=training.seconds,
        flops=training.flops,
        tokens=training.tokens,
        epochs=training.epochs,
        quality={},
        front=(),
    )
