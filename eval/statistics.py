"""Bootstrap intervals and p-values for means over items, and for paired differences of means.

One set of resamples serves every column, so a difference keeps its pairing and all figures of a
report belong together. Two corrections make the percentile bootstrap honest for the few dozen
items a quick evaluation has. The percentiles are expanded (Hesterberg, 2015, What Teachers Should
Know About the Bootstrap): with n items plain percentiles are too narrow by about
sqrt((n - 1) / n) and by the difference between the normal and Student's distribution. And no
p-value goes below 2^(1 - k) when only k items differ, the least that a sign-flip test can give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Groups = NDArray[np.int64]
CHUNK_CELLS = 2_000_000
"""Cells of the largest intermediate table (resamples in a chunk x groups or columns): 16 MB."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with its interval; `low` and `high` are None where one group is all there is."""

    value: float
    low: float | None
    high: float | None
    n: int
    """Items that were scored."""
    p: float = 1.0
    """Two-sided p-value of the mean being zero; only meaningful for differences."""


def estimate(
    values: Floats,
    *,
    resamples: int,
    confidence: float,
    seed: int,
    groups: Groups | None = None,
) -> list[Estimate]:
    """Estimate the mean of every column over the items where it is not NaN.

    Args:
        values: (items, columns); NaN where an item is not scored. No column is all NaN.
        resamples: Resamples drawn; the same for every column.
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
        groups: (items,) group of each item, numbered from 0 without gaps; groups are resampled
            whole. None means every item stands for itself.
    """
    present = ~np.isnan(values)
    sums, counts = _by_group(np.where(present, values, 0.0), present.astype(float), groups)
    means = resampled_means(sums, counts, resamples, seed)
    return [
        _summary(sums[:, column], counts[:, column], means[:, column], confidence)
        for column in range(values.shape[1])
    ]


def resampled_means(sums: Floats, counts: Floats, resamples: int, seed: int) -> Floats:
    """Return (resamples, columns) means of the groups drawn with replacement.

    Args:
        sums: (groups, columns) sum of each group's scored values.
        counts: (groups, columns) number of each group's scored values.
        resamples: Rows to draw.
        seed: Seed of a generator used nowhere else.

    A resample that drew no scored item of a column is NaN there.
    """
    drawn = np.concatenate(list(_resampled(np.hstack([sums, counts]), resamples, seed)))
    columns = sums.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(drawn[:, :columns] / drawn[:, columns:])


def estimate_of_totals(
    table: Floats,
    statistic: Callable[[Floats], Floats],
    *,
    resamples: int,
    confidence: float,
    seed: int,
    differing: Sequence[int],
    groups: Groups | None = None,
) -> list[Estimate]:
    """Estimate figures that are functions of the column sums of all items, such as F1.

    Drawn from the same resamples as `estimate` with the same items and seed. Such a figure is not
    a mean, and its resamples may lie beside it: a calibration error only ever grows by resampling.
    Therefore they are moved to have the figure as their mean, within the figure's range.

    Args:
        table: (items, columns) what adds up.
        statistic: (resamples, columns) sums -> (resamples, figures), from -1 to 1; NaN where a
            figure is not defined.
        resamples: Resamples drawn.
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
        differing: (figures,) items that bear on a figure; bounds the p-value of a difference.
        groups: (items,) as in `estimate`.

    A figure not defined for the items themselves has the value NaN and no interval.
    """
    sums, _ = _by_group(table, table, groups)
    [values] = statistic(sums.sum(axis=0)[None])
    drawn = np.concatenate(
        [statistic(part).astype(np.float32) for part in _resampled(sums, resamples, seed)]
    )
    found = []
    for value, draws, differs in zip(values.tolist(), drawn.T, differing, strict=True):
        known = draws[~np.isnan(draws)]
        if np.isnan(value) or not known.size or len(sums) < 2:
            found.append(Estimate(value=value, low=None, high=None, n=len(table)))
            continue
        moved = np.clip(known + (value - known.mean()), 0 if known.min() >= 0 else -1, 1)
        found.append(_from_draws(value, moved, len(table), len(sums), differs, confidence))
    return found


def mcnemar(a_only: int, b_only: int) -> float:
    """Return the two-sided p-value of the exact McNemar test; 1 where nothing differs.

    Args:
        a_only: Items that only the first variant has right.
        b_only: Items that only the second has right.

    It is the binomial test of an even coin (McNemar, 1947; `scipy.stats.binomtest`).
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(a_only, b_only), a_only + b_only, 0.5)))


def _resampled(table: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield (resamples in a chunk, columns) sums of rows of the table drawn with replacement."""
    size = len(table)
    generator = np.random.default_rng(seed)
    step = max(1, CHUNK_CELLS // max(table.shape))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        picks = generator.integers(0, size, (rows, size))
        picks += np.arange(rows)[:, None] * size
        weights = np.bincount(picks.ravel(), minlength=rows * size).reshape(rows, size)
        yield weights.astype(float) @ table


def expanded_tail(confidence: float, n: int) -> float:
    """Return the share of resamples to cut off each side, widened for `n` groups (n >= 2)."""
    from scipy.special import ndtr, stdtrit

    quantile = stdtrit(n - 1, (1 - confidence) / 2) * sqrt(n / (n - 1))
    return float(ndtr(quantile))


def expanded_p(tail: float, n: int) -> float:
    """Return the two-sided p-value whose interval would just touch zero; undoes `expanded_tail`."""
    from scipy.special import ndtri, stdtr

    return float(2 * stdtr(n - 1, ndtri(min(tail, 0.5)) * sqrt((n - 1) / n)))


def _by_group(values: Floats, present: Floats, groups: Groups | None) -> tuple[Floats, Floats]:
    """Sum values and counts over the items of each group."""
    if groups is None:
        return values, present
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return (
        np.add.reduceat(values[order], starts, axis=0),
        np.add.reduceat(present[order], starts, axis=0),
    )


def _summary(sums: Floats, counts: Floats, means: Floats, confidence: float) -> Estimate:
    total = int(counts.sum())
    value = float(sums.sum() / total)
    scored = int(np.count_nonzero(counts))
    drawn = means[~np.isnan(means)]
    if scored < 2:
        return Estimate(value=value, low=None, high=None, n=total)
    differing = int(np.count_nonzero(sums))
    return _from_draws(value, drawn, total, scored, differing, confidence)


def _from_draws(
    value: float, drawn: NDArray[Any], n: int, groups: int, differing: int, confidence: float
) -> Estimate:
    """Return interval and p-value of a figure from its resamples."""
    tail = expanded_tail(confidence, groups)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    side = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    p = max(expanded_p((side + 1) / (len(drawn) + 1), groups), 2.0 ** (1 - max(differing, 1)))
    return Estimate(value=value, low=float(low), high=float(high), n=n, p=min(p, 1.0))
