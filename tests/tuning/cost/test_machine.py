from __future__ import annotations

import pytest
import torch

from tuneproof.tuning.cost import machine
from tuneproof.tuning.cost.machine import matrix_rate, speed, speed_line
from tuneproof.tuning.cost.meter import Spent


def test_padding_is_no_useful_work() -> None:
    spent = Spent(tokens=600, positions=800, flops=5 * 10**9, head_flops=10**9, seconds=2.0)
    found = speed(spent, 5e9)
    assert found.tokens_per_second == 300
    assert found.share_of_limit == pytest.approx((4e9 * 600 / 800 + 1e9) / 2 / 5e9)
    assert speed_line(found, "bfloat16").startswith("300 tokens/s: 40% of what")


def test_a_share_over_all_is_explained() -> None:
    spent = Spent(tokens=900, positions=300, flops=5 * 10**9, head_flops=0, seconds=2.0)
    assert speed_line(speed(spent, 5e9), "bfloat16").endswith("begin with is computed once")


def test_nothing_trained_is_no_division_by_zero() -> None:
    found = speed(Spent(), 1e9)
    assert found.tokens_per_second == found.share_of_limit == 0


def test_a_rate_is_measured() -> None:
    assert matrix_rate("cpu", "float32") > 1e8


def test_a_rate_is_measured_on_a_gpu_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def rate(device: str, products: str, *size: int) -> float:
        sizes.append(size[0])
        if len(sizes) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 5.0

    monkeypatch.setattr(machine, "_rate", rate)
    assert matrix_rate("cuda:0", "bfloat16") == 5.0
    assert sizes == [8192, 4096, 2048]
