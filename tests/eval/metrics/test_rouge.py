from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneproof.eval.metrics.rouge import longest_common_subsequence, rouge1, rouge2, rouge_l

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
@pytest.mark.parametrize(("answer", "reference"), [("", "a b"), ("a b", ""), ("", ""), ("!", "?")])
def test_empty_texts_score_zero(metric: Any, answer: str, reference: str) -> None:
    assert metric(answer, reference) == 0


@given(st.text(), st.text())
def test_range_and_symmetry(first: str, second: str) -> None:
    for metric in METRICS:
        assert 0 <= metric(first, second) <= 1
        assert metric(first, second) == pytest.approx(metric(second, first))


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


@pytest.mark.slow
def test_equals_rouge_score_on_real_text(dolly: list[dict[str, Any]]) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    texts = [row["response"][:1500] for row in dolly[:400]]
    for answer, reference in zip(texts, [*texts[1:], texts[0]], strict=True):
        expected = scorer.score(reference, answer)
        assert rouge1(answer, reference) == expected["rouge1"].fmeasure
        assert rouge2(answer, reference) == expected["rouge2"].fmeasure
        assert rouge_l(answer, reference) == expected["rougeL"].fmeasure


@settings(deadline=None)  # the first example imports rouge_score
@given(st.text(), st.text())
def test_equals_rouge_score_on_any_text(answer: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    expected = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(reference, answer)
    found = (rouge1(answer, reference), rouge2(answer, reference), rouge_l(answer, reference))
    assert found == tuple(expected[name].fmeasure for name in ("rouge1", "rouge2", "rougeL"))
