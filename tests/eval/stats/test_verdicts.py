from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.metrics.metric import Direction
from tuneproof.eval.stats.bootstrap import Estimate, estimate
from tuneproof.eval.stats.verdicts import (
    Difference,
    PairedTest,
    detectable,
    fewest_differing,
    holm,
    judge,
    verdict,
)

NONE = "no measurable difference"
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def made(value: float, p: float, differing: int = 30) -> PairedTest:
    low, high = value - 0.05, value + 0.05
    return PairedTest(
        estimate=Estimate(
            value=value, low=low, high=high, n=40, units=40, differing=differing, error=0.025,
            typical=0.1,
        ),
        p=p,
    )  # fmt: skip


def test_all_verdicts_of_a_report_are_one_family_with_its_tasks() -> None:
    found = judge(
        {
            Difference("", "a", "rougeL"): made(0.1, 0.012),
            Difference("", "b", "rougeL"): made(0.1, 0.02),
            Difference("dolly", "a", "rougeL"): made(0.1, 0.3),
            Difference("", "a", "repetition_rate"): made(0.1, 0.001),
        },
        0.05,
        "tokens",
    )
    assert {place: round(one.p_holm, 6) for place, one in found.items()} == {
        ("", "a", "rougeL"): 0.036,
        ("", "b", "rougeL"): 0.04,
        ("dolly", "a", "rougeL"): 0.3,
        ("", "a", "repetition_rate"): 0.004,
    }
    assert found[Difference("", "a", "rougeL")].verdict == "better"
    assert found[Difference("", "a", "repetition_rate")].verdict == "worse"
    assert found[Difference("", "a", "rougeL")].p == 0.012
    assert list(found) == sorted(found, key=list(found).index)


def test_metrics_without_direction_cost_the_others_nothing() -> None:
    places = {
        Difference("", "a", "rougeL"): made(0.1, 0.04),
        Difference("", "a", "length"): made(9.0, 0.04),
    }
    found = judge(places, 0.05, "tokens")
    assert found[Difference("", "a", "rougeL")].p_holm == 0.04
    assert found[Difference("", "a", "length")].verdict == "different"


def test_too_few_items_that_differ_are_said_so() -> None:
    [found] = judge(
        {Difference("", "a", "rougeL"): made(0.1, 0.06, differing=5)}, 0.05, "tokens"
    ).values()
    assert found.warning == ("too few items that differ: 5, and no fewer than 6 can give a verdict")
    assert found.verdict == "no measurable difference"


@pytest.mark.parametrize(
    ("low", "high", "p", "direction", "expected"),
    [
        (0.1, 0.2, 0.001, "higher", "better"),
        (0.1, 0.2, 0.001, "lower", "worse"),
        (-0.2, -0.1, 0.001, "higher", "worse"),
        (-0.2, -0.1, 0.001, "lower", "better"),
        (-0.2, -0.1, 0.001, "none", "different"),
        (-0.1, 0.2, 0.5, "higher", NONE),
        (0.0, 0.2, 0.04, "higher", NONE),
        (1.0, 1.0, 0.25, "higher", NONE),  # all of three items: too few
        (None, None, 1.0, "higher", NONE),
    ],
)
def test_verdict(
    low: float | None, high: float | None, p: float, direction: Direction, expected: str
) -> None:
    assert verdict(low, high, p, 0.05, direction) == expected


def test_holm_of_a_hand_computed_case() -> None:
    # sorted 0.01 0.02 0.03 0.5: times 4, 3, 2, 1 is 0.04 0.06 0.06 0.5
    assert holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.04]) == [0.04]


@given(p_values)
def test_holm_equals_the_definition_step_by_step(values: list[float]) -> None:
    called, order = set(), sorted(range(len(values)), key=values.__getitem__)
    for step, index in enumerate(order):
        if values[index] * (len(values) - step) >= 0.05:
            break
        called.add(index)
    assert {index for index, p in enumerate(holm(values)) if p < 0.05} == called


@given(p_values)
def test_between_the_plain_value_and_bonferroni_in_the_same_order(values: list[float]) -> None:
    corrected = holm(values)
    for p, found in zip(values, corrected, strict=True):
        assert p <= found <= min(1, p * len(values)) + 1e-12
    order = sorted(range(len(values)), key=values.__getitem__)
    raised = [corrected[index] for index in order]
    assert raised == sorted(raised)


def seen(values: np.ndarray) -> Estimate:
    return estimate(values[:, None], resamples=100, confidence=0.95, seed=0)[0]


def test_detectable_effect_equals_the_textbook_for_many_items() -> None:
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
