"""Exact match and token F1, normalised as in SQuAD (Rajpurkar et al., 2016).

Beyond ASCII as in its multilingual form (MLQA, Lewis et al., 2020): the punctuation of all scripts
is dropped, and in scripts without spaces every character is a word.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from functools import lru_cache

from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.words import fold, spaced

_SQUAD = "Rajpurkar et al., 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text"

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=64)
def normalize(text: str) -> str:
    """Lower-case, drop punctuation and the articles a/an/the, join words by one space."""
    plain = fold(text).translate(_NO_PUNCTUATION)
    if not plain.isascii():
        plain = "".join(c for c in plain if not unicodedata.category(c).startswith("P"))
    return " ".join(_ARTICLE.sub(" ", plain).split())


def exact_match(prediction: str, reference: str) -> float:
    """Return 1 when answer and reference are equal after SQuAD normalisation, otherwise 0.

    Range {0, 1}, higher is better. An empty answer scores 0. Where the normalisation leaves nothing
    of the reference, such as ``?``, the texts are compared as they are. Source: Rajpurkar et al.,
    2016, apart from that rule.
    """
    target = normalize(reference)
    if not target:
        return float(prediction.strip() == reference.strip())
    return float(normalize(prediction) == target)


EXACT_MATCH = Metric(
    title="Exact match",
    function=exact_match,
    direction="higher",
    unit="share",
    definition="Share of answers equal to the reference after SQuAD normalisation.",
    source=_SQUAD,
    weakness="One word more makes a right answer wrong; without punctuation -3.2 equals 32, "
    "so judge numbers by numeric match.",
)


def token_f1(prediction: str, reference: str) -> float | None:
    """Return the F1 of the words shared with the reference after SQuAD normalisation.

    Range [0, 1], higher is better. An empty answer scores 0; None where the normalisation leaves
    nothing of the reference. Source: Rajpurkar et al., 2016.
    """
    answer, target = spaced(normalize(prediction)), spaced(normalize(reference))
    if not target:
        return None
    shared = (Counter(answer) & Counter(target)).total()
    return 2 * shared / (len(answer) + len(target))


TOKEN_F1 = Metric(
    title="Token F1",
    function=token_f1,
    direction="higher",
    unit="score",
    definition="F1 of the shared words after SQuAD normalisation (lower case, without "
    "punctuation and the articles a, an, the; each character is a word in scripts without "
    "spaces).",
    unread="no reference has more than punctuation and articles",
    source=_SQUAD,
    weakness="Made for short answers; blind to order and negation.",
)
