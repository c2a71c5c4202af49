from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.errors import InputError
from tuneproof.eval.metrics.labels import free_accuracy
from tuneproof.formats.label_checks import check_labels
from tuneproof.labels import normalize_label, spellings
from tuneproof.prepdata.checks.labels import check_distinct


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Fed |\n Central   BANKS.", "fed | central banks"),
        ('"M&A"', "m&a"),
        ("\u201cA+\u201d", "a+"),
        ("Cafe\u0301", "caf\u00e9"),
        ("?", "?"),
        ("", ""),
    ],
)
def test_normalisation_keeps_what_is_inside(text: str, expected: str) -> None:
    assert normalize_label(text) == expected


@given(st.text())
def test_normalisation_does_nothing_twice(text: str) -> None:
    once = normalize_label(text)
    assert normalize_label(once) == once


@pytest.mark.parametrize(
    "pair", [("Sports", "sports"), ("a  b", "a b"), ("Café", "CAFE\u0301"), ("Macro", '"macro."')]
)
def test_building_reading_and_scoring_agree_on_what_is_one_label(pair: tuple[str, str]) -> None:
    assert spellings(["other", *pair]) == [[*pair]]
    assert free_accuracy(*pair, labels=("other", pair[1])) == 1
    with pytest.raises(InputError, match=r"csv: the labels .* are the same word"):
        check_distinct("csv", pair)
    with pytest.raises(InputError, match="are the same but for case, spaces and outer punctuation"):
        check_labels("file", pair)


@pytest.mark.parametrize(
    "labels",
    [
        ("A/B", "A B", "A-B", "AB"), ("credit-card", "credit card"), ("a.b", "a b"),
        ("C", "C++", "C#"), ("1", "0", "-1"), ("+", "-"), (">50K", "<=50K", "50K", "=50K"),
        ("A>B", "A<B"), ("<", ">"), ("A", "A+", "A-"),
    ],
)  # fmt: skip
def test_building_reading_and_scoring_agree_on_what_signs_tell_apart(
    labels: tuple[str, ...],
) -> None:
    check_distinct("csv", labels)
    assert check_labels("file", labels) == labels
    assert all(free_accuracy(one, other, labels) == 0 for one, other in combinations(labels, 2))
