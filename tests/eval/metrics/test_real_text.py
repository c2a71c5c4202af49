"""Every metric of texts held to an implementation of its own, on answers people wrote."""

from __future__ import annotations

import itertools
import json
import re
import string
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.metrics.echo import echo_rate
from tuneproof.eval.metrics.numeric import numeric_match
from tuneproof.eval.metrics.repetition import distinct_2, loop_rate, repetition_rate
from tuneproof.eval.metrics.rouge import rouge1, rouge2, rouge_l
from tuneproof.eval.metrics.squad import exact_match, token_f1
from tuneproof.eval.metrics.words import words

Pairs = list[tuple[str, str]]


@pytest.fixture(scope="module")
def pairs(dolly: list[dict[str, Any]]) -> Pairs:
    """500 pairs: an answer against another, against a part of it, and against itself reordered."""
    texts = [row["response"][:900] for row in dolly[:500]]
    found = []
    for index, text in enumerate(texts):
        words = text.split()
        other = [texts[index - 1], " ".join(words[: len(words) // 2]), " ".join(reversed(words))]
        found.append((other[index % 3], text))
    return found


def test_rouge_equals_another_library_given_its_tokens(pairs: Pairs) -> None:
    """`rouge` splits at spaces and sentences at full stops: given tokens it must agree."""
    from rouge import Rouge

    other = Rouge(exclusive=False)  # counts repeated words, as Lin's definition does
    compared = 0
    for answer, reference in pairs:
        texts = [" ".join(words(text)) for text in (answer, reference)]
        if not all(texts):
            continue
        [expected] = other.get_scores(*texts)
        assert rouge1(answer, reference) == pytest.approx(expected["rouge-1"]["f"], abs=1e-6)
        assert rouge2(answer, reference) == pytest.approx(expected["rouge-2"]["f"], abs=1e-6)
        assert rouge_l(answer, reference) == pytest.approx(expected["rouge-l"]["f"], abs=1e-6)
        compared += 1
    assert compared > 480


def squad_words(text: str) -> list[str]:
    """The official script: lower case, no punctuation, no articles, single spaces."""
    text = "".join(mark for mark in text.lower() if mark not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def test_squad_metrics_equal_the_official_definition(pairs: Pairs) -> None:
    plain = [tuple(text.encode("ascii", "ignore").decode() for text in pair) for pair in pairs]
    plain = [(answer, reference) for answer, reference in plain if squad_words(reference)]
    for answer, reference in [*plain, *((text, text.upper() + ".") for _, text in plain)]:
        given_, right = squad_words(answer), squad_words(reference)
        assert exact_match(answer, reference) == float(" ".join(given_) == " ".join(right))
        same = sum((Counter(given_) & Counter(right)).values())
        expected = 0.0
        if not given_ or not right:
            expected = float(given_ == right)
        elif same:
            precision, recall = same / len(given_), same / len(right)
            expected = 2 * precision * recall / (precision + recall)
        assert token_f1(answer, reference) == pytest.approx(expected)


def count_tokens(text: str) -> list[str]:
    """Words, and every other mark alone, counted out character by character."""
    found, word = [], ""
    for mark in f"{text.lower()} ":
        if mark.isalnum():
            word += mark
            continue
        if word:
            found.append(word)
            word = ""
        if not mark.isspace():
            found.append(mark)
    return found


def test_repetition_equals_a_count_by_the_definition(pairs: Pairs) -> None:
    texts = [text.encode("ascii", "ignore").decode() for _, text in pairs]
    for text in [*texts, *(f"{text[:60]} " * 4 for text in texts)]:
        words = count_tokens(text)
        fours = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
        fours = [four for four in fours if not set("".join(four)) <= set("-_=*#~|+:()[]{}<>/\\`")]
        repeated = sum(gram in fours[:i] for i, gram in enumerate(fours))
        assert repetition_rate(text) == pytest.approx(repeated / len(fours) if fours else 0)
        twos = [tuple(words[i : i + 2]) for i in range(len(words) - 1)]
        seen = sum(pair not in twos[:i] for i, pair in enumerate(twos))
        assert distinct_2(text) == pytest.approx(seen / len(twos) if twos else float(bool(words)))


def test_numbers_of_finqa_match_themselves_and_hardly_anything_else(shared_data: Path) -> None:
    path = shared_data / "finqa" / "dev.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    answers = [str(row["qa"]["answer"]) for row in json.loads(path.read_text(encoding="utf-8"))]
    scored = [answer for answer in answers if numeric_match(answer, answer) is not None]
    assert len(scored) > 0.9 * len([a for a in answers if re.search(r"\d", a)])
    for answer in scored:
        assert numeric_match(answer, answer) == 1
        assert numeric_match(f"The answer is {answer}.", answer) == 1
    others = [numeric_match(a, b) for a, b in itertools.pairwise(scored)]
    assert np.mean(np.array(others, dtype=float)) < 0.05


def test_topics_score_as_scikit_learn_does(shared_data: Path) -> None:
    import csv

    from sklearn import metrics

    from tuneproof.eval.metrics import label_sets

    path = shared_data / "twitter_topics" / "topic_valid.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with path.open(encoding="utf-8", newline="") as handle:
        right = np.array([int(row["label"]) for row in csv.DictReader(handle)])
    generator = np.random.default_rng(0)
    size = int(right.max()) + 1
    given_ = np.where(generator.random(len(right)) < 0.7, right, generator.permutation(right))
    parts = [
        np.bincount(values, minlength=size).astype(float)
        for values in (right[right == given_], given_, right)
    ]
    for name, average in (("macro_f1", "macro"), ("weighted_f1", "weighted")):
        expected = metrics.f1_score(right, given_, average=average)
        assert getattr(label_sets, name)(*parts) == pytest.approx(expected)
    assert label_sets.matthews(*parts) == pytest.approx(metrics.matthews_corrcoef(right, given_))


texts = st.text(max_size=80)


@given(texts, texts)
def test_what_must_not_matter_does_not(answer: str, reference: str) -> None:
    dressed = f"  {answer}\n\n"
    for metric in (rouge1, rouge2, rouge_l, exact_match, token_f1):
        assert metric(dressed, reference) == metric(answer, reference)
        one, other = metric(answer, reference), metric(reference, answer)
        if one is not None and other is not None:
            assert one == pytest.approx(other)
    for alone in (repetition_rate, loop_rate, distinct_2):
        assert alone(dressed) == alone(answer)
    assert echo_rate(answer, f"{reference}\n\n") == echo_rate(answer, reference)


@given(st.lists(st.sampled_from(["red", "green", "blue", "one", "two"]), min_size=1, max_size=20))
def test_nothing_is_better_than_the_reference_itself(words: list[str]) -> None:
    reference = " ".join(words)
    for metric in (rouge1, rouge_l, exact_match, token_f1):
        assert metric(reference, reference) == 1
        assert metric(f"{reference} extra", reference) < 1
        assert metric(reference.upper() + "!", reference) == 1


@given(st.text(alphabet="\u4e2d\u6587\u00e9\u0301\U0001f600\u202e \t", max_size=30))
def test_any_script_is_scored(text: str) -> None:
    for metric in (rouge1, rouge_l, token_f1):
        assert metric(text, text) in (1, None)
    assert exact_match(text, text) == 1
    assert 0 <= repetition_rate(text) < 1
