from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import TEST_PROMPTS, Example, read_prompts


def written(folder: Path, value: Any) -> Path:
    path = folder / "prompts.json"
    path.write_text(json.dumps(value))
    return path


def test_string_and_object_are_prompts(tmp_path: Path) -> None:
    path = written(tmp_path, ["Why?", {"prompt": "Sum", "input": "1 2", "reference": "3"}])
    assert read_prompts(path) == [
        Example(id="prompt-1", task="prompts", instruction="Why?", group="prompt-1"),
        Example(
            id="prompt-2",
            task="prompts",
            instruction="Sum",
            input="1 2",
            output="3",
            group="prompt-2",
        ),
    ]


def test_records_of_a_build_are_prompts(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    row = {"id": "a", "task": "t", "instruction": "Sum", "input": "1", "output": "2", "group": "g"}
    path.write_text(json.dumps(row) + "\n")
    assert read_prompts(path) == [
        Example(id="a", task="t", instruction="Sum", input="1", output="2", group="g")
    ]


def test_empty_reference_is_no_reference(tmp_path: Path) -> None:
    path = written(tmp_path, [{"prompt": "Why?", "reference": "", "input": None}])
    assert read_prompts(path)[0].reference is None


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], "no prompts in it"),
        ({"a": 1}, "a list of prompts is needed, found dict"),
        ([3], "item 1: a string or an object is needed, found 3"),
        (["a", {"text": "b"}], "item 2: missing field 'prompt'; it has text"),
        ([{}], "item 1: missing field 'prompt'; it has nothing"),
        ([" "], "item 1: the prompt is empty"),
        ([{"prompt": "a", "reference": {}}], "'reference' must be text, found {}"),
        ([{"prompt": "a", "input": [0]}], r"'input' must be text, found \[0\]"),
        ([{"prompt": "a", "references": "b"}], "'references' must be a list of texts, found 'b'"),
        ([{"prompt": None}], "'prompt' must be text, found None"),
        (
            [{"prompt": "a", "id": "x"}, {"prompt": "b", "id": "x"}],
            "items 1 and 2 have the same id",
        ),
    ],
)
def test_wrong_file_names_the_item(tmp_path: Path, value: Any, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        read_prompts(written(tmp_path, value))


def test_numbers_and_truth_values_are_taken_as_text(tmp_path: Path) -> None:
    rows = [{"id": 0, "prompt": "a", "reference": 3}, {"id": 1, "prompt": "b", "reference": True}]
    prompts = read_prompts(written(tmp_path, rows))
    assert [(item.id, item.output) for item in prompts] == [("0", "3"), ("1", "true")]


@pytest.mark.parametrize(
    "answer",
    [
        {"completion": "So."},
        {"output": "So."},
        {"references": ["So."]},
        {"answers": {"text": ["So.", "So."], "answer_start": [1, 2]}},
    ],
)
def test_answer_is_read_under_its_usual_names(tmp_path: Path, answer: dict[str, Any]) -> None:
    (prompt,) = read_prompts(written(tmp_path, [{"prompt": "Why?", **answer}]))
    assert (prompt.output, prompt.references) == ("So.", ())


def test_several_right_answers_are_kept(tmp_path: Path) -> None:
    rows = [{"prompt": "Why?", "reference": ["So.", 7]}, {"prompt": "b", "references": ["x", "y"]}]
    first, second = read_prompts(written(tmp_path, rows))
    assert (first.output, first.references) == ("So.", ("So.", "7"))
    assert (second.output, second.references) == ("x", ("x", "y"))


def test_array_and_lines_are_known_whatever_the_file_is_called(tmp_path: Path) -> None:
    rows = [{"prompt": "Why?"}, {"prompt": "When?"}]
    for name in ("a.json", "a.jsonl"):
        for text in (
            json.dumps(rows),
            json.dumps(rows, indent=1),
            "\n".join(map(json.dumps, rows)),
        ):
            (tmp_path / name).write_text(text)
            assert [item.instruction for item in read_prompts(tmp_path / name)] == ["Why?", "When?"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*none\.json"):
        read_prompts(tmp_path / "none.json")


def test_own_prompts_are_of_several_kinds() -> None:
    prompts = read_prompts(TEST_PROMPTS)
    assert 28 <= len(prompts) <= 40
    assert len({item.instruction for item in prompts}) > 25
    assert sum(item.reference is None for item in prompts) >= 6
    assert sum("---" in item.input for item in prompts) >= 6


def test_executed_answer_goes_along_and_is_checked(tmp_path: Path) -> None:
    path = written(
        tmp_path, [{"prompt": "a", "executed": "-0.05"}, {"prompt": "b", "executed": ""}]
    )
    assert [prompt.executed for prompt in read_prompts(path)] == ["-0.05", ""]
    with pytest.raises(InputError, match=r"item 1: 'executed' must be a number, yes or no, fou"):
        read_prompts(written(tmp_path, [{"prompt": "a", "executed": "5%"}]))
