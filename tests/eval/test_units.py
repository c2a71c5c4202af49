from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tuneproof.eval.units import group_numbers
from tuneproof.formats.comparison import Item
from tuneproof.formats.conversation import Message, Role, transcript

FILLERS = (
    "How deep is the Pacific Ocean?",
    "Name three rivers of Brazil.",
    "Who wrote the opera Carmen?",
    "When does barley ripen in Norway?",
    "Which metal melts first in a furnace?",
)


def item(
    number: int, prompt: str, context: str = "", group: str | None = None, right: str = ""
) -> Item:
    return Item(
        id=f"q{number}", task="t", instruction=prompt, input=context, output=right,
        group=group or f"q{number}", answers={},
    )  # fmt: skip


def numbers(*rows: tuple[str, ...]) -> list[int] | None:
    """Number rows of (prompt, input, group), beside some items that are like no others."""
    asked = [*rows, *((filler,) for filler in FILLERS)]
    found = group_numbers([item(number, *row) for number, row in enumerate(asked)])
    return None if found is None else found[: len(rows)].tolist()


def test_the_same_question_under_two_ids_is_one_unit() -> None:
    assert numbers(("What is freedom?",), ("what is  Freedom",), ("What is law?",)) == [0, 0, 1]
    assert numbers(("What is it?", "A vase."), ("What is it?", "A lamp.")) is None


def test_questions_about_one_passage_are_one_unit() -> None:
    passage = "The bridge over the Firth was opened by the Queen in 1964."
    assert numbers(("Who?", passage), ("When?", passage), ("What?", "A ferry sank.")) == [0, 0, 1]


def test_an_input_that_half_of_the_items_have_is_a_frame() -> None:
    asked = [item(n, prompt, "Answer in one word.") for n, prompt in enumerate(FILLERS)]
    assert group_numbers(asked) is None


def test_one_question_with_unlike_right_answers_is_a_frame() -> None:
    asked = [item(n, "Which way?", right=right) for n, right in enumerate(("up", "down", "up"))]
    assert group_numbers(asked) is None
    same = [item(n, "Which way?", right="up") for n in range(3)]
    assert group_numbers(same).tolist() == [0, 0, 0]  # type: ignore[union-attr]


def conversation(number: int, *messages: tuple[Role, str]) -> Item:
    turns = tuple(Message(role=role, content=content) for role, content in messages)
    before = transcript(turns[:-1])
    return replace(item(number, turns[-1].content, before), messages=turns)


def test_a_system_message_that_many_items_have_is_a_frame() -> None:
    voices = [f"You are a helpful {voice}." for voice in ("pirate", "poet", "nurse")]
    asked = [
        conversation(n, ("system", voices[n % 3]), ("user", f"What is the number {n} called?"))
        for n in range(60)
    ]
    assert group_numbers(asked) is None
    story = ("user", "A ferry sank."), ("assistant", "I see.")
    told = [
        conversation(60 + n, ("system", voices[n]), *story, ("user", question))
        for n, question in enumerate(("Who?", "When?"))
    ]
    found = group_numbers([*asked, *told])
    assert found is not None
    assert found[-1] == found[-2]
    assert len(set(found.tolist())) == 61


def test_an_input_beside_a_common_system_message_is_a_passage_still() -> None:
    system = Message(role="system", content="Answer from the passage.")
    asked = []
    for n in range(20):
        passage = f"The {FILLERS[n % 4]} stands in a book of its own about {'abcd'[n % 4] * 9}."
        whole = Message(role="user", content=f"What is said of point {n}?\n\n{passage}")
        made = item(n, f"What is said of point {n}?", f"{transcript([system])}\n\n{passage}")
        asked.append(replace(made, messages=(system, whole)))
    found = group_numbers(asked)
    assert found is not None
    assert len(set(found.tolist())) == 4


def test_questions_about_a_passage_in_a_system_message_are_one_unit() -> None:
    passage = ("system", "The bridge over the Firth was opened by the Queen in 1964.")
    asked = [
        conversation(n, passage, ("user", question)) for n, question in enumerate(("Who?", "When?"))
    ]
    found = group_numbers([*asked, *(item(9 + n, filler) for n, filler in enumerate(FILLERS))])
    assert found is not None
    assert found[:2].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Who is the best striker of the Denver Broncos?",
         "Who was the best striker of the Denver Broncos?", True),
        ("Write a short story about a hidden room in an old house by the sea",
         "Write a short story about a hidden room in an old cottage by the sea", True),
        ("What is the capital of France?", "What is the capital of Spain?", False),
        ("What is cricket?", "Why is cricket?", False),
        ("What did the company earn on its swaps in 2008 in all?",
         "What did the company earn on its swaps in 2009 in all?", False),
    ],
)  # fmt: skip
def test_nearly_the_same_question_is_one_unit(one: str, other: str, is_same: bool) -> None:
    assert (numbers((one,), (other,)) == [0, 0]) == is_same


def test_a_template_makes_nothing_alike() -> None:
    frame = "You are a careful helper. Reply to the user in one plain sentence of English: what is "
    words = [
        f"{a}{b}" for a in ("lark", "moss", "tar", "rye", "elm") for b in ("field", "wood", "hill")
    ]
    assert group_numbers([item(n, frame + word) for n, word in enumerate(words)]) is None


def test_recorded_groups_and_content_join_to_one_unit() -> None:
    rows = (("a b", "", "page"), ("c d", "", "page"), ("c d", "", "x"), ("e f", "", "y"))
    assert numbers(*rows) == [0, 0, 0, 1]


def test_real_questions_are_hardly_ever_alike(dolly: list[dict[str, Any]]) -> None:
    asked = [item(n, row["instruction"], row["context"]) for n, row in enumerate(dolly)]
    found = group_numbers(asked)
    assert found is not None
    assert 2900 < found.max() + 1 < 3000
    assert max(sum(found == number) for number in range(int(found.max()) + 1)) < 10
