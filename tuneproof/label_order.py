"""Detect swapped labels: a relabelling that would score decisively better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

P_TURNED = 1e-3
"""Two labels are turned round when chance would be so seldom so wrong (one-sided, binomial)."""
MARGIN = 0.2
"""More than two labels: how much accuracy a relabelling must add, ..."""
CLEAR = 0.5
"""... and how much it must reach, so that no noise of a bad model is taken for a mapping."""


@dataclass(frozen=True, kw_only=True)
class LabelOrder:
    """How well predictions fit the right labels, as they are and after the best relabelling."""

    accuracy: float
    """Share of predictions that are right, in [0, 1]."""
    best_accuracy: float
    """The same when the predicted labels are renamed one-to-one in the best way."""
    renamed: dict[str, str]
    """The labels that this renaming changes, from predicted to right."""
    is_turned: bool
    """Whether the renaming is decisively better."""

    def warning(self) -> str:
        """Return what to say where the mapping is turned round."""
        read = ", ".join(f"{predicted!r} as {right!r}" for predicted, right in self.renamed.items())
        return (
            f"the labels seem to be turned round: accuracy is {self.accuracy:.1%}, but would be "
            f"{self.best_accuracy:.1%} with {read}; check the order of the labels"
        )


def check_mapping(
    right: Sequence[str], predicted: Sequence[str], labels: Sequence[str]
) -> LabelOrder:
    """Compare predictions with the right labels, as they are and best renamed.

    Args:
        right: The right label of each example.
        predicted: The predicted label of each example.
        labels: The label set; at least two.

    Raises:
        ValueError: No examples, unequal numbers of them, or a label outside the set.
    """
    if not right or len(right) != len(predicted):
        raise ValueError(f"{len(right)} right and {len(predicted)} given labels; at least one each")
    counts = _confusion(right, predicted, labels)
    total = len(right)
    correct = int(np.trace(counts))
    targets, sources = linear_sum_assignment(counts, maximize=True)
    best = float(counts[targets, sources].sum()) / total
    if len(labels) == 2:
        is_turned = binomtest(correct, total, 0.5, alternative="less").pvalue < P_TURNED
    else:
        is_turned = best - correct / total > MARGIN and best > CLEAR
    return LabelOrder(
        accuracy=correct / total,
        best_accuracy=best,
        renamed={
            labels[source]: labels[target]
            for target, source in zip(targets, sources, strict=True)
            if source != target
        },
        is_turned=bool(is_turned),
    )


def _confusion(right: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """Return how often each label (row) was taken for each (column), (labels, labels)."""
    index_of = {label: index for index, label in enumerate(labels)}
    strangers = sorted({*right, *predicted} - index_of.keys())
    if strangers:
        raise ValueError(f"label {strangers[0]!r} is none of {', '.join(map(repr, labels))}")
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    for one, other in zip(right, predicted, strict=True):
        counts[index_of[one], index_of[other]] += 1
    return counts
