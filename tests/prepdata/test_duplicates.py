from __future__ import annotations

import random

import pytest

from prepdata.duplicates import COMMON, DuplicateIndex, Texts, are_near, jaccard, shingles

LONG = "the quick brown fox jumps over the lazy dog while the cat sleeps in the warm sun all day"


def index_of(*known: Texts) -> DuplicateIndex:
    index = DuplicateIndex(lambda number: known[number])
    for number, texts in enumerate(known):
        index.add(number, texts)
    return index


def test_jaccard_of_known_texts() -> None:
    assert shingles("abcdef") == {"abcde", "bcdef"}
    assert shingles("ab") == {"ab"}
    assert shingles("") == set()
    assert jaccard("abcdef", "abcdeg") == 1 / 3
    assert jaccard("", "") == 1.0
    assert jaccard("", "a") == 0.0


def test_same_words_are_a_duplicate_whatever_case_and_punctuation() -> None:
    index = index_of(("What is LoRA?", "A text."), ("Why?", ""))
    assert index.find(("what is lora", "A TEXT")) == ("duplicate", 0)
    assert index.find(("What is LoRA?", "")) is None


def test_first_of_exact_duplicates_is_named() -> None:
    assert index_of(("a b", ""), ("A B", "")).find(("a b!", "")) == ("duplicate", 0)


def test_slightly_changed_text_is_a_near_duplicate() -> None:
    index = index_of(("Sum this up.", LONG))
    assert index.find(("Sum this up.", LONG + " long")) == ("near-duplicate", 0)
    assert index.find((LONG + " long", "")) is None


def test_near_inputs_with_other_questions_are_no_near_duplicates() -> None:
    assert index_of(("Who sleeps?", LONG)).find(("Who jumps over it?", LONG)) is None


def test_other_years_make_another_question() -> None:
    question = "what was the percentage change in net revenue from {} to {}?"
    index = index_of((question.format(2009, 2010), LONG))
    assert index.find((question.format(2010, 2011), LONG)) is None
    assert index.find((question.format(2009, 2010) + " ", LONG + " x")) is not None


@pytest.mark.parametrize(
    ("one", "other"), [("3 + 4", "3 - 4"), ("7/2", "7*2"), ("!!!", "???"), ("2 < 3", "2 > 3")]
)
def test_other_signs_make_another_question(one: str, other: str) -> None:
    assert index_of((one, "")).find((other, "")) is None
    assert index_of((one, "")).find((one, "")) == ("duplicate", 0)


def test_near_needs_both_texts_at_the_threshold() -> None:
    assert are_near(("ask", LONG), ("ask", LONG + " x"))
    assert not are_near(("ask", LONG), ("ask", LONG[:60]))
    assert not are_near(("ask", LONG), ("tell", LONG))


def test_near_duplicates_are_found_among_many_that_share_their_input() -> None:
    rng = random.Random(1)
    words = [f"word{letter}{other}" for letter in "abcdefgh" for other in "abcdefgh"]
    known = [(" ".join(rng.choices(words, k=12)), "<noinput>") for _ in range(5 * COMMON)]
    index = index_of(*known)
    for number, (instruction, context) in enumerate(known):
        assert index.find((instruction, context)) == ("duplicate", number)
        assert index.find((instruction + " x", context)) == ("near-duplicate", number)
    assert index.find((" ".join(words), "<noinput>")) is None


def test_texts_of_candidates_are_asked_for_seldom_where_many_share_their_input() -> None:
    asked = 0
    known = [(f"{'abcdefghijklmnop'[n % 16] * 9} {n}", "same") for n in range(500)]

    def texts_of(number: int) -> Texts:
        nonlocal asked
        asked += 1
        return known[number]

    index = DuplicateIndex(texts_of)
    for number, texts in enumerate(known):
        index.find(texts)
        index.add(number, texts)
    assert asked < 500 * (COMMON + 40)
