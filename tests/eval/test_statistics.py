from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.statistics import (
    estimate,
    estimate_of_totals,
    expanded_p,
    expanded_tail,
    mcnemar,
    resampled_means,
)

SETTINGS = {"resamples": 2000, "confidence": 0.95, "seed": 3}


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_interval_equals_scipy_at_the_expanded_level() -> None:
    from scipy.stats import bootstrap

    values = np.random.default_rng(0).exponential(size=40)
    [found] = estimate(values[:, None], resamples=20_000, confidence=0.95, seed=1)
    expected = bootstrap(
        (values,),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        confidence_level=1 - 2 * expanded_tail(0.95, 40),
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(expected.low, abs=0.02)
    assert found.high == pytest.approx(expected.high, abs=0.02)


def test_expansion_vanishes_for_many_items_and_widens_for_few() -> None:
    assert expanded_tail(0.95, 10**6) == pytest.approx(0.025, rel=1e-4)
    assert expanded_tail(0.95, 30) == pytest.approx(0.0188, abs=2e-4)
    assert expanded_tail(0.95, 3) < 1e-4


@given(st.floats(0.5, 0.999), st.integers(2, 500))
def test_p_value_undoes_the_expansion(confidence: float, n: int) -> None:
    tail = expanded_tail(confidence, n)
    if tail > 1e-300:
        assert expanded_p(tail, n) == pytest.approx(1 - confidence, rel=1e-6)


def test_coverage_of_small_samples_is_close_to_what_is_promised() -> None:
    generator = np.random.default_rng(5)
    samples = generator.normal(size=(20, 600))
    found = estimate(samples, resamples=1000, confidence=0.9, seed=0)
    covered = np.mean([one.low <= 0 <= one.high for one in found])  # type: ignore[operator]
    assert 0.87 <= covered <= 0.93


def test_resampled_means_of_a_hand_computed_case() -> None:
    # two groups, sums 0 and 6 over 1 and 3 items: a mean of 0, 2 or (0 + 6) / 4
    means = resampled_means(column(0, 6), column(1, 3), 4000, seed=0)
    share = {value: float(np.mean(means == value)) for value in (0.0, 1.5, 2.0)}
    assert share == pytest.approx({0.0: 0.25, 1.5: 0.5, 2.0: 0.25}, abs=0.03)


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resampled_means(column(*range(7)), np.ones((7, 1)), 500, seed=4)
    monkeypatch.setattr("eval.statistics.CHUNK_CELLS", 21)
    assert (resampled_means(column(*range(7)), np.ones((7, 1)), 500, seed=4) == whole).all()


def test_same_seed_same_result_and_other_seed_another() -> None:
    values = column(*range(20))
    assert estimate(values, **SETTINGS) == estimate(values, **SETTINGS)
    assert estimate(values, **SETTINGS) != estimate(values, **{**SETTINGS, "seed": 4})


def test_missing_values_are_left_out() -> None:
    nan = float("nan")
    [one, all_there] = estimate(
        np.array([[1, 1], [nan, 5], [3, 3], [nan, 7]], dtype=float), **SETTINGS
    )
    assert (one.value, one.n) == (2, 2)
    assert (all_there.value, all_there.n) == (4, 4)


def test_groups_are_drawn_whole() -> None:
    values = column(*[0.0] * 50, *[1.0] * 50)
    groups = np.repeat(np.arange(4), 25)
    [single] = estimate(values, **SETTINGS)
    [grouped] = estimate(values, **SETTINGS, groups=groups)
    assert single.low is not None and grouped.low is not None
    assert single.low > 0.35
    assert grouped.low == 0  # all four draws may fall on the groups of zeros
    assert grouped.value == single.value == 0.5


def test_order_of_the_groups_does_not_matter() -> None:
    values, groups = column(1, 2, 3, 4, 5, 6), np.array([2, 0, 1, 0, 2, 1])
    mixed = estimate(values, **SETTINGS, groups=groups)
    order = np.argsort(groups, kind="stable")
    assert estimate(values[order], **SETTINGS, groups=groups[order]) == mixed


def test_one_item_has_no_interval() -> None:
    [found] = estimate(column(1.0), **SETTINGS)
    assert (found.value, found.low, found.high, found.p) == (1, None, None, 1)


def test_no_difference_at_all_has_p_one() -> None:
    [found] = estimate(column(*[0.0] * 30), **SETTINGS)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


@pytest.mark.parametrize(("differing", "p"), [(2, 1 / 2), (5, 1 / 16), (6, 1 / 32)])
def test_p_is_never_below_what_a_sign_test_could_give(differing: int, p: float) -> None:
    [found] = estimate(column(*[1.0] * differing), **SETTINGS)
    assert found.p == pytest.approx(p)


def test_p_of_a_clear_difference_is_small_and_of_noise_is_not() -> None:
    noise = np.random.default_rng(1).normal(size=50)
    [clear, nothing] = estimate(np.column_stack([noise + 1, noise - noise.mean()]), **SETTINGS)
    assert clear.p < 0.01
    assert nothing.p > 0.9


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_value_lies_in_the_interval_and_the_interval_in_the_range(values: list[float]) -> None:
    [found] = estimate(column(*values), resamples=200, confidence=0.9, seed=0)
    assert found.low is not None and found.high is not None
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert 0 < found.p <= 1


def test_figure_of_totals_that_is_a_mean_equals_the_mean() -> None:
    values = np.random.default_rng(2).random(40)
    groups = np.repeat(np.arange(20), 2)
    [mean] = estimate(values[:, None], **SETTINGS, groups=groups)
    [found] = estimate_of_totals(
        np.column_stack([values, np.ones(40)]),
        lambda sums: sums[:, :1] / sums[:, 1:],
        differing=[40],
        groups=groups,
        **SETTINGS,
    )
    assert found.value == pytest.approx(mean.value)
    assert found.n == 40
    assert (found.low, found.high) == pytest.approx((mean.low, mean.high), abs=0.01)


def test_resamples_beside_the_figure_are_moved_onto_it() -> None:
    noise = np.random.default_rng(4).choice([-1.0, 1.0], 100)  # |mean| only grows by resampling
    noise[:50] = -noise[50:]
    [found] = estimate_of_totals(
        noise[:, None], lambda sums: np.abs(sums) / 100, differing=[100], **SETTINGS
    )
    assert found.value == found.low == 0
    assert found.high is not None and found.high < 0.2


def test_undefined_figure_has_no_interval() -> None:
    [found] = estimate_of_totals(
        column(0, 0), lambda sums: np.full_like(sums, np.nan), differing=[2], **SETTINGS
    )
    assert np.isnan(found.value)
    assert (found.low, found.high) == (None, None)


@given(st.integers(0, 60), st.integers(0, 60))
@settings(deadline=None)
def test_mcnemar_equals_the_binomial_test(a_only: int, b_only: int) -> None:
    from scipy.stats import binomtest

    total = a_only + b_only
    expected = binomtest(a_only, total).pvalue if total else 1.0
    assert mcnemar(a_only, b_only) == pytest.approx(expected)
