from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import prompts_for
from tuneproof.formats.example import (
    TEST_PROMPTS,
    Example,
    content_id,
    digest,
    example_from,
    normalised,
    read_examples,
)


def test_only_instruction_and_output_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('\n{"instruction": "a", "output": "b", "input": null}\n')
    assert list(read_examples(path)) == [
        Example(id="own-2", task="jsonl", instruction="a", input="", output="b", group="own-2")
    ]


def test_record_reads_back_from_its_row() -> None:
    record = Example(id="1", task="t", instruction="a", input="b", output="c", group="g")
    assert example_from(record.as_row(), "here", default_id="x") == record


def test_executed_stands_in_the_row_only_where_there_is_a_program() -> None:
    record = Example(id="1", task="t", instruction="a", input="b", output="c", group="g")
    assert list(record.as_row()) == ["id", "task", "instruction", "input", "output", "group"]
    programmed = replace(record, executed="0.05")
    assert programmed.as_row() == {**record.as_row(), "executed": "0.05"}
    assert example_from(programmed.as_row(), "here", default_id="x") == programmed


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"instruction": "a"}', r"own\.jsonl:1: missing field 'output'; it has instruction"),
        ('{"instruction": "a", "output": 3}', "field 'output' must be text, found 3"),
        ('{"instruction": null, "output": "b"}', "field 'instruction' must be text, found None"),
        ('{"instruction": "a", "output": "b", "input": []}', r"field 'input' must be text"),
    ],
)
def test_wrong_record_names_file_line_and_field(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=fault):
        list(read_examples(path))


def test_normalised_keeps_words_only() -> None:
    assert normalised("  The ﬁrst,\nGRÜSSE -- 3.5! ") == "the first grüsse 3 5"
    assert normalised("GRÜẞE") == normalised("grüsse")


def test_digest_counts_the_borders_between_texts() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_content_id_depends_on_task_and_texts_only() -> None:
    assert content_id("t", "a") == content_id("t", "a")
    assert content_id("t", "a") != content_id("t", "b")
    assert content_id("t", "a").startswith("t-")


def test_models_are_asked_the_test_records_of_their_data_where_there_are_some(
    tmp_path: Path,
) -> None:
    assert prompts_for(tmp_path) == TEST_PROMPTS
    (tmp_path / "test.jsonl").touch()
    assert prompts_for(tmp_path) == TEST_PROMPTS
    (tmp_path / "test.jsonl").write_text('{"instruction": "Who?", "output": "I."}\n')
    assert prompts_for(tmp_path) == tmp_path / "test.jsonl"
