from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneproof.eval.stats.permutation import (
    MeanTests,
    SetTests,
    joint_swaps,
    mcnemar,
    sign_flip_p,
)


def p_of(*differences: float, draws: int = 10_000) -> float:
    return sign_flip_p(np.array(differences, dtype=float)[:, None], draws=draws, seed=0)[0]


@given(st.integers(0, 60), st.integers(0, 60))
@settings(deadline=None)
def test_mcnemar_equals_the_binomial_test(a_only: int, b_only: int) -> None:
    from scipy.stats import binomtest

    total = a_only + b_only
    expected = binomtest(a_only, total).pvalue if total else 1.0
    assert mcnemar(a_only, b_only) == pytest.approx(expected)


def test_nothing_that_differs_has_p_one() -> None:
    assert mcnemar(0, 0) == 1
    assert p_of(0, 0, 0) == 1
    same = SetTests(first=np.ones((4, 2)), second=np.ones((4, 2)), figures=lambda sums: sums)
    nothing = MeanTests(sums=np.zeros((4, 1)))
    assert joint_swaps([same, nothing], draws=100, seed=0).p_values() == [1, 1, 1]


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_few_differences_are_counted_out_exactly(differences: list[int]) -> None:
    signs = np.array(list(product((-1, 1), repeat=len(differences))))
    expected = np.mean(np.abs(signs @ differences) >= abs(sum(differences)))
    assert p_of(*differences) == pytest.approx(expected)


def test_shares_are_tested_by_mcnemar() -> None:
    assert p_of(*[1.0] * 30, *[-1.0] * 12, 0.0) == mcnemar(30, 12)


def test_many_differences_are_sampled_with_the_plus_one_rule() -> None:
    from scipy.stats import permutation_test

    noise = np.random.default_rng(1).normal(0.25, 1, size=40)
    expected = permutation_test(
        (noise,), np.mean, permutation_type="samples", n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue  # fmt: skip
    assert p_of(*noise) == pytest.approx(expected, abs=0.02)
    assert p_of(*np.linspace(1, 2, 40), draws=999) == 1 / 1000


def test_columns_do_not_disturb_each_other() -> None:
    table = np.random.default_rng(2).normal(0.2, 1, (60, 3))
    table[10:, 1] = 0
    together = sign_flip_p(table, draws=20_000, seed=0)
    alone = [sign_flip_p(table[:, [index]], draws=20_000, seed=0)[0] for index in range(3)]
    assert together == pytest.approx(alone, abs=0.015)


def test_same_seed_same_p_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.random.default_rng(3).normal(0.2, 1, (64, 2))
    whole = sign_flip_p(table, draws=2000, seed=0)
    assert whole == sign_flip_p(table, draws=2000, seed=0)
    assert whole != sign_flip_p(table, draws=2000, seed=1)
    monkeypatch.setattr("tuneproof.eval.stats.bootstrap.CHUNK_CELLS", 64 * 100)
    assert sign_flip_p(table, draws=2000, seed=0) == pytest.approx(whole, abs=0.04)


@pytest.mark.parametrize("size", [6, 40])
def test_swapping_a_mean_is_flipping_signs(size: int) -> None:
    first, second = np.random.default_rng(4).random((2, size, 1))
    of_set = SetTests(first=first, second=second, figures=lambda sums: sums / size)
    swaps = joint_swaps([MeanTests(sums=first - second), of_set], draws=20_000, seed=0)
    assert swaps.is_exact == (size == 6)
    assert swaps.drawn[:, 0] == pytest.approx(swaps.drawn[:, 1])
    assert swaps.seen[0] == pytest.approx(swaps.seen[1])
    alone = sign_flip_p(first - second, draws=20_000, seed=0)
    assert swaps.p_values() == pytest.approx(alone * 2, abs=0.015)


def test_standardised_difference_is_monotone_in_students_t() -> None:
    from scipy.stats import ttest_1samp

    noise = np.random.default_rng(7).normal(0.3, 1, 40)
    swaps = joint_swaps([MeanTests(sums=noise[:, None])], draws=20_000, seed=0)
    t = ttest_1samp(noise, 0).statistic
    assert swaps.seen[0] == pytest.approx(noise.sum() / np.sqrt(np.square(noise).sum()), rel=0.02)
    assert swaps.seen[0] == pytest.approx(t * np.sqrt(40 / (39 + t**2)), rel=0.02)


def test_false_alarms_are_as_many_as_promised() -> None:
    table = np.random.default_rng(5).normal(size=(25, 2000))
    assert 0.035 < np.mean(np.array(sign_flip_p(table, draws=2000, seed=0)) <= 0.05) < 0.065
