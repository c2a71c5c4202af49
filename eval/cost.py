"""Quality and compute: what every variant's training took, beside how well it does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.formats.comparison import Comparison, Variant

QUALITY = {True: ("accuracy", "macro_f1"), False: ("rougeL", "loop_rate")}
"""With labels or without: the metrics that are set against compute."""
ALIKE = 1.02
"""Trainings whose FLOPs differ by no more than this factor count as equally dear."""
NOTE = (
    "Time, FLOPs and tokens are those of the whole training, its evaluations apart; the figures, "
    "those of the weights that were kept: where there is validation, the ones with the lowest "
    "loss there, or most right answers. Memory is the most held meanwhile. FLOPs are counted "
    "(tuning/flops.py), not measured. "
    "◎ marks the Pareto front: nothing else did better for no more FLOPs (2 % counts as the same), "
    "the base, which took none, included. It goes by the values, not by their intervals: where "
    "these overlap, another sample may have another front."
)
"""What a reader must know of the table."""
POINT = ("step", "epoch", "flops", "tokens", "seconds", "validation_loss", "validation_accuracy")


def compute(comparison: Comparison, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what report.json says of quality and compute.

    Args:
        comparison: Its variants carry what their training took.
        metrics: The value and interval of every variant and metric, as in report.json.

    Returns:
        `metrics` (those set against compute), `rows` (the base first, then every tuned variant; on
        the Pareto front of the metrics in `front`), `flops_spread` (by which share the dearest
        training is above the cheapest, of several) and `curves` (by variant, the evaluations of
        its training); None where the file says nothing of any training.
    """
    by_name = {variant.name: variant for variant in comparison.variants}
    tuned = [by_name[name] for name in comparison.tuned]
    if not any(isinstance(variant.details.get("training"), Mapping) for variant in tuned):
        return None
    chosen = [
        name
        for name in QUALITY[comparison.labels is not None]
        if any(name in metrics[variant.name] for variant in tuned)
    ]
    rows = [_base_row(comparison.base), *map(_row, tuned)]
    for row in rows:
        cells = metrics[row["variant"]]
        row["quality"] = {name: cells[name] for name in chosen if name in cells}
    for row in rows:
        row["front"] = [name for name in chosen if is_on_front(row, rows, name)]
    curves = {variant.name: _curve(variant) for variant in tuned if not _is_merged(variant)}
    costs = [row["flops"] for row in rows if row["flops"] and row["kind"] != "merged"]
    return {
        "metrics": chosen,
        "rows": rows,
        "flops_spread": max(costs) / min(costs) - 1 if len(costs) > 1 else None,
        "curves": {name: points for name, points in curves.items() if points},
    }


def is_on_front(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], metric: str) -> bool:
    """Return whether nothing else is as cheap and better, or as good and cheaper."""
    if row["flops"] is None or metric not in row["quality"]:
        return False
    others = [
        other
        for other in rows
        if other is not row and other["flops"] is not None and metric in other["quality"]
    ]
    return not any(_beats(other, row, metric) for other in others)


def _beats(one: Mapping[str, Any], other: Mapping[str, Any], metric: str) -> bool:
    sign = -1 if METRICS[metric].direction == "lower" else 1
    gain = sign * (one["quality"][metric]["value"] - other["quality"][metric]["value"])
    if one["flops"] > other["flops"] * ALIKE:
        return False
    return bool(gain > 0 or (gain == 0 and one["flops"] * ALIKE < other["flops"]))


def _base_row(name: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("peak_bytes", "total", "epochs"))
    return {
        "variant": name, "kind": "base", "trainable": 0, **nothing,
        "on_gpu": False, "seconds": 0, "flops": 0, "tokens": 0,
    }  # fmt: skip


def _row(variant: Variant) -> dict[str, Any]:
    details = variant.details
    found = details.get("training")
    training = found if isinstance(found, Mapping) else {}
    sizes = details.get("parameters")
    parameters = sizes if isinstance(sizes, Mapping) else {}
    on_gpu = _number(training.get("peak_gpu_memory_bytes"))
    kind = "merged" if _is_merged(variant) else "head" if details.get("kind") == "head" else "text"
    return {
        "variant": variant.name,
        "kind": kind,
        "trainable": _number(parameters.get("trainable")),
        "total": _number(parameters.get("total")),
        "peak_bytes": on_gpu or _number(details.get("peak_memory_bytes")),
        "on_gpu": on_gpu is not None,
        **{name: _number(training.get(name)) for name in ("seconds", "flops", "tokens", "epochs")},
    }


def _curve(variant: Variant) -> list[dict[str, float]]:
    training = variant.details.get("training")
    points = training.get("curve") if isinstance(training, Mapping) else None
    curve = []
    for point in points if isinstance(points, list) else []:
        if isinstance(point, Mapping):
            known = {name: _number(point.get(name)) for name in POINT}
            curve.append({name: value for name, value in known.items() if value is not None})
    return curve


def _is_merged(variant: Variant) -> bool:
    return variant.details.get("merged") is True


def _number(value: Any) -> float | None:
    """Return a value of the file where it is a number that can be drawn."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) and value >= 0 else None
