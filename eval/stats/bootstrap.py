"""Bootstrap: intervals of means over items, of paired differences, and of figures of whole sets.

One set of resamples serves every column, so a difference keeps its pairing and all figures of a
report belong together. Items of one group (the questions about one page) are drawn together. How
resamples become an interval stands in `stats.intervals`, p-values in `stats.permutation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.stats.intervals import (
    UNBOUNDED,
    Floats,
    Integers,
    Range,
    interval_of_figure,
    interval_of_mean,
)

CHUNK_CELLS = 2_000_000
"""Cells of the largest intermediate table (resamples in a chunk x groups or columns): 16 MB."""


class Key(NamedTuple):
    """Which figure of a report an estimate is of."""

    kind: str
    """``metric``, ``gain`` (over the base), or of a label ``precision``, ``recall``, ``f1``."""
    variant: str
    name: str
    """The metric; of a label's figure, the label."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with its interval; `low` and `high` are None where one group is all there is."""

    value: float
    low: float | None
    high: float | None
    n: int
    """Items that were scored."""
    units: int = 1
    """Units with a scored item: what is drawn. Without groups every item is one."""
    differing: int = 0
    """Units whose sum is not zero; of a difference, those in which the two variants differ."""
    error: float = 0.0
    """Standard error of the figure."""
    typical: float = 0.0
    """Mean size of the differing units' contributions, as if each were one unit of `units`."""
    step: float = 0.0
    """Least change that one unit can bring, where all that differ do so by the same amount."""
    interval_at: Callable[[float], Range] | None = field(default=None, repr=False, compare=False)
    """Confidence -> the interval at it, from the same resamples; None where there is none."""


def estimate(
    values: Floats,
    *,
    resamples: int,
    confidence: float,
    seed: int,
    groups: Integers | None = None,
    ranges: Sequence[Range] | None = None,
) -> list[Estimate]:
    """Estimate the mean of every column over the items where it is not NaN.

    Args:
        values: (items, columns); NaN where an item is not scored. No column is all NaN.
        resamples: Resamples drawn; the same for every column.
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
        groups: (items,) group of each item, numbered from 0 without gaps; groups are resampled
            whole. None means every item stands for itself.
        ranges: (columns,) least and greatest possible value; None means that nothing is known.
    """
    sums, counts = totals(values, groups)
    means = resampled_means(sums, counts, resamples, seed)
    estimates = []
    for column, bounds in enumerate(ranges or [UNBOUNDED] * values.shape[1]):
        scored = counts[:, column] > 0
        parts = sums[scored, column], counts[scored, column]
        estimates.append(
            _mean(*parts, means[:, column], confidence, bounds, is_single=groups is None)
        )
    return estimates


def _mean(
    sums: Floats,
    counts: Floats,
    drawn: Floats,
    confidence: float,
    bounds: Range,
    *,
    is_single: bool,
) -> Estimate:
    """Estimate one mean from the sums and counts of its scored units."""
    total, units = counts.sum(), len(sums)
    value = float(sums.sum() / total)
    moved = np.abs(sums[sums != 0])
    low, high, interval_at = None, None, None
    if units > 1:
        interval_at = partial(
            interval_of_mean, sums, counts, drawn, bounds=bounds, is_single=is_single
        )
        low, high = interval_at(confidence)
    spread = np.square(sums - value * counts).sum() * units / max(units - 1, 1)
    return Estimate(
        value=value,
        low=low,
        high=high,
        n=int(total),
        units=units,
        differing=len(moved),
        error=float(sqrt(spread) / total),
        typical=float(moved.mean() * units / total) if len(moved) else 0.0,
        step=float(moved.max() / total) if len(moved) and np.ptp(moved) < 1e-9 else 0.0,
        interval_at=interval_at,
    )


def totals(values: Floats, groups: Integers | None) -> tuple[Floats, Floats]:
    """Return (units, columns) sums of the scored values, and how many they are."""
    present = ~np.isnan(values)
    filled, counts = np.where(present, values, 0.0), present.astype(float)
    return by_group(filled, groups), by_group(counts, groups)


def by_group(values: Floats, groups: Integers | None) -> Floats:
    """Sum (items, columns) over the items of each group."""
    if groups is None:
        return values
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0))


def spread(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Return (items, ...) values of the chosen items in the place of all, 0 for the others."""
    whole = np.zeros((len(chosen), *values.shape[1:]))
    whole[chosen] = values
    return whole


def resampled_means(sums: Floats, counts: Floats, resamples: int, seed: int) -> Floats:
    """Return (resamples, columns) means of the groups drawn with replacement.

    Args:
        sums: (groups, columns) sum of each group's scored values.
        counts: (groups, columns) number of each group's scored values.
        resamples: Rows to draw.
        seed: Seed of a generator used nowhere else.

    A resample that drew no scored item of a column is NaN there.
    """
    columns = sums.shape[1]
    kinds, index = np.unique(counts, axis=1, return_inverse=True)  # most columns miss the same
    drawn = np.empty((resamples, columns))
    start = 0
    for part in _resampled(np.hstack([sums, kinds]), resamples, seed):
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = part[:, :columns] / part[:, columns:][:, index.reshape(-1)]
        drawn[start : start + len(part)] = rows
        start += len(part)
    return drawn


def estimate_of_totals(
    table: Floats,
    statistic: Callable[[Floats], Floats],
    *,
    resamples: int,
    confidence: float,
    seed: int,
    differing: Sequence[int],
    ranges: Sequence[Range],
    groups: Integers | None = None,
) -> list[Estimate]:
    """Estimate figures that are functions of the column sums of all items, such as F1.

    Drawn from the same resamples as `estimate` with the same items and seed. Such a figure is not
    a mean, and its resamples may lie beside it: a calibration error only ever grows by resampling.
    Therefore they are moved to have the figure as their mean, within the figure's range.

    Args:
        table: (items, columns) what adds up.
        statistic: (resamples, columns) sums -> (resamples, figures); NaN where a figure is not
            defined.
        resamples: Resamples drawn.
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
        differing: (figures,) units that bear on a figure.
        ranges: (figures,) least and greatest possible value.
        groups: (items,) as in `estimate`.

    A figure not defined for the items themselves has the value NaN and no interval.
    """
    sums = by_group(table, groups)
    units = len(sums)
    [values] = statistic(sums.sum(axis=0)[None])
    drawn = np.concatenate(
        [statistic(part).astype(np.float32) for part in _resampled(sums, resamples, seed)]
    )
    estimates = []
    for value, draws, differs, bounds in zip(
        values.tolist(), drawn.T, differing, ranges, strict=True
    ):
        known = draws[~np.isnan(draws)].astype(float)
        if np.isnan(value) or not known.size or units < 2:
            estimates.append(Estimate(value=value, low=None, high=None, n=len(table)))
            continue
        error = float(known.std() * sqrt(units / (units - 1)))
        interval_at = partial(interval_of_figure, value, known, error, units, bounds=bounds)
        low, high = interval_at(confidence)
        estimates.append(
            Estimate(
                value=value,
                low=low,
                high=high,
                n=len(table),
                units=units,
                differing=differs,
                error=error,
                typical=1.0,
                interval_at=interval_at,
            )
        )
    return estimates


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
