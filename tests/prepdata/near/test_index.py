from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.prepdata.near import pairs
from tuneproof.prepdata.near.comparing import Match, SamenessRule, Texts, jaccard, shingles
from tuneproof.prepdata.near.index import COMMON, DuplicateIndex

LONG = "the quick brown fox jumps over the lazy dog while the cat sleeps in the warm sun all day"


class Index:
    """An index of known records, to be asked about one other."""

    def __init__(self, *known: tuple[str, ...]) -> None:
        self._known = known

    def find(self, asked: tuple[str, ...]) -> Match | None:
        texts = [Texts(*parts) for parts in (*self._known, asked)]
        index = DuplicateIndex(len(texts), texts.__getitem__)
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Compute the value.", "7 - 2"), ("Compute the value.", "7 * 2")),
        (("Is it freezing?", "-5 °C"), ("Is it freezing?", "5 °C")),
        (("Is it -5 or warmer?", ""), ("Is it 5 or warmer?", "")),
        (("How far is it?", "by -$5 to 9"), ("How far is it?", "by $5 to 9")),
    ],
)
def test_a_minus_or_a_product_makes_another_question(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert Index(one).find(other) is None


def test_dashes_and_stars_elsewhere_do_not() -> None:
    index = Index(("From 10-12 May, a well-known * thing?", ""))
    assert index.find(("From 10\u201312 May, a well known thing", "")) is not None


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
        return Texts(*known[number])

    index = DuplicateIndex(len(known), texts_of)
    asked = 0
    for number, _ in index.find(range(500)):
        index.add(number)
    assert asked < 500 * (COMMON + 40)


def test_what_was_just_asked_about_may_be_added_and_is_found_from_then_on() -> None:
    texts = [Texts("ask", text) for text in (LONG, LONG + " x", LONG, LONG + " x")]
    index = DuplicateIndex(len(texts), texts.__getitem__)
    found = []
    for number, match in index.find(range(4)):
        found.append(match)
        if match is None:
            index.add(number)
    assert found == [None, ("near-duplicate", 0), ("duplicate", 0), ("near-duplicate", 0)]


def test_first_of_several_near_records_is_named() -> None:
    texts = [Texts("ask", f"{LONG} {word}") for word in ("a", "b", "c")]
    index = DuplicateIndex(len(texts), texts.__getitem__)
    index.add(1)
    index.add(0)
    assert [*index.find([2])] == [(2, ("near-duplicate", 0))]


def test_exact_repeats_make_no_input_common(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Texts] = []
    monkeypatch.setattr(SamenessRule, "are_near", lambda _, one, other: compared.append(other))
    texts = [Texts("topic?", LONG)] * (COMMON + 5)
    texts += [Texts("topic?", f"{number} things of {number * 997}") for number in range(100)]
    index = DuplicateIndex(len(texts), texts.__getitem__)
    for number, match in index.find(range(len(texts))):
        if match is None:
            index.add(number)
    assert compared.count(Texts("topic?", LONG)) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Say hello in C++.", "Say hello in C#."),
        ("I like it 😀", "I like it 😡"),
        ("5 € off", "5 $ off"),
    ],
)
def test_signs_that_are_no_punctuation_tell_questions_apart(one: str, other: str) -> None:
    assert Index((one, "")).find((other, "")) is None


def test_same_question_with_another_answer_is_no_repeat_unless_it_is_held_out() -> None:
    texts = [Texts("Why?", "", answer) for answer in ("So.", "Thus.", "so", "Thus.")]
    index = DuplicateIndex(4, texts.__getitem__)
    index.add(0)
    matches = []
    for number, match in index.find((1, 2, 3)):
        matches.append(match)
        if match is None:
            assert index.has_other_answer(number)
            index.add(number)
    assert matches == [None, ("duplicate", 0), ("duplicate", 1)]
    index = DuplicateIndex(4, texts.__getitem__)
    index.add(0, is_held_out=True)
    assert [match for _, match in index.find((1, 2))] == [("duplicate", 0)] * 2


def test_exact_index_finds_no_near_ones() -> None:
    texts = [Texts("ask", LONG), Texts("ask", LONG + " x"), Texts("Ask!", LONG)]
    index = DuplicateIndex(3, texts.__getitem__, is_exact=True)
    index.add(0)
    assert [match for _, match in index.find((1, 2))] == [None, ("duplicate", 0)]


def test_threshold_decides_what_is_near() -> None:
    texts = [Texts("ask", LONG), Texts("ask", f"{LONG} and a breeze blows from north")]
    for threshold, match in ((0.8, None), (0.65, ("near-duplicate", 0))):
        index = DuplicateIndex(2, texts.__getitem__, threshold=threshold)
        index.add(0)
        assert [*index.find([1])] == [(1, match)]


def test_rows_of_one_template_are_told_apart_by_what_is_filled_in() -> None:
    kinds = ("sales", "repair", "farming", "teaching", "transport", "nursing")
    texts = []
    for n in range(60):
        age, kind = 20 + n // 6, kinds[n % 6]
        text = f"The age of the person is {age}. The occupation of the person is {kind}."
        texts.append(
            Texts("", f"{text} The country of the person is {'abcdef'[n % 4]}land.", "high")
        )
    index = DuplicateIndex(len(texts), texts.__getitem__)
    for number, match in index.find(range(len(texts))):
        assert match is None
        index.add(number)


def test_repeats_are_found_and_what_only_looks_like_one_is_not() -> None:
    made = pairs.pairs()
    assert len(made) >= 600
    by_kind = pairs.found(made)
    recall, precision = pairs.rates(by_kind)
    assert recall >= 0.95
    assert precision >= 0.97
    assert all(sum(by_kind[kind]) >= 0.7 * len(by_kind[kind]) for kind in pairs.REPEATS)
    assert {kind: sum(by_kind[kind]) for kind in pairs.OTHERS} == dict.fromkeys(pairs.OTHERS, 0)


NEWS = "Shares of the big online shop slide as police look into how data of its customers were lost"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NEWS, f"JUST IN: {NEWS}"),
        (f"LOOK: {NEWS}", f"Breaking news: {NEWS}"),
        (NEWS, f"{NEWS} - FT"),
        (NEWS, f"{NEWS} (via @who)"),
    ],
)
def test_message_that_a_newsroom_sends_again_is_a_repeat(one: str, other: str) -> None:
    comparison = SamenessRule()
    assert comparison.are_near(Texts("Which topic?", one, "a"), Texts("Which topic?", other, "a"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{NEWS} - US", f"{NEWS} - UK"),
        (NEWS, f"FALSE: {NEWS}"),
    ],
)
def test_other_beginnings_and_ends_tell_messages_apart(one: str, other: str) -> None:
    comparison = SamenessRule()
    ones, others = (Texts("Which topic?", text, "a") for text in (one, other))
    assert not comparison.are_near(ones, others)


def test_docs_have_the_table_of_the_labelled_pairs() -> None:
    docs = (Path(__file__).parents[3] / "docs" / "your-data.md").read_text(encoding="utf-8")
    assert pairs.table() in docs
