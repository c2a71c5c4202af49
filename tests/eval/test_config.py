from __future__ import annotations

import pytest

from tuneproof.eval.config import ReportConfig


def test_draws_are_enough_for_a_small_p_value() -> None:
    assert ReportConfig(resamples=100).draws == 2000
    assert ReportConfig().draws == 10_000
    assert ReportConfig(confidence=0.999).draws == 100_000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"resamples": 10}, "resamples must be 100 or more, got 10"),
        ({"confidence": 95.0}, "got 95.0; type 0.95 for 95 %"),
        ({"confidence": 1.0}, "below 1"),
    ],
)
def test_impossible_values_are_rejected(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReportConfig(**values)  # type: ignore[arg-type]
