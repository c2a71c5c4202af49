"""Every form of row gives the same example, wherever it is read."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.conversation import messages_of
from tuneproof.formats.data_folder import DataFolder
from tuneproof.formats.example import Example, example_from, read_examples, read_prompts
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.sources.rows import ReadLog, Row
from tuneproof.prepdata.sources.tabular import Mapper

Turns = list[tuple[str, str]]
CITIES = ("Oslo", "Lisbon", "Prague", "Rome", "Cairo", "Lima", "Quito", "Paris", "Delhi", "Kyoto")
GOODS = ("a bicycle", "a piano", "a camera", "two lamps")
PEOPLE = {"system": "system", "user": "human", "assistant": "gpt"}


def conversations() -> list[Turns]:
    """Return forty: with and without a system's message, of one to three questions."""
    made = []
    for number in range(40):
        city, goods = CITIES[number % 10], GOODS[number // 10]
        turns = [("system", "You are a shop's assistant.")] if number % 2 else []
        for _ in range(number % 3):
            turns += [("user", f"Hello, this is customer {number}."), ("assistant", "How are you?")]
        asked = f"Do you ship {goods} to {city}?\n\nIt is heavy."
        made.append([*turns, ("user", asked), ("assistant", f"Yes, within {number} days.")])
    return made


def openai(turns: Turns) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def sharegpt(turns: Turns) -> dict[str, Any]:
    return {"conversations": [{"from": PEOPLE[role], "value": text} for role, text in turns]}


def sharegpt_with_system(turns: Turns) -> dict[str, Any]:
    system = [text for role, text in turns if role == "system"]
    others = [turn for turn in turns if turn[0] != "system"]
    return {**sharegpt(others), "system": "".join(system)}


def columns(turns: Turns) -> dict[str, Any]:
    roles, contents = zip(*turns, strict=True)
    return {"conversation": {"role": list(roles), "content": list(contents)}}


def alpaca(turns: Turns) -> dict[str, Any]:
    texts = [text for role, text in turns if role != "system"]
    instruction, _, context = texts[-2].partition("\n\n")
    return {
        "instruction": instruction, "input": context, "output": texts[-1],
        "system": "".join(text for role, text in turns if role == "system"),
        "history": [texts[n : n + 2] for n in range(0, len(texts) - 2, 2)],
    }  # fmt: skip


def trl(turns: Turns) -> dict[str, Any]:
    messages = openai(turns)["messages"]
    return {"prompt": messages[:-1], "completion": messages[-1:]}


FORMS: list[Callable[[Turns], dict[str, Any]]] = [
    openai, sharegpt, sharegpt_with_system, columns, alpaca, trl,
]  # fmt: skip


def said(example: Example) -> Turns:
    return [(turn.role, turn.content) for turn in example.conversation()]


def write(path: Path, rows: list[dict[str, Any]], *, is_array: bool = False) -> Path:
    text = json.dumps(rows) if is_array else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text)
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("is_array", [False, True])
def test_every_form_gives_the_same_conversations_in_data_prompts_and_builds(
    tmp_path: Path, form: Callable[[Turns], dict[str, Any]], is_array: bool
) -> None:
    rows = [form(turns) for turns in conversations()]
    path = write(tmp_path / "train.jsonl", rows, is_array=is_array)
    data = DataFolder(tmp_path).train
    assert list(map(said, data)) == conversations()
    assert list(map(said, read_prompts(path))) == conversations()
    mapper = Mapper("own", BuildConfig(), ReadLog())
    built = [mapper.record(Row(row, "own:1", None)) for row in rows]
    assert [said(example) for example in built if isinstance(example, Example)] == conversations()


@pytest.mark.parametrize("form", FORMS)
def test_built_records_of_every_form_are_read_back_as_they_are(
    form: Callable[[Turns], dict[str, Any]],
) -> None:
    mapper = Mapper("own", BuildConfig(), ReadLog())
    for turns in conversations():
        example = mapper.record(Row(form(turns), "own:1", None))
        assert isinstance(example, Example)
        assert example_from(example.as_row(), "here", default_id="x") == example
        again = Mapper("own", BuildConfig(), ReadLog()).record(Row(example.as_row(), "o:1", None))
        assert isinstance(again, Example)
        assert (again.messages, again.output) == (example.messages, example.output)


def test_each_conversation_is_one_group(tmp_path: Path) -> None:
    path = write(tmp_path / "train.jsonl", [openai(turns) for turns in conversations()])
    assert len({example.group for example in read_examples(path)}) == 40


def test_prompt_may_end_with_a_question_and_an_answer_is_its_reference(tmp_path: Path) -> None:
    turns = conversations()[5]
    rows = [openai(turns[:-1]), openai(turns), {**openai(turns[:-1]), "reference": "No."}]
    unanswered, answered, referenced = read_prompts(write(tmp_path / "p.jsonl", rows))
    assert unanswered.reference is None
    assert said(unanswered) == turns[:-1]
    assert said(answered) == turns
    assert answered.reference == turns[-1][1]
    assert said(referenced) == [*turns[:-1], ("assistant", "No.")]
    assert example_from(unanswered.as_row(), "here", default_id="x", is_prompt=True) == unanswered
    remarks: list[str] = []
    trained = example_from(rows[0], "here", default_id="x", remark=remarks.append)
    assert said(trained) == turns[:-2]
    assert "conversations are read up to their last answer" in remarks


