from __future__ import annotations

from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import Example
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.rows import ReadLog, Row
from tuneproof.prepdata.sources.tabular import PASSAGE_LENGTH, Mapper


def outcome(values: dict[str, Any], log: ReadLog | None = None, **settings: Any) -> Example | str:
    mapper = Mapper("csv", BuildConfig(**settings), log or ReadLog())
    return mapper.record(Row(values, "own.csv:2", None))


def mapped(values: dict[str, Any], log: ReadLog | None = None, **settings: Any) -> Example:
    example = outcome(values, log, **settings)
    assert isinstance(example, Example)
    return example


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
    assert outcome(values, text_field="t", label_field="l") == reason


def test_missing_field_lists_the_fields_found() -> None:
    with pytest.raises(
        InputError, match=r"no field 'output'; it has instruction, x\. Name it with"
    ):
        mapped({"instruction": "a", "x": "b"})


def test_number_is_read_as_text_and_list_is_refused() -> None:
    assert mapped({"instruction": "a", "output": 42}).output == "42"
    with pytest.raises(InputError, match="'output' must be text"):
        mapped({"instruction": "a", "output": ["b"]})


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("question", "answer"),
        ("Question", "Answer"),
        ("prompt", "completion"),
        ("query", "response"),
        ("prompt", "chosen"),
        ("PROMPT ", "reference"),
    ],
)
def test_usual_names_of_fields_are_understood_and_said(asked: str, answer: str) -> None:
    log = ReadLog()
    example = mapped({asked: "Why?", answer: "So.", "rating": 5}, log)
    assert (example.instruction, example.output) == ("Why?", "So.")
    assert log.remarks == [
        f"{asked!r} is read as instruction",
        f"{answer!r} is read as output",
        "not used: rating",
    ]


def test_settings_win_over_usual_names() -> None:
    values = {"question": "a", "answer": "b", "mine": "c"}
    assert mapped(values, output_field="mine").output == "c"
    assert mapped({**values, "instruction": "d"}).instruction == "d"


@pytest.mark.parametrize(
    "answers",
    [
        {"references": ["So.", "Thus."]},
        {"answers": {"text": ["So.", "Thus.", "So."], "answer_start": [3, 4, 3]}},
        {"answers": [{"text": "So.", "answer_start": 3}, {"text": "Thus.", "answer_start": 4}]},
        {"output": "So.", "references": ["Thus.", ""]},
    ],
)
def test_several_right_answers_are_kept_the_first_as_output(answers: dict[str, Any]) -> None:
    example = mapped({"question": "Why?", **answers})
    assert (example.output, example.references) == ("So.", ("So.", "Thus."))


def test_one_right_answer_in_a_list_is_the_output_and_none_is_empty() -> None:
    assert mapped({"question": "Why?", "answers": ["So."]}).references == ()
    assert mapped({"question": "Why?", "answers": ["So."]}).output == "So."
    assert mapped({"question": "Why?", "answers": {"text": []}}).output == ""


TURNS = [("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "Why?")]
ANSWER = ("assistant", "So.")
SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt"}


@pytest.mark.parametrize("field", ["messages", "conversations"])
def test_conversations_are_kept_whole_beside_their_short_form(field: str) -> None:
    turns = [*TURNS, ANSWER]
    value = (
        [{"role": role, "content": content} for role, content in turns]
        if field == "messages"
        else [{"from": SHAREGPT[role], "value": content} for role, content in turns]
    )
    log = ReadLog()
    example = mapped({field: value, "id": 7}, log)
    assert [(turn.role, turn.content) for turn in example.messages] == turns
    assert (example.instruction, example.output) == ("Why?", "So.")
    assert example.input == "System: Be kind.\n\nUser: Hi\n\nAssistant: Hello!"
    assert example.id == "csv-7"
    assert log.remarks[0].startswith(f"{field!r} are conversations: the last question is the")


def test_conversation_of_one_question_and_its_answer_is_its_short_form_only() -> None:
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    for values in (
        {"messages": turns},
        {"prompt": turns[:1], "completion": turns[1:]},
        {"prompt": turns[:1], "completion": "So."},
    ):
        example = mapped(values)
        assert (example.instruction, example.input, example.output) == ("Why?", "", "So.")
        assert example.messages == ()


def test_what_comes_after_the_last_answer_is_left_out_and_said() -> None:
    turns = [{"role": role, "content": content} for role, content in [*TURNS, ANSWER]]
    log = ReadLog()
    example = mapped({"messages": [*turns, {"role": "user", "content": "Thanks"}]}, log)
    assert example.messages[-1].content == "So."
    assert "conversations are read up to their last answer" in log.remarks


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ({"role": "tool", "content": "4"}, "conversation with a turn of 'tool', which is not read"),
        ({"role": "user", "content": [{"type": "image"}]}, "conversation with more than text"),
        ({"role": "assistant", "content": None}, "conversation with more than text"),
    ],
)
def test_conversation_that_cannot_be_read_whole_is_left_out_with_the_reason(
    turn: dict[str, Any], reason: str
) -> None:
    turns = [{"role": "user", "content": "Why?"}, turn, {"role": "assistant", "content": "So."}]
    assert outcome({"messages": turns}) == reason


def test_conversation_without_question_or_answer_is_left_out_with_the_reason() -> None:
    user, assistant = ({"role": role, "content": "x"} for role in ("user", "assistant"))
    assert outcome({"messages": [user, user]}) == "conversation without an answer"
    assert outcome({"messages": [assistant, assistant]}) == "conversation without a question"
    assert outcome({"messages": []}) == "empty conversation"


def test_text_in_parts_is_joined_and_unread_keys_of_turns_are_named() -> None:
    parts = [{"type": "text", "text": "Why"}, {"type": "text", "text": "so?"}]
    log = ReadLog()
    answer = {"role": "assistant", "content": "So.", "weight": 1}
    example = mapped({"messages": [{"role": "user", "content": parts}, answer]}, log)
    assert example.instruction == "Why\nso?"
    assert "not used: messages.weight" in log.remarks


def test_system_and_history_of_alpaca_come_before_the_question() -> None:
    log = ReadLog()
    values = {"instruction": "Why?", "input": "The sky.", "output": "So.", "system": "Be kind."}
    example = mapped({**values, "history": [["Hi", "Hello!"]]}, log)
    said = [(turn.role, turn.content) for turn in example.messages]
    assert said == [*TURNS[:3], ("user", "Why?\n\nThe sky."), ANSWER]
    assert example.input == "System: Be kind.\n\nUser: Hi\n\nAssistant: Hello!\n\nThe sky."
    assert "'history' is read as what comes before the question" in log.remarks
    assert mapped({**values, "system": "", "history": []}).messages == ()


def test_conversations_with_the_same_long_beginning_are_groups_of_their_own() -> None:
    system = {"role": "system", "content": "x" * PASSAGE_LENGTH}
    answer = {"role": "assistant", "content": "So."}
    groups = {
        mapped({"messages": [system, {"role": "user", "content": asked}, answer]}).group
        for asked in ("Why?", "When?")
    }
    assert len(groups) == 2
