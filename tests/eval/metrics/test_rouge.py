from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneproof.eval.metrics.rouge import longest_common_subsequence, rouge1, rouge2, rouge_l
from tuneproof.eval.metrics.words import words

METRICS = (rouge1, rouge2, rouge_l)


def test_hand_computed_values() -> None:
    answer, reference = "the cat sat on the mat", "the cat lay on a mat"
    # 4 shared words (the, cat, on, mat) of 6 and 6; 1 shared pair of 5 and 5; subsequence of 4
    assert rouge1(answer, reference) == pytest.approx(2 / 3)
    assert rouge2(answer, reference) == pytest.approx(1 / 5)
    assert rouge_l(answer, reference) == pytest.approx(2 / 3)


def test_order_matters_to_rouge_l_only() -> None:
    assert rouge1("c b a", "a b c") == 1
    assert rouge_l("c b a", "a b c") == pytest.approx(1 / 3)


def test_case_and_punctuation_are_ignored() -> None:
    assert all(metric("Hello, World!", "hello world") == 1 for metric in METRICS)


def test_words_are_not_stemmed() -> None:
    assert rouge1("cats", "cat") == 0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("answer", ["", "!", "\U0001f44d"])
def test_answers_without_a_word_score_zero(metric: Any, answer: str) -> None:
    assert metric(answer, "a b") == 0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("reference", ["", "?", "\U0001f44d", "---"])
def test_references_without_a_word_are_not_scored(metric: Any, reference: str) -> None:
    assert metric("a b", reference) is None
    assert metric(reference, reference) is None


@given(st.text(), st.text())
def test_range_and_symmetry(first: str, second: str) -> None:
    for metric in METRICS:
        one, other = metric(first, second), metric(second, first)
        assert (one is None) == (not words(second))
        if one is not None and other is not None:
            assert 0 <= one <= 1
            assert one == pytest.approx(other)


tokens = st.lists(st.sampled_from("abcd"), max_size=90).map(tuple)


@given(tokens, tokens)
def test_subsequence_equals_the_table_method(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            longer = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else longer
    assert longest_common_subsequence(first, second) == table[-1][-1]


def has_other_letters(text: str) -> bool:
    """Whether `rouge_score` leaves out letters or digits of the text, or what joins them."""
    return any(
        (c.isalnum() or unicodedata.category(c)[0] in "MNC") and not c.isascii() for c in text
    )


@pytest.mark.slow
def test_equals_rouge_score_on_real_text(dolly: list[dict[str, Any]]) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    texts = [row["response"][:1500] for row in dolly[:1000]]
    texts = [text for text in texts if not has_other_letters(text)]
    assert len(texts) > 900
    assert any(not text.isascii() for text in texts)  # quotes and dashes
    for answer, reference in zip(texts, [*texts[1:], texts[0]], strict=True):
        expected = scorer.score(reference, answer)
        assert rouge1(answer, reference) == expected["rouge1"].fmeasure
        assert rouge2(answer, reference) == expected["rouge2"].fmeasure
        assert rouge_l(answer, reference) == expected["rougeL"].fmeasure


english = st.text(
    st.characters(codec="ascii")
    | st.sampled_from("\u2019\u201c\u201d\u2013\u2014\u2026\u20ac\u2122\u00a0")
)


@settings(deadline=None)  # the first example imports rouge_score
@given(english, english)
def test_equals_rouge_score_on_any_text_of_ascii_letters(answer: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    expected = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(reference, answer)
    values = (rouge1(answer, reference), rouge2(answer, reference), rouge_l(answer, reference))
    if words(reference):
        assert values == tuple(expected[name].fmeasure for name in ("rouge1", "rouge2", "rougeL"))
    else:
        assert values == (None, None, None)
