"""From scores to the report's figures: metrics and gains with intervals, overall and by task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval import wording
from eval.comparison import Comparison, Item
from eval.config import ReportConfig
from eval.metrics.registry import METRICS
from eval.scoring import Scores, group_numbers
from eval.statistics import Estimate, estimate

Floats = NDArray[np.float64]
Figures = dict[str, dict[str, dict[str, Any]]]


def analyse(comparison: Comparison, scores: Scores, config: ReportConfig) -> dict[str, Any]:
    """Return `metrics`, `gains` and, where there are several tasks, `tasks` with the same two."""
    everything = np.ones(len(comparison.items), dtype=bool)
    found: dict[str, Any] = _figures(comparison, scores, config, everything)
    names = list(dict.fromkeys(item.task for item in comparison.items))
    found["tasks"] = {}
    for name in names if len(names) > 1 else ():
        chosen = np.array([item.task == name for item in comparison.items])
        found["tasks"][name] = {
            "n": int(chosen.sum()),
            **_figures(comparison, scores, config, chosen),
        }
    return found


def _figures(
    comparison: Comparison, scores: Scores, config: ReportConfig, chosen: NDArray[np.bool_]
) -> dict[str, Figures]:
    """Estimate every mean and every paired difference on the chosen items, in one resampling."""
    columns = _columns(comparison, scores, chosen)
    items = [item for item, is_chosen in zip(comparison.items, chosen, strict=True) if is_chosen]
    estimates = _estimate(items, list(columns.values()), config)
    metrics: Figures = {name: {} for name in comparison.names}
    gains: Figures = {name: {} for name in comparison.tuned}
    for (kind, variant, metric), result in zip(columns, estimates, strict=True):
        if kind == "metric":
            metrics[variant][metric] = {
                "value": result.value,
                "low": result.low,
                "high": result.high,
                "n": result.n,
            }
        else:
            gains[variant][metric] = _gain(result, metric, scores.length_unit, config)
    return {"metrics": metrics, "gains": gains}


def _columns(
    comparison: Comparison, scores: Scores, chosen: NDArray[np.bool_]
) -> dict[tuple[str, str, str], Floats]:
    """Return (kind, variant, metric) -> per-item values; columns without any value are left out."""
    columns = {}
    base = comparison.names.index(comparison.base)
    for metric, table in scores.values.items():
        part = table[chosen]
        for index, variant in enumerate(comparison.names):
            columns["metric", variant, metric] = part[:, index]
            if index != base:
                columns["gain", variant, metric] = part[:, index] - part[:, base]
    return {key: values for key, values in columns.items() if not np.isnan(values).all()}


def _estimate(items: Sequence[Item], columns: list[Floats], config: ReportConfig) -> list[Estimate]:
    return estimate(
        np.column_stack(columns),
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        groups=group_numbers(items),
    )


def _gain(result: Estimate, metric: str, length_unit: str, config: ReportConfig) -> dict[str, Any]:
    spec = METRICS[metric]
    verdict = wording.verdict(
        result.low, result.high, result.p, 1 - config.confidence, spec.direction
    )
    gain = {
        "value": result.value,
        "low": result.low,
        "high": result.high,
        "p": result.p,
        "n": result.n,
        "verdict": verdict,
    }
    unit = length_unit if metric == "length" else spec.unit
    return {**gain, "sentence": wording.sentence(spec.title, unit, gain)}
