"""Win rates with intervals: of votes alone, of a judge alone, and of a judge corrected by votes.

A win counts 1, a tie 1/2, a loss 0. The correction is prediction-powered inference with the weight
that leaves the least variance (Angelopoulos et al., 2023, Prediction-Powered Inference; and
Angelopoulos, Duchi and Zrnic, 2023, PPI++): the judge's mean over the items nobody voted on, plus
what the votes say that the judge is off by. A useless judge gets the weight 0 and changes nothing.

Intervals are Wilson's with the number of independent votes that would have the same variance, and
Student's quantiles: plain normal intervals are too narrow for 30 votes. Items of one unit (see
`eval.units`) count together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuneproof.eval.stats.intervals import UNBOUNDED, Floats, Integers, Range

LEAST = 2
"""Fewest units with a vote without which there is no interval."""


@dataclass(frozen=True, kw_only=True)
class WinRate:
    """A share of wins, ties counting half."""

    value: float
    """The share, in [0, 1]."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of it."""
    error: float
    """Standard error."""
    n: int
    """Items that were voted on or, without votes, judged."""
    weight: float = 0.0
    """How much the judge counts in it: 0 not at all, 1 as much as the votes' say on it allows."""


def plain(values: Floats, units: Integers, confidence: float) -> WinRate | None:
    """Return the mean of values between 0 and 1; None where fewer than two units have one.

    Args:
        values: (items,) 1 for a win, 0.5 for a tie, 0 for a loss; NaN where nothing is known.
        units: (items,) the unit of each.
        confidence: Of the interval.
    """
    known = ~np.isnan(values)
    votes, of = values[known], units[known]
    count = len(np.unique(of))
    if count < LEAST:
        return None
    mean = float(votes.mean())
    variance = _variance((votes - mean) / len(votes), of) * count / (count - 1)
    return _with_interval(mean, variance, count, len(votes), confidence)


def corrected(votes: Floats, judged: Floats, units: Integers, confidence: float) -> WinRate | None:
    """Return the win rate that votes and judge give together; None without enough votes.

    Args:
        votes: (items,) what people said, 1, 0.5 or 0 or between; NaN where nobody voted.
        judged: (items,) what the judge said; NaN where it was not asked.
        units: (items,) the unit of each.
        confidence: Of the interval.
    """
    both = ~np.isnan(votes) & ~np.isnan(judged)
    rest = np.isnan(votes) & ~np.isnan(judged)
    count = len(np.unique(units[both]))
    if count < LEAST:
        return None
    n, more = int(both.sum()), int(rest.sum())
    said, opinion = votes[both], judged[both]
    weight = _weight(said, opinion, judged[both | rest], more)
    off = said - weight * opinion
    mean = float(off.mean()) + (weight * float(judged[rest].mean()) if more else 0.0)
    pull = np.zeros(len(votes))  # of each item on the mean
    pull[both] = (off - off.mean()) / n * np.sqrt(count / (count - 1))
    if more:
        pull[rest] = weight * (judged[rest] - judged[rest].mean()) / more
    variance = _variance(pull, units)
    return _with_interval(mean, variance, count, n, confidence, weight)


def mean_and_interval(
    values: Floats, units: Integers, confidence: float, bounds: Range = UNBOUNDED
) -> tuple[float, float, float] | None:
    """Return a mean with its interval by Student's t over units; None for fewer than two."""
    from scipy import stats

    count = len(np.unique(units))
    if count < LEAST:
        return None
    mean = float(values.mean())
    error = np.sqrt(_variance((values - mean) / len(values), units) * count / (count - 1))
    reach = float(stats.t.ppf((1 + confidence) / 2, count - 1) * error)
    if not reach and bounds != UNBOUNDED:  # all alike: as many again could have shown another value
        reach = (bounds[1] - bounds[0]) / 2 * (1 - float((1 - confidence) ** (1 / count)))
    return mean, max(mean - reach, bounds[0]), min(mean + reach, bounds[1])


def _weight(said: Floats, opinion: Floats, every: Floats, more: int) -> float:
    """Return how much the judge is to count, between 0 and 1: least variance (PPI++, eq. 6)."""
    spread = float(every.var(ddof=1)) if len(every) > 1 else 0.0
    if not more or not spread:
        return 0.0
    shared = float(np.cov(said, opinion)[0, 1])
    return min(max(shared / (spread * (1 + len(said) / more)), 0.0), 1.0)


def _variance(pull: Floats, units: Integers) -> float:
    """Return the variance of a sum of centred parts, those of one unit taken together."""
    _, of = np.unique(units, return_inverse=True)
    return float(np.square(np.bincount(of, weights=pull)).sum())


def _with_interval(
    mean: float, variance: float, units: int, n: int, confidence: float, weight: float = 0.0
) -> WinRate:
    """Return a mean with Wilson's interval for as many votes as would have its variance."""
    from scipy import stats

    mean = min(max(mean, 0.0), 1.0)
    worth = mean * (1 - mean) / variance if variance and 0 < mean < 1 else float(units)
    z = float(stats.t.ppf((1 + confidence) / 2, units - 1))
    centre = (mean + z**2 / (2 * worth)) / (1 + z**2 / worth)
    reach = z / (1 + z**2 / worth) * (mean * (1 - mean) / worth + z**2 / (4 * worth**2)) ** 0.5
    return WinRate(
        value=mean,
        low=max(centre - reach, 0.0),
        high=min(centre + reach, 1.0),
        error=float(variance**0.5),
        n=n,
        weight=weight,
    )
