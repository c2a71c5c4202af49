from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.metrics.numeric import executed_match, numeric_match


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("12.38", "12.4%", 1),  # rounds to the digits shown; a missing percent sign is forgiven
        ("12.4 %", "12.4%", 1),
        ("12.45%", "12.4%", 1),
        ("12.46%", "12.4%", 0),
        ("12%", "12.4%", 0),  # fewer digits than the reference
        ("0.124", "12.4%", 1),
        ("12.4%", "0.124", 1),
        ("1240", "12.4%", 0),
        ("-12.4%", "12.4%", 0),
        ("127.4", "127.40", 1),
        ("113.6", "114", 1),
        ("113.4", "114", 0),
        ("193", "$ 193 million", 1),
        ("$193,000,000", "$ 193 million", 1),
        ("0.193 billion", "$ 193 million", 1),
        ("193 billion", "$ 193 million", 0),
        ("(5)", "-5", 1),
        ("we won 42 of them", "$42", 1),  # names of currencies stand after the number
        ("42 won", "$42", 0),
        ("\\boxed{42}", "42", 1),
        ("", "5", 0),
        ("no idea", "5", 0),
    ],
)
def test_match(answer: str, reference: str, expected: float) -> None:
    assert numeric_match(answer, reference) == expected


@pytest.mark.parametrize("reference", ["yes", "", "the end of 2009"])
def test_text_reference_is_not_scored(reference: str) -> None:
    assert numeric_match("5", reference) is None


def test_executed_answer_counts_where_it_is_not_the_reference() -> None:
    assert executed_match("24.1%", "24.1%", "0.24") == 0
    assert numeric_match("24.0%", "24.1%") == 0
    assert executed_match("24.0%", "24.1%", "0.24") == 1
    assert executed_match("yes", "yes", "yes") == 1
    assert executed_match("", "no", "no") == 0


@given(st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_every_number_matches_itself_in_every_dress(digits: int, places: int) -> None:
    figure = Decimal(digits).scaleb(-places)
    for text in (f"{figure:f}", f"{figure:,f}", f"{figure:f}%", f"${figure:f} million"):
        assert numeric_match(text, text) == 1


@given(st.text(), st.text())
def test_any_text_gives_zero_one_or_none(answer: str, reference: str) -> None:
    assert numeric_match(answer, reference) in (0, 1, None)
