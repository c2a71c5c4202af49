"""Repetition: repeated four-word runs, answers that end in a loop, and distinct word pairs.

Words and punctuation marks are the tokens, lower-cased; no reference is needed. Marks that give a
text its layout (`LAYOUT`) repeat by nature, in rules, tables, lists and brackets, and do not count
where they stand alone.
"""

from __future__ import annotations

import re

from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.words import ngrams, tokens

SHORTEST_LOOP = 12
"""Tokens but for layout that a loop must fill before it counts: three rounds of four, or twelve of
one."""
WIDEST_RULE = 200
"""Marks of layout that may repeat at the end of an answer; nobody draws a wider rule."""
LAYOUT = frozenset(
    "-_=*~|+:()[]{}<>/\\`\u00b7\u2022\u25aa\u25e6\u2010\u2013\u2014\u2500\u2501\u2550\u2502\u2503\u2551\u253c\u256c"
)
"""Marks of rules, tables, lists and brackets."""
_LIST_MARKER = re.compile(
    r"^[ \t]*(?:[-*+\u2022\u25aa\u25e6]|\(?(?:\d+|[a-z])[.)])(?=\s|$)", re.MULTILINE | re.IGNORECASE
)


def repetition_rate(prediction: str) -> float:
    """Return the share of 4-grams that repeat an earlier one: 1 - distinct / all.

    Range [0, 1), lower is better. Runs of layout alone, such as those of a table's rule, are left
    out. An answer of fewer than four tokens, hence an empty one, scores 0. Source: Welleck et al.,
    2020 (seq-rep-4).
    """
    grams = [gram for gram in ngrams(tokens(prediction), 4) if not LAYOUT.issuperset(gram)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


REPETITION_RATE = Metric(
    title="Repeated 4-grams",
    function=repetition_rate,
    direction="lower",
    unit="share",
    definition="Share of the answer's runs of four words (or characters, in scripts without "
    "spaces) that repeat an earlier one; rules, dashes and brackets are no words.",
    source="Welleck et al., 2020, Neural Text Generation with Unlikelihood Training",
    weakness="Refrains, lists and tables repeat legitimately; a very short answer cannot repeat "
    "itself; runs of four characters repeat sooner than runs of four words.",
)


def loop_rate(prediction: str) -> float:
    """Return 1 when the answer ends by saying the same thing over and over, otherwise 0.

    The end is a loop when some n-gram, of any length, stands there at least three times in a row
    and fills at least twelve tokens; the last round may be cut short, even within a word. Layout
    (`LAYOUT`) and the markers of lists are not counted, unless there are more than 200 marks. A
    refrain with other lines between its rounds is no loop. Range {0, 1}, lower is better. An empty
    answer scores 0. Source: Holtzman et al., 2020, on text degeneration; the rule is this
    project's.
    """
    text = tokens(_LIST_MARKER.sub("", prediction))
    return float(any(_is_loop(text, period) for period in range(1, len(text) // 3 + 1)))


LOOP_RATE = Metric(
    title="Ends in a loop",
    function=loop_rate,
    direction="lower",
    unit="share",
    definition="Share of answers that end with the same words at least three times in a row, "
    "filling at least twelve words (or characters, in scripts without spaces); rules, dashes, "
    "brackets and list markers are no words.",
    source="Holtzman et al., 2020, The Curious Case of Neural Text Degeneration; "
    "the rule is tuneproof's",
    weakness="A loop that changes a word each time, such as a running number, is missed; a song "
    "that ends with its refrain three times in a row is counted.",
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
    looped = text[first - period :]
    if len(looped) < 3 * period:
        return False
    said = sum(token not in LAYOUT for token in looped)
    return said >= SHORTEST_LOOP or len(looped) > WIDEST_RULE
