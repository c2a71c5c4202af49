from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.metrics.repetition import distinct_2, loop_rate, repetition_rate


def test_repetition_rate_of_a_hand_computed_text() -> None:
    # a b c d a b c d: the 4-grams abcd bcda cdab dabc abcd; one of five repeats
    assert repetition_rate("a b c d A B C D") == pytest.approx(1 / 5)


@pytest.mark.parametrize("text", ["", "one two three", "all of these words differ"])
def test_nothing_repeated_is_zero(text: str) -> None:
    assert repetition_rate(text) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes " * 12, 1),
        ("yes " * 11, 0),
        ("It began. " + "and so on, " * 4, 1),
        ("and so on forever " * 2 + "and so on", 0),  # two rounds and three quarters
        ("Fine. " + "we go up and down " * 3 + "we go u", 1),  # cut within a word
        ("and so on, " * 6 + "but then it ended well.", 0),  # not at the end
        ("!" * 20, 1),
        ("ha ha ha", 0),
        ("", 0),
    ],
)
def test_loop_at_the_end(text: str, expected: float) -> None:
    assert loop_rate(text) == expected


def test_distinct_2_of_hand_computed_texts() -> None:
    assert distinct_2("a b a b") == pytest.approx(2 / 3)  # ab ba ab
    assert distinct_2("a b c") == 1
    assert distinct_2("7") == 1
    assert distinct_2("  ") == 0


@given(st.text())
def test_ranges(text: str) -> None:
    assert 0 <= repetition_rate(text) < 1
    assert loop_rate(text) in (0, 1)
    assert 0 <= distinct_2(text) <= 1


@given(st.text(alphabet="abc \u00e9\u4e2d", min_size=1), st.integers(12, 30))
def test_any_words_said_often_enough_are_a_loop(words: str, times: int) -> None:
    if words.split():
        assert loop_rate(f"{words} " * times) == 1


def test_human_answers_hardly_ever_loop(dolly: list[dict[str, Any]]) -> None:
    assert sum(loop_rate(row["response"]) for row in dolly) / len(dolly) < 0.002
