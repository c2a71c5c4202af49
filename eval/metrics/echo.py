"""Echo: the answer repeats the question, or the words of the prompt template."""

from __future__ import annotations

import re

from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.words import ngrams, words

_LIN = "Lin, 2004, ROUGE: A Package for Automatic Evaluation of Summaries"

OPENING_WORDS = 8
"""Words at the start of a line of the prompt which, at the start of an answer, are an echo."""
WHOLE_LINE_WORDS = 4
"""A prompt line of at least this many words is an echo when it is repeated whole."""
SPAN_WORDS = 24
"""Consecutive words of the prompt which, anywhere in an answer, are an echo."""

_TEMPLATE_WORDS = re.compile(
    r"^[ \t]*(?:(?:\#{1,6}[ \t]*|\*\*)?(?:instruction|input|output|response)[ \t]*:"
    r"|\#{1,6}[ \t]*(?:instruction|input|output|response|context|question|answer)\b)",
    re.IGNORECASE | re.MULTILINE,
)


def echo_rate(prediction: str, prompt: str) -> float:
    """Return 1 when the answer echoes the prompt or its template, otherwise 0.

    It does when a line of it begins with a word of the template (``Input:``, ``Output:``,
    ``### Response:``, ``## Question`` ...); when it opens with the first eight words of a line of
    the prompt, or with a whole line of four or more; or when it holds 24 consecutive words of the
    prompt anywhere. Case and punctuation are ignored. Copying from `input` is not counted: a good
    answer may quote its source. Range {0, 1}, lower is better. An empty answer scores 0.
    Source: this project; the limits are set so that hardly any human answer is an echo.
    """
    if _TEMPLATE_WORDS.search(prediction):
        return 1.0
    answer = words(prediction)
    if any(_opens_like(answer, words(line)) for line in prompt.splitlines()):
        return 1.0
    spans = set(ngrams(words(prompt), SPAN_WORDS))
    return float(bool(spans) and not spans.isdisjoint(ngrams(answer, SPAN_WORDS)))


ECHO_RATE = Metric(
    title="Echoes the prompt",
    function=echo_rate,
    direction="lower",
    unit="share",
    definition="Share of answers that open with a line of the prompt (eight words, or a whole "
    "line of four), hold 24 words of it in a row, or start a line with template words such as "
    "'Input:' or '### Response:'. Copying from the input is not counted.",
    source="tuneproof",
    weakness="An answer may repeat the question on purpose. Where the prompt contains the "
    "source text, quoting that is counted.",
)


def _opens_like(answer: tuple[str, ...], line: tuple[str, ...]) -> bool:
    length = min(len(line), OPENING_WORDS)
    return length >= WHOLE_LINE_WORDS and answer[:length] == line[:length]
