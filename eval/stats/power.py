"""How many items see a difference, and which difference so many items see."""

from __future__ import annotations

from math import ceil

from tuneproof.eval.stats.verdicts import POWER


def items_to_detect(error: float, n: int, *, detect: float, alpha: float) -> int:
    """Return the items with which a difference is called in 80 % of samples.

    n ((z at 1 - alpha / 2 + z at power) x standard error / difference)^2 (Cohen, 1988; Julious,
    2004), and half the square of the first z for Student's t (Guenther, 1981).

    Args:
        error: Standard error of the pilot's difference, whose groups it takes into account.
        n: Items of the pilot.
        detect: The difference.
        alpha: Chance of a false verdict, two-sided.
    """
    from scipy.special import ndtri

    certainty, chance = float(ndtri(1 - alpha / 2)), float(ndtri(POWER))
    return ceil(n * ((certainty + chance) * error / detect) ** 2 + certainty**2 / 2)


def smallest_seen(error: float, n: int, *, alpha: float) -> float:
    """Return the difference that `n` items see: the one for which `items_to_detect` is `n`."""
    from scipy.special import ndtri

    certainty, chance = float(ndtri(1 - alpha / 2)), float(ndtri(POWER))
    left = max(n - certainty**2 / 2, 1.0)
    return float((certainty + chance) * error * (n / left) ** 0.5)
