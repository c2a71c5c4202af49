from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneproof.eval.score import count_answers, count_scored, score
from tuneproof.eval.units import group_numbers
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.report import AnswerCounts

Write = Callable[..., Path]


def test_values_stand_by_item_and_variant(document: dict[str, Any], write: Write) -> None:
    scores = score(read_comparison(write(document)))
    assert scores.values["exact_match"][:, 0].tolist() == [0] * 12
    assert scores.values["exact_match"][:, 1].tolist() == [1] * 8 + [0] * 4
    assert scores.values["loop_rate"].mean(axis=0).tolist() == [1, 0]
    assert scores.values["stop_rate"].mean(axis=0).tolist() == [0, 1]
    assert scores.values["length"].mean(axis=0).tolist() == [200, 3]
    assert scores.length_unit == "tokens"


def test_metrics_without_what_they_need_say_why(write: Write) -> None:
    rows = [{"prompt": "p", "fine_tuned": "one two", "regular": "one two three"}]
    scores = score(read_comparison(write(rows)))
    assert scores.not_available["rougeL"] == "no item has a reference"
    assert scores.not_available["numeric_match"] == "no item has a reference"
    assert scores.not_available["stop_rate"] == "no answer says why it ended (finish_reason)"
    assert not set(scores.values) & set(scores.not_available)
    assert scores.length_unit == "words"
    assert scores.values["length"].tolist() == [[3, 2]]


def test_numeric_match_needs_a_number(document: dict[str, Any], write: Write) -> None:
    scores = score(read_comparison(write(document)))
    assert scores.not_available == {"numeric_match": "no item has a number as its reference"}


def test_only_items_with_a_reference_are_scored(document: dict[str, Any], write: Write) -> None:
    document["items"][0]["reference"] = None
    document["items"][1]["reference"] = "12"
    scores = score(read_comparison(write(document)))
    assert np.isnan(scores.values["rougeL"][0]).all()
    assert (~np.isnan(scores.values["numeric_match"][:, 0])).sum() == 1
    assert not np.isnan(scores.values["repetition_rate"]).any()


def test_counts(document: dict[str, Any], write: Write) -> None:
    document["items"][0] |= {"reference": None, "truncated": True}
    counts = count_answers(read_comparison(write(document)), None)
    assert counts.items == 12
    assert counts.without_reference == 1
    assert counts.truncated_inputs == 1
    assert counts.variants["base"] == AnswerCounts(empty=0, stopped=0, cut=12, tokens=2400)
    assert counts.variants["tuned"].empty == 1


def test_what_a_mean_leaves_out_is_counted(document: dict[str, Any], write: Write) -> None:
    document["items"][0]["reference"] = None
    document["items"][1]["reference"] = "12"
    comparison = read_comparison(write(document))
    scores = score(comparison)
    everything = np.ones(12, dtype=bool)

    def counts(metric: str, chosen: np.ndarray = everything) -> tuple[int, ...]:
        return tuple(count_scored(comparison, scores, metric, "tuned", chosen).values())

    assert counts("rougeL") == (1, 0, 1)  # without a reference, not scored otherwise, empty
    assert counts("numeric_match") == (1, 10, 0)
    assert counts("repetition_rate") == (0, 0, 1)
    assert counts("rougeL", np.arange(12) < 6) == (1, 0, 0)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([None, None, None], None),
        (["a", "b", "a"], [0, 1, 0]),
        (["a", None, None], None),
        (["a", "a", None], [0, 0, 1]),
    ],
)
def test_groups_are_numbered(
    groups: list[str | None], expected: list[int] | None, document: dict[str, Any], write: Write
) -> None:
    del document["items"][3:]
    for item, group in zip(document["items"], groups, strict=True):
        item["group"] = group
    found = group_numbers(read_comparison(write(document)).items)
    assert (None if found is None else found.tolist()) == expected


def test_equal_groups_of_different_tasks_stay_apart(document: dict[str, Any], write: Write) -> None:
    for number, item in enumerate(document["items"]):
        item |= {"group": "page 1", "task": "abc"[number % 3]}
    found = group_numbers(read_comparison(write(document)).items)
    assert found is not None
    assert found.tolist() == [0, 1, 2] * 4


def test_the_best_of_several_references_counts(write: Write) -> None:
    rows = [
        {"prompt": "p", "reference": ["a red cat", "seven dogs ran"], "fine_tuned": "seven dogs",
         "regular": "a cat"},
        {"prompt": "p", "reference": ["5", "about seven", "7 km"], "fine_tuned": "7 km",
         "regular": "6"},
    ]  # fmt: skip
    scores = score(read_comparison(write(rows)))
    assert scores.values["rouge1"][0].tolist() == pytest.approx([4 / 5, 4 / 5])
    assert scores.values["token_f1"][0].tolist() == pytest.approx([2 / 3, 4 / 5])  # without "a"
    assert scores.values["exact_match"][1].tolist() == [0, 1]
    assert scores.values["chrf"][1, 1] == 1
    assert scores.values["numeric_match"][1].tolist() == [0, 1]
    assert np.isnan(scores.values["numeric_match"][0]).all()


def test_references_beside_a_reference_join_it(document: dict[str, Any], write: Write) -> None:
    document["items"][0] |= {"reference": "one", "references": ["two", "three"]}
    for text in ("one", "two", "three"):
        document["items"][0]["answers"]["tuned"]["text"] = text
        comparison = read_comparison(write(document))
        assert score(comparison).values["exact_match"][0, 1] == 1
        assert set(comparison.items[0].as_row()["references"]) >= {"two", "three"}


def test_a_reference_that_a_metric_cannot_read_is_not_scored(write: Write) -> None:
    rows = [{"prompt": "p", "reference": "\U0001f44d", "fine_tuned": "no", "regular": "\U0001f44d"}]
    scores = score(read_comparison(write(rows)))
    for metric in ("rougeL", "rouge1", "rouge2"):
        assert scores.not_available[metric].startswith("no reference has a letter or digit")
    assert scores.values["chrf"].tolist() == scores.values["exact_match"].tolist() == [[1, 0]]


def test_numbers_are_read_in_the_style_of_the_references(write: Write) -> None:
    def match(*references: str) -> list[float]:
        rows = [
            {"prompt": "p", "reference": text, "fine_tuned": "1.234", "regular": "1234"}
            for text in references
        ]
        return score(read_comparison(write(rows))).values["numeric_match"][0].tolist()

    assert match("1234", "1,5", "2.000,50") == [1, 1]  # a decimal comma: 1.234 is a thousand
    assert match("1234", "1.5", "2,000.50") == [1, 0]
    base, tuned = match("1234", "5")
    assert base == 1 and np.isnan(tuned)  # nothing shows which is meant
