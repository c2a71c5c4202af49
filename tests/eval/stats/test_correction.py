from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tuneproof.eval.stats.correction import primary_weights, simultaneous_level, step_down
from tuneproof.eval.stats.permutation import MeanTests, Swaps, joint_swaps


def swaps_of(table: np.ndarray, draws: int = 4000) -> Swaps:
    return joint_swaps([MeanTests(sums=table)], draws=draws, seed=0)


def correlated(rows: int, columns: int, *, share: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(rows, 1))
    return np.sqrt(share) * common + np.sqrt(1 - share) * generator.normal(size=(rows, columns))


def test_step_down_equals_the_definition_by_enumeration() -> None:
    table = correlated(9, 4, share=0.5, seed=1) + np.array([0.9, 0.4, 0.0, -0.8])
    signs = np.array(list(product((-1, 1), repeat=9)))
    root = np.sqrt(np.square(table).sum(axis=0))
    drawn, seen = np.abs(signs @ table) / root, np.abs(table.sum(axis=0)) / root
    left, before, expected = [0, 1, 2, 3], 0.0, {}
    while left:
        largest = max(left, key=lambda column: seen[column])
        before = max(before, np.mean(drawn[:, left].max(axis=1) >= seen[largest] * (1 - 1e-9)))
        expected[largest] = before
        left.remove(largest)
    found = step_down(swaps_of(table), np.ones(4))
    assert found == pytest.approx([expected[column] for column in range(4)])


def test_single_test_is_not_corrected_and_the_same_test_twice_costs_nothing() -> None:
    table = np.random.default_rng(2).normal(0.3, 1, (40, 1))
    swaps = swaps_of(table)
    assert step_down(swaps, np.ones(1)) == pytest.approx(swaps.p_values())
    assert step_down(swaps_of(np.hstack([table, table])), np.ones(2)) == pytest.approx(
        swaps.p_values() * 2
    )


def test_unrelated_tests_are_corrected_about_like_holms() -> None:
    table = np.random.default_rng(3).normal(0.25, 1, (60, 5))
    swaps = swaps_of(table, 40_000)
    p = np.array(swaps.p_values())
    order = np.argsort(p)
    holm = np.empty(5)
    holm[order] = np.maximum.accumulate(p[order] * np.arange(5, 0, -1))
    found = np.array(step_down(swaps, np.ones(5)))
    assert (found <= np.minimum(holm, 1) + 0.01).all()
    assert found[order[0]] == pytest.approx(1 - (1 - p[order[0]]) ** 5, abs=0.01)


def test_related_tests_cost_less_than_holms() -> None:
    table = correlated(32, 9, share=0.8, seed=4)
    swaps = swaps_of(table + 0.35)
    least = min(swaps.p_values())
    assert min(step_down(swaps, np.ones(9))) < 5 * least


def test_eight_items_all_better_on_nine_metrics_are_called() -> None:
    table = np.random.default_rng(5).uniform(0.1, 0.3, (8, 9))
    swaps = swaps_of(table)
    assert swaps.is_exact
    assert step_down(swaps, np.ones(9)) == pytest.approx([2 / 2**8] * 9)


def test_primary_keeps_nearly_all_of_alpha_and_passes_it_on() -> None:
    weights = primary_weights(np.array([1.0, 0, 0, 0, 0]))
    assert weights.tolist() == [1.0, *[pytest.approx(1 / 36)] * 4]
    assert primary_weights(np.zeros(3)).tolist() == primary_weights(np.ones(3)).tolist() == [1] * 3
    table = np.random.default_rng(6).normal(0.0, 1, (50, 5))
    table[:, 0] += 2.37 / np.sqrt(50) - table[:, 0].mean()  # p about .02
    table[:, 1] += 2.75 / np.sqrt(50) - table[:, 1].mean()  # about .008
    swaps = swaps_of(table, 40_000)
    alone = swaps.p_values()
    found = step_down(swaps, weights)
    assert found[0] == pytest.approx(alone[0] / 0.9, rel=0.15)
    assert found[1] == pytest.approx(4 * alone[1], rel=0.2)  # among the four others
    table[:, 0] -= table[:, 0].mean()
    found = step_down(swaps_of(table, 40_000), weights)
    assert found[1] > 0.05  # nothing was passed on


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0.005, 0.0075), (0.95, 0.015, 0.05)])
def test_simultaneous_level_lies_between_alpha_and_its_ninth(
    share: float, low: float, high: float
) -> None:
    swaps = swaps_of(correlated(100, 9, share=share, seed=7), 20_000)
    assert low < simultaneous_level(swaps, 0.05) < high


def test_one_test_has_all_of_alpha_and_twins_too() -> None:
    table = np.random.default_rng(8).normal(size=(40, 1))
    assert simultaneous_level(swaps_of(table), 0.05) == 0.05
    assert simultaneous_level(swaps_of(np.hstack([table] * 3)), 0.05) == pytest.approx(0.05)


@pytest.mark.parametrize("units", [12, 40])
def test_familywise_error_is_at_most_alpha_whichever_hypotheses_hold(units: int) -> None:
    shifts = np.array([[0, 0, 0, 0, 0], [0, 0.6, 0, 0, 0], [0.6, 0, 0, 0.6, 0]])
    false = np.zeros(len(shifts))
    generator = np.random.default_rng(9)
    weights = primary_weights(np.array([1.0, 0, 0, 0, 0]))
    for number in range(400):
        table = correlated(units, 5, share=0.6, seed=int(generator.integers(2**31)))
        for index, shift in enumerate(shifts):
            swaps = joint_swaps([MeanTests(sums=table + shift)], draws=400, seed=number)
            called = np.array(step_down(swaps, weights)) < 0.05
            false[index] += (called & (shift == 0)).any()
    assert (false / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)).all()
