"""What is to answer, and what is refused before anything is loaded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.inference.conftest import question
from tuneproof.errors import InputError
from tuneproof.inference.config import CompareConfig
from tuneproof.inference.panel import Speed
from tuneproof.inference.panels import load_panels, of_baselines
from tuneproof.inference.task import LabelTask

TASK = LabelTask(name="prompts", labels=("mud", "ice"))
HEAD = {"model": "tiny", "method": "lora", "objective": "classify", "max_length": 64}


@pytest.mark.parametrize("asked", [{"system": "Be brief."}, {"few_shot": 2}])
def test_head_alone_has_no_base_that_could_be_told_something(
    make_run: Callable[..., Any], tmp_path: Path, asked: dict[str, Any]
) -> None:
    make_run("head", config=HEAD)
    config = CompareConfig(run=("head",), runs=tmp_path, **asked)
    option = "--" + next(iter(asked)).replace("_", "-")
    with pytest.raises(InputError, match=f"{option} is for a base that writes its answers"):
        load_panels(tmp_path / "test.jsonl", [question("Ice?")], config, TASK)


def test_head_without_labels_is_refused(make_run: Callable[..., Any], tmp_path: Path) -> None:
    make_run("head", config=HEAD)
    config = CompareConfig(run=("head",), runs=tmp_path)
    with pytest.raises(InputError, match="'head' trained a classification head; it can only label"):
        load_panels(tmp_path / "test.jsonl", [question("Ice?")], config, None)


TRAIN = [
    ("a", "a slow river in the summer", "mud"),
    ("b", "a frozen river in the winter", "ice"),
]


def rows_of(asked: list[str], task: LabelTask | None) -> list[dict[str, Any]]:
    train = [replace(question(text, name=name), output=answer) for name, text, answer in TRAIN]
    items = [question(text, name=f"q{n}") for n, text in enumerate(asked)]
    return of_baselines(train, items, task).answer(items, 0)


def test_nearest_gives_the_answer_of_the_nearest_question() -> None:
    asked = ["the summer was slow", "frozen in the winter"]
    assert rows_of(asked, None) == [
        {"nearest": {"text": "mud"}}, {"nearest": {"text": "ice"}}
    ]  # fmt: skip


def test_nearest_gives_its_label_all_of_the_probability() -> None:
    [row] = rows_of(["frozen in the winter"], TASK)
    assert list(row) == ["chance", "majority", "tf-idf", "nearest"]
    assert row["nearest"] == {
        "text": None, "label": "ice", "label_probabilities": {"mud": 0.0, "ice": 1.0}
    }  # fmt: skip


def test_nearest_never_is_the_question_itself() -> None:
    assert rows_of(["A frozen river, in the winter!"], None) == [{"nearest": {"text": "mud"}}]


def test_nearest_guesses_where_nothing_else_was_trained_on() -> None:
    item = question("a river", name="q")
    train = [replace(item, id="t", output="mud")]
    [row] = of_baselines(train, [item], TASK).answer([item], 0)
    assert row["nearest"]["label_probabilities"] == {"mud": 0.5, "ice": 0.5}
    [plain] = of_baselines(train, [item], None).answer([item], 0)
    assert plain == {"nearest": {"text": ""}}
    assert json.dumps(plain)


def test_speed_of_all_processes_leaves_reading_out_as_each_does() -> None:
    speed = Speed(tokens=Counter({"base": 100}))
    speed.watch.seconds["base"] = 10.0
    speed.watch.step_seconds["base"], speed.watch.step_tokens["base"] = 0.9, 90
    assert speed.of("base") == speed.of_all().of("base") == {"tokens_per_second": 100.0}
