"""Repetition: repeated four-word runs, answers that end in a loop, and distinct word pairs.

Words and punctuation marks are the tokens, lower-cased; no reference is needed.
"""

from __future__ import annotations

from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.words import ngrams, tokens

SHORTEST_LOOP = 12
"""Tokens that a loop must fill before it counts: three rounds of four, or twelve of one."""


def repetition_rate(prediction: str) -> float:
    """Return the share of 4-grams that repeat an earlier one: 1 - distinct / all.

    Range [0, 1), lower is better. An answer of fewer than four tokens, hence an empty one, scores
    0. Source: Welleck et al., 2020 (seq-rep-4).
    """
    grams = ngrams(tokens(prediction), 4)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


REPETITION_RATE = Metric(
    title="Repeated 4-grams",
    function=repetition_rate,
    direction="lower",
    unit="share",
    definition="Share of the answer's runs of four words that repeat an earlier one.",
    source="Welleck et al., 2020, Neural Text Generation with Unlikelihood Training",
    weakness="Lists and tables repeat legitimately; a very short answer cannot repeat itself.",
)


def loop_rate(prediction: str) -> float:
    """Return 1 when the answer ends by saying the same thing over and over, otherwise 0.

    The end is a loop when some n-gram, of any length, stands there at least three times in a row
    and fills at least twelve tokens; the last round may be cut short, even within a word.
    Range {0, 1}, lower is better. An empty answer scores 0. Source: Holtzman et al., 2020, on text
    degeneration; the rule is this project's.
    """
    text = tokens(prediction)
    return float(any(_is_loop(text, period) for period in range(1, len(text) // 3 + 1)))


LOOP_RATE = Metric(
    title="Ends in a loop",
    function=loop_rate,
    direction="lower",
    unit="share",
    definition="Share of answers that end with the same words at least three times in a row, "
    "filling at least twelve words.",
    source="Holtzman et al., 2020, The Curious Case of Neural Text Degeneration; "
    "the rule is tuneproof's",
    weakness="A loop that changes a word each time, such as a running number, is missed.",
)


def distinct_2(prediction: str) -> float:
    """Return the share of distinct bigrams among the bigrams of the answer.

    Range [0, 1]; no direction, because longer texts repeat pairs of words by nature. An answer of
    one token has nothing to repeat and scores 1; an empty one scores 0. Source: Li et al., 2016.
    """
    text = tokens(prediction)
    pairs = ngrams(text, 2)
    return len(set(pairs)) / len(pairs) if pairs else float(bool(text))


DISTINCT_2 = Metric(
    title="Distinct bigrams",
    function=distinct_2,
    direction="none",
    unit="share",
    definition="Distinct pairs of neighbouring words divided by all pairs, per answer.",
    source="Li et al., 2016, A Diversity-Promoting Objective Function for Neural Conversation "
    "Models",
    weakness="Falls with the length of any text, good or bad: therefore no direction.",
)


def _is_loop(text: tuple[str, ...], period: int) -> bool:
    """Say whether the tokens at the end repeat with this period, for long enough."""
    end = len(text) - 1
    if not text[end - period].startswith(text[end]):  # the last word may be cut
        return False
    first = end
    while first > period and text[first - 1] == text[first - 1 - period]:
        first -= 1
    filled = end - first + 1 + period
    return filled >= max(3 * period, SHORTEST_LOOP)
