from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuneproof.eval.report.examples import (
    ShownAnswer,
    ShownItem,
    clip,
    confident_mistakes,
    examples_of,
    extremes,
    telling_first,
)
from tuneproof.eval.score import score
from tuneproof.formats.comparison import read_comparison

Write = Callable[..., Path]


def rows_of(path: Path) -> list[ShownItem]:
    comparison = read_comparison(path)
    scores = score(comparison)
    metric = next((name for name in ("rougeL", "accuracy") if name in scores.values), None)
    return examples_of(comparison, scores, metric)


def item(gain: float | None, *flags: str) -> ShownItem:
    answer = ShownAnswer(text="", length=None, flags=flags, scores={}, label=None)
    return ShownItem(
        id="x", task="", history=(), prompt="", input="", reference=None, truncated=False,
        gains=(gain,), answers=(answer,),
    )  # fmt: skip


def test_record_holds_gains_scores_and_flags(document: dict[str, Any], write: Write) -> None:
    rows = rows_of(write(document))
    assert rows[0].gains == (1.0,)
    base, tuned = rows[0].answers
    assert base.flags == ("looping", "unstopped")
    assert tuned == ShownAnswer(
        text="red green blue",
        length=3.0,
        flags=(),
        scores={"ROUGE-L": 1.0, "Exact match": 1.0},
        label=None,
    )
    assert rows[11].answers[1].flags == ("empty",)


def test_history_of_a_conversation_is_shown_apart_from_the_question(
    document: dict[str, Any], write: Write
) -> None:
    turns = ["Who are you?", "A river.", "What do you carry?", "Mud."]
    document["items"][0] |= {
        "prompt": turns[2], "reference": turns[3],
        "messages": [{"role": role, "content": text}
                     for role, text in zip(["user", "assistant"] * 2, turns, strict=True)],
    }  # fmt: skip
    first, second, *_ = rows_of(write(document))
    assert first.history == (("User", turns[0]), ("Assistant", turns[1]))
    assert (first.prompt, first.input, first.reference) == (turns[2], "", turns[3])
    assert second.history == ()


def test_without_references_there_are_no_gains(write: Write) -> None:
    rows = rows_of(write([{"prompt": "p", "fine_tuned": "a", "regular": "b"}]))
    assert rows[0].gains == (None,)
    assert extremes(rows, 0, 5) == ([], [])


def test_extremes_come_largest_first_and_leave_out_the_unchanged() -> None:
    rows = [item(gain) for gain in (0.1, -0.3, 0.0, None, 0.9, -0.1)]
    for count in (2, 9):
        assert extremes(rows, 0, count) == ([rows[4], rows[0]], [rows[1], rows[5]])


def test_telling_items_come_first() -> None:
    rows = [item(0.0), item(0.1), item(None, "looping"), item(-0.5)]
    assert telling_first(rows) == [3, 1, 2, 0]


def test_long_text_is_clipped_with_a_note() -> None:
    assert clip("x" * 12, 10) == "x" * 10 + " … (2 more characters)"
    assert clip("x" * 10, 10) == "x" * 10


def test_record_of_a_label_says_whether_it_is_right(topics: dict[str, Any], write: Write) -> None:
    rows = rows_of(write(topics))
    base, tuned, majority = rows[1].answers
    assert rows[1].gains == (-1.0,)
    assert (base.label.right, tuned.label.right) == (True, False)
    assert tuned.label.confidence == 0.71
    assert tuned.label.top == (("M&A", 0.71), ("Gold | Metals", 0.145), ("Macro", 0.145))
    assert (majority.text, majority.flags, majority.length) == (None, (), None)


def test_surest_mistakes_come_first(topics: dict[str, Any], write: Write) -> None:
    rows = rows_of(write(topics))
    assert [row.id for row, _ in confident_mistakes(rows, 1, 9)] == ["q11", "q10", "q1"]
    assert [row.id for row, _ in confident_mistakes(rows, 1, 1)] == ["q11"]


def test_a_label_without_probabilities_is_no_confident_mistake(
    topics: dict[str, Any], write: Write
) -> None:
    for item in topics["items"]:
        for answer in item["answers"].values():
            answer.pop("label_probabilities", None)
    rows = rows_of(write(topics))
    tuned = rows[1].answers[1].label
    assert (tuned.right, tuned.confidence) == (False, None)
    assert confident_mistakes(rows, 1, 9) == []


def test_all_right_answers_are_shown(document: dict[str, Any], write: Write) -> None:
    document["items"][0] |= {"reference": "one", "references": ["one", "two"]}
    document["items"][1]["reference"] = None
    comparison = read_comparison(write(document))
    first, second, *_ = examples_of(comparison, score(comparison), "rougeL")
    assert (first.reference, second.reference) == ("one\nor: two", None)
