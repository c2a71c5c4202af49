from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneproof.eval.metrics import label_sets


def counts(right: np.ndarray, given_: np.ndarray, labels: int) -> list[np.ndarray]:
    hits = np.bincount(right[right == given_], minlength=labels)
    return [hits.astype(float), *(np.bincount(x, minlength=labels) * 1.0 for x in (given_, right))]


def test_hand_computed_case() -> None:
    # right: a a b b; given: a b b b
    parts = counts(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 3)
    precision = label_sets.label_precision(*parts)
    assert precision[:2] == pytest.approx([1, 2 / 3]) and np.isnan(precision[2])
    assert label_sets.label_recall(*parts)[:2] == pytest.approx([1 / 2, 1])
    assert label_sets.label_f1(*parts)[:2] == pytest.approx([2 / 3, 4 / 5])
    assert label_sets.macro_f1(*parts) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert label_sets.weighted_recall(*parts) == pytest.approx(3 / 4)


def test_matthews_of_one_label_only_is_zero() -> None:
    assert label_sets.matthews(*counts(np.array([0, 1]), np.array([1, 1]), 2)) == 0
    assert label_sets.matthews(*counts(np.array([0, 1]), np.array([0, 1]), 2)) == 1
    assert label_sets.matthews(*counts(np.array([0, 1]), np.array([1, 0]), 2)) == -1


def test_calibration_error_weighs_bins_by_their_items() -> None:
    # 2 items 0.9 sure and right once: gap 0.8; 2 items 0.5 sure and right once: gap 0
    gaps = np.array([0.8, 0.0])
    plain = label_sets.calibration_error(gaps, np.zeros(2), np.array(4.0))
    assert plain == pytest.approx(0.2)  # without doubt nothing is taken off


def test_calibration_error_takes_off_the_mean_of_the_folded_normal() -> None:
    from scipy.stats import foldnorm

    gaps, doubts = np.array([0.8, -3.0, 0.0]), np.array([0.18, 4.0, 1.0])
    spread = np.sqrt(doubts)
    expected = foldnorm.mean(np.abs(gaps) / spread, scale=spread)
    found = label_sets.calibration_error(gaps, doubts, np.array(40.0))
    assert found == pytest.approx(max((2 * np.abs(gaps) - expected).sum() / 40, 0))


@pytest.mark.parametrize("excess", [0.0, 0.1])
def test_calibration_error_of_few_items_is_that_of_many(excess: float) -> None:
    generator = np.random.default_rng(1)
    confidence = generator.uniform(0.5, 0.85, (2000, 100))
    right = generator.random(confidence.shape) < confidence - excess
    bins = np.ceil(confidence * 15).astype(int) - 1
    is_in = bins[:, :, None] == np.arange(15)
    gaps = ((confidence - right)[:, :, None] * is_in).sum(axis=1)
    doubts = ((confidence * (1 - confidence))[:, :, None] * is_in).sum(axis=1)
    found = label_sets.calibration_error(gaps, doubts, np.full(2000, 100.0)).mean()
    plain = np.abs(gaps).sum(axis=1).mean() / 100
    assert abs(found - excess) < 0.65 * (plain - excess)


def test_leading_axes_are_kept() -> None:
    generator = np.random.default_rng(0)
    sets = [generator.integers(0, 4, (2, 30)) for _ in range(6)]
    each = [counts(*pair, 4) for pair in sets]
    stacked = [np.stack(column).reshape(2, 3, 4) for column in zip(*each, strict=True)]
    for name in ("macro_f1", "weighted_precision", "weighted_f1", "matthews"):
        function = getattr(label_sets, name)
        expected = np.reshape([function(*parts) for parts in each], (2, 3))
        assert function(*stacked) == pytest.approx(expected)


pairs = st.integers(1, 6).flatmap(
    lambda labels: st.lists(
        st.tuples(st.integers(0, labels - 1), st.integers(0, labels - 1)), min_size=1, max_size=40
    )
)


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_equals_scikit_learn(outcomes: list[tuple[int, int]]) -> None:
    from sklearn import metrics

    right, given_ = np.array(outcomes).T
    parts = counts(right, given_, 6)
    for average, name in (("macro", "macro_f1"), ("weighted", "weighted_f1")):
        expected = metrics.f1_score(right, given_, average=average, zero_division=0)
        assert getattr(label_sets, name)(*parts) == pytest.approx(expected)
    kinds = {"average": "weighted", "zero_division": 0}
    expected = metrics.precision_score(right, given_, **kinds)
    assert label_sets.weighted_precision(*parts) == pytest.approx(expected)
    expected = metrics.recall_score(right, given_, **kinds)
    assert label_sets.weighted_recall(*parts) == pytest.approx(expected)
    if len({*right.tolist(), *given_.tolist()}) > 1:  # one label alone makes scikit-learn warn
        expected = metrics.matthews_corrcoef(right, given_)
        assert label_sets.matthews(*parts) == pytest.approx(expected)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        right, given_, labels=range(6), zero_division=np.nan
    )
    assert label_sets.label_precision(*parts) == pytest.approx(precision, nan_ok=True)
    assert label_sets.label_recall(*parts) == pytest.approx(recall, nan_ok=True)
    occurs = parts[1] + parts[2] > 0
    assert label_sets.label_f1(*parts)[occurs] == pytest.approx(np.nan_to_num(f1)[occurs])
    assert parts[2].tolist() == support.tolist()
