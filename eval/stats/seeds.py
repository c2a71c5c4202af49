"""Several seeds of one setting: a verdict on the settings instead of on one checkpoint.

Every seed answers the same items, so that the differences form a table of seeds by items, crossed,
and both are samples: other seeds could have been trained, other items asked. The variance of the
mean has a part of the seeds and a part of the items, estimated by the two-way analysis of variance
(Searle, Casella and McCulloch, 1992, Variance Components). Each part has an interval of Student's t
with its own degrees of freedom; the two are put together as Zou and Donner (2008, "Construction of
Confidence Limits about Effect Measures") do for a sum: the squares of their lengths are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from os.path import commonprefix

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores
from tuneproof.eval.stats.verdicts import verdict
from tuneproof.eval.units import group_numbers
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.report import SeedFigure, SeedFigures

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SeedEstimate:
    """A mean over seeds and items."""

    value: float
    """The mean."""
    seed_error: float
    """Standard error that comes of the seeds, ..."""
    item_error: float
    """... and of the items."""
    seeds: int
    """Number of seeds."""
    units: int
    """Number of units of items."""
    seed_spread: float
    """Standard deviation of the seeds' means."""

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return hypot(self.seed_error, self.item_error)

    @property
    def seed_share(self) -> float:
        """Share of the variance of the mean that is the seeds', in [0, 1]."""
        return (self.seed_error / self.error) ** 2 if self.error else 0.0

    def reach(self, level: float) -> float:
        """Return how far the interval at a level such as 0.05 reaches to either side."""
        from scipy.stats import t

        parts = ((self.seed_error, self.seeds - 1), (self.item_error, self.units - 1))
        return hypot(*(float(t.isf(level / 2, freedom)) * error for error, freedom in parts))

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval at a level such as 0.05."""
        reach = self.reach(level)
        return self.value - reach, self.value + reach

    def p_value(self) -> float:
        """Return the two-sided p-value of no difference: the level whose interval ends at 0."""
        from scipy.optimize import brentq

        size = abs(self.value)
        if size == 0:
            return 1.0
        if self.error == 0 or self.reach(_LEAST) <= size:
            return _LEAST
        return float(brentq(lambda level: self.reach(level) - size, _LEAST, 1.0))


_LEAST = 1e-12
"""The smallest p-value that is told apart from zero."""


def over_seeds(differences: Floats, groups: NDArray[np.int64] | None = None) -> SeedEstimate:
    """Return the mean of a table of differences, with both seeds and items as samples.

    Args:
        differences: Shape (seeds, items), two seeds and two items at least; no NaN.
        groups: (items,) the unit of each item, numbered from 0; None where each is its own.
    """
    seeds, items = differences.shape
    mean = float(differences.mean())
    units = np.arange(items) if groups is None else groups
    count = int(units.max()) + 1
    centred = differences - mean
    rest = centred - centred.mean(axis=1, keepdims=True) - centred.mean(axis=0, keepdims=True)
    sums, rests = np.zeros((2, count, seeds))
    np.add.at(sums, units, centred.T)
    np.add.at(rests, units, rest.T)
    total, pairs = (seeds * items) ** 2, (seeds - 1) * max(count - 1, 1)
    by_seed = np.square(sums.sum(axis=0)).sum() / total * seeds / (seeds - 1)
    by_unit = np.square(sums.sum(axis=1)).sum() / total * count / max(count - 1, 1)
    by_rest = np.square(rests).sum() / total * seeds * count / pairs
    return SeedEstimate(
        value=mean,
        seed_error=sqrt(by_seed),
        item_error=sqrt(max(by_unit - by_rest, 0.0)),
        seeds=seeds,
        units=max(count, 2),
        seed_spread=float(differences.mean(axis=1).std(ddof=1)),
    )


def seed_report(
    comparison: Comparison, scores: Scores, config: ReportConfig, primary: str | None
) -> tuple[SeedFigures, ...]:
    """Judge settings of which several seeds were trained, each by the mean over its seeds.

    The primary metric is measured against the best option without tuning, and tested first; the
    others against the base, corrected among themselves (Holm, 1979).
    """
    found = []
    alpha = 1 - config.confidence
    for name, variants in seeds_of(comparison).items():
        metrics = [m for m in scores.values if METRICS[m].direction != "none"]
        figures = {}
        for metric in metrics:
            against = _best_untuned(comparison, scores, metric) if metric == primary else None
            figure = _figure(comparison, scores, metric, variants, against or comparison.base)
            if figure is not None:
                figures[metric] = figure
        others = sorted((m for m in figures if m != primary), key=lambda m: figures[m][1].p_value())
        worst = 0.0
        corrected: dict[str, float] = {}
        for rank, metric in enumerate(others):
            worst = max(worst, min(1.0, figures[metric][1].p_value() * (len(others) - rank)))
            corrected[metric] = worst
        judged = []
        for metric, (against, one, value) in figures.items():
            p = one.p_value() if metric == primary else corrected[metric]
            level = alpha if metric == primary else alpha / max(len(others), 1)
            low, high = one.interval(level)
            if p >= alpha:  # an interval beside a verdict agrees with it
                low, high = min(low, 0.0), max(high, 0.0)
            elif low <= 0 <= high:
                low, high = one.interval(alpha * one.p_value() / p)
            judged.append(
                SeedFigure(
                    metric=metric,
                    against=against,
                    mean=value,
                    value=one.value,
                    low=low,
                    high=high,
                    p_corrected=p,
                    verdict=verdict(one.value, p < alpha, METRICS[metric].direction),
                    seed_share=one.seed_share,
                    seed_spread=one.seed_spread,
                )
            )
        judged.sort(
            key=lambda figure: (figure.metric != primary, list(METRICS).index(figure.metric))
        )
        found.append(SeedFigures(name=name, variants=tuple(variants), figures=tuple(judged)))
    return tuple(found)


def seeds_of(comparison: Comparison) -> dict[str, list[str]]:
    """Return the variants that differ in their seed alone, by what their names have in common."""
    alike: dict[tuple[str, bool], dict[int, str]] = {}
    for variant in comparison.variants:
        key, seed = variant.settings_sha256, variant.seed
        if variant.name in comparison.tuned and key is not None and seed is not None:
            alike.setdefault((key, variant.is_merged), {}).setdefault(seed, variant.name)
    groups = [list(names.values()) for names in alike.values() if len(names) > 1]
    return {_common(names): names for names in groups}


def _common(names: Sequence[str]) -> str:
    """Return what the names of runs begin with: NAME of NAME-seed1 and NAME-seed2."""
    start = commonprefix(list(names)).rstrip("0123456789").rstrip("-_.")  # noqa: RUF071 - of names, not paths
    return start.removesuffix("seed").rstrip("-_.") or names[0]


def _best_untuned(comparison: Comparison, scores: Scores, metric: str) -> str | None:
    sign = -1 if METRICS[metric].direction == "lower" else 1
    means = {
        name: sign * float(np.nanmean(column))
        for name, column in zip(comparison.names, scores.values[metric].T, strict=True)
        if name not in comparison.tuned and not np.isnan(column).all()
    }
    return max(means, key=means.__getitem__) if means else None


def _figure(
    comparison: Comparison, scores: Scores, metric: str, variants: Sequence[str], against: str
) -> tuple[str, SeedEstimate, float] | None:
    """Return the estimate on the items that all have a value on, and the mean over the seeds."""
    table = scores.values[metric]
    places = [comparison.names.index(name) for name in variants]
    tuned, other = table[:, places].T, table[:, comparison.names.index(against)]
    known = ~(np.isnan(tuned).any(axis=0) | np.isnan(other))
    if known.sum() < 2:
        return None
    groups = group_numbers(
        [item for item, is_known in zip(comparison.items, known, strict=True) if is_known]
    )
    estimate = over_seeds(tuned[:, known] - other[known], groups)
    return against, estimate, float(tuned[:, known].mean())
