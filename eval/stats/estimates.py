"""From scores to the report's figures: metrics and gains with intervals, overall and by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores, count_scored, group_numbers
from tuneproof.eval.stats.bootstrap import Estimate, estimate, totals
from tuneproof.eval.stats.intervals import DIFFERENCE, SHARE, UNBOUNDED, Range
from tuneproof.eval.stats.label_figures import Key, classify, set_figures
from tuneproof.eval.stats.permutation import sign_flip_p
from tuneproof.eval.stats.verdicts import PairedTest, Place, judge
from tuneproof.formats.comparison import Comparison, Item

Floats = NDArray[np.float64]
Figures = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is figured of some of the items: all, or those of a task."""

    chosen: NDArray[np.bool_]
    """(items,) which they are."""
    estimates: dict[Key, Estimate]
    """``(metric | gain, variant, metric)``, and for labels ``(label, variant, figure, label)``."""
    p_values: dict[Key, float]
    """Of the gains, not corrected."""


def analyse(comparison: Comparison, scores: Scores, config: ReportConfig) -> dict[str, Any]:
    """Return what is figured: `metrics`, `gains`, `tasks` and what only labels have.

    `tasks` has the first two for every task, where there are several.
    """
    names = list(dict.fromkeys(item.task for item in comparison.items))
    masks = {"": np.ones(len(comparison.items), dtype=bool)}
    for name in names if len(names) > 1 else ():
        masks[name] = np.array([item.task == name for item in comparison.items])
    parts = {name: figure(comparison, scores, config, mask) for name, mask in masks.items()}
    tested: dict[Place, PairedTest] = {
        (task, variant, metric): PairedTest(
            estimate=part.estimates["gain", variant, metric],
            p=part.p_values["gain", variant, metric],
        )
        for task, part in parts.items()
        for kind, variant, metric, *_ in part.estimates
        if kind == "gain"
    }
    judged = judge(tested, 1 - config.confidence, scores.length_unit)
    found: dict[str, Any] = _figures(comparison, scores, parts[""], judged, "")
    found |= classify(comparison, parts[""].estimates, config)
    found["tasks"] = {
        name: {
            "n": int(masks[name].sum()),
            **_figures(comparison, scores, part, judged, name),
        }
        for name, part in parts.items()
        if name
    }
    return found


def figure_all(comparison: Comparison, scores: Scores, config: ReportConfig) -> Part:
    """Estimate every mean and every paired difference on all items."""
    return figure(comparison, scores, config, np.ones(len(comparison.items), dtype=bool))


def figure(
    comparison: Comparison, scores: Scores, config: ReportConfig, chosen: NDArray[np.bool_]
) -> Part:
    """Estimate every mean and every paired difference on the chosen items, in one resampling."""
    items = _chosen(comparison, chosen)
    columns = _columns(comparison, scores, chosen)
    estimates: dict[Key, Estimate] = _estimate(items, columns, config)
    p_values: dict[Key, float] = _p_values(items, columns, config)
    if comparison.labels is not None:
        of_sets, p_of_sets = set_figures(comparison, items, config)
        estimates |= of_sets
        p_values |= p_of_sets
    return Part(chosen=chosen, estimates=estimates, p_values=p_values)


def _figures(
    comparison: Comparison, scores: Scores, part: Part, judged: dict[Place, Any], task: str
) -> dict[str, Figures]:
    """Return `metrics` and `gains` of a part, both in the order of the registry."""
    metrics: Figures = {name: {} for name in comparison.names}
    gains: Figures = {name: {} for name in comparison.tuned}
    places = {metric: place for place, metric in enumerate(METRICS)}
    keys = [key for key in part.estimates if key[0] != "label"]
    for kind, variant, metric in sorted(keys, key=lambda key: places[key[2]]):
        result = part.estimates[kind, variant, metric]
        if kind == "gain":
            gains[variant][metric] = judged[task, variant, metric]
            continue
        metrics[variant][metric] = {
            "value": result.value,
            "low": result.low,
            "high": result.high,
            "n": result.n,
            **count_scored(comparison, scores, metric, variant, part.chosen),
        }
    return {"metrics": metrics, "gains": gains}


def _chosen(comparison: Comparison, chosen: NDArray[np.bool_]) -> list[Item]:
    return [item for item, is_chosen in zip(comparison.items, chosen, strict=True) if is_chosen]


def _columns(
    comparison: Comparison, scores: Scores, chosen: NDArray[np.bool_]
) -> dict[Key, Floats]:
    """Return (kind, variant, metric) -> per-item values; columns without any value are left out."""
    columns: dict[Key, Floats] = {}
    base = comparison.names.index(comparison.base)
    for metric, table in scores.values.items():
        part = table[chosen]
        for index, variant in enumerate(comparison.names):
            columns["metric", variant, metric] = part[:, index]
            if variant in comparison.tuned:
                columns["gain", variant, metric] = part[:, index] - part[:, base]
    return {key: values for key, values in columns.items() if not np.isnan(values).all()}


def _estimate(
    items: Sequence[Item], columns: dict[Key, Floats], config: ReportConfig
) -> dict[Key, Estimate]:
    found = estimate(
        np.column_stack(list(columns.values())),
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        groups=group_numbers(items),
        ranges=[_range(kind, metric) for kind, _, metric in columns],
    )
    return dict(zip(columns, found, strict=True))


def _range(kind: str, metric: str) -> Range:
    if metric == "length":
        return (0.0, UNBOUNDED[1]) if kind == "metric" else UNBOUNDED
    return SHARE if kind == "metric" else DIFFERENCE


def _p_values(
    items: Sequence[Item], columns: dict[Key, Floats], config: ReportConfig
) -> dict[Key, float]:
    gains = {key: values for key, values in columns.items() if key[0] == "gain"}
    if not gains:
        return {}
    sums, _ = totals(np.column_stack(list(gains.values())), group_numbers(items))
    found = sign_flip_p(sums, draws=config.draws, seed=config.seed)
    return dict(zip(gains, found, strict=True))
