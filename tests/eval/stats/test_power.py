from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.stats.bootstrap import Estimate, estimate
from tuneproof.eval.stats.power import detectable, fewest_differing


def seen(values: np.ndarray) -> Estimate:
    return estimate(values[:, None], resamples=100, confidence=0.95, seed=0)[0]


def test_equals_the_textbook_for_many_items() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    found = detectable(seen(values), alpha=0.05, family=1)
    assert found == pytest.approx((1.960 + 0.842) * values.std() / math.sqrt(5000), rel=1e-3)


def test_falls_with_the_root_of_the_items_and_grows_with_the_family() -> None:
    values = np.random.default_rng(0).normal(size=400)
    few, many = (seen(values[:n]) for n in (100, 400))
    first, second = (detectable(one, alpha=0.05, family=5) for one in (few, many))
    assert first is not None and second is not None
    assert 1.7 < first / second < 2.3
    wider = detectable(few, alpha=0.05, family=20)
    assert wider is not None and wider > first


def test_nothing_that_differs_or_one_item_has_none() -> None:
    assert detectable(seen(np.zeros(30)), alpha=0.05, family=1) is None
    assert detectable(seen(np.ones(1)), alpha=0.05, family=1) is None


@given(st.floats(0.001, 0.2), st.integers(1, 60))
def test_fewest_differing_is_the_least_number_that_can_be_called(alpha: float, family: int) -> None:
    fewest = fewest_differing(alpha, family)
    assert 2.0 ** (1 - fewest) < alpha / family <= 2.0 ** (2 - fewest)


def test_a_few_large_differences_cannot_pretend_to_see_small_ones() -> None:
    values = np.zeros(100)
    values[0] = 1.0
    found = detectable(seen(values), alpha=0.05, family=10)
    assert found is not None and found >= fewest_differing(0.05, 10) / 100
