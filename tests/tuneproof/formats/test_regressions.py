"""The regression set and its files: what is asked, what is mixed in, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import normalised
from tuneproof.formats.regressions import (
    ASKED,
    MIXED,
    Answer,
    Answered,
    Regressions,
    item_from,
    read_items,
    read_mixed,
    read_regressions,
    write_regressions,
)
from tuneproof.prompts.regressions.make import make

KINDS = {
    "arithmetic", "common sense", "facts", "format", "reading", "refusing", "spelling", "text",
}  # fmt: skip


def test_the_set_has_four_hundred_items_about_fifty_of_each_of_eight_kinds() -> None:
    counts = Counter(item.kind for item in read_items(ASKED))
    assert counts.keys() == KINDS
    assert counts.total() >= 400
    assert min(counts.values()) >= 45 and max(counts.values()) <= 60


def test_no_item_that_is_mixed_in_is_asked() -> None:
    asked = {normalised(f"{item.prompt} {item.input} {item.text}") for item in read_items(ASKED)}
    texts = [normalised(item.text) for item in read_items(ASKED) if item.text]
    for example in read_mixed():
        assert normalised(f"{example.instruction} {example.input} ") not in asked
        assert not any(normalised(example.output) in text for text in texts if example.output[20:])


def test_the_files_are_what_their_script_makes() -> None:
    asked, mixed = make()
    assert json.loads(ASKED.read_text(encoding="utf-8")) == asked
    assert json.loads(MIXED.read_text(encoding="utf-8")) == mixed


def test_mixed_rows_are_of_all_kinds_from_the_first_on() -> None:
    first = [example.id.removeprefix("mixed-").rsplit("-", 1)[0] for example in read_mixed()[:8]]
    assert {kind.replace("-", " ") for kind in first} == KINDS


def test_a_reference_is_what_an_answer_must_contain() -> None:
    item = item_from({"prompt": "Who?", "reference": "Ada"}, "mine.jsonl:1", "mine-1")
    assert (item.id, item.kind, item.contains) == ("mine-1", "own", ("Ada",))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "Who?"}, "one of exact, contains, regex, refuses, choices, text must say"),
        ({"prompt": "Who?", "exact": ["a"], "regex": "a"}, "found exact and regex"),
        ({"prompt": " ", "contains": ["a"]}, "the prompt is empty"),
        ({"prompt": "Who?", "regex": "("}, "regex '(' cannot be read"),
        ({"prompt": "Who?", "choices": ["a", "b"], "right": "c"}, "'right' names one of them"),
        ({"prompt": "Who?", "exact": ["a"], "lacks": ["b"]}, "'lacks' stands beside 'contains'"),
        ({"prompt": "Who?", "contain": ["a"]}, "unknown key 'contain'"),
        ({"prompt": "Who?", "reference": ""}, "an answer in 'contains' is empty"),
        ({"prompt": "Who?", "exact": ["a", " "]}, "an answer in 'exact' is empty"),
        ({"prompt": "Who?", "exact": ["a"], "kind": "all"}, "kind 'all' is the name of all"),
        ("Who?", "mine.jsonl:7"),
    ],
)
def test_an_item_that_cannot_be_checked_is_refused(row: Any, message: str) -> None:
    with pytest.raises(InputError) as raised:
        item_from(row, "mine.jsonl:7", "mine-7")
    assert message in str(raised.value) and str(raised.value).startswith("mine.jsonl:7")


def test_items_with_the_same_id_are_refused(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "Who?", "contains": "Ada"}
    (tmp_path / "mine.json").write_text(json.dumps([row, row]))
    with pytest.raises(InputError, match="two items have the same id 'a'"):
        read_items(tmp_path / "mine.json")


def _regressions(**answers: Answer) -> Regressions:
    item = Answered(id="a", kind="facts", prompt="Who?", contains=("Ada",), answers=answers)
    return Regressions(base="base", variants=("base", "run"), items=(item,))


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = _regressions(base=Answer(text="Ada."), run=Answer(text="Bob."))
    write_regressions(tmp_path / "r.json", written)
    assert read_regressions(tmp_path / "r.json") == written


def test_a_text_without_its_bits_is_refused(tmp_path: Path) -> None:
    answers = {"base": Answer(bits_per_byte=1.0), "run": Answer()}
    item = Answered(id="a", kind="text", text="Ada wrote it.", answers=answers)
    read = Regressions(base="base", variants=("base", "run"), items=(item,))
    write_regressions(tmp_path / "r.json", read)
    with pytest.raises(InputError, match="item 'a': run has neither bits_per_byte nor value"):
        read_regressions(tmp_path / "r.json")


def test_a_missing_answer_and_another_file_are_refused(tmp_path: Path) -> None:
    write_regressions(tmp_path / "r.json", _regressions(base=Answer(text="Ada.")))
    with pytest.raises(InputError, match="item 'a' has no answer of run"):
        read_regressions(tmp_path / "r.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="not a file of regressions"):
        read_regressions(tmp_path / "other.json")
