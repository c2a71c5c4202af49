"""The plain list that simpler scripts write, in the forms that people write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.comparison import read_comparison

ROWS = [
    {"prompt": "a", "reference": 3, "fine_tuned": "3", "regular": None},
    {"prompt": "b", "reference": ["x", "y"], "fine_tuned": "y", "regular": "z"},
]


@pytest.mark.parametrize("name", ["plain.json", "plain.jsonl"])
@pytest.mark.parametrize("is_array", [True, False])
def test_array_and_lines_are_read_with_numbers_nulls_and_several_references(
    tmp_path: Path, name: str, is_array: bool
) -> None:
    text = json.dumps(ROWS) if is_array else "\n".join(map(json.dumps, ROWS))
    (tmp_path / name).write_text(text)
    comparison = read_comparison(tmp_path / name)
    answers: list[dict[str, Any]] = [
        {key: answer.text for key, answer in item.answers.items()} for item in comparison.items
    ]
    assert answers == [{"base": "", "fine_tuned": "3"}, {"base": "z", "fine_tuned": "y"}]
    assert [item.reference for item in comparison.items] == ["3", "x"]
    assert comparison.items[1].references == ("x", "y")


def test_groups_and_several_references_of_a_row_count(tmp_path: Path) -> None:
    row = {"prompt": "a", "fine_tuned": "b", "regular": "c", "references": ["x", "y"], "group": "p"}
    (tmp_path / "plain.json").write_text(json.dumps([row]))
    (item,) = read_comparison(tmp_path / "plain.json").items
    assert (item.references, item.group) == (("x", "y"), "p")


def test_missing_answer_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text(json.dumps([{"prompt": "a", "fine_tuned": "b"}]))
    with pytest.raises(InputError, match="regular"):
        read_comparison(tmp_path / "plain.json")
