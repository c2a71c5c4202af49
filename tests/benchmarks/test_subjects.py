"""The rows that are trained on: their lengths, their mix, and that answers stay whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.subjects import MAX_LENGTH, MIX, cut, instructions, length_of, records_of, texts
from benchmarks.training import same_loss
from tuneproof.formats.example import Example
from tuneproof.models import load as models


@pytest.fixture(scope="module")
def tiny() -> Any:
    return models.load_tokenizer("tiny")


def made(words: int, number: int = 0) -> Example:
    """Return a record of so many words in its context."""
    return records_of(texts(1, words, words, number), ["right to the end"], "Go on.")[0]


def test_only_the_end_of_a_context_is_cut_and_no_more_than_needed(tiny: Any) -> None:
    row = made(200)
    shorter = cut(row, tiny, 100)
    assert (shorter.instruction, shorter.output) == (row.instruction, row.output)
    assert row.input.startswith(shorter.input)
    assert 97 <= length_of(shorter, tiny) <= 100
    assert cut(row, tiny, 400) is row


def write(folder: Path, counts: dict[str, int]) -> None:
    rows: list[Example] = [
        replace(made(700 if task == "finqa" else 60, number), task=task)
        for task, count in counts.items()
        for number in range(count)
    ]
    (folder / "train.jsonl").write_text("".join(f"{json.dumps(r.as_row())}\n" for r in rows))


def test_both_sources_have_their_share_however_the_file_is_ordered(
    tmp_path: Path, tiny: Any
) -> None:
    write(tmp_path, {"dolly": 40, "finqa": 4})
    found = instructions(tmp_path, 10)
    assert {task: sum(each.task == task for each in found) for task in MIX} == {
        "dolly": 7,
        "finqa": 3,
    }
    assert max(length_of(each, tiny) for each in found) <= MAX_LENGTH
    assert found == instructions(tmp_path, 10)


def test_without_both_sources_the_rows_are_made_up(tmp_path: Path, tiny: Any) -> None:
    write(tmp_path, {"dolly": 12})
    for folder in (tmp_path, tmp_path / "none"):
        rows = instructions(folder, 10)
        assert {row.task for row in rows} == {"bench"} and len(rows) == 10
        sizes = sorted(length_of(row, tiny) for row in rows)
        assert sizes[0] < 60 and 400 < sizes[-1] <= MAX_LENGTH


def test_losses_far_apart_are_no_comparison() -> None:
    assert same_loss(10.9, 11.0) == "mean loss 10.900 and 11.000"
    with pytest.raises(RuntimeError, match="not the same training"):
        same_loss(9.0, 11.0)
