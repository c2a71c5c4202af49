from __future__ import annotations

import json
import math
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
    scalar_text,
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
        ('{"instruction": "a", "output": {}}', "field 'output' must be text, found {}"),
        ('{"instruction": "a", "output": null}', "field 'output' must be text, found None"),
        ('{"instruction": null, "output": "b"}', "field 'instruction' must be text, found None"),
        ('{"instruction": "a", "output": "b", "input": []}', r"field 'input' must be text"),
    ],
)
def test_wrong_record_names_file_line_and_field(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=fault):
        list(read_examples(path))


def test_a_classifier_reads_a_conversation_up_to_its_last_question(tmp_path: Path) -> None:
    said = ["You label", "Hi", "Hello", "My card was stolen", "fraud"]
    roles = ["system", "user", "assistant", "user", "assistant"]
    turns = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps({"messages": turns}) + "\n" + json.dumps({"messages": turns[-2:]}))
    first, second = read_examples(path)
    assert first.text == (
        "System: You label\n\nUser: Hi\n\nAssistant: Hello\n\nUser: My card was stolen"
    )
    assert second.text == "My card was stolen"


def test_normalised_keeps_words_only() -> None:
    assert normalised("  The ﬁrst,\nGRÜSSE -- 3.5! ") == "the first grüsse 3 5"
    assert normalised("GRÜẞE") == normalised("grüsse")


@pytest.mark.parametrize(("one", "other"), [("की", "कि"), ("ที่", "ที"), ("كَتَبَ", "كُتِبَ"), ("நான்", "நான")])
def test_marks_tell_words_apart(one: str, other: str) -> None:
    assert normalised(one) == one
    assert normalised(one) != normalised(other)


def test_signs_and_emoji_are_no_words() -> None:
    assert normalised("❤️ 👍🏽 e\u0301!") == "\u00e9"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (2.0, "2"), (0.5, "0.5"), (False, "false"), (math.nan, "")]
)
def test_scalars_are_written_as_text(value: object, text: str) -> None:
    assert scalar_text(value) == text


def test_rows_of_own_files_may_have_numbers(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"id": 0, "instruction": "a", "output": 3, "input": null}\n')
    assert list(read_examples(path)) == [
        Example(id="0", task="jsonl", instruction="a", input="", output="3", group="0")
    ]


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
