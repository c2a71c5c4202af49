"""From resamples to an interval that covers what it says, also of 32 items.

Plain percentiles of the bootstrap are too narrow for few items and lean to the wrong side for
skewed values; `score selftest` shows what each rule is worth. The rules, in order:

- Shares of items that stand for themselves (every value 0 or 1): Wilson's score interval (1927).
  Their paired differences (-1, 0 or 1): the adjusted Wald interval of Bonett and Price (2012).
- Nothing varies (all right, nothing looped, no answer changed): the same two formulas say what may
  be the case although not one of the items showed it, as far as the metric's range is known.
- A difference of which one variant had the least or the greatest score on every item: as far as the
  same formula says for that variant alone.
- Everything else: each end is the farther one of two intervals. BCa (Efron, 1987) follows skewed
  values; its percentiles are expanded for few items (Hesterberg, 2015, What Teachers Should Know
  About the Bootstrap). Student's t is right where BCa is too narrow: for symmetric differences of
  which most are zero. Taking the farther end costs a width of a few percent.

A p-value is never read off an interval; see `stats.permutation`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Range = tuple[float, float]
UNBOUNDED: Range = (-inf, inf)
SHARE: Range = (0.0, 1.0)
DIFFERENCE: Range = (-1.0, 1.0)


def interval_of_mean(
    sums: Floats,
    counts: Floats,
    drawn: Floats,
    confidence: float,
    bounds: Range,
    *,
    is_single: bool,
) -> Range:
    """Return the interval of a mean.

    Args:
        sums: (units,) sum of each unit's values; at least two units.
        counts: (units,) how many values each has.
        drawn: (resamples,) means of the units drawn with replacement; NaN where nothing was drawn.
        confidence: Confidence of the interval.
        bounds: Least and greatest possible value.
        is_single: Whether every unit is one item.
    """
    units, value = len(sums), float(sums.sum() / counts.sum())
    if is_single and bounds == SHARE and np.isin(sums, (0, 1)).all():
        return wilson(int(sums.sum()), units, confidence)
    if is_single and bounds == DIFFERENCE and np.isin(sums, (-1, 0, 1)).all():
        return bonett_price(int((sums > 0).sum()), int((sums < 0).sum()), units, confidence)
    influence = sums - value * counts
    squares = float(np.square(influence).sum())
    if squares <= 1e-18 * counts.sum():
        return interval_of_no_spread(value, units, confidence, bounds)
    error = sqrt(squares * units / (units - 1)) / float(counts.sum())
    freedom = units - 1.0
    if not is_single:
        error, freedom = jackknife(influence, counts)
    acceleration = float((influence**3).sum()) / (6 * squares**1.5)
    known = drawn[~np.isnan(drawn)]
    bca = _bca(value, known, acceleration, units, confidence)
    return _joined(bca, _student(value, error, freedom, confidence), bounds)


def jackknife(influence: Floats, counts: Floats) -> tuple[float, float]:
    """Return the standard error of a mean over groups and its effective degrees of freedom.

    Each group is left out in turn (Tukey, 1958). A few large groups decide the mean and its spread,
    which then is known as badly as if there were only those few: the squares of what the groups
    change say how few (Johnson and Rust, 1992, Effective Degrees of Freedom for Variance Estimates
    From a Complex Sample Survey).

    Args:
        influence: (units,) sum of each group's values less what the mean would give it.
        counts: (units,) values of each group.
    """
    units = len(counts)
    changes = np.square(influence / np.maximum(counts.sum() - counts, 1e-12))
    error = sqrt((units - 1) / units * float(changes.sum()))
    effective = float(changes.sum()) ** 2 / float(np.square(changes).sum())
    freedom = (3.16 - 2.77 / sqrt(units)) * effective
    return error, min(max(freedom, 1.0), units - 1.0)


def with_unseen(
    interval_at: Callable[[float], Range], value: float, units: int, *, below: bool, above: bool
) -> Callable[[float], Range]:
    """Return the interval of a difference to which one variant brought no spread at all.

    A variant that scored 0 on every item may loop, and score 1, on some that were not drawn: on as
    many as Wilson's interval of none leaves room for. Their differences are not among those seen,
    so that neither resamples nor the spread know of them.

    Args:
        interval_at: Confidence -> the interval of the differences seen.
        value: The difference.
        units: Units drawn.
        below: Whether those not seen would lower it.
        above: Whether they would raise it.
    """

    def wider(confidence: float) -> Range:
        low, high = interval_at(confidence)
        room = wilson(0, units, confidence)[1]
        low = min(low, max(value - room, DIFFERENCE[0])) if below else low
        return low, max(high, min(value + room, DIFFERENCE[1])) if above else high

    return wider


def interval_of_figure(
    value: float, drawn: Floats, error: float, units: int, confidence: float, bounds: Range
) -> Range:
    """Return the interval of a figure that is no mean, from resamples moved onto it."""
    if error <= 1e-9:
        return interval_of_no_spread(value, units, confidence, bounds)
    moved = drawn + (value - drawn.mean())
    tail = expanded_tail(confidence, units)
    low, high = np.quantile(moved, [tail, 1 - tail])
    return _joined((low, high), _student(value, error, units - 1, confidence), bounds)


def interval_of_no_spread(value: float, units: int, confidence: float, bounds: Range) -> Range:
    """Return what a figure may be of which no item showed anything else than `value`."""
    if value == 0 and bounds[0] == -bounds[1] and bounds[1] < inf:
        low, high = bonett_price(0, 0, units, confidence)
        return low * bounds[1], high * bounds[1]
    if -inf in bounds or inf in bounds:
        return value, value
    room = wilson(0, units, confidence)[1]  # items that were not drawn may show anything
    return value - room * (value - bounds[0]), value + room * (bounds[1] - value)


def wilson(hits: int, n: int, confidence: float) -> Range:
    """Return Wilson's score interval of a share: `hits` of `n` independent items."""
    square = _normal_quantile(confidence) ** 2
    share = hits / n
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = sqrt(square * (share * (1 - share) / n + square / (4 * n * n))) / (1 + square / n)
    low = 0.0 if hits == 0 else middle - half
    return low, 1.0 if hits == n else middle + half


