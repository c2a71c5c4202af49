"""The primary metric: the one figure by which a comparison is judged first."""

from __future__ import annotations

from collections.abc import Sequence

from tuneproof.eval.metrics.words import is_unspaced
from tuneproof.formats.comparison import Item
from tuneproof.numbers import parse_number


def primary_metric(items: Sequence[Item], *, with_labels: bool = False) -> str:
    """Return the name of the metric that is meant to be primary; it depends on the items alone.

    Labels: ``accuracy``, or ``free_accuracy`` where none was scored. Texts: ``numeric_match`` where
    most references are numbers, else ``executed_match`` where most items have a program's value,
    else ``chrf`` where most references have no words between spaces, else ``rougeL``. Where no
    item has a reference: ``stop_rate``. Most is more than half.

    Args:
        items: The items of the comparison.
        with_labels: Whether the comparison has a label set.
    """
    if any(answer.label is not None for item in items for answer in item.answers.values()):
        return "accuracy"
    if with_labels:
        return "free_accuracy"
    references = [item.reference for item in items if item.reference is not None]
    if not references:
        return "stop_rate"
    if 2 * sum(parse_number(text) is not None for text in references) > len(references):
        return "numeric_match"
    if 2 * sum(bool(item.executed) for item in items) > len(items):
        return "executed_match"
    return "chrf" if 2 * sum(map(is_unspaced, references)) > len(references) else "rougeL"
