from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneproof.eval.stats.bootstrap import estimate, estimate_of_totals, resampled_means
from tuneproof.eval.stats.intervals import DIFFERENCE, SHARE

SETTINGS = {"resamples": 2000, "confidence": 0.95, "seed": 3}


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_resampled_means_of_a_hand_computed_case() -> None:
    # two groups, sums 0 and 6 over 1 and 3 items: a mean of 0, 2 or (0 + 6) / 4
    means = resampled_means(column(0, 6), column(1, 3), 4000, seed=0)
    share = {value: float(np.mean(means == value)) for value in (0.0, 1.5, 2.0)}
    assert share == pytest.approx({0.0: 0.25, 1.5: 0.5, 2.0: 0.25}, abs=0.03)


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resampled_means(column(*range(7)), np.ones((7, 1)), 500, seed=4)
    monkeypatch.setattr("tuneproof.eval.stats.bootstrap.CHUNK_CELLS", 21)
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
    assert grouped.low < 0.1  # all four draws may fall on the groups of zeros
    assert grouped.value == single.value == 0.5


def test_order_of_the_groups_does_not_matter() -> None:
    values, groups = column(1, 2, 3, 4, 5, 6), np.array([2, 0, 1, 0, 2, 1])
    mixed = estimate(values, **SETTINGS, groups=groups)
    order = np.argsort(groups, kind="stable")
    assert estimate(values[order], **SETTINGS, groups=groups[order]) == mixed


def test_one_item_has_no_interval() -> None:
    [found] = estimate(column(1.0), **SETTINGS)
    assert (found.value, found.low, found.high, found.units) == (1, None, None, 1)


def test_spread_and_differing_units_are_recorded() -> None:
    values = column(0, 0, 1, -3)
    [found] = estimate(values, **SETTINGS)
    assert (found.units, found.differing, found.typical, found.step) == (4, 2, 2, 0)
    assert found.error == pytest.approx(np.std(values, ddof=1) / 2)
    [even] = estimate(column(0, 1, 1, -1), **SETTINGS)
    assert even.step == 1 / 4
    [grouped] = estimate(values, **SETTINGS, groups=np.array([0, 0, 1, 1]))
    assert (grouped.units, grouped.differing, grouped.step) == (2, 1, 2 / 4)


def test_columns_with_different_gaps_are_each_divided_by_their_own_count() -> None:
    generator = np.random.default_rng(0)
    values = generator.random((50, 6))
    values[generator.random(values.shape) < 0.3] = np.nan
    together = estimate(values, **SETTINGS)
    alone = [estimate(values[:, [index]], **SETTINGS)[0] for index in range(6)]
    for one, other in zip(together, alone, strict=True):
        assert (one.low, one.high) == pytest.approx((other.low, other.high))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.booleans())
def test_value_lies_in_the_interval_and_the_interval_in_the_range(
    values: list[float], round_them: bool
) -> None:
    table = column(*(map(round, values) if round_them else values))
    [found] = estimate(table, resamples=200, confidence=0.9, seed=0, ranges=[SHARE])
    assert found.low is not None and found.high is not None
    assert 0 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_turning_the_variants_around_turns_the_interval(values: list[float]) -> None:
    config = {"resamples": 200, "confidence": 0.9, "seed": 0}
    [there] = estimate(column(*values), **config, ranges=[DIFFERENCE])
    [back] = estimate(-column(*values), **config, ranges=[DIFFERENCE])
    assert there.low is not None and there.high is not None
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-6)


def test_figure_of_totals_that_is_a_mean_equals_the_mean() -> None:
    values = np.random.default_rng(2).random(40)
    groups = np.repeat(np.arange(20), 2)
    [mean] = estimate(values[:, None], **SETTINGS, groups=groups)
    [found] = estimate_of_totals(
        np.column_stack([values, np.ones(40)]),
        lambda sums: sums[:, :1] / sums[:, 1:],
        differing=[40],
        ranges=[SHARE],
        groups=groups,
        **SETTINGS,
    )
    assert found.value == pytest.approx(mean.value)
    assert found.n == 40
    assert (found.low, found.high) == pytest.approx((mean.low, mean.high), abs=0.03)


def test_resamples_beside_the_figure_are_moved_onto_it() -> None:
    noise = np.random.default_rng(4).choice([-1.0, 1.0], 100)  # |mean| only grows by resampling
    noise[:50] = -noise[50:]
    [found] = estimate_of_totals(
        noise[:, None], lambda sums: np.abs(sums) / 100, differing=[100], ranges=[SHARE], **SETTINGS
    )
    assert found.value == found.low == 0
    assert found.high is not None and found.high < 0.2


def test_undefined_figure_has_no_interval() -> None:
    [found] = estimate_of_totals(
        column(0, 0),
        lambda sums: np.full_like(sums, np.nan),
        differing=[2],
        ranges=[SHARE],
        **SETTINGS,
    )
    assert np.isnan(found.value)
    assert (found.low, found.high) == (None, None)
