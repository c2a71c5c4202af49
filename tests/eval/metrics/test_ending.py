from __future__ import annotations

from tuneproof.eval.metrics.ending import length, stop_rate


def test_only_the_end_mark_is_a_stop() -> None:
    assert stop_rate("eos") == 1
    assert stop_rate("length") == 0


def test_length_is_the_number_given() -> None:
    assert length(0) == 0
    assert length(57) == 57
