from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.stats.corrections import holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_hand_computed_case() -> None:
    # sorted 0.01 0.02 0.03 0.5: times 4, 3, 2, 1 is 0.04 0.06 0.06 0.5
    assert holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.04]) == [0.04]


@given(p_values)
def test_equals_the_definition_step_by_step(values: list[float]) -> None:
    called, order = set(), sorted(range(len(values)), key=values.__getitem__)
    for step, index in enumerate(order):
        if values[index] * (len(values) - step) >= 0.05:
            break
        called.add(index)
    assert {index for index, p in enumerate(holm(values)) if p < 0.05} == called


@given(p_values)
def test_between_the_plain_value_and_bonferroni_in_the_same_order(values: list[float]) -> None:
    corrected = holm(values)
    for p, found in zip(values, corrected, strict=True):
        assert p <= found <= min(1, p * len(values)) + 1e-12
    order = sorted(range(len(values)), key=values.__getitem__)
    raised = [corrected[index] for index in order]
    assert raised == sorted(raised)
