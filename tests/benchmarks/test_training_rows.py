"""The rows that are trained on: their lengths, their mix, and that answers stay whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.trainers import MAX_LENGTH, same_loss
from benchmarks.training_rows import MIX, TOKENS, cut, instructions, length_of, of_length
from tuneproof.formats.example import Example
from tuneproof.models import load as models


@pytest.fixture(scope="module")
def tiny() -> Any:
    return models.load_tokenizer("tiny")


@pytest.mark.parametrize("tokens", [40, 64, 1024])
def test_made_up_rows_have_exactly_the_length_asked_for(tiny: Any, tokens: int) -> None:
    made = [of_length(tiny, tokens, number) for number in range(3)]
    assert [length_of(each, tiny) for each in made] == [tokens] * 3
    assert len({each.input for each in made}) > 1 or tokens == 40


def test_a_length_below_the_templates_is_an_error(tiny: Any) -> None:
    with pytest.raises(ValueError, match="no row of 10 tokens"):
        of_length(tiny, 10)


def test_only_the_end_of_a_context_is_cut_and_no_more_than_needed(tiny: Any) -> None:
    row = replace(of_length(tiny, 200), output="right to the end")
    found = cut(row, tiny, 100)
    assert (found.instruction, found.output) == (row.instruction, row.output)
    assert row.input.startswith(found.input)
    assert 97 <= length_of(found, tiny) <= 100
    assert cut(row, tiny, 400) is row


def write(folder: Path, tiny: Any, counts: dict[str, int]) -> None:
    rows: list[Example] = [
        replace(of_length(tiny, 700 if task == "finqa" else 60, number), task=task)
        for task, count in counts.items()
        for number in range(count)
    ]
    (folder / "train.jsonl").write_text("".join(f"{json.dumps(r.as_row())}\n" for r in rows))


def test_both_sources_have_their_share_however_the_file_is_ordered(
    tmp_path: Path, tiny: Any
) -> None:
    write(tmp_path, tiny, {"dolly": 40, "finqa": 4})
    found = instructions(tmp_path, 10)
    assert {task: sum(each.task == task for each in found) for task in MIX} == {
        "dolly": 7,
        "finqa": 3,
    }
    assert max(length_of(each, tiny) for each in found) <= MAX_LENGTH
    assert found == instructions(tmp_path, 10)


def test_without_both_sources_the_rows_are_made_up(tmp_path: Path, tiny: Any) -> None:
    write(tmp_path, tiny, {"dolly": 12})
    for folder in (tmp_path, tmp_path / "none"):
        found = instructions(folder, len(TOKENS))
        assert [length_of(each, tiny) for each in found] == list(TOKENS)


def test_losses_far_apart_are_no_comparison() -> None:
    assert same_loss(10.9, 11.0) == "mean loss 10.900 and 11.000"
    with pytest.raises(RuntimeError, match="not the same training"):
        same_loss(9.0, 11.0)
