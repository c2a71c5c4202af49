from __future__ import annotations

import numpy as np
import pytest

from tuneproof.eval.judging.length import length_controlled
from tuneproof.eval.judging.win_rate import corrected, mean_and_interval, plain

NAN = np.nan


def own(n: int) -> np.ndarray:
    return np.arange(n)


def test_votes_alone_are_their_mean_within_an_interval() -> None:
    rate = plain(np.array([1, 1, 0.5, 0, 1, NAN]), own(6), 0.95)
    assert rate is not None
    assert (rate.value, rate.n, rate.weight) == (0.7, 5, 0)
    assert 0 < rate.low < 0.7 < rate.high < 1
    assert plain(np.array([1, NAN]), own(2), 0.95) is None


def test_unanimous_votes_are_not_certain() -> None:
    rate = plain(np.ones(30), own(30), 0.95)
    assert rate is not None
    assert rate.value == rate.high == 1
    assert 0.8 < rate.low < 0.95


def test_perfect_judge_makes_votes_worth_more_and_a_useless_one_changes_nothing() -> None:
    generator = np.random.default_rng(1)
    truth = generator.choice([0.0, 0.5, 1.0], 400)
    votes = np.where(np.arange(400) < 60, truth, NAN)
    alone = plain(votes, own(400), 0.95)
    perfect = corrected(votes, truth, own(400), 0.95)
    useless = corrected(votes, np.full(400, 1.0), own(400), 0.95)
    assert alone and perfect and useless
    assert perfect.value == pytest.approx(truth.mean(), abs=0.03)
    assert perfect.high - perfect.low < 0.5 * (alone.high - alone.low)
    assert (useless.weight, useless.value) == (0, alone.value)
    assert (useless.low, useless.high) == pytest.approx((alone.low, alone.high))


def test_bias_of_a_judge_is_taken_out() -> None:
    generator = np.random.default_rng(2)
    truth = generator.choice([0.0, 1.0], 600, p=[0.6, 0.4])
    kind = np.where(generator.random(600) < 0.5, 1.0, truth)  # half of the time it says 1
    votes = np.where(np.arange(600) < 100, truth, NAN)
    rate = corrected(votes, kind, own(600), 0.95)
    raw = plain(kind, own(600), 0.95)
    assert rate and raw
    assert raw.low > 0.5  # the judge alone is sure, and wrong
    assert rate.low < 0.4 < rate.high < 0.55


def test_items_of_one_unit_count_once() -> None:
    values = np.repeat(np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0]), 4)
    single = plain(values, own(32), 0.95)
    grouped = plain(values, np.repeat(own(8), 4), 0.95)
    assert single and grouped
    assert grouped.value == single.value
    assert grouped.high - grouped.low > 1.8 * (single.high - single.low)
    judged = corrected(values, values, np.repeat(own(8), 4), 0.95)
    assert judged and judged.error == pytest.approx(grouped.error)


def test_mean_of_values_that_are_all_alike_is_not_certain() -> None:
    figure = mean_and_interval(np.zeros(20), own(20), 0.95, (-1, 1))
    assert figure is not None
    assert figure[0] == 0
    assert figure[1] == -figure[2] < -0.1


def test_length_controlled_rate_takes_out_a_preference_for_length() -> None:
    generator = np.random.default_rng(3)
    lengths = generator.normal(80, 60, 1000)  # the first answer is the longer one mostly
    chance = 1 / (1 + np.exp(-(-0.5 + 2.5 * np.tanh(lengths / lengths.std()))))
    judged = (generator.random(1000) < chance).astype(float)
    figure = length_controlled(judged, lengths, own(1000), 0.95)
    assert figure is not None
    value, low, high = figure
    assert judged.mean() > 0.6
    assert low < 1 / (1 + np.exp(0.5)) < high < 0.5
    assert low < value < high


def test_length_controlled_rate_without_length_is_the_rate() -> None:
    judged = np.array([1, 0, 1, 0.5, 1, 0, 1, 1] * 10, float)
    figure = length_controlled(judged, np.zeros(80), own(80), 0.95)
    assert figure is not None
    assert figure[0] == pytest.approx(judged.mean(), abs=1e-4)
    for same in (0.5, 1.0):  # nothing to be explained
        assert length_controlled(np.full(80, same), np.arange(80.0), own(80), 0.95) is None
