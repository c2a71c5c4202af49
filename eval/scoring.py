"""Apply every metric to every answer, and count what could not be scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.comparison import Answer, Comparison, Item
from eval.metrics.registry import METRICS, Metric

_MISSING = {
    "reference": "no item has a reference",
    "finish_reason": "no answer says why it ended (finish_reason)",
}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The value of every metric for every answer."""

    values: dict[str, NDArray[np.float64]]
    """Metric -> (items, variants), variants in the order of `Comparison.names`; NaN = not scored.
    A metric that no answer has a value of is missing."""
    not_available: dict[str, str]
    """Metric -> why no answer has a value of it."""
    length_unit: str
    """``tokens``, or ``words`` where the file does not record tokens."""


def score(comparison: Comparison) -> Scores:
    """Score every answer of every variant with every metric that has what it needs."""
    unit = length_unit(comparison)
    names = comparison.names
    shape = (len(comparison.items), len(names))
    values = {name: np.full(shape, np.nan) for name in METRICS}
    for row, item in enumerate(comparison.items):
        for column, name in enumerate(names):
            for metric, value in score_answer(item, item.answers[name], unit).items():
                values[metric][row, column] = value
    scored = {name: table for name, table in values.items() if not np.isnan(table).all()}
    return Scores(
        values=scored,
        not_available={
            name: _reason(METRICS[name], comparison.items) for name in METRICS if name not in scored
        },
        length_unit=unit,
    )


def score_answer(item: Item, answer: Answer, unit: str) -> dict[str, float]:
    """Return the value of every metric that can be computed for one answer."""
    columns: dict[str, Any] = {
        "prediction": answer.text,
        "reference": item.reference,
        "prompt": item.prompt,
        "finish_reason": answer.finish_reason,
        "length": answer.tokens if unit == "tokens" else len(answer.text.split()),
    }
    found: dict[str, float] = {}
    for name, metric in METRICS.items():
        inputs = [columns[column] for column in metric.needs]
        value = None if None in inputs else metric.function(*inputs)
        if value is not None:
            found[name] = value
    return found


def length_unit(comparison: Comparison) -> str:
    """Return ``tokens`` when some answer records its tokens, otherwise ``words``."""
    answers = (answer for item in comparison.items for answer in item.answers.values())
    return "tokens" if any(answer.tokens is not None for answer in answers) else "words"


def group_numbers(items: Sequence[Item]) -> NDArray[np.int64] | None:
    """Number the items' groups from 0, or return None when every item stands for itself.

    An item without a group stands for itself. Equal names in different tasks are different groups.
    """
    numbers: dict[tuple[str, ...], int] = {}
    keys = [("item", i.id) if i.group is None else ("group", i.task, i.group) for i in items]
    if len(set(keys)) == len(keys):
        return None
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def count_answers(comparison: Comparison) -> dict[str, Any]:
    """Count items, missing references and, per variant, empty, cut and complete answers."""
    items = comparison.items
    variants = {}
    for name in comparison.names:
        answers = [item.answers[name] for item in items]
        reasons = [answer.finish_reason for answer in answers]
        variants[name] = {
            "empty": sum(not answer.text.strip() for answer in answers),
            "stopped": reasons.count("eos"),
            "cut": reasons.count("length"),
            "tokens": sum(answer.tokens or 0 for answer in answers),
        }
    return {
        "items": len(items),
        "without_reference": sum(item.reference is None for item in items),
        "truncated_inputs": sum(item.truncated for item in items),
        "variants": variants,
    }


def _reason(metric: Metric, items: Sequence[Item]) -> str:
    has_reference = any(item.reference is not None for item in items)
    if metric.numeric and has_reference:
        return "no item has a number as its reference"
    return next(_MISSING[column] for column in metric.needs if column in _MISSING)
