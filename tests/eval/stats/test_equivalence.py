from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuneproof.eval.stats.bootstrap import estimate
from tuneproof.eval.stats.equivalence import equivalence_of, items_needed
from tuneproof.eval.stats.intervals import bonett_price


def of(low: float | None, high: float | None, direction: str = "higher") -> Any:
    return equivalence_of(
        low,
        high,
        0.01,
        100,
        margin=0.02,
        direction=direction,
        alpha=0.05,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("low", "high", "direction", "not_worse", "same"),
    [
        (-0.01, 0.01, "higher", True, True),
        (-0.01, 0.03, "higher", True, False),
        (-0.03, 0.01, "higher", False, False),
        (-0.03, 0.01, "lower", True, False),
        (-0.01, 0.03, "lower", False, False),
        (0.05, 0.09, "higher", True, False),
        (None, None, "higher", False, False),
        (-0.02, 0.01, "higher", False, False),  # at the margin is not within it
    ],
)
def test_both_ends_must_stay_within_the_margin(
    low: float | None, high: float | None, direction: str, not_worse: bool, same: bool
) -> None:
    found = of(low, high, direction)
    assert (found.not_worse, found.same) == (not_worse, same)


def test_two_one_sided_tests_agree_with_scipy() -> None:
    from scipy.stats import ttest_1samp

    generator = np.random.default_rng(0)
    for shift in (0.0, 0.1, 0.2, 0.3):
        values = generator.normal(shift, 1, 200)
        [seen] = estimate(values[:, None], resamples=5000, confidence=0.95, seed=0)
        assert seen.interval_at is not None
        low, high = seen.interval_at(0.9)
        for margin in (0.1, 0.2, 0.3):
            above = ttest_1samp(values, -margin, alternative="greater").pvalue
            below = ttest_1samp(values, margin, alternative="less").pvalue
            if min(abs(above - 0.05), abs(below - 0.05)) > 0.01:  # else the resamples decide
                found = equivalence_of(
                    low, high, seen.error, 200, margin=margin, direction="higher", alpha=0.05
                )
                assert (found.not_worse, found.not_better) == (above < 0.05, below < 0.05)


def test_items_needed_are_the_textbooks() -> None:
    # Julious, 2004: n = (1.6449 + 0.8416)^2 (s / d)^2; the same: 1.2816 for 0.8416; Guenther's rest
    error, n = 0.5 / 10, 100  # a standard deviation of 0.5
    plain = items_needed(error, n, margin=0.1, kind="not worse", alpha=0.05)
    both = items_needed(error, n, margin=0.1, kind="same", alpha=0.05)
    assert plain == np.ceil((1.6449 + 0.8416) ** 2 * 25 + 1.6449**2 / 2)
    assert both == np.ceil((1.6449 + 1.2816) ** 2 * 25 + 1.6449**2 / 2)
    assert items_needed(None, 100, margin=0.1, kind="same", alpha=0.05) is None


def test_items_that_never_differ_are_the_same_when_there_are_enough() -> None:
    for margin in (0.3, 0.1, 0.02):
        n = items_needed(0.0, 12, margin=margin, kind="same", alpha=0.05)
        assert n is not None
        assert bonett_price(0, 0, n, 0.9)[1] < margin <= bonett_price(0, 0, n - 1, 0.9)[1]


@pytest.mark.slow
def test_so_many_items_are_enough_in_four_of_five_samples_and_the_margin_holds() -> None:
    generator = np.random.default_rng(1)
    n = items_needed(1.0, 1, margin=0.3, kind="same", alpha=0.05)
    assert n is not None
    for truth, low, high in ((0.0, 0.75, 0.85), (0.3, 0.0, 0.07)):
        values = generator.normal(truth, 1, (n, 1000))
        estimates = estimate(values, resamples=400, confidence=0.95, seed=0)
        same = [
            equivalence_of(
                *one.interval_at(0.9), one.error, n, margin=0.3, direction="higher", alpha=0.05
            ).same
            for one in estimates
            if one.interval_at
        ]
        assert low <= np.mean(same) <= high
