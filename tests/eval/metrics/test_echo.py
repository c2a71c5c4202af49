from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.eval.metrics.echo import echo_rate

PROMPT = "Give me a list of the ten tallest mountains, with heights.\nWhy is the sky blue"
LONG = " ".join(f"word{n}" for n in range(60))


@pytest.mark.parametrize(
    "answer",
    [
        "Input:\nOutput: Everest",
        "Everest.\n### Response: Everest",
        "  **Output:** Everest",
        "## Question\nEverest",
        "Give me a list of the ten tallest buildings",  # eight words of a line
        "give me a list of THE TEN tallest!",
        "Why is the sky blue? Because",  # a whole line of four words or more
    ],
)
def test_echo(answer: str) -> None:
    assert echo_rate(answer, PROMPT) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Everest",
        "Give me a list of the ten",  # seven words, not a whole line
        "The sky is blue because of scattering.",
        "The output: of a pump is its flow",
        "Inputs and outputs differ",
    ],
)
def test_no_echo(answer: str) -> None:
    assert echo_rate(answer, PROMPT) == 0


def test_long_span_of_the_prompt_inside_the_answer() -> None:
    words = LONG.split()
    assert echo_rate("Well: " + " ".join(words[10:34]), LONG) == 1
    assert echo_rate("Well: " + " ".join(words[10:33]), LONG) == 0


def test_short_prompt_lines_cannot_be_echoed() -> None:
    assert echo_rate("Name three. One, two, three.", "Name three.") == 0
    assert echo_rate("anything", "") == 0


@given(st.text(), st.text())
def test_zero_or_one(answer: str, prompt: str) -> None:
    assert echo_rate(answer, prompt) in (0, 1)
    assert echo_rate("", prompt) == 0


def test_human_answers_hardly_ever_echo(dolly: list[dict[str, Any]]) -> None:
    share = sum(echo_rate(row["response"], row["instruction"]) for row in dolly) / len(dolly)
    assert share < 0.01
