from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
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


@settings(deadline=None)
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


ROOM = wilson(0, 20, 0.95)[1]


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (0.0, SHARE, (0.0, wilson(0, 20, 0.95)[1])),
        (1.0, SHARE, (1 - wilson(0, 20, 0.95)[1], 1.0)),
        (0.0, DIFFERENCE, bonett_price(0, 0, 20, 0.95)),
        (0.0, (-2.0, 2.0), tuple(2 * end for end in bonett_price(0, 0, 20, 0.95))),
        (0.4, SHARE, (0.4 - ROOM * 0.4, 0.4 + ROOM * 0.6)),
        (0.5, DIFFERENCE, (0.5 - ROOM * 1.5, 0.5 + ROOM * 0.5)),
        (0.4, (0.0, inf), (0.4, 0.4)),
        (0.0, UNBOUNDED, (0.0, 0.0)),
    ],
)
def test_what_no_item_showed_may_still_be(
    value: float, bounds: tuple[float, float], expected: tuple[float, float]
) -> None:
    assert intervals.interval_of_no_spread(value, 20, 0.95, bounds) == pytest.approx(expected)


def test_jackknife_leaves_every_group_out_in_turn() -> None:
    generator = np.random.default_rng(3)
    counts = np.array([1.0, 2, 5, 14, 3, 1, 6])
    sums = counts * generator.normal(0.3, 0.2, 7)
    mean = sums.sum() / counts.sum()
    error, freedom = intervals.jackknife(sums - mean * counts, counts)
    left = np.array([np.delete(sums, g).sum() / np.delete(counts, g).sum() for g in range(7)])
    squares = np.square(left - mean)
    assert error == pytest.approx(np.sqrt(6 / 7 * squares.sum()))
    rust = (3.16 - 2.77 / np.sqrt(7)) * squares.sum() ** 2 / np.square(squares).sum()
    assert freedom == pytest.approx(min(rust, 6))


def test_jackknife_of_equal_groups_is_the_plain_standard_error() -> None:
    from scipy.stats import sem

    means = np.random.default_rng(4).normal(size=60)
    error, freedom = intervals.jackknife(4 * (means - means.mean()), np.full(60, 4.0))
    assert error == pytest.approx(sem(means))
    assert 45 < freedom <= 59


def test_one_large_group_leaves_hardly_any_degree_of_freedom() -> None:
    counts = np.array([60.0, *[1] * 20])
    influence = np.array([12.0, *np.random.default_rng(5).normal(0, 0.3, 20)])
    assert intervals.jackknife(influence, counts)[1] < 3


def test_unequal_groups_are_covered_as_promised() -> None:
    from tuneproof.eval.stats.bootstrap import estimate

    generator = np.random.default_rng(6)
    groups = np.repeat(np.arange(12), [60, 30, 10, 10, 4, 4, 4, 4, 2, 2, 1, 1])
    values = generator.normal(size=(12, 600))[groups] + generator.normal(size=(len(groups), 600))
    found = estimate(values, resamples=300, confidence=0.95, seed=0, groups=groups)
    held = np.mean([one.low <= 0 <= one.high for one in found])  # type: ignore[operator]
    assert 0.92 < held < 0.985  # 0.88 with the number of groups as degrees of freedom


def test_loops_that_were_not_drawn_have_room_in_the_interval() -> None:
    wider = intervals.with_unseen(lambda _: (-0.06, -0.04), -0.05, 32, below=False, above=True)
    assert wider(0.95) == pytest.approx((-0.06, -0.05 + wilson(0, 32, 0.95)[1]))
    many = intervals.with_unseen(lambda _: (-0.06, -0.04), -0.05, 3200, below=False, above=True)
    assert many(0.95) == (-0.06, -0.04)
    below = intervals.with_unseen(lambda _: (0.2, 0.4), 0.3, 10, below=True, above=False)
    assert below(0.95) == pytest.approx((0.3 - wilson(0, 10, 0.95)[1], 0.4))
