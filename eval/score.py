"""Apply every metric to every answer, and count what could not be scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.registry import METRICS, metrics_of
from tuneproof.eval.metrics.words import spaced
from tuneproof.eval.units import group_numbers
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.report import AnswerCounts, Counts
from tuneproof.numbers import decimal_mark


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The value of every metric for every answer."""

    values: dict[str, NDArray[np.float64]]
    """Metric -> (items, variants), variants in the order of `Comparison.names`; NaN = not scored.
    A metric that no answer has a value of is missing, and so is one of whole sets."""
    not_available: dict[str, str]
    """Metric of this kind of task -> why no answer has what it needs."""
    length_unit: str
    """``tokens``, or ``words`` where the file does not record tokens."""
    units: NDArray[np.int64] | None
    """(items,) the unit that each is part of (see `eval.units`); None where each is its own."""


def score(comparison: Comparison) -> Scores:
    """Score every answer of every variant with every metric that has what it needs."""
    unit = length_unit(comparison)
    names = comparison.names
    metrics = metrics_of(
        with_labels=comparison.labels is not None, with_programs=comparison.has_programs
    )
    of_answers = {name: metric for name, metric in metrics.items() if not metric.is_of_a_set}
    shape = (len(comparison.items), len(names))
    values = {name: np.full(shape, np.nan) for name in of_answers}
    marks = decimal_marks(comparison)
    for row, item in enumerate(comparison.items):
        for column, name in enumerate(names):
            columns = _columns(item, item.answers[name], unit, comparison.labels)
            columns["decimal_mark"] = marks[item.task]
            for metric, value in score_answer(of_answers, columns).items():
                values[metric][row, column] = value
    scored = {name: table for name, table in values.items() if not np.isnan(table).all()}
    of_sets = {"hits": "accuracy", "gaps": "brier"}  # what needs this has a value when that has
    available = {
        name
        for name, metric in metrics.items()
        if name in scored or of_sets.get(metric.needs[0]) in scored
    }
    return Scores(
        values=scored,
        not_available={
            name: _reason(metric, comparison.items)
            for name, metric in metrics.items()
            if name not in available
        },
        length_unit=unit,
        units=group_numbers(comparison.items),
    )


def score_answer(metrics: Mapping[str, Metric], columns: Mapping[str, Any]) -> dict[str, float]:
    """Return the value of every metric that can be computed from the columns of one answer."""
    values = {name: metric.value(columns) for name, metric in metrics.items()}
    return {name: value for name, value in values.items() if value is not None}


def decimal_marks(comparison: Comparison) -> dict[str, str]:
    """Return by task the decimal mark that the references show, or an empty text."""
    texts: dict[str, list[str]] = {item.task: [] for item in comparison.items}
    for item in comparison.items:
        texts[item.task] += references_of(item, comparison.labels)
    return {task: decimal_mark(references) for task, references in texts.items()}


def references_of(item: Item, labels: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return all right answers of an item, with labels its one; none where none is known."""
    others = item.references if labels is None else ()
    return tuple(dict.fromkeys(filter(None, (item.output, *others))))


def _columns(
    item: Item, answer: Answer, unit: str, labels: tuple[str, ...] | None
) -> dict[str, Any]:
    """Return what metrics may read of one answer; None = it has none."""
    words = None if answer.text is None else len(spaced(answer.text))
    return {
        "prediction": answer.text,
        "reference": references_of(item, labels) or None,
        "executed": item.executed or None,
        "prompt": item.instruction,
        "finish_reason": answer.finish_reason,
        "length": answer.tokens if unit == "tokens" else words,
        "label": answer.label,
        "label_probabilities": answer.label_probabilities,
        "labels": labels,
    }


def length_unit(comparison: Comparison) -> str:
    """Return ``tokens`` when some answer records its tokens, otherwise ``words``."""
    answers = (answer for item in comparison.items for answer in item.answers.values())
    return "tokens" if any(answer.tokens is not None for answer in answers) else "words"


def count_answers(comparison: Comparison, units: NDArray[np.int64] | None) -> Counts:
    """Count items, units, missing references and how every variant's answers end."""
    items = comparison.items
    return Counts(
        items=len(items),
        without_reference=sum(item.reference is None for item in items),
        truncated_inputs=sum(item.truncated for item in items),
        failed=len(comparison.failed),
        variants={
            name: _count([item.answers[name] for item in items]) for name in comparison.names
        },
        groups=0 if units is None else int(units.max()) + 1,
    )


def _count(answers: Sequence[Answer]) -> AnswerCounts:
    texts = [answer.text for answer in answers if answer.text is not None]
    reasons = [answer.finish_reason for answer in answers]
    return AnswerCounts(
        empty=sum(not text.strip() for text in texts) if texts else None,
        stopped=reasons.count("eos"),
        cut=reasons.count("length"),
        tokens=sum(answer.tokens or 0 for answer in answers),
    )


def count_scored(
    comparison: Comparison,
    scores: Scores,
    metric: str,
    variant: str,
    chosen: NDArray[np.bool_],
) -> dict[str, int]:
    """Count what a metric's mean leaves out, and the empty answers it takes in.

    Returns:
        `without_reference`: items it does not score for want of a reference; `not_scored`: items
        it does not score for another reason, such as a reference that is no number; `empty`:
        scored answers without any text.
    """
    column = comparison.names.index(variant)
    rows = np.flatnonzero(chosen).tolist()
    table = scores.values.get(metric)
    is_scored = [True] * len(rows) if table is None else (~np.isnan(table[rows, column])).tolist()
    needs_reference = "reference" in METRICS[metric].needs
    counts = {"without_reference": 0, "not_scored": 0, "empty": 0}
    for row, scored in zip(rows, is_scored, strict=True):
        item = comparison.items[row]
        text = item.answers[variant].text
        if not scored:
            is_missing = needs_reference and item.reference is None
            counts["without_reference" if is_missing else "not_scored"] += 1
        elif text is not None and not text.strip():
            counts["empty"] += 1
    return counts


def _reason(metric: Metric, items: Sequence[Item]) -> str:
    has_reference = any(item.reference is not None for item in items)
    if metric.unread and has_reference:
        return metric.unread
    return next(iter(metric.missing), "no answer has a value of it")
