"""Labels are named in the question that a model is asked."""

from __future__ import annotations

import pytest

from tuneproof.formats.conversation import Message
from tuneproof.formats.example import Example
from tuneproof.prompts.labels import with_labels
from tuneproof.prompts.render import question_of

SENTENCE = "Answer with one of these labels: "


def example(instruction: str, *said: tuple[str, str]) -> Example:
    messages = tuple(Message(role=role, content=text) for role, text in said)
    return Example(id="a", task="t", instruction=instruction, group="a", messages=messages)


@pytest.mark.parametrize(
    ("labels", "question", "is_named"),
    [
        (("0", "1"), "Sold 10 units", True),
        (("0", "1"), "Sold 25 units", True),
        (("0", "1"), "Answer 0 or 1.", False),
        (("ham", "spam"), "Is it spam?", True),
        (("spam", "ham"), "Is it spam or ham?", False),
        (("C", "C++"), "Is it C or C++?", False),
        (("积极", "消极"), "这是积极的还是消极的？", False),
    ],
)
def test_labels_are_named_where_the_question_does_not(
    labels: tuple[str, ...], question: str, is_named: bool
) -> None:
    asked = with_labels(example(question), labels).instruction
    assert asked == (f"{question}\n\n{SENTENCE}{'; '.join(labels)}" if is_named else question)


def test_last_question_of_a_conversation_names_them() -> None:
    said = [("system", "Label it."), ("user", "Hi"), ("assistant", "Hello"), ("user", "A ring")]
    asked = question_of(with_labels(example("A ring", *said), ("fraud", "travel")))
    assert [turn.content for turn in asked] == [
        "Label it.", "Hi", "Hello", f"A ring\n\n{SENTENCE}fraud; travel",
    ]  # fmt: skip


def test_system_message_may_name_them() -> None:
    told = example("A ring", ("system", "Say fraud or travel."), ("user", "A ring"))
    assert with_labels(told, ("fraud", "travel")) == told
