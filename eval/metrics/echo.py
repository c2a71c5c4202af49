"""Echo: the answer repeats the question, or the words of the prompt template."""

from __future__ import annotations

import re

from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.words import is_unspaced, ngrams, words

OPENING_WORDS = 8
"""Words at the start of a line of the prompt which, at the start of an answer, are an echo."""
WHOLE_LINE_WORDS = 4
"""A prompt line of at least this many words is an echo when it is repeated whole."""
SPAN_WORDS = 24
"""Consecutive words of the prompt which, anywhere in an answer, are an echo."""
CHARACTERS_PER_WORD = 2
"""In scripts without spaces, where `words` are characters."""

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
    prompt anywhere. In scripts without spaces two characters stand for a word. Case
    and punctuation are ignored. Copying from `input` is not counted: a good
    answer may quote its source. Range {0, 1}, lower is better. An empty answer scores 0.
    Source: this project; the limits are set so that hardly any human answer is an echo.
    """
    if _TEMPLATE_WORDS.search(prediction):
        return 1.0
    answer = words(prediction)
    lines = ((words(line), _length_of_word(line)) for line in prompt.splitlines())
    if any(_opens_like(answer, line, length) for line, length in lines):
        return 1.0
    span = SPAN_WORDS * _length_of_word(prompt)
    spans = set(ngrams(words(prompt), span))
    return float(bool(spans) and not spans.isdisjoint(ngrams(answer, span)))


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


def _opens_like(answer: tuple[str, ...], line: tuple[str, ...], word: int) -> bool:
    length = min(len(line), OPENING_WORDS * word)
    return length >= WHOLE_LINE_WORDS * word and answer[:length] == line[:length]


def _length_of_word(text: str) -> int:
    """Return how many of `words` make up one word of a text."""
    return CHARACTERS_PER_WORD if is_unspaced(text) else 1
