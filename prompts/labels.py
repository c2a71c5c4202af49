"""Name the labels in a question, for models that are to choose one without having seen them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tuneproof.formats.conversation import last_question
from tuneproof.formats.example import Example


def label_sentence(labels: Sequence[str]) -> str:
    """Return what tells a model the labels; empty where there are none."""
    return f"Answer with one of these labels: {'; '.join(labels)}" if labels else ""


def with_labels(example: Example, labels: Sequence[str]) -> Example:
    """Return an example whose question names the labels, unless it names them all itself.

    Of a conversation that is its last question; its system message may name them too.
    """
    said = [turn.content for turn in example.messages if turn.role != "assistant"]
    asked = "\n".join([example.instruction, *said])
    if all(_stands_in(label, asked) for label in labels):
        return example
    sentence = label_sentence(labels)
    last = last_question(example.messages)
    messages = list(example.messages)
    if last is not None:
        turn = messages[last]
        messages[last] = replace(turn, content=f"{turn.content}\n\n{sentence}")
    return replace(
        example,
        instruction=f"{example.instruction}\n\n{sentence}",
        messages=tuple(messages),
    )


def _stands_in(label: str, asked: str) -> bool:
    """Return whether a text has a label, not as a part of a word or number in ASCII."""
    start = r"(?<![A-Za-z0-9])" if re.match("[A-Za-z0-9]", label) else ""
    end = r"(?![A-Za-z0-9])" if re.match("[A-Za-z0-9]", label[-1:]) else ""
    return re.search(start + re.escape(label) + end, asked) is not None
