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
