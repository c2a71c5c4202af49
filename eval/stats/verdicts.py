"""From tested differences to verdicts: one family of tests per report, corrected by Holm.

Every difference that can be called better or worse, of every variant, of all items and of each
task, is one family: where nothing changed, the chance that the report says better or worse even
once is at most alpha. Metrics without a direction (length) are a family of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import NamedTuple

import numpy as np

from tuneproof.eval.metrics.metric import Direction
from tuneproof.eval.metrics.registry import METRICS, unit_of
from tuneproof.eval.report import wording
from tuneproof.eval.stats.bootstrap import Estimate
from tuneproof.formats.report import Gain, Verdict

POWER = 0.8
"""Chance of being called that the minimum detectable effect has."""


class Difference(NamedTuple):
    """Which paired difference is tested."""

    task: str
    """Empty for all items."""
    variant: str
    metric: str


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """A paired difference before it is judged."""

    estimate: Estimate
    p: float


def judge(
    tested: Mapping[Difference, PairedTest], alpha: float, length_unit: str
) -> dict[Difference, Gain]:
    """Return the verdict on every difference, in the order given."""
    judged: dict[Difference, Gain] = {}
    for has_direction in (True, False):
        family = {
            key: test
            for key, test in tested.items()
            if (METRICS[key.metric].direction != "none") == has_direction
        }
        corrected = holm([test.p for test in family.values()])
        for (key, test), p_holm in zip(family.items(), corrected, strict=True):
            judged[key] = _gain(test, p_holm, key.metric, alpha, len(family), length_unit)
    return {key: judged[key] for key in tested}


def verdict(
    low: float | None, high: float | None, p_holm: float, alpha: float, direction: Direction
) -> Verdict:
    """Judge a gain: its interval must exclude zero and its corrected p-value be below `alpha`."""
    if low is None or high is None or low <= 0 <= high or p_holm >= alpha:
        return "no measurable difference"
    if direction == "none":
        return "different"
    return "better" if (low > 0) == (direction == "higher") else "worse"


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for being one family, in the order given.

    The smallest is multiplied by their number, the next by one less, and so on; none gets smaller
    than one before it. To call those below alpha keeps the chance that any of the calls is false
    at or below alpha, however the tests hang together (Holm, 1979, A Simple Sequentially Rejective
    Multiple Test Procedure).
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(raised, 1.0)
    return corrected.tolist()


def fewest_differing(alpha: float, family: int) -> int:
    """Return how many units must differ, all in one direction, for any verdict.

    `k` of them give a p-value of 2^(1 - k) at least, and the strictest step of Holm's correction
    asks for less than alpha / family.
    """
    least = 1 - log2(alpha / max(family, 1))
    return ceil(least) if ceil(least) > least else ceil(least) + 1


def detectable(difference: Estimate, *, alpha: float, family: int) -> float | None:
    """Return the minimum detectable effect at 80 % power, in the units of the metric.

    The difference that a sample of this size and spread would call with that chance, in the
    strictest step of Holm's correction: (t at 1 - alpha / (2 family) + t at power) x standard error
    (Cohen, 1988; with Student's t for few items), and one step of the exact test's p-value more
    where all differences are of one size. Never less than what the fewest differing units that can
    give a verdict would amount to. None where nothing differs or there is one unit.

    Args:
        difference: The difference, with the spread it had.
        alpha: Chance of a false verdict allowed to the whole family.
        family: Verdicts in the family.
    """
    if difference.units < 2 or not difference.differing or difference.error <= 0:
        return None
    from scipy.special import stdtrit

    freedom = difference.units - 1
    level = 1 - alpha / (2 * max(family, 1))
    quantiles = float(stdtrit(freedom, level)) + float(stdtrit(freedom, POWER))
    fewest = fewest_differing(alpha, family) / difference.units * difference.typical
    return max(quantiles * difference.error + difference.step, fewest)


def _gain(
    test: PairedTest, p_holm: float, metric: str, alpha: float, family: int, length_unit: str
) -> Gain:
    spec, difference = METRICS[metric], test.estimate
    fewest = fewest_differing(alpha, family)
    called = verdict(difference.low, difference.high, p_holm, alpha, spec.direction)
    warning = None
    if difference.differing < fewest:
        warning = (
            f"too few items that differ: {difference.differing}, and no fewer than {fewest} can "
            "give a verdict"
        )
    return Gain(
        value=difference.value,
        low=difference.low,
        high=difference.high,
        p=test.p,
        p_holm=p_holm,
        n=difference.n,
        differing=difference.differing,
        fewest_differing=fewest,
        mde=detectable(difference, alpha=alpha, family=family),
        verdict=called,
        warning=warning,
        sentence=wording.sentence(spec.title, unit_of(metric, length_unit), difference, called),
    )
