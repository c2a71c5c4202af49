"""Not worse, and the same: verdicts that need a margin, which no test of zero can give.

That no difference is shown says nothing of its size. Two one-sided tests do (Schuirmann, 1987, A
comparison of the two one-sided tests procedure and the power approach): a variant is not worse by
the margin when the one-sided interval of its difference stays within it, and the same when both
do. Each is a test at alpha of its own, since its margin was named beforehand.
"""

from __future__ import annotations

from math import ceil, floor, sqrt
from typing import Literal

from tuneproof.eval.metrics.metric import Direction
from tuneproof.eval.stats.verdicts import POWER
from tuneproof.formats.figures import Equivalence

Kind = Literal["not worse", "same"]


def equivalence_of(
    low: float | None,
    high: float | None,
    error: float | None,
    n: int,
    *,
    margin: float,
    direction: Direction,
    alpha: float,
) -> Equivalence:
    """Judge a difference against a margin.

    Args:
        low: What it is above, by a one-sided test at alpha.
        high: What it is below, likewise.
        error: Its standard error.
        n: Items behind it.
        margin: Above 0, in the units of the metric.
        direction: Which way is better.
        alpha: Chance of either verdict where the truth is at the margin.
    """
    above = low is not None and low > -margin
    below = high is not None and high < margin
    return Equivalence(
        margin=margin,
        not_worse=above if direction == "higher" else below,
        not_better=below if direction == "higher" else above,
        items=items_needed(error, n, margin=margin, kind="same", alpha=alpha),
    )


def items_needed(
    error: float | None, n: int, *, margin: float, kind: Kind, alpha: float
) -> int | None:
    """Return the items with which two equal variants get the verdict in 80 % of samples.

    n ((z at 1 - alpha + z at power) x standard error / margin)^2; to be the same, both tests must
    hold at once, and each may fail half as often (Julious, 2004, Sample sizes for clinical trials
    with Normal data, sections 4 and 5). Half the square of z at 1 - alpha more, for Student's t
    (Guenther, 1981, Sample size formulas for normal theory t tests). Where no item differed, those
    with which Bonett and Price's interval of none stays within the margin. None where the spread is
    not known.
    """
    if error is None:
        return None
    from scipy.special import ndtri

    power = POWER if kind == "not worse" else (1 + POWER) / 2
    certainty, chance = float(ndtri(1 - alpha)), float(ndtri(power))
    if error == 0:
        return max(floor(certainty * sqrt(2) / margin) - 1, 2)
    return ceil(n * ((certainty + chance) * error / margin) ** 2 + certainty**2 / 2)
