"""ROUGE: overlap of words, word pairs and the longest common subsequence with the reference.

The tokens of ASCII texts are those of Google's `rouge_score` (no stemmer), and so are the values,
to the last bit; a test holds them together. It reads no other letters, so that other texts are cut
by `words.words`. Its `RougeScorer` is not called: importing it loads nltk and scipy.stats
(seconds), and its common subsequence is a table in pure Python; here whole rows of that table are
the bits of one integer.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.words import ngrams
from tuneproof.eval.metrics.words import words as words_of_any_script

_LIN = "Lin, 2004, ROUGE: A Package for Automatic Evaluation of Summaries"
_UNREAD = "no reference has a letter or digit, and ROUGE reads nothing else"


def rouge1(prediction: str, reference: str) -> float | None:
    """Return the F1 of the words shared with the reference (ROUGE-1).

    Range [0, 1], higher is better. Normalisation: lower case, letters and digits only, no
    stemming. An empty answer scores 0; None for a reference without a letter or digit.
    Source: Lin, 2004.
    """
    return _overlap_f1(prediction, reference, 1)


ROUGE1 = Metric(
    title="ROUGE-1",
    function=rouge1,
    direction="higher",
    unit="score",
    definition="F1 of the words that answer and reference share, in any order "
    "(same tokens as ROUGE-L).",
    unread=_UNREAD,
    source=_LIN,
    weakness="Ignores order, and rewards frequent words such as 'the'.",
)


def rouge2(prediction: str, reference: str) -> float | None:
    """Return the F1 of the pairs of neighbouring words shared with the reference (ROUGE-2).

    Range [0, 1], higher is better. Normalisation as in `rouge1`. An answer or a reference of one
    word scores 0; None for a reference without a letter or digit. Source: Lin, 2004.
    """
    return _overlap_f1(prediction, reference, 2)


ROUGE2 = Metric(
    title="ROUGE-2",
    function=rouge2,
    direction="higher",
    unit="score",
    definition="F1 of the pairs of neighbouring words that answer and reference share "
    "(same tokens as ROUGE-L).",
    unread=_UNREAD,
    source=_LIN,
    weakness="Always 0 for an answer or a reference of one word.",
)


def rouge_l(prediction: str, reference: str) -> float | None:
    """Return the F1 of the longest common subsequence of words (ROUGE-L).

    Range [0, 1], higher is better. Normalisation as in `rouge1`. An empty answer scores 0; None
    for a reference without a letter or digit. Source: Lin, 2004.
    """
    answer, target = words(prediction), words(reference)
    if not target:
        return None
    if not answer:
        return 0.0
    common = longest_common_subsequence(target, answer)
    return _f1(common / len(answer), common / len(target))


ROUGE_L = Metric(
    title="ROUGE-L",
    function=rouge_l,
    direction="higher",
    unit="score",
    definition="F1 of the longest sequence of words that answer and reference share in order "
    "(lower case, letters and digits only, no stemmer; each character is a word in scripts "
    "without spaces).",
    unread=_UNREAD,
    source=_LIN,
    weakness="Counts words, not meaning: a right answer in other words scores low, and a "
    "wrong one that copies the reference's phrasing scores high.",
)


@lru_cache(maxsize=64)
def words(text: str) -> tuple[str, ...]:
    """Return the words that ROUGE counts."""
    from rouge_score.tokenize import tokenize

    return tuple(tokenize(text, None)) if text.isascii() else words_of_any_script(text)


def longest_common_subsequence(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """Return the length of the longest common subsequence (bit-parallel, Crochemore et al., 2001).

    Bit i of `row` is 0 where the i-th token of `first` lengthens the common subsequence with what
    has been read of `second`; one addition moves a whole row of the classical table.
    """
    positions: dict[str, int] = {}
    for index, token in enumerate(first):
        positions[token] = positions.get(token, 0) | 1 << index
    everywhere = (1 << len(first)) - 1
    row = everywhere
    for token in second:
        matches = row & positions.get(token, 0)
        row = (row + matches | row - matches) & everywhere
    return len(first) - row.bit_count()


def _overlap_f1(prediction: str, reference: str, n: int) -> float | None:
    if not words(reference):
        return None
    answer, target = Counter(ngrams(words(prediction), n)), Counter(ngrams(words(reference), n))
    shared = sum(min(count, answer[gram]) for gram, count in target.items())
    return _f1(shared / max(answer.total(), 1), shared / max(target.total(), 1))


def _f1(precision: float, recall: float) -> float:
    if precision + recall > 0:
        return 2 * precision * recall / (precision + recall)
    return 0.0
