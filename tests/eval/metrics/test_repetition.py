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


TABLE = "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |"


@pytest.mark.parametrize(
    "text",
    [
        f"{TABLE}\n|---|---|---|---|---|---|---|",
        "| name | value |\n" + "|  |  |  |  |\n" * 6,
        "Total\n" + "-" * 80,
        "=" * 60,
        "Sign here: " + "_" * 40,
        "* * * * * * * * * * * * *",
        "f(((((((((((((x)))))))))))))",
        "[[[[1, 2], [3, 4]]]]" + "]" * 20,
        "- \n" * 15,
        "1. \n" * 15,
        "1. bread\n2. milk\n3. eggs\n4. \n5. \n6. \n7. \n8. \n9. \n10. \n11. \n12. \n13. \n",
        "\u2022 \n" * 15,
        "Chapter" + " \u2014" * 12,
        "\u2500" * 70,
        "- [ ] \n" * 8,
        "a) tea\nb) milk\nc) tea\nd) milk\ne) tea\nf) milk",
    ],
)
def test_rules_lists_and_brackets_are_no_loops(text: str) -> None:
    assert loop_rate(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "-" * 2000,  # nobody draws such a rule
        "| --- " * 400,
        "- the same thing\n" * 6,
        "1. the same thing\n2. the same thing\n3. the same thing\n4. the same thing\n",
        "| yes | no |\n" * 8,
        "(so it goes) " * 5,
        "!" * 12,
        "#" * 60,  # no rule of a table: what small models fall into
        "\n\n\u2026" * 12,
    ],
)
def test_words_in_lists_and_endless_rules_are_loops(text: str) -> None:
    assert loop_rate(text) == 1


def test_rules_are_no_repeated_words() -> None:
    assert repetition_rate("Total\n" + "-" * 80) == 0
    assert repetition_rate("+----+----+----+") == 0
    assert repetition_rate("yes ---- no " * 3) > 0.3


POEM = """The tide goes out, the lamps are lit,
  and the sea, and the sea, goes on.
The child has gone to sleep by it,
  and the sea, and the sea, goes on.
The gulls have left, the nets are dry,
  and the sea, and the sea, goes on.
And no one asks the water why,
  and the sea, and the sea, goes on.
"""


def test_a_refrain_is_repetition_and_no_loop() -> None:
    """Three of the four refrains repeat: 10 tokens of each, of 78 in all."""
    assert loop_rate(POEM) == 0
    assert 0.2 < repetition_rate(POEM) < 0.45
    without = "\n".join(POEM.splitlines()[::2])
    assert repetition_rate(without) == 0
    assert loop_rate(POEM + "  and the sea, and the sea, goes on.\n" * 4) == 1
