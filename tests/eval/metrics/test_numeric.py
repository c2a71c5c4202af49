from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics.numeric import find_number, numeric_match, parse_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("127.40", "127.40"),
        ("1,234,567.8", "1234567.8"),
        ("$ 193 million", "193000000"),
        ("$2.5 Billion", "2500000000"),
        ("-3.2%", "-0.032"),
        ("\N{MINUS SIGN}3.2 %", "-0.032"),
        ("- 3.2 percent", "-0.032"),
        ("$-5", "-5"),
        ("(1,234)", "-1234"),
        ("$(12.5) million.", None),
        ("($ 12.5) ", "-12.5"),
        (".5", "0.5"),
        ("yes", None),
        ("", None),
        ("101 stores", None),
        ("4 or 5", None),
        ("2009-2010", None),
    ],
)
def test_reference_is_one_number_or_is_not_scored(text: str, value: str | None) -> None:
    number = parse_number(text)
    assert (None if number is None else number.value) == (None if value is None else Decimal(value))


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
        ("", "5", 0),
        ("no idea", "5", 0),
    ],
)
def test_match(answer: str, reference: str, expected: float) -> None:
    assert numeric_match(answer, reference) == expected


@pytest.mark.parametrize("reference", ["yes", "", "the end of 2009"])
def test_text_reference_is_not_scored(reference: str) -> None:
    assert numeric_match("5", reference) is None


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("637 / 5 = 127.4", "127.4"),
        ("from 2007 to 2008 it grew 12.4%", "12.4"),
        ("it grew 12.4% in 2008", "12.4"),
        ("2008", "2008"),
        ("12.4%\n\nIn 2009 there were 7 more", "12.4"),
        ("We add 3 and 4.\nThe answer is 7, not 8.", "7"),
        ("#### 42", "42"),
        ("Answer: -3", "-3"),
        ("the loss was (12.5)", "-12.5"),
        ("it rose by 40 (12.5%)", "12.5"),
        ("pages 5-10", "10"),
        ("the 1990s, the 3rd quarter", None),
        ("version v2 of x86", None),
        ("a ratio of 1.5x", "1.5"),
        ("none", None),
    ],
)
def test_which_number_an_answer_gives(text: str, figure: str | None) -> None:
    number = find_number(text)
    assert (None if number is None else number.figure) == (
        None if figure is None else Decimal(figure)
    )


@given(st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_every_number_matches_itself_in_every_dress(digits: int, places: int) -> None:
    figure = Decimal(digits).scaleb(-places)
    for text in (f"{figure:f}", f"{figure:,f}", f"{figure:f}%", f"${figure:f} million"):
        assert numeric_match(text, text) == 1


@given(st.text(), st.text())
def test_any_text_gives_zero_one_or_none(answer: str, reference: str) -> None:
    assert numeric_match(answer, reference) in (0, 1, None)
