from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.stats import intervals
from tuneproof.eval.stats.intervals import (
    DIFFERENCE,
    SHARE,
    UNBOUNDED,
    bonett_price,
    expanded_tail,
    wilson,
)


@given(st.integers(0, 80), st.integers(1, 80), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_equals_scipy(hits: int, more: int, confidence: float) -> None:
    from scipy.stats import binomtest

    n = hits + more
    expected = binomtest(hits, n).proportion_ci(confidence, "wilson")
    assert wilson(hits, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_bonett_price_of_the_papers_formula() -> None:
    # 9 gained and 2 lost of 40: (10 - 3) / 42 -+ 1.96 sqrt((13/42 - (7/42)^2) / 42)
    half = 1.959964 * np.sqrt((13 / 42 - (7 / 42) ** 2) / 42)
    assert bonett_price(9, 2, 40, 0.95) == pytest.approx((7 / 42 - half, 7 / 42 + half))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_bonett_price_holds_the_value_and_is_antisymmetric(more: int, less: int, rest: int) -> None:
    n = more + less + rest
    low, high = bonett_price(more, less, n, 0.95)
    assert -1 <= low <= (more - less) / n <= high <= 1
    assert bonett_price(less, more, n, 0.95) == pytest.approx((-high, -low))


def test_expansion_vanishes_for_many_items_and_widens_for_few() -> None:
    assert expanded_tail(0.95, 10**6) == pytest.approx(0.025, rel=1e-4)
    assert expanded_tail(0.95, 30) == pytest.approx(0.0188, abs=2e-4)
    assert expanded_tail(0.95, 3) < 1e-4


def test_bca_part_equals_scipy_at_the_expanded_level() -> None:
    from scipy.stats import bootstrap

    values = np.random.default_rng(0).exponential(size=40)
    expected = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa",
        confidence_level=1 - 2 * expanded_tail(0.95, 40), rng=np.random.default_rng(2),
    )  # fmt: skip
    influence = values - values.mean()
    acceleration = (influence**3).sum() / (6 * np.square(influence).sum() ** 1.5)
    found = intervals._bca(
        values.mean(), expected.bootstrap_distribution, float(acceleration), 40, 0.95
    )
    known = expected.confidence_interval
    assert found == pytest.approx((known.low, known.high), abs=0.01)


def test_each_end_is_the_farther_of_bca_and_student() -> None:
    from scipy.stats import t

    values = np.random.default_rng(1).exponential(size=30)
    picks = np.random.default_rng(2).integers(0, 30, (5000, 30))
    low, high = intervals.interval_of_mean(
        values, np.ones(30), values[picks].mean(axis=1), 0.95, UNBOUNDED, is_single=True
    )
    student = t.interval(0.95, 29, values.mean(), values.std(ddof=1) / np.sqrt(30))
    assert low <= student[0] + 1e-12 and student[1] <= high + 1e-12
    assert high > student[1]  # the long tail is above


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (0.0, SHARE, (0.0, wilson(0, 20, 0.95)[1])),
        (1.0, SHARE, (1 - wilson(0, 20, 0.95)[1], 1.0)),
        (0.0, DIFFERENCE, bonett_price(0, 0, 20, 0.95)),
        (0.4, SHARE, (0.4, 0.4)),
        (0.0, UNBOUNDED, (0.0, 0.0)),
    ],
)
def test_what_no_item_showed_may_still_be(
    value: float, bounds: tuple[float, float], expected: tuple[float, float]
) -> None:
    assert intervals.interval_of_no_spread(value, 20, 0.95, bounds) == pytest.approx(expected)
