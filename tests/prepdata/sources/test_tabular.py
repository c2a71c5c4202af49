from __future__ import annotations

from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.opening import Row
from tuneproof.prepdata.sources.tabular import PASSAGE_LENGTH, record


def mapped(values: dict[str, Any], **settings: Any) -> Example:
    found = record(Row(values, "own.csv:2", None), task="csv", config=BuildConfig(**settings))
    assert isinstance(found, Example)
    return found


def test_default_names_are_those_of_records() -> None:
    values = {"instruction": "a", "input": "b", "output": "c", "group": "g", "id": "7"}
    assert mapped(values) == Example(
        id="csv-7", task="csv", instruction="a", input="b", output="c", group="g"
    )


def test_named_fields_are_read() -> None:
    names = {"instruction_field": "q", "input_field": "ctx", "output_field": "a", "id_field": "n"}
    found = mapped({"q": "why?", "ctx": "x", "a": "so", "n": 3, "g": "p"}, **names, group_field="g")
    assert (found.instruction, found.input, found.output) == ("why?", "x", "so")
    assert (found.id, found.group) == ("csv-3", "p")


def test_default_optional_fields_may_be_missing() -> None:
    found = mapped({"instruction": "a", "output": "b"})
    assert found.input == ""
    assert found.id.startswith("csv-")


@pytest.mark.parametrize("setting", ["input_field", "group_field", "id_field"])
def test_optional_field_that_was_named_must_be_there(setting: str) -> None:
    option = "--" + setting.replace("_", "-")
    with pytest.raises(InputError, match=f"own.csv:2: no field 'x'; .*Name it with {option}"):
        mapped({"instruction": "a", "output": "b"}, **{setting: "x"})


def test_rows_with_the_same_passage_are_one_group_and_with_the_same_word_are_not() -> None:
    passage, word = "x" * PASSAGE_LENGTH, "English"
    one, two = ({"instruction": ask, "output": "o"} for ask in ("a", "b"))
    assert mapped({**one, "input": passage}).group == mapped({**two, "input": passage}).group
    assert mapped({**one, "input": word}).group != mapped({**two, "input": word}).group


def test_text_and_label_become_a_question_about_the_text() -> None:
    settings = {"text_field": "t", "label_field": "main_topic"}
    found = mapped({"t": " a text ", "main_topic": "two\n words"}, **settings)
    assert found.instruction == "What is the main topic of this text?"
    assert (found.input, found.output) == ("a text", "two words")
    own = mapped({"t": "a", "main_topic": "b"}, **settings, instruction="Which?")
    assert own.instruction == "Which?"


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"t": " ", "l": "x"}, "empty text"), ({"t": "x", "l": None}, "empty label")],
)
def test_row_without_text_or_label_is_left_out_with_the_reason(
    values: dict[str, Any], reason: str
) -> None:
    config = BuildConfig(text_field="t", label_field="l")
    assert record(Row(values, "here", None), task="csv", config=config) == reason


def test_missing_field_lists_the_fields_found() -> None:
    with pytest.raises(
        InputError, match=r"no field 'output'; it has instruction, x\. Name it with"
    ):
        mapped({"instruction": "a", "x": "b"})


def test_number_is_read_as_text_and_list_is_refused() -> None:
    assert mapped({"instruction": "a", "output": 42}).output == "42"
    with pytest.raises(InputError, match="'output' must be text"):
        mapped({"instruction": "a", "output": ["b"]})
