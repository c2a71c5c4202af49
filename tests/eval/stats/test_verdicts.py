from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.metrics.metric import Direction
from tuneproof.eval.stats.bootstrap import Estimate, estimate
from tuneproof.eval.stats.permutation import MeanTests, joint_swaps, sign_flip_p
from tuneproof.eval.stats.verdicts import (
    Difference,
    Judged,
    PairedTest,
    correct,
    detectable,
    fewest_differing,
    judge,
    settle,
    verdict,
)
from tuneproof.formats.figures import Gain

NONE = "no measurable difference"


def judged(
    table: dict[Difference, np.ndarray], primary: str | None = None
) -> dict[Difference, Gain]:
    values = np.column_stack(list(table.values()))
    estimates = estimate(values, resamples=1000, confidence=0.95, seed=0)
    tests = {
        key: PairedTest(estimate=one, p=p)
        for key, one, p in zip(
            table, estimates, sign_flip_p(values, draws=2000, seed=0), strict=True
        )
    }
    swaps = joint_swaps([MeanTests(sums=values)], draws=2000, seed=0)
    return judge(tests, swaps, 0.05, "tokens", primary)


def column(mean: float, seed: int, n: int = 40) -> np.ndarray:
    """Values of a given mean and a standard deviation of 1."""
    noise = np.random.default_rng(seed).normal(size=n)
    return np.asarray(mean + (noise - noise.mean()) / noise.std(ddof=1))


def test_all_directed_verdicts_of_a_report_are_one_family_with_its_tasks() -> None:
    keys = [
        Difference("", "a", "rougeL"),
        Difference("", "b", "rougeL"),
        Difference("dolly", "a", "rougeL"),
        Difference("", "a", "repetition_rate"),
    ]
    found = judged(
        dict(zip(keys, (column(m, s) for s, m in enumerate([0.8, 0.1, 0, 0.9])), strict=True))
    )
    assert [gain.verdict for gain in found.values()] == ["better", NONE, NONE, "worse"]
    assert list(found) == keys
    alone = judged({keys[1]: column(0.4, 1)})[keys[1]]
    among = judged(
        dict(zip(keys, [column(0, 0), column(0.4, 1), column(0, 2), column(0, 3)], strict=True))
    )
    assert alone.p_corrected == pytest.approx(alone.p, abs=0.003)
    assert among[keys[1]].p_corrected > 2 * alone.p
    assert alone.high - alone.low < among[keys[1]].high - among[keys[1]].low


def test_metrics_without_direction_cost_the_others_nothing() -> None:
    rouge, length = Difference("", "a", "rougeL"), Difference("", "a", "length")
    found = judged({rouge: column(0.36, 1), length: column(0.9, 2)})
    assert found[rouge].p_corrected == pytest.approx(found[rouge].p, abs=0.003)
    assert found[length].verdict == "different"


def test_primary_metric_goes_first_and_has_an_interval_of_its_own() -> None:
    names = ("rougeL", "rouge1", "token_f1", "exact_match", "stop_rate", "repetition_rate")
    keys = [Difference("", "a", name) for name in names]
    table = dict(
        zip(keys, [column(0.37, 0), *(column(0.0, seed) for seed in range(1, 6))], strict=True)
    )
    plain, first = judged(table)[keys[0]], judged(table, "rougeL")[keys[0]]
    assert (plain.verdict, first.verdict) == (NONE, "better")
    assert (plain.is_primary, first.is_primary) == (False, True)
    assert first.p_corrected < plain.p_corrected
    [own] = estimate(table[keys[0]][:, None], resamples=1000, confidence=0.95, seed=0)
    assert (first.low, first.high) == pytest.approx((own.low, own.high))
    assert plain.low <= 0 < plain.high


def test_interval_and_verdict_agree_in_every_report() -> None:
    generator = np.random.default_rng(0)
    for _ in range(60):
        common = generator.normal(size=(24, 1))
        values = common + generator.normal(size=(24, 5)) + generator.normal(0, 0.5, 5)
        keys = [Difference("", "a", n) for n in ("rougeL", "rouge1", "rouge2", "token_f1",
                "stop_rate")]  # fmt: skip
        for gain in judged(dict(zip(keys, values.T, strict=True)), "rougeL").values():
            assert (gain.verdict != NONE) == (not gain.low <= 0 <= gain.high)
            assert (gain.verdict != NONE) == (gain.p_corrected < 0.05)


def interval_of(width: float) -> object:
    return lambda confidence: (0.1 - width * confidence, 0.1 + width * confidence)


