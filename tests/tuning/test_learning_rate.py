"""The learning rate where none is given."""

from __future__ import annotations

import pytest

from tuneproof.tuning.learning_rate import default_learning_rate


@pytest.mark.parametrize(("width", "rate"), [(256, 2.5e-3), (768, 1.1e-3), (4096, 2.9e-4)])
def test_wider_models_get_less(width: int, rate: float) -> None:
    assert default_learning_rate(width, is_adapter=True) == rate


def test_all_weights_need_a_tenth_of_an_adapter() -> None:
    full = default_learning_rate(2000, is_adapter=False)
    assert full * 10 == pytest.approx(default_learning_rate(2000, is_adapter=True))
