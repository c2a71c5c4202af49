from __future__ import annotations

from dataclasses import replace

import pytest

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.stats.primary import primary_metric
from tuneproof.formats.comparison import Answer, Item


def items(*references: str, label: str | None = None, executed: str = "") -> list[Item]:
    answers = {"base": Answer(text="", label=label)}
    return [
        Item(
            id=str(number),
            task="t",
            instruction="q",
            output=reference,
            group=str(number),
            executed=executed,
            answers=answers,
        )
        for number, reference in enumerate(references)
    ]


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        (("the cat", "a dog", "42"), "rougeL"),
        (("आज मौसम", "Привет"), "rougeL"),
        (("42", "1.234,50 €", "a dog"), "numeric_match"),
        (("今天天气很好", "สวัสดี", "the cat"), "chrf"),
        (("\U0001f44d", "\U0001f44e"), "chrf"),
        (("今天天气很好", "the cat"), "rougeL"),  # half is not most
        (("42", "", ""), "numeric_match"),  # of those that are known
        (("", ""), "stop_rate"),
    ],
)
def test_texts_have_the_metric_that_can_read_them(
    references: tuple[str, ...], expected: str
) -> None:
    assert primary_metric(items(*references)) == expected
    assert expected in METRICS


def test_labels_and_programs_have_their_own() -> None:
    assert primary_metric(items("a", "b", label="a"), with_labels=True) == "accuracy"
    assert primary_metric(items("a", "b"), with_labels=True) == "free_accuracy"
    assert primary_metric(items("rose to 5 a year", "it fell", executed="5")) == "executed_match"
    assert primary_metric(items("5", "it fell", "6", executed="5")) == "numeric_match"


def test_answers_do_not_decide() -> None:
    known = items("the cat", "a dog")
    changed = [replace(item, answers={"base": Answer(text="今天 42")}) for item in known]
    assert primary_metric(changed) == primary_metric(known)
