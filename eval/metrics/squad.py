"""Exact match and token F1, normalised as in SQuAD (Rajpurkar et al., 2016)."""

from __future__ import annotations

import re
import string
from collections import Counter
from functools import lru_cache

from tuneproof.eval.metrics.metric import Metric

_SQUAD = "Rajpurkar et al., 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text"

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=64)
def normalize(text: str) -> str:
    """Lower-case, drop ASCII punctuation and the articles a/an/the, join words by one space."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, reference: str) -> float:
    """Return 1 when answer and reference are equal after SQuAD normalisation, otherwise 0.

    Range {0, 1}, higher is better. An empty answer scores 0, unless the reference too is empty
    after normalisation. Source: Rajpurkar et al., 2016.
    """
    return float(normalize(prediction) == normalize(reference))


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


def token_f1(prediction: str, reference: str) -> float:
    """Return the F1 of the words shared with the reference after SQuAD normalisation.

    Range [0, 1], higher is better. When answer or reference is empty after normalisation, 1 if
    both are and otherwise 0 (the rule of SQuAD 2.0). Source: Rajpurkar et al., 2016.
    """
    answer, target = normalize(prediction).split(), normalize(reference).split()
    if not answer or not target:
        return float(answer == target)
    shared = (Counter(answer) & Counter(target)).total()
    return 2 * shared / (len(answer) + len(target))


TOKEN_F1 = Metric(
    title="Token F1",
    function=token_f1,
    direction="higher",
    unit="score",
    definition="F1 of the shared words after SQuAD normalisation (lower case, without "
    "punctuation and the articles a, an, the).",
    source=_SQUAD,
    weakness="Made for short answers; blind to order and negation.",
)
