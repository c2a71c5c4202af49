"""Several seeds of one setting: a verdict on the settings instead of on one checkpoint.

Every seed answers the same items, so that the differences form a table of seeds by items, crossed,
and both are samples: other seeds could have been trained, other items asked. The variance of the
mean has a part of the seeds and a part of the items, estimated by the two-way analysis of variance
(Searle, Casella and McCulloch, 1992, Variance Components). Each part has an interval of Student's t
with its own degrees of freedom; the two are put together as Zou and Donner (2008, "Construction of
Confidence Limits about Effect Measures") do for a sum: the squares of their lengths are added.

Where all seeds and items agree, neither part has a spread to be seen. What so few items can show at
most is known from the intervals and tests of one checkpoint: no interval is narrower than that of
the items' mean over the seeds, and no p-value smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot, isfinite, sqrt
from os.path import commonprefix

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores
from tuneproof.eval.stats.against import measured_against, untuned
from tuneproof.eval.stats.bootstrap import Estimate, by_group, estimate
from tuneproof.eval.stats.intervals import Range
from tuneproof.eval.stats.permutation import sign_flip_p
from tuneproof.eval.stats.verdicts import verdict
from tuneproof.eval.units import group_numbers
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.figures import SeedFigure, SeedFigures

Floats = NDArray[np.float64]
DIGITS = "0123456789"
JOINTS = "-_."
"""What parts of a run's name are joined by."""


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


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A metric of a setting beside what it is measured against."""

    against: str
    mean: float
    """The setting's mean over its seeds."""
    crossed: SeedEstimate
    """The difference, with seeds and items as samples."""
    of_items: Estimate
    """The same with items as the only sample: all that is known where seeds and items agree."""
    item_p: float
    """p-value of the paired permutation test of the items."""
    bounds: Range
    """The least and the greatest difference there may be."""
    options: int = 1
    """Of how many options what it is measured against is the best."""

    @property
    def p(self) -> float:
        """Two-sided p-value: neither test alone suffices."""
        return max(self.crossed.p_value(), self.item_p)

    def corrected(self, sign: int) -> float:
        """Return p, corrected for the choice where the setting is below the best of its options.

        That the best is the largest of several means makes it no easier to be above it.

        Args:
            sign: 1 where a higher value is better, -1 where a lower one is.
        """
        is_below = sign * self.crossed.value < 0
        return min(1.0, self.p * self.options) if is_below else self.p

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval at a level such as 0.05, as wide as either of the two."""
        low, high = self.crossed.interval(level)
        lowest, highest = self.bounds
        if self.of_items.interval_at is None:
            return lowest, highest
        least, most = self.of_items.interval_at(1 - level)
        return max(min(low, least), lowest), min(max(high, most), highest)


def seed_report(
    comparison: Comparison, scores: Scores, config: ReportConfig, primary: str | None
) -> tuple[SeedFigures, ...]:
    """Judge settings of which several seeds were trained, each by the mean over its seeds.

    The primary metric, or accuracy in place of one that is a figure of whole sets, is measured
    against the best option without tuning, and tested first; to be below the best of several is
    corrected for their number (Bonferroni). The others are measured against the base, and corrected
    among themselves (Holm, 1979). Settings of which fewer than two items have the primary metric
    are left out.
    """
    first = primary if primary is None or primary in scores.values else "accuracy"
    forms = measured_against(comparison, scores)
    reports = []
    for name, variants in seeds_of(comparison).items():
        figures = {}
        for metric in (m for m in scores.values if METRICS[m].direction != "none"):
            against, options = forms.get(metric, comparison.base), 1
            if metric == first and (ranked := untuned(comparison, scores, metric)):
                against, options = ranked[0], len(ranked)
            measured = _measured(comparison, scores, config, metric, variants, against)
            if measured is not None:
                figures[metric] = replace(measured, options=options)
        if first not in figures:  # fewer than two items: nothing is judged over seeds
            continue
        judged = _judged(figures, first, 1 - config.confidence)
        reports.append(SeedFigures(name=name, variants=tuple(variants), figures=judged))
    return tuple(reports)


def _judged(
    figures: Mapping[str, Measured], first: str | None, alpha: float
) -> tuple[SeedFigure, ...]:
    """Judge one metric by itself and the others together; the one comes first."""
    others = sorted((m for m in figures if m != first), key=lambda m: figures[m].p)
    corrected = {m: figures[m].corrected(METRICS[m].sign) for m in figures if m == first}
    worst = 0.0
    for rank, metric in enumerate(others):
        worst = max(worst, min(1.0, figures[metric].p * (len(others) - rank)))
        corrected[metric] = worst
    order = list(METRICS)
    return tuple(
        _figure(metric, figures[metric], p, alpha, 1 if metric == first else len(others))
        for metric, p in sorted(
            corrected.items(), key=lambda row: (row[0] != first, order.index(row[0]))
        )
    )


def _figure(metric: str, seen: Measured, p: float, alpha: float, tests: int) -> SeedFigure:
    """Return a figure whose interval agrees with its verdict."""
    low, high = seen.interval(alpha / tests)
    if p < alpha and low <= 0 <= high:
        low, high = seen.interval(alpha * seen.p / p)
    is_called = p < alpha and not low <= 0 <= high
    if not is_called:
        low, high, p = min(low, 0.0), max(high, 0.0), max(p, alpha)
    return SeedFigure(
        metric=metric,
        against=seen.against,
        mean=seen.mean,
        value=seen.crossed.value,
        low=low,
        high=high,
        p_corrected=p,
        verdict=verdict(seen.crossed.value, is_called, METRICS[metric].direction),
        seed_share=seen.crossed.seed_share,
        seed_spread=seen.crossed.seed_spread,
    )


def seeds_of(comparison: Comparison) -> dict[str, list[str]]:
    """Return the variants that differ in their seed alone, by what their names have in common."""
    alike: dict[tuple[str, bool], dict[int, str]] = {}
    for variant in comparison.variants:
        key, seed = variant.settings_sha256, variant.seed
        if variant.name in comparison.tuned and key is not None and seed is not None:
            alike.setdefault((key, variant.is_merged), {}).setdefault(seed, variant.name)
    groups = [list(names.values()) for names in alike.values() if len(names) > 1]
    settings: dict[str, list[str]] = {}
    for names in groups:
        common = common_name(names)
        settings[", ".join(names) if common in settings else common] = names
    return settings


def common_name(names: Sequence[str]) -> str:
    """Return what names of runs share but for their seeds: NAME of NAME-seed1 and NAME-seed2."""
    start = commonprefix(list(names)).rstrip(DIGITS).rstrip(JOINTS)  # noqa: RUF071 - of names, not paths
    end = commonprefix([name[::-1] for name in names])[::-1].lstrip(DIGITS)  # noqa: RUF071
    return (start.removesuffix("seed").rstrip(JOINTS) + end).strip(JOINTS) or names[0]


def _measured(
    comparison: Comparison,
    scores: Scores,
    config: ReportConfig,
    metric: str,
    variants: Sequence[str],
    against: str,
) -> Measured | None:
    """Measure a metric on the items that all have a value on; None where too few are."""
    table = scores.values[metric]
    columns = [comparison.names.index(name) for name in variants]
    tuned, other = table[:, columns].T, table[:, comparison.names.index(against)]
    known = ~(np.isnan(tuned).any(axis=0) | np.isnan(other))
    if known.sum() < 2:
        return None
    groups = group_numbers(
        [item for item, is_known in zip(comparison.items, known, strict=True) if is_known]
    )
    differences = tuned[:, known] - other[known]
    by_item, bounds = differences.mean(axis=0)[:, None], METRICS[metric].difference_bounds
    (of_items,) = estimate(
        by_item,
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        groups=groups,
        ranges=[bounds],
    )
    if of_items.interval_at is None and not all(map(isfinite, bounds)):
        return None
    (item_p,) = sign_flip_p(by_group(by_item, groups), draws=config.draws, seed=config.seed)
    return Measured(
        against=against,
        mean=float(tuned[:, known].mean()),
        crossed=over_seeds(differences, groups),
        of_items=of_items,
        item_p=item_p,
        bounds=bounds,
    )
