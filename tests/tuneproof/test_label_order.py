from __future__ import annotations

import pytest

from tuneproof.label_order import check_mapping

LABELS = ["a", "b", "c"]


def test_right_predictions_are_not_turned() -> None:
    found = check_mapping(list("abcabc"), list("abcabb"), LABELS)
    assert found.accuracy == found.best_accuracy == pytest.approx(5 / 6)
    assert found.renamed == {}
    assert not found.is_turned


def test_exchanged_labels_are_named() -> None:
    found = check_mapping(list("abc" * 4), list("bac" * 4), LABELS)
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.best_accuracy == 1
    assert found.renamed == {"b": "a", "a": "b"}
    assert found.is_turned
    assert found.warning() == (
        "the labels seem to be turned round: accuracy is 33.3%, but would be 100.0% with "
        "'b' as 'a', 'a' as 'b'; check the order of the labels"
    )


@pytest.mark.parametrize(
    ("wrong", "total", "is_turned"),
    [
        (10, 10, True),  # p = 1 / 1024
        (9, 9, False),  # p = 1 / 512
        (16, 20, False),  # p = 0.0059
        (18, 20, True),  # p = 0.0002
        (0, 20, False),
    ],
)
def test_two_labels_are_turned_where_chance_would_seldom_be_so_wrong(
    wrong: int, total: int, is_turned: bool
) -> None:
    right = (["a", "b"] * total)[:total]
    given = [{"a": "b", "b": "a"}[label] for label in right[:wrong]] + right[wrong:]
    assert check_mapping(right, given, ["a", "b"]).is_turned is is_turned


def test_noise_of_a_bad_model_is_no_mapping() -> None:
    right = list("abcd") * 5
    given = ["b"] * 12 + list("abcdabcd")
    found = check_mapping(right, given, list("abcd"))
    assert found.best_accuracy >= found.accuracy
    assert not found.is_turned


@pytest.mark.parametrize(
    ("right", "given", "message"),
    [
        ([], [], "0 right and 0 given"),
        (["a"], ["a", "b"], "1 right and 2 given"),
        (["a"], ["x"], "label 'x' is none of 'a', 'b', 'c'"),
    ],
)
def test_what_cannot_be_compared_is_an_error(
    right: list[str], given: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_mapping(right, given, LABELS)
