from __future__ import annotations

import random

import pytest

from tuneproof.prepdata.near.index import (
    COMMON,
    DuplicateIndex,
    Match,
    Texts,
    are_near,
    jaccard,
    shingles,
)

LONG = "the quick brown fox jumps over the lazy dog while the cat sleeps in the warm sun all day"


class Index:
    """An index of known records, to be asked about one other."""

    def __init__(self, *known: Texts) -> None:
        self._known = known

    def find(self, asked: Texts) -> Match | None:
        texts = [*self._known, asked]
        index = DuplicateIndex(texts, texts.__getitem__)
        for number in range(len(self._known)):
            index.add(number)
        ((_, match),) = index.find([len(self._known)])
        return match


def test_jaccard_of_known_texts() -> None:
    assert shingles("abcdef") == {"abcde", "bcdef"}
    assert shingles("ab") == {"ab"}
    assert shingles("") == set()
    assert jaccard("abcdef", "abcdeg") == 1 / 3
    assert jaccard("", "") == 1.0
    assert jaccard("", "a") == 0.0


def test_same_words_are_a_duplicate_whatever_case_and_punctuation() -> None:
    index = Index(("What is LoRA?", "A text."), ("Why?", ""))
    assert index.find(("what is lora", "A TEXT")) == ("duplicate", 0)
    assert index.find(("What is LoRA?", "")) is None


def test_first_of_exact_duplicates_is_named() -> None:
    assert Index(("a b", ""), ("A B", "")).find(("a b!", "")) == ("duplicate", 0)


def test_slightly_changed_text_is_a_near_duplicate() -> None:
    index = Index(("Sum this up.", LONG))
    assert index.find(("Sum this up.", LONG + " long")) == ("near-duplicate", 0)
    assert index.find((LONG + " long", "")) is None


def test_near_inputs_with_other_questions_are_no_near_duplicates() -> None:
    assert Index(("Who sleeps?", LONG)).find(("Who jumps over it?", LONG)) is None


def test_other_years_make_another_question() -> None:
    question = "what was the percentage change in net revenue from {} to {}?"
    index = Index((question.format(2009, 2010), LONG))
    assert index.find((question.format(2010, 2011), LONG)) is None
    assert index.find((question.format(2009, 2010) + " ", LONG + " x")) is not None


@pytest.mark.parametrize(
    ("one", "other"), [("3 + 4", "3 - 4"), ("7/2", "7*2"), ("!!!", "???"), ("2 < 3", "2 > 3")]
)
def test_other_signs_make_another_question(one: str, other: str) -> None:
    assert Index((one, "")).find((other, "")) is None
    assert Index((one, "")).find((one, "")) == ("duplicate", 0)


def test_near_needs_both_texts_at_the_threshold() -> None:
    assert are_near(("ask", LONG), ("ask", LONG + " x"))
    assert not are_near(("ask", LONG), ("ask", LONG[:60]))
    assert not are_near(("ask", LONG), ("tell", LONG))


def test_near_duplicates_are_found_among_many_that_share_their_input() -> None:
    rng = random.Random(1)
    words = [f"word{letter}{other}" for letter in "abcdefgh" for other in "abcdefgh"]
    known = [(" ".join(rng.choices(words, k=12)), "<noinput>") for _ in range(5 * COMMON)]
    index = Index(*known)
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

    index = DuplicateIndex(known, texts_of)
    asked = 0
    for number, _ in index.find(range(500)):
        index.add(number)
    assert asked < 500 * (COMMON + 40)


def test_what_was_just_asked_about_may_be_added_and_is_found_from_then_on() -> None:
    texts = [("ask", LONG), ("ask", LONG + " x"), ("ask", LONG), ("ask", LONG + " x")]
    index = DuplicateIndex(texts, texts.__getitem__)
    found = []
    for number, match in index.find(range(4)):
        found.append(match)
        if match is None:
            index.add(number)
    assert found == [None, ("near-duplicate", 0), ("duplicate", 0), ("near-duplicate", 0)]


def test_first_of_several_near_records_is_named() -> None:
    texts = [("ask", f"{LONG} {word}") for word in ("a", "b", "c")]
    index = DuplicateIndex(texts, texts.__getitem__)
    index.add(1)
    index.add(0)
    assert [*index.find([2])] == [(2, ("near-duplicate", 0))]


def test_exact_repeats_make_no_input_common(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Texts] = []
    monkeypatch.setattr(
        "tuneproof.prepdata.near.index.are_near", lambda _, other: compared.append(other)
    )
    texts = [("topic?", LONG)] * (COMMON + 5)
    texts += [("topic?", f"{number} things of {number * 997}") for number in range(100)]
    index = DuplicateIndex(texts, texts.__getitem__)
    for number, match in index.find(range(len(texts))):
        if match is None:
            index.add(number)
    assert compared.count(("topic?", LONG)) == 0
