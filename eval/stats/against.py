"""What a tuned variant is measured against: a form of the base, or the best without tuning.

The base may be asked in its own template and in the run's. What the template alone brings is no
gain of training: each metric is measured against the form of the base that does better by it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores
from tuneproof.eval.stats.intervals import Floats
from tuneproof.eval.stats.label_figures import Outcomes
from tuneproof.formats.comparison import Comparison

OTHER_FORM = "base-as-"
"""How the names of variants begin that are the base, asked in the template of a run."""


def measured_against(comparison: Comparison, scores: Scores) -> dict[str, str]:
    """Return the form of the base that does better than `base`, by metric; others are left out.

    That it is the best of several makes it no easier to be above it. Metrics without a better
    direction are measured against `base`.
    """
    forms = [v.name for v in comparison.variants if v.is_base and v.name.startswith(OTHER_FORM)]
    if comparison.base != "base" or not forms:
        return {}
    columns = {name: comparison.names.index(name) for name in ("base", *forms)}
    means: dict[str, dict[str, float]] = {}
    for metric, table in scores.values.items():
        means[metric] = _means({name: table[:, index] for name, index in columns.items()})
    if comparison.labels is not None:
        for metric, values in Outcomes(comparison, comparison.items).values().items():
            means[metric] = {name: values[name] for name in columns if name in values}
    best = {metric: _best(metric, values) for metric, values in means.items()}
    return {metric: name for metric, name in best.items() if name != "base"}


def best_untuned(comparison: Comparison, scores: Scores, metric: str) -> str | None:
    """Return the variant without tuning whose mean is the best; None where none has a value."""
    ranked = untuned(comparison, scores, metric)
    return ranked[0] if ranked else None


def untuned(comparison: Comparison, scores: Scores, metric: str) -> list[str]:
    """Return the variants without tuning that have a mean of a metric, the best first."""
    sign = METRICS[metric].sign
    columns = zip(comparison.names, scores.values[metric].T, strict=True)
    means = _means({name: column for name, column in columns if name not in comparison.tuned})
    return sorted(means, key=lambda name: -sign * means[name])


def _means(columns: Mapping[str, Floats]) -> dict[str, float]:
    """Return the mean of every column over the items that all of them score.

    A column is left out that scores less than half of the items that another one does: a few easy
    ones say nothing of the others.
    """
    counts = {name: int((~np.isnan(column)).sum()) for name, column in columns.items()}
    most = max(counts.values(), default=0)
    kept = {name: columns[name] for name, count in counts.items() if count and 2 * count >= most}
    if not kept:
        return {}
    is_scored = ~np.isnan(np.stack(list(kept.values()))).any(axis=0)
    if not is_scored.any():
        is_scored = ~is_scored
    return {name: float(np.nanmean(column[is_scored])) for name, column in kept.items()}


def _best(metric: str, values: Mapping[str, float]) -> str:
    """Return the form with the best value; `base` where it is as good, or has none."""
    sign = {"higher": 1, "lower": -1, "none": 0}[METRICS[metric].direction]
    if "base" not in values:
        return "base"
    return max(values, key=lambda name: (sign * values[name], name == "base"))
