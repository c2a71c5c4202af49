"""What a sample could not have seen: the least difference that would have been called."""

from __future__ import annotations

from math import ceil, log2

from tuneproof.eval.stats.bootstrap import Estimate

POWER = 0.8
"""Chance of being called that the minimum detectable effect has."""


def fewest_differing(alpha: float, family: int) -> int:
    """Return how many units must differ, all in one direction, for any verdict.

    `k` of them give a p-value of 2^(1 - k) at least, and the strictest step of Holm's correction
    asks for less than alpha / family.
    """
    least = 1 - log2(alpha / max(family, 1))
    return ceil(least) if ceil(least) > least else ceil(least) + 1


def detectable(seen: Estimate, *, alpha: float, family: int) -> float | None:
    """Return the minimum detectable effect at 80 % power, in the units of the metric.

    The difference that a sample of this size and spread would call with that chance, in the
    strictest step of Holm's correction: (t at 1 - alpha / (2 family) + t at power) x standard error
    (Cohen, 1988; with Student's t for few items), and one step of the exact test's p-value more
    where all differences are of one size. Never less than what the fewest differing units that can
    give a verdict would amount to. None where nothing differs or there is one unit.

    Args:
        seen: The difference, with the spread it had.
        alpha: Chance of a false verdict allowed to the whole family.
        family: Verdicts in the family.
    """
    if seen.units < 2 or not seen.differing or seen.error <= 0:
        return None
    from scipy.special import stdtrit

    level = 1 - alpha / (2 * max(family, 1))
    quantiles = float(stdtrit(seen.units - 1, level)) + float(stdtrit(seen.units - 1, POWER))
    fewest = fewest_differing(alpha, family) / seen.units * seen.typical
    return max(quantiles * seen.error + seen.step, fewest)
