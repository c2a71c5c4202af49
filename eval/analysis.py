"""From scores to the report's figures: metrics and gains with intervals, overall and by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval import wording
from eval.classification import Key, classify, set_figures
from eval.comparison import Comparison, Item
from eval.config import ReportConfig
from eval.metrics.registry import METRICS
from eval.scoring import Scores, group_numbers
from eval.statistics import Estimate, estimate

Floats = NDArray[np.float64]
Figures = dict[str, dict[str, dict[str, Any]]]


def analyse(comparison: Comparison, scores: Scores, config: ReportConfig) -> dict[str, Any]:
    """Return what is figured: `metrics`, `gains`, `tasks` and what only labels have.

    `tasks` has the first two for every task, where there are several.
    """
    everything = np.ones(len(comparison.items), dtype=bool)
    of_sets = _of_sets(comparison, config, everything)
    found: dict[str, Any] = _figures(comparison, scores, config, everything, of_sets)
    found |= classify(comparison, of_sets, config)
    names = list(dict.fromkeys(item.task for item in comparison.items))
    found["tasks"] = {}
    for name in names if len(names) > 1 else ():
        chosen = np.array([item.task == name for item in comparison.items])
        found["tasks"][name] = {
            "n": int(chosen.sum()),
            **_figures(comparison, scores, config, chosen, _of_sets(comparison, config, chosen)),
        }
    return found


def _figures(
    comparison: Comparison,
    scores: Scores,
    config: ReportConfig,
    chosen: NDArray[np.bool_],
    of_sets: Mapping[Key, Estimate],
) -> dict[str, Figures]:
    """Estimate every mean and every paired difference on the chosen items, in one resampling."""
    columns = _columns(comparison, scores, chosen)
    means = _estimate(_chosen(comparison, chosen), list(columns.values()), config)
    estimates: dict[Key, Estimate] = dict(zip(columns, means, strict=True))
    estimates |= {key: found for key, found in of_sets.items() if key[0] != "label"}
    metrics: Figures = {name: {} for name in comparison.names}
    gains: Figures = {name: {} for name in comparison.tuned}
    places = {metric: place for place, metric in enumerate(METRICS)}
    for key in sorted(estimates, key=lambda key: places[key[2]]):
        (kind, variant, metric), result = key, estimates[key]
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


def _of_sets(
    comparison: Comparison, config: ReportConfig, chosen: NDArray[np.bool_]
) -> dict[Key, Estimate]:
    """Estimate what only a set of labelled items has; nothing without labels."""
    if comparison.labels is None:
        return {}
    return set_figures(comparison, _chosen(comparison, chosen), config)


def _chosen(comparison: Comparison, chosen: NDArray[np.bool_]) -> list[Item]:
    return [item for item, is_chosen in zip(comparison.items, chosen, strict=True) if is_chosen]


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
            if variant in comparison.tuned:
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
