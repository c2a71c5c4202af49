"""Charts: round ticks that hold the values, and points where they belong."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.svg import Curve, bars, curves, number, ticks

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 5, [0, 1, 2, 3, 4, 5]), (0.1, 0.9, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), (3, 3, None)],
)
def test_ticks_are_round(low: float, high: float, expected: list[float] | None) -> None:
    found = ticks(low, high)
    assert found[0] <= low <= high <= found[-1]
    if expected is not None:
        assert found == pytest.approx(expected)


@given(NUMBERS, NUMBERS)
def test_ticks_hold_all_values_between_them(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high)
    reach = 1e-6 * max(1.0, abs(low), abs(high))
    assert found[0] <= low + reach
    assert found[-1] >= high - reach
    assert 2 <= len(found) <= 9


def test_higher_values_stand_higher() -> None:
    chart = curves("y", "x", [Curve(name="a", points=[(0, 1), (1, 3), (2, 2)])])
    points = re.search(r'points="([^"]+)"', chart)
    assert points is not None
    heights = [float(point.split(",")[1]) for point in points[1].split()]
    assert heights[1] < heights[2] < heights[0]


def test_what_is_no_number_is_left_out() -> None:
    assert curves("y", "x", [Curve(name="a", points=[(0, math.nan)])]) == ""
    assert "nan" not in curves("y", "x", [Curve(name="a", points=[(0, math.nan), (1, 2)])])


def test_bars_say_their_counts_and_escape_texts() -> None:
    chart = bars("n", [("<b>", [3, 0]), ("c", [1, 2])], ("train", "test"))
    assert "<b>" not in chart
    assert "train, &lt;b&gt;: 3" in chart
    assert chart.count("<rect") == 4 + 2  # and the legend
    assert bars("n", []) == ""


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0005, "0.0005"), (1200.0, "1,200"), (0.25, "0.25"), (2e8, "2e+08")]
)
def test_numbers_of_axes_are_short(value: float, expected: str) -> None:
    assert number(value) == expected
