"""Conversations as prompts: which of their answers are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from tuneproof.formats.conversation import last_question, transcript
from tuneproof.formats.example import Example, Message

Turns = Literal["all", "last"]


def asked_turns(items: Sequence[Example], turns: Turns) -> list[Example]:
    """Return what is asked of each prompt.

    Args:
        items: The prompts.
        turns: ``all``: of a conversation every answer of the assistant, each after the true turns
            before it, as ``ID#turn1``, ``ID#turn2``, ... of one group; ``last``: what comes after
            the last question.
    """
    if turns == "last":
        return list(items)
    return [turn for item in items for turn in _turns_of(item)]


def _turns_of(item: Example) -> list[Example]:
    """Return a prompt's turns; itself where there is only one."""
    ends = list(_ends(item.messages))
    if len(ends) < 2:
        return [item]
    turns = [_turn(item, item.messages[:end], number) for number, end in enumerate(ends, 1)]
    last = replace(item, id=turns[-1].id)  # it may have more that is right, and its own short form
    return [*turns[:-1], last]


def _ends(messages: Sequence[Message]) -> Iterator[int]:
    """Yield how many messages there are up to each answer to a question, or to an open question."""
    is_asked = False
    for index, message in enumerate(messages):
        is_answer = message.role == "assistant"
        if is_answer and is_asked and messages[index - 1].role != "assistant":
            yield index + 1
        is_asked = is_asked or message.role == "user"
    if messages and messages[-1].role == "user":
        yield len(messages)


def _turn(item: Example, messages: Sequence[Message], number: int) -> Example:
    """Return one turn: the conversation up to its answer."""
    *before, answer = messages
    asked = last_question(before)
    asked = len(before) - 1 if asked is None else asked
    earlier = [*before[:asked], *before[asked + 1 :]]
    return Example(
        id=f"{item.id}#turn{number}",
        task=item.task,
        instruction=before[asked].content,
        input=transcript(earlier),
        output=answer.content,
        group=item.group,
        messages=tuple(messages) if earlier else (),
    )
