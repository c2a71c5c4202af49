from __future__ import annotations

import pytest

from tuneproof.eval.report import wording
from tuneproof.formats.figures import Figure, Verdict

NONE: Verdict = "no measurable difference"


@pytest.mark.parametrize(
    ("unit", "gain", "expected"),
    [
        ("score", (0.113, 0.09, 0.14, "better"), "X rose by 0.113 (0.090 to 0.140): better"),
        (
            "share",
            (-0.5, -0.625, -0.25, "better"),
            "X fell by 50.0 points (25.0 to 62.5): better",
        ),
        (
            "tokens",
            (-87.4, -90.0, -80.25, "different"),
            "X fell by 87.4 tokens (80.2 to 90.0): different",
        ),
        (
            "score",
            (-0.004, -0.02, 0.03, NONE),
            "X changed by \N{MINUS SIGN}0.004 (\N{MINUS SIGN}0.020 to 0.030): " + NONE,
        ),
        ("share", (0.5, None, None, NONE), f"X changed by +50.0 pp (no interval): {NONE}"),
    ],
)
def test_sentence(unit: str, gain: tuple[float, float, float, Verdict], expected: str) -> None:
    value, low, high, verdict = gain
    figure = Figure(value=value, low=low, high=high)
    assert wording.sentence("X", unit, figure, verdict) == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(0.4125, "share", "41.2 %"), (0.4125, "score", "0.412"), (58.25, "words", "58.2")],
)
def test_amount(value: float, unit: str, expected: str) -> None:
    assert wording.amount(value, unit) == expected


def test_negative_zero_is_zero() -> None:
    assert wording.change(-0.00001, "score") == "0.000"
    assert wording.change(-0.00001, "share") == "0.0 pp"


def test_p_values() -> None:
    assert wording.p_value(0.0002) == "< 0.001"
    assert wording.p_value(0.0312) == "0.031"


def test_counted() -> None:
    assert wording.counted(1, "item") == "1 item"
    assert wording.counted(1200, "item") == "1,200 items"
