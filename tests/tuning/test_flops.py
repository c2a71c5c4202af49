from __future__ import annotations

from tuning.flops import training

PARAMETERS = {"trainable": 10, "total": 100}


def test_gradients_are_passed_on_through_all_layers() -> None:
    assert training(PARAMETERS, 3) == 3 * (4 * 100 + 2 * 10)


def test_head_alone_costs_the_forward_pass() -> None:
    assert training(PARAMETERS, 3, reaches_layers=False) == 3 * 2 * 100