def test_whole_conversation_as_the_chosen_answer_is_read() -> None:
    turns = conversations()[1]
    messages = openai(turns)["messages"]
    row = {"prompt": turns[1][1], "chosen": messages, "rejected": messages[:-1]}
    assert said(example_from(row, "here", default_id="x")) == turns
    beside = {"prompt": "Hello", "prompt_id": "7", "messages": messages}
    remarks: list[str] = []
    example = example_from(beside, "here", default_id="x", remark=remarks.append)
    assert said(example) == turns
    assert "not used: prompt (the conversation counts)" in remarks


@pytest.mark.parametrize("read", [read_examples, read_prompts])
def test_what_is_not_used_is_logged_once_for_each_file(
    tmp_path: Path, read: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"Question": "Why?", "answer": "So.", "rating": 3, "by": "x"}] * 3
    rows = [{**row, "id": number} for number, row in enumerate(rows)]
    path = write(tmp_path / "own.jsonl", [*rows, {"prompt": "Why?", "completion": "So."}])
    with caplog.at_level(logging.INFO):
        assert [example.output for example in read(path)] == ["So."] * 4
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 'Question' is read as instruction",
        f"{path}: 'answer' is read as output",
        f"{path}: not used: rating, by",
        f"{path}: 'completion' is read as output",
    ]


def test_own_records_are_read_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mapper = Mapper("own", BuildConfig(), ReadLog())
    rows = [mapper.record(Row(alpaca(turns), "own:1", None)) for turns in conversations()]
    path = write(
        tmp_path / "train.jsonl", [row.as_row() for row in rows if not isinstance(row, str)]
    )
    with caplog.at_level(logging.INFO):
        assert len(list(read_examples(path))) == 40
        read_prompts(write(tmp_path / "p.jsonl", [{"prompt": "a", "reference": "b", "task": "t"}]))
    assert caplog.records == []


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"messages": "Hi"}, "'messages' must be a list of turns with role and content"),
        ({"messages": []}, "own.jsonl:1: empty conversation"),
        ({"messages": [{"role": "tool", "content": "4"}]}, "a turn of 'tool', which is not read"),
        ({"messages": [{"role": "user", "content": 4}]}, "conversation without an answer"),
        ({"messages": [{"role": "user", "content": {}}]}, "'messages' must be text, found {}"),
        ({"instruction": "a", "output": "b", "history": "c"}, "'history' must be a list of pairs"),
        ({"instruction": "a", "output": "b", "history": [["c"]]}, "must be a list of pairs"),
        ({"instruction": "a", "output": "b", "references": "c"}, "must be a list of texts"),
        ({"conversations": [{"from": "human", "value": "a"}]}, "conversation without an answer"),
    ],
)
def test_row_that_cannot_be_read_names_file_and_line(
    tmp_path: Path, row: dict[str, Any], fault: str
) -> None:
    path = write(tmp_path / "own.jsonl", [row])
    with pytest.raises(InputError, match=fault):
        list(read_examples(path))


def test_question_beside_a_conversation_is_its_short_form_only_where_it_says_all() -> None:
    answer = {"role": "assistant", "content": "Fine."}

    def read(row: dict[str, Any], *messages: dict[str, str]) -> Example:
        return example_from({**row, "messages": [*messages, answer]}, "r:1", default_id="r-1")

    fox = {"role": "user", "content": "Summarize: the quick brown fox jumps."}
    told = read({"instruction": "Summarize"}, fox)
    assert (told.instruction, told.input) == (fox["content"], "")
    liked = {"role": "user", "content": "Classify\n\nI love it"}
    told = read({"prompt": "Classify", "input": "I love it"}, liked)
    assert (told.instruction, told.input, told.messages) == ("Classify", "I love it", ())
    told = read({"prompt": "First?", "context": ["p1", "p2"]}, fox)
    assert (told.instruction, told.input) == (fox["content"], "")
    told = read({"prompt": "Classify", "input": "I hate it"}, liked)
    assert (told.instruction, told.input) == (liked["content"], "")


def test_conversations_with_the_same_last_question_beside_them_are_different(
    tmp_path: Path,
) -> None:
    question = "Is that allowed?"
    rows = [
        {
            "prompt": question,
            "messages": [
                {"role": "system", "content": "Judge."},
                {"role": "user", "content": f"Somebody takes {city} by {goods}."},
                {"role": "assistant", "content": "I see."},
                {"role": "user", "content": question},
                {"role": "assistant", "content": "No."},
            ],
        }
        for city in CITIES
        for goods in GOODS
    ]
    file = write(tmp_path / "rows.jsonl", rows)
    build(BuildConfig(source=(f"jsonl={file}",), out=tmp_path / "data", duplicates="exact"))
    found = [one for part in DataFolder(tmp_path / "data").splits.values() for one in part]
    assert len(found) == 40
    assert {one.instruction for one in found} == {question}
    assert all("System: Judge." in one.input and " by " in one.input for one in found)


def read_turns(turns: Any) -> Any:
    return messages_of(turns, "r:1", "messages", lambda value, *_: str(value))


def test_calls_of_tools_are_no_empty_answers() -> None:
    turns = openai([("user", "How warm is it?"), ("assistant", ""), ("user", "And?")])["messages"]
    turns += [{"role": "assistant", "content": "Nine degrees."}]
    assert isinstance(read_turns(turns), list)
    turns[1]["tool_calls"] = [{"function": {"name": "weather"}}]
    assert read_turns(turns) == "conversation with more than text"
