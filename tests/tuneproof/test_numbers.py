from __future__ import annotations

from decimal import Decimal

import pytest

from tuneproof.numbers import (
    agrees,
    agrees_with_value,
    find_number,
    is_value,
    parse_number,
    states_value,
)


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
        ("4 or 5 kg", None),
        ("\N{NON-BREAKING HYPHEN}5", "-5"),
        ("\N{FULLWIDTH HYPHEN-MINUS}5", "-5"),
        ("minus 12", "-12"),
        (r"42\%", "0.42"),
        ("10^6", "1000000"),
        ("1\u51042000\u4e07", "120000000"),
        ("3\uc5b5 5000\ub9cc", "350000000"),
        ("12:30", None),
    ],
)
def test_reference_is_one_number_or_is_not_scored(text: str, value: str | None) -> None:
    number = parse_number(text)
    assert (None if number is None else number.value) == (None if value is None else Decimal(value))


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
        ("pages 5, 10", "10"),
        ("it fell to 40 from 42", "40"),
        ("more than 40", "40"),
        ("3 x 10 = 30", "30"),
        ("5 - 10 = -5", "-5"),
        ("it increased $34.2 million to $53.4 million", "53.4"),
        ("\u6e29\u5ea6\u662f25\u5ea6", "25"),
        ("1,2,3", None),
        ("the 1990s, the 3rd quarter", None),
        ("version v2 of x86", None),
        ("a ratio of 1.5x", "1.5"),
        ("none", None),
        ("1/2", None),
        ("1 / 2", None),
        (r"\frac{1}{2}", None),
        ("2^3", None),
        ("10^100", None),
        ("10 / 2 = 5", "5"),
        ("$5/unit", "5"),
        ("negative 12", "-12"),
        ("7 minus 2 is 5", "5"),
        ("The answer is 42.\n\n#### Step 1\nAdd 40 and 2.", "42"),
        ("#### Step 3: Total\nThe total is 42.", "42"),
        ("#### Solution\n40 + 2 = 42", "42"),
        ("We had 7.\n#### 42", "42"),
    ],
)
def test_which_number_an_answer_gives(text: str, figure: str | None) -> None:
    number = find_number(text)
    assert (None if number is None else number.figure) == (
        None if figure is None else Decimal(figure)
    )


def test_number_keeps_what_was_written() -> None:
    number = find_number("a loss of ($ 1,200 million)")
    assert number is not None
    assert (number.written, number.value) == ("($ 1,200 million)", Decimal(-1_200_000_000))


@pytest.mark.parametrize(
    ("answer", "value", "written", "expected"),
    [
        ("34.7%", "0.34719", "34.7%", True),
        ("34.72%", "0.34719", "34.7%", True),
        ("0.347", "0.34719", "34.7%", True),
        ("34.7", "0.34719", "34.7%", True),
        ("35%", "0.34719", "34.7%", False),  # fewer digits than the reference shows
        ("34.8%", "0.34719", "34.8%", False),  # the reference is wrong, the program is not
        ("27.9%", "0.279", "27.9", True),  # the reference lacks its percent sign
        ("27.9", "0.279", "27.9", True),
        ("0.279", "0.279", "27.9", True),
        ("0.5", "0.279", "27.9", False),
        ("193", "193", "$ 193 million", True),
        ("193 million", "193000000", "$ 193 million", True),
        ("-19.4%", "-0.19355", "19.4%", True),
        ("19.4%", "-0.19355", "19.4%", False),  # a fall is no rise
        ("112.5 stores", "112.5", "101 stores created per year", True),
        ("112.6 stores", "112.5", "101 stores created per year", False),
        ("$ 386.8 million", "386797189.66", "as said above", True),
        ("387 million", "386797189.66", "as said above", False),
        ("0", "0", "none", True),
        ("Yes, it did.", "yes", "yes", True),
        ("No.", "yes", "yes", False),
        ("not at all", "no", "no", False),
        ("none", "5", "5", False),
    ],
)
def test_answer_gives_an_executed_value(
    answer: str, value: str, written: str, expected: bool
) -> None:
    assert states_value(answer, value, written) is expected


def test_zero_is_near_itself_only() -> None:
    (zero, other) = parse_number("0"), parse_number("0.01")
    assert zero is not None and other is not None
    assert agrees_with_value(zero, Decimal(0), None)
    assert not agrees_with_value(other, Decimal(0), None)


def test_values_are_numbers_without_unit_or_yes_or_no() -> None:
    assert all(map(is_value, ("5", "-0.05", "yes", "no")))
    assert not any(map(is_value, ("", "5%", "1e5", "maybe", "nan", ".5")))


@pytest.mark.parametrize(
    ("answer", "target", "agree"),
    [
        ("2652528598121910586363084800000", "2652528598121910586363084800001", False),
        ("2652528598121910586363084800001", "2652528598121910586363084800001", True),
        ("600000", "10^6", False),
        ("10^40", "10^40", True),
        ("10^40", "10^41", False),
        ("1000000", "10^6", True),
        ("5 cents", "$5", False),
        ("1\u51042000\u4e07", "120 million", True),
        ("1\u51042000\u4e07", "2000\u4e07", False),
    ],
)
def test_no_digit_is_passed_over(answer: str, target: str, agree: bool) -> None:
    found, wanted = find_number(answer), parse_number(target)
    assert found is not None and wanted is not None
    assert agrees(found, wanted) == agree
