from __future__ import annotations

import pytest

from tuneproof.errors import InputError
from tuneproof.prepdata.labels import check_distinct, warnings


@pytest.mark.parametrize("pair", [("Sports", "sports"), ("a b", "a-b"), ("Café", "CAFÉ")])
def test_two_spellings_of_one_label_are_an_error(pair: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=r"csv: the labels .* are the same word"):
        check_distinct("csv", pair)


@pytest.mark.parametrize("labels", [("C", "C++", "C#"), ("+", "-"), ("1", "0", "-1")])
def test_labels_that_differ_by_a_sign_are_accepted(labels: tuple[str, ...]) -> None:
    check_distinct("csv", labels)


def test_balanced_labels_give_no_warning() -> None:
    counts = {name: {"train": 10, "validation": 1, "test": 1} for name in ("yes", "no")}
    assert warnings("t", ["yes", "no"], counts) == []


def test_imbalance_over_ten_to_one_is_warned_of() -> None:
    exact = {"a": {"train": 100}, "b": {"train": 10}}
    assert warnings("t", ["a", "b"], exact) == []
    over = {"a": {"train": 101}, "b": {"train": 10}}
    assert warnings("t", ["a", "b"], over) == [
        "t: unbalanced: 'a' has 101 training records, 'b' has 10"
    ]


def test_label_that_train_never_saw_is_warned_of() -> None:
    counts = {"a": {"train": 5}, "b": {"train": 5}, "c": {"train": 0, "test": 2}}
    assert warnings("t", ["a", "b", "c", "d"], counts) == [
        "t: label 'c': train never saw it, but test asks for it",
        "t: label 'd': no record has it",
    ]


def test_single_label_in_train_is_warned_of() -> None:
    assert warnings("t", ["a"], {"a": {"train": 5}}) == ["t: train has one label only, 'a'"]


def test_label_that_begins_another_is_warned_of() -> None:
    counts = {"Loan": {"train": 5}, "Loan or lease": {"train": 5}}
    assert warnings("t", ["Loan", "Loan or lease"], counts) == [
        "t: label 'Loan' is also how 'Loan or lease' begins"
    ]
