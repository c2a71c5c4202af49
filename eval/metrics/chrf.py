"""chrF: overlap of character n-grams with the reference, in any script."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tuneproof.eval.metrics.metric import Metric


def chrf(prediction: str, reference: str) -> float:
    """Return the F2 of the character n-grams shared with the reference (chrF2), of one sentence.

    Range [0, 1], higher is better. Nothing is normalised but white space, which is left out.
    An empty answer scores 0. Source: Popović, 2015; the value is that of sacrebleu's
    `sentence_score` with its defaults (n-grams of 1 to 6 characters, recall weighs twice), divided
    by 100.
    """
    return float(_scorer().sentence_score(prediction, [reference]).score) / 100


CHRF = Metric(
    title="chrF",
    function=chrf,
    direction="higher",
    unit="score",
    definition="F2 of the runs of one to six characters that answer and reference share; reads "
    "any script, and is the primary metric where most references have no words between spaces.",
    source="Popović, 2015, chrF: character n-gram F-score for automatic MT evaluation; computed "
    "by sacrebleu (Post, 2018)",
    weakness="Never near 0: any two texts of one language share letters. Recall weighs twice, so "
    "that a long answer costs little.",
)


@lru_cache(maxsize=1)
def _scorer() -> Any:
    from sacrebleu.metrics.chrf import CHRF as Scorer

    return Scorer()
