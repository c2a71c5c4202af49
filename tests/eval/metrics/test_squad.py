from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.metrics.squad import exact_match, normalize, token_f1


def test_normalisation_drops_case_articles_and_punctuation() -> None:
    assert normalize("  The Cat, a  DOG and an owl! ") == "cat dog and owl"


def test_articles_inside_words_stay() -> None:
    assert normalize("Athens than another") == "athens than another"


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("The Beatles.", "beatles", 1),
        ("beatles band", "beatles", 0),
        ("", "x", 0),
        ("the", "a", 0),  # nothing is left of either: compared as they are
        ("?", "? ", 1),
        ("!", "?", 0),
        ("\u201cyes\u201d", "yes", 1),
        ("\uff11\uff12\u3002", "12", 1),
        ("\U0001f44d", "\U0001f44d", 1),
        ("\U0001f44e", "\U0001f44d", 0),
    ],
)
def test_exact_match(answer: str, reference: str, expected: float) -> None:
    assert exact_match(answer, reference) == expected


def test_token_f1_counts_repeated_words_once_each() -> None:
    # shared: red; 4 words against 2
    assert token_f1("red red red red", "red blue") == pytest.approx(2 * 1 / 6)


@pytest.mark.parametrize(
    ("answer", "reference", "expected"), [("", "x", 0), ("x", "the", None), ("the", "an", None)]
)
def test_token_f1_of_empty_texts(answer: str, reference: str, expected: float | None) -> None:
    assert token_f1(answer, reference) == expected


@given(st.text(), st.text())
def test_range_and_exact_match_implies_full_f1(answer: str, reference: str) -> None:
    f1 = token_f1(answer, reference)
    assert f1 is None or 0 <= f1 <= 1
    if f1 is not None and exact_match(answer, reference):
        assert f1 == 1
    assert exact_match(answer, answer) == 1