@pytest.mark.parametrize(
    ("width", "p", "p_corrected", "expected"),
    [
        (0.05, 0.01, 0.01, (0.0525, 0.1475, True, 0.01)),
        (0.05, 0.01, 0.08, (0.0, 0.1475, False, 0.08)),  # drawn out to zero
        (0.2, 0.01, 0.03, (-0.09, 0.29, False, 0.05)),  # the interval holds zero
    ],
)
def test_an_interval_is_brought_into_agreement_with_its_test(
    width: float, p: float, p_corrected: float, expected: tuple[float, float, bool, float]
) -> None:
    one = Estimate(
        value=0.1,
        low=0,
        high=0,
        n=40,
        units=40,
        interval_at=interval_of(width),  # type: ignore[arg-type]
    )
    found = settle(PairedTest(estimate=one, p=p), p_corrected, 0.05, 0.05)
    assert (found.low, found.high, found.is_called, found.p_corrected) == pytest.approx(expected)


def test_what_only_the_step_calls_has_the_interval_of_its_step() -> None:
    def interval_at(confidence: float) -> tuple[float, float]:
        return (-0.01, 0.2) if confidence > 0.97 else (0.01, 0.18)

    one = Estimate(value=0.1, low=0, high=0, n=40, units=40, interval_at=interval_at)
    found = settle(PairedTest(estimate=one, p=0.035), 0.045, 0.01, 0.05)
    assert (found.low, found.high, found.is_called) == (0.01, 0.18, True)
    assert found.level == pytest.approx(0.05 * 0.035 / 0.045)


def test_too_few_items_that_differ_are_left_out_and_said_so() -> None:
    few, many = Difference("", "a", "rougeL"), Difference("", "a", "stop_rate")
    values = np.zeros(40)
    values[:5] = 1
    found = judged({few: values, many: column(0.36, 1)})
    assert found[few].warning == (
        "too few items that differ: 5, and no fewer than 6 can give a verdict"
    )
    assert (found[few].verdict, found[few].p_corrected) == (NONE, 1.0)
    assert found[many].p_corrected == pytest.approx(found[many].p, abs=0.003)  # alone in the family


def test_one_unit_has_no_interval_and_no_verdict() -> None:
    one = PairedTest(estimate=Estimate(value=1.0, low=None, high=None, n=3, differing=9), p=1.0)
    swaps = joint_swaps([MeanTests(sums=np.ones((1, 1)))], draws=100, seed=0)
    assert correct([one], swaps, [True], 0.05) == [
        Judged(p_corrected=1.0, low=None, high=None, level=0.05, is_called=False)
    ]


@pytest.mark.parametrize(
    ("value", "is_called", "direction", "expected"),
    [
        (0.2, True, "higher", "better"),
        (0.2, True, "lower", "worse"),
        (-0.2, True, "higher", "worse"),
        (-0.2, True, "lower", "better"),
        (-0.2, True, "none", "different"),
        (0.2, False, "higher", NONE),
    ],
)
def test_verdict(value: float, is_called: bool, direction: Direction, expected: str) -> None:
    assert verdict(value, is_called, direction) == expected


def seen(values: np.ndarray) -> Estimate:
    return estimate(values[:, None], resamples=100, confidence=0.95, seed=0)[0]


def test_detectable_effect_equals_the_textbook_for_many_items() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    found = detectable(seen(values), level=0.05, alpha=0.05)
    assert found == pytest.approx((1.960 + 0.842) * values.std() / math.sqrt(5000), rel=1e-3)


def test_falls_with_the_root_of_the_items_and_grows_with_the_correction() -> None:
    values = np.random.default_rng(0).normal(size=400)
    few, many = (seen(values[:n]) for n in (100, 400))
    first, second = (detectable(one, level=0.01, alpha=0.05) for one in (few, many))
    assert first is not None and second is not None
    assert 1.7 < first / second < 2.3
    wider = detectable(few, level=0.0025, alpha=0.05)
    assert wider is not None and wider > first


def test_nothing_that_differs_or_one_item_has_none() -> None:
    assert detectable(seen(np.zeros(30)), level=0.05, alpha=0.05) is None
    assert detectable(seen(np.ones(1)), level=0.05, alpha=0.05) is None


@given(st.floats(0.001, 0.2))
def test_fewest_differing_is_the_least_number_that_can_be_called(alpha: float) -> None:
    fewest = fewest_differing(alpha)
    assert 2.0 ** (1 - fewest) < alpha <= 2.0 ** (2 - fewest)


def test_a_few_large_differences_cannot_pretend_to_see_small_ones() -> None:
    values = np.zeros(100)
    values[0] = 1.0
    found = detectable(seen(values), level=0.05, alpha=0.05)
    assert found is not None and found >= fewest_differing(0.05) / 100