def bonett_price(more: int, less: int, n: int, confidence: float) -> Range:
    """Return the adjusted Wald interval of a difference of two paired shares.

    One item in favour of either side is added (Bonett and Price, 2012, Adjusted Wald Confidence
    Interval for a Difference of Binomial Proportions Based on Paired Data).

    Args:
        more: Items that only the first has.
        less: Items that only the second has.
        n: All items.
        confidence: Confidence of the interval.
    """
    gained, lost = (more + 1) / (n + 2), (less + 1) / (n + 2)
    middle = gained - lost
    half = _normal_quantile(confidence) * sqrt((gained + lost - middle**2) / (n + 2))
    value = (more - less) / n
    return max(-1.0, min(middle - half, value)), min(1.0, max(middle + half, value))


def expanded_tail(confidence: float, n: int) -> float:
    """Return the share of resamples to cut off each side, widened for `n` groups (n >= 2)."""
    from scipy.special import ndtr

    return float(ndtr(_expanded_quantile(confidence, n)))


def _expanded_quantile(confidence: float, n: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 - confidence) / 2)) * sqrt(n / (n - 1))


def _normal_quantile(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


def _student(value: float, error: float, freedom: float, confidence: float) -> Range:
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    return value - half, value + half


def _bca(value: float, drawn: Floats, acceleration: float, units: int, confidence: float) -> Range:
    """Return the bias-corrected and accelerated interval at the expanded level."""
    from scipy.special import ndtr, ndtri

    below = (np.mean(drawn < value) + np.mean(drawn <= value)) / 2  # a tie is half below
    least = 1 / (len(drawn) + 1)
    bias = float(ndtri(np.clip(below, least, 1 - least)))
    levels = []
    for sign in (1, -1):
        moved = bias + sign * _expanded_quantile(confidence, units)
        scale = 1 - acceleration * moved
        levels.append(float(ndtr(bias + moved / scale)) if scale > 0 else float(moved > 0))
    low, high = np.quantile(drawn, levels)
    return float(low), float(high)


def _joined(one: Range, other: Range, bounds: Range) -> Range:
    """Return the hull of two intervals within the possible values."""
    low, high = min(one[0], other[0]), max(one[1], other[1])
    return max(float(low), bounds[0]), min(float(high), bounds[1])
