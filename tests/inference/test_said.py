"""What of the generated tokens is an answer: no special tokens, no thoughts, indentation kept."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tuneproof.inference.generate import Answer, _answer


@pytest.fixture(scope="module", params=["one token", "several", "special"])
def thinker(tokenizer: Any, request: Any) -> Any:
    """A tokenizer with tokens for thoughts, one without, and one that calls them special."""
    made = copy.deepcopy(tokenizer)
    if request.param != "several":
        from transformers import AddedToken

        is_special = request.param == "special"
        made.add_tokens([AddedToken(each, special=is_special, normalized=False)
                         for each in ("<think>", "</think>")])  # fmt: skip
    return made


def said(tokenizer: Any, text: str, prompt: str = "") -> Answer:
    def ids(of: str) -> list[int]:
        found: list[int] = tokenizer(of, add_special_tokens=False)["input_ids"]
        return found

    eos = tokenizer.eos_token_id
    return _answer([*ids(text), eos], {eos}, tokenizer, ids(prompt))


def tokens(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_thoughts_are_no_answer_and_are_counted(thinker: Any) -> None:
    thought = "<think>\nThe river is slow.\n</think>"
    answer = said(thinker, f"{thought}\n\nMud and stones.")
    assert answer.text == "Mud and stones."
    assert answer.thinking_tokens == tokens(thinker, thought)
    assert answer.tokens > answer.thinking_tokens
    assert answer.as_row()["thinking_tokens"] == answer.thinking_tokens


def test_unfinished_thought_is_an_empty_answer(thinker: Any) -> None:
    answer = said(thinker, "<think>\nThe river is slow")
    assert answer.text == ""
    assert answer.thinking_tokens == answer.tokens - 1


def test_thought_that_the_prompt_began_ends_in_the_answer(thinker: Any) -> None:
    opened = "What is it?<think>\n"
    answer = said(thinker, "The river.</think>\n\nMud.", opened)
    assert answer.text == "Mud."
    assert answer.thinking_tokens == tokens(thinker, "The river.</think>")
    assert said(thinker, "The river is", opened).text == ""


def test_thought_that_the_prompt_ended_or_asked_about_hides_nothing(thinker: Any) -> None:
    for prompt in ("<think>\n\n</think>\n\n", "What does <think> mean?\n\n### Response:\n"):
        answer = said(thinker, "Mud.", prompt)
        assert (answer.text, answer.thinking_tokens) == ("Mud.", 0)


def test_row_says_nothing_of_thoughts_where_there_are_none(thinker: Any) -> None:
    assert said(thinker, "Mud.").as_row().keys() == {"text", "tokens", "finish_reason"}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("    return 1\n    # the end\n\n", "    return 1\n    # the end"),
        ("\n  \n\tx = 1\n", "\tx = 1"),
        ("\n\nMud.", "Mud."),
        ("   \n", ""),
    ],
)
def test_indentation_stays_and_blank_lines_go(tokenizer: Any, raw: str, text: str) -> None:
    assert said(tokenizer, raw).text == text
