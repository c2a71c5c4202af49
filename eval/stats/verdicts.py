"""From tested differences to verdicts that agree with the intervals beside them.

Every difference that can be called better or worse, of every variant, of all items and of each
task, is one family: where nothing changed, the chance that the report says better or worse even
once is at most alpha. The primary metric goes first, the others follow by step-down max-T (see
`stats.correction`). Metrics without a direction (length) are a family of their own, and so are the
pairs of variants that are not a gain. A test of which so few units differ that no outcome could be
called is left out of the correction, and says so.

The interval of the primary metric is its own; the intervals of all other gains hold together. Both
and the verdict come from the same corrected test: a difference is called when its interval leaves
out zero, and an interval leaves out zero when its difference is called.
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
from tuneproof.eval.stats.correction import primary_weights, simultaneous_level, step_down
from tuneproof.eval.stats.permutation import Swaps
from tuneproof.formats.figures import Figure, Gain, Verdict

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


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A paired difference with its corrected test."""

    p_corrected: float
    """Corrected for its family; at least alpha where the interval holds zero."""
    low: float | None
    high: float | None
    level: float
    """Alpha of the interval."""
    is_called: bool


def judge(
    tested: Mapping[Difference, PairedTest],
    swaps: Swaps,
    alpha: float,
    length_unit: str,
    primary: str | None = None,
) -> dict[Difference, Gain]:
    """Return the verdict on every difference, in the order given.

    Args:
        tested: The differences.
        swaps: Of the same differences in the same order.
        alpha: Chance of a false verdict allowed to each family.
        length_unit: Unit of lengths.
        primary: The metric that goes first; None for none.
    """
    judged: dict[Difference, Gain] = {}
    keys = list(tested)
    for has_direction in (True, False):
        chosen = [
            column
            for column, key in enumerate(keys)
            if (METRICS[key.metric].direction != "none") == has_direction
        ]
        is_primary = [keys[c].metric == primary and not keys[c].task for c in chosen]
        tests = [tested[keys[column]] for column in chosen]
        results = correct(tests, swaps.of(chosen), is_primary, alpha)
        for column, first, result in zip(chosen, is_primary, results, strict=True):
            key = keys[column]
            judged[key] = _gain(tested[key], result, key.metric, alpha, length_unit, first)
    return {key: judged[key] for key in keys}


def correct(
    tests: Sequence[PairedTest], swaps: Swaps, is_primary: Sequence[bool], alpha: float
) -> list[Judged]:
    """Correct the tests of one family, and bring their intervals into agreement.

    Args:
        tests: The tests.
        swaps: Of the same tests.
        is_primary: Which of them are of the primary metric.
        alpha: Chance of a false verdict allowed to the family.
    """
    fewest = fewest_differing(alpha)
    able = [n for n, test in enumerate(tests) if test.estimate.differing >= fewest]
    corrected, levels = np.ones(len(tests)), np.full(len(tests), alpha)
    if able:
        marks = np.array([float(is_primary[n]) for n in able])
        p = np.array([tests[n].p for n in able])
        stepped = step_down(swaps.of(able), primary_weights(marks))
        corrected[able] = np.maximum(stepped, p)  # the test alone may be exact
        for mark in (0.0, 1.0):
            group = [n for n, own in zip(able, marks, strict=True) if own == mark]
            if group:
                levels[group] = simultaneous_level(swaps.of(group), alpha)
    return [
        settle(test, float(p), float(level), alpha)
        for test, p, level in zip(tests, corrected, levels, strict=True)
    ]


def settle(test: PairedTest, p_corrected: float, level: float, alpha: float) -> Judged:
    """Call a difference or not, by its corrected test and its interval together.

    Called are those of which both leave out zero. An interval that leaves it out although the test
    does not is drawn out to it: zero is among what the test cannot exclude. Where the step-down
    test calls what the interval of the whole family does not, the interval is the one of its step.
    """
    interval_at = test.estimate.interval_at
    if interval_at is None:
        return Judged(p_corrected=p_corrected, low=None, high=None, level=level, is_called=False)
    low, high = interval_at(1 - level)
    if p_corrected >= alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    elif low <= 0 <= high:
        step = alpha * min(1.0, test.p / p_corrected)
        narrow = interval_at(1 - step)
        if step > level and not narrow[0] <= 0 <= narrow[1]:
            (low, high), level = narrow, step
    is_called = p_corrected < alpha and not low <= 0 <= high
    return Judged(
        p_corrected=p_corrected if is_called else max(p_corrected, alpha),
        low=low,
        high=high,
        level=level,
        is_called=is_called,
    )


def verdict(value: float, is_called: bool, direction: Direction) -> Verdict:
    """Name a difference that is called or not."""
    if not is_called:
        return "no measurable difference"
    if direction == "none":
        return "different"
    return "better" if (value > 0) == (direction == "higher") else "worse"


def fewest_differing(alpha: float) -> int:
    """Return how many units must differ, all in one direction, for any verdict.

    `k` of them give a p-value of 2^(1 - k) at least, which must be below alpha.
    """
    least = 1 - log2(alpha)
    return ceil(least) if ceil(least) > least else ceil(least) + 1


def detectable(difference: Estimate, *, level: float, alpha: float) -> float | None:
    """Return the minimum detectable effect at 80 % power, in the units of the metric.

    The difference that a sample of this size and spread would call with that chance: (t at
    1 - level / 2 + t at power) x standard error (Cohen, 1988; with Student's t for few items), and
    one step of the exact test's p-value more where all differences are of one size. Never less
    than what the fewest differing units that can give a verdict would amount to. None where nothing
    differs or there is one unit.

    Args:
        difference: The difference, with the spread it had.
        level: Alpha of its test, corrected.
        alpha: Chance of a false verdict allowed to the whole family.
    """
    if difference.units < 2 or not difference.differing or difference.error <= 0:
        return None
    from scipy.special import stdtrit

    freedom = difference.units - 1
    quantiles = float(stdtrit(freedom, 1 - level / 2)) + float(stdtrit(freedom, POWER))
    fewest = fewest_differing(alpha) / difference.units * difference.typical
    return max(quantiles * difference.error + difference.step, fewest)


def _gain(
    test: PairedTest,
    judged: Judged,
    metric: str,
    alpha: float,
    length_unit: str,
    is_primary: bool,
) -> Gain:
    spec, difference = METRICS[metric], test.estimate
    fewest = fewest_differing(alpha)
    called = verdict(difference.value, judged.is_called, spec.direction)
    warning = None
    if difference.differing < fewest:
        warning = (
            f"too few items that differ: {difference.differing}, and no fewer than {fewest} can "
            "give a verdict"
        )
    one_sided = difference.interval_at(1 - 2 * alpha) if difference.interval_at else (None, None)
    shown = Figure(value=difference.value, low=judged.low, high=judged.high)
    return Gain(
        value=difference.value,
        low=judged.low,
        high=judged.high,
        p=test.p,
        p_corrected=judged.p_corrected,
        n=difference.n,
        units=difference.units,
        error=difference.error,
        one_sided_low=one_sided[0],
        one_sided_high=one_sided[1],
        differing=difference.differing,
        fewest_differing=fewest,
        mde=detectable(difference, level=judged.level, alpha=alpha),
        is_primary=is_primary,
        verdict=called,
        warning=warning,
        sentence=wording.sentence(spec.title, unit_of(metric, length_unit), shown, called),
    )
