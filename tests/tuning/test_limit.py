from __future__ import annotations

import pytest

from tuning.limit import matrix_rate, speed, speed_line


def test_padding_is_no_useful_work() -> None:
    result = {"tokens_seen": 600, "positions_seen": 800, "flops": 4e9, "train_seconds": 2.0}
    found = speed(result, 5e9)
    assert found["tokens_per_second"] == 300
    assert found["share_of_limit"] == pytest.approx(4e9 * 600 / 800 / 2 / 5e9)
    assert speed_line(found, is_bf16=True).startswith("300 tokens/s: 30% of what")


def test_nothing_trained_is_no_division_by_zero() -> None:
    found = speed({"tokens_seen": 0, "positions_seen": 0, "flops": 0, "train_seconds": 0.0}, 1e9)
    assert found["tokens_per_second"] == found["share_of_limit"] == 0


def test_a_rate_is_measured() -> None:
    assert matrix_rate("cpu", is_bf16=False) > 1e8
