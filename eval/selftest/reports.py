"""Made-up reports of nine correlated metrics, estimated, tested and judged as `score report` does.

The very functions of a report are called; nothing here has statistics of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tuneproof.eval.selftest.line import ALPHA, CONFIDENCE
from tuneproof.eval.selftest.simulated import SHAPES
from tuneproof.eval.stats.bootstrap import Estimate, estimate, totals
from tuneproof.eval.stats.estimates import FEW_UNITS
from tuneproof.eval.stats.intervals import Floats, Integers, Range
from tuneproof.eval.stats.permutation import MeanTests, joint_swaps, sign_flip_p
from tuneproof.eval.stats.verdicts import Judged, PairedTest, correct, fewest_differing
from tuneproof.formats.figures import Figure

RESAMPLES = 1000
DRAWS = 1000
"""Swaps behind the corrected verdicts of one report."""
BATCH_CELLS = 4_000_000
"""Cells (items x reports x metrics) simulated at a time."""
PRIMARY = "overlap"
"""The metric that is tested first."""


def batches(n: int, simulations: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield (number, reports) of batches that fit into memory."""
    step = max(1, BATCH_CELLS // (n * columns))
    for number, start in enumerate(range(0, simulations, step)):
        yield number, min(step, simulations - start)


def estimates_of(
    values: Floats, bounds: Range, seed: int, groups: Integers | None
) -> list[Estimate]:
    """Estimate one metric of many reports: (items, reports)."""
    return estimate(
        values,
        resamples=RESAMPLES,
        confidence=CONFIDENCE,
        seed=seed,
        groups=groups,
        ranges=[bounds] * values.shape[1],
    )


def p_values_of(gains: Floats, seed: int, groups: Integers | None) -> list[float]:
    """Test one gain of many reports alone: (items, reports)."""
    sums, _ = totals(gains, groups)
    return sign_flip_p(sums, draws=2 * RESAMPLES, seed=seed)


def judge_reports(
    gains: Mapping[tuple[str, str], Floats],
    seed: int,
    groups: Integers | None = None,
    primary: str | None = PRIMARY,
    bounds: Range | None = None,
) -> list[dict[tuple[str, str], Judged]]:
    """Judge the gains of many reports, each as one family.

    Args:
        gains: (variant, metric) -> (items, reports) differences from the base.
        seed: Of the resampling.
        groups: (items,) as in `bootstrap.estimate`.
        primary: The metric that goes first; None for none.
        bounds: Range of the differences, where it is not that of the metrics.
    """
    keys = list(gains)
    estimates = [
        estimates_of(gains[key], bounds or SHAPES[key[1]].difference_bounds, seed, groups)
        for key in keys
    ]
    p_values = [p_values_of(gains[key], seed, groups) for key in keys]
    is_primary = [metric == primary for _, metric in keys]
    judged = []
    for report in range(len(estimates[0])):
        sums, _ = totals(np.column_stack([gains[key][:, report] for key in keys]), groups)
        swaps = joint_swaps([MeanTests(sums=sums)], draws=DRAWS, seed=seed + report)
        tests = [
            PairedTest(estimate=one[report], p=p[report])
            for one, p in zip(estimates, p_values, strict=True)
        ]
        judged.append(dict(zip(keys, correct(tests, swaps, is_primary, ALPHA), strict=True)))
    return judged


def covered(estimates: Sequence[Estimate | Judged | Figure], truth: float) -> int:
    """Count the intervals that hold the truth."""
    slack = 1e-9 * max(abs(truth), 1)
    return sum(
        one.low is not None
        and one.high is not None
        and one.low - slack <= truth <= one.high + slack
        for one in estimates
    )


def few(estimates: Sequence[Estimate]) -> int:
    """Count the gains of which a report warns: too few units, or too few that differ."""
    fewest = fewest_differing(ALPHA)
    return sum(one.units < FEW_UNITS or one.differing < fewest for one in estimates)
