from __future__ import annotations

import pytest

from tuneproof.eval.metrics.labels import (
    accuracy,
    brier,
    free_accuracy,
    invalid_rate,
)

LABELS = ("Fed | Central Banks", "M&A", "A+", "?")


def test_accuracy_compares_labels_of_the_set() -> None:
    assert accuracy("M&A", "M&A") == 1
    assert accuracy("M&A", "A+") == 0


@pytest.mark.parametrize(
    ("answer", "reference", "right", "invalid"),
    [
        ("m&a.", "M&A", 1, 0),
        ("A+", "M&A", 0, 0),
        ("It is M&A", "M&A", 0, 1),
        ("M&A\nInput: more", "M&A", 0, 1),
        ("", "M&A", 0, 1),
    ],
)
def test_generated_answer_is_the_label_and_nothing_else(
    answer: str, reference: str, right: float, invalid: float
) -> None:
    assert free_accuracy(answer, reference, LABELS) == right
    assert invalid_rate(answer, LABELS) == invalid


def test_brier_of_hand_computed_cases() -> None:
    assert brier({"a": 1, "b": 0}, "a") == 0
    assert brier({"a": 1, "b": 0}, "b") == 1
    assert brier({"a": 0.5, "b": 0.5}, "a") == 0.25
    # (0.4^2 + 0.3^2 + 0.1^2) / 2
    assert brier({"a": 0.6, "b": 0.3, "c": 0.1}, "a") == pytest.approx(0.13)
