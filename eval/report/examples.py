"""The answers a reader should look at: every item as plain data, the telling ones first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores
from tuneproof.eval.stats.label_figures import confidence_of
from tuneproof.formats.comparison import Answer, Comparison

CLIP_CHARACTERS = 6_000
SHOWN_METRICS = ("rougeL", "numeric_match", "executed_match", "exact_match")
"""Metrics whose value is shown beside each answer."""
SHOWN_LABELS = 3
"""Most probable labels shown beside each answer."""


def primary_metric(scores: Scores) -> str | None:
    """Return the metric that ranks single items: ROUGE-L or accuracy, or None where neither is."""
    return next((name for name in ("rougeL", "accuracy") if name in scores.values), None)


def item_gains(comparison: Comparison, scores: Scores) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return (items, tuned variants) gains of the primary metric over the base; NaN = none."""
    names, metric = comparison.names, primary_metric(scores)
    if metric is None:
        return np.full((len(comparison.items), len(comparison.tuned)), np.nan)
    table = scores.values[metric]
    tuned = [names.index(name) for name in comparison.tuned]
    return np.asarray(table[:, tuned] - table[:, [names.index(comparison.base)]])


def records(comparison: Comparison, scores: Scores) -> list[dict[str, Any]]:
    """Return one JSON-ready record per item, in the order of the file.

    `answers` stand in the order of `Comparison.names`, `gains` in that of `Comparison.tuned`.
    """
    gains = item_gains(comparison, scores)
    return [
        {
            "id": item.id,
            "task": item.task,
            "prompt": clip(item.prompt),
            "input": clip(item.input),
            "reference": None if item.reference is None else clip(item.reference),
            "truncated": item.truncated,
            "gains": [_rounded(gain) for gain in gains[row]],
            "answers": [
                _answer(item.answers[name], scores, row, column)
                | _labelling(item.answers[name], scores, row, column)
                for column, name in enumerate(comparison.names)
            ],
        }
        for row, item in enumerate(comparison.items)
    ]


def telling_first(rows: list[dict[str, Any]]) -> list[int]:
    """Return item numbers, largest gain or loss first, then those with a flag, then the rest."""

    def weight(index: int) -> tuple[float, bool]:
        row = rows[index]
        size = max((abs(gain) for gain in row["gains"] if gain is not None), default=0.0)
        return (-size, not any(answer["flags"] for answer in row["answers"]))

    return sorted(range(len(rows)), key=weight)


def extremes(rows: list[dict[str, Any]], variant: int, count: int) -> tuple[list[int], list[int]]:
    """Return the item numbers of a variant's largest gains and largest losses, largest first."""
    gains = [(row["gains"][variant], index) for index, row in enumerate(rows)]
    known = [(gain, index) for gain, index in gains if gain is not None]
    best = [index for gain, index in sorted((-gain, index) for gain, index in known) if gain < 0]
    worst = [index for gain, index in sorted(known) if gain < 0]
    return best[:count], worst[:count]


def confident_mistakes(rows: list[dict[str, Any]], variant: int, count: int) -> list[int]:
    """Return the item numbers of the wrong labels a variant was surest of, surest first.

    `variant` counts in the order of `Comparison.names`.
    """
    answers = [row["answers"][variant] for row in rows]
    wrong = [i for i, answer in enumerate(answers) if answer.get("right") is False]
    return sorted(wrong, key=lambda i: -answers[i]["confidence"])[:count]


def clip(text: str, limit: int = CLIP_CHARACTERS) -> str:
    """Shorten a very long text, saying by how much."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … ({len(text) - limit:,} more characters)"


def _answer(answer: Answer, scores: Scores, row: int, column: int) -> dict[str, Any]:
    def value(metric: str) -> float | None:
        table = scores.values.get(metric)
        return None if table is None else _rounded(table[row, column])

    flags = {
        "looping": value("loop_rate") == 1,
        "echoing": value("echo_rate") == 1,
        "unstopped": answer.finish_reason == "length",
        "empty": answer.text is not None and not answer.text.strip(),
    }
    shown = {METRICS[name].title: value(name) for name in SHOWN_METRICS}
    return {
        "text": None if answer.text is None else clip(answer.text),
        "length": value("length"),
        "flags": [flag for flag, is_set in flags.items() if is_set],
        "scores": {title: found for title, found in shown.items() if found is not None},
    }


def _labelling(answer: Answer, scores: Scores, row: int, column: int) -> dict[str, Any]:
    """Return the scored label, whether it is right, and the most probable labels; or nothing."""
    if answer.label is None:
        return {}
    probabilities = answer.label_probabilities or {}
    ranked = sorted(probabilities.items(), key=lambda pair: (pair[0] != answer.label, -pair[1]))
    return {
        "label": answer.label,
        "right": bool(scores.values["accuracy"][row, column]),
        "confidence": _rounded(confidence_of(answer)) or 0.0,
        "top": [[label, _rounded(p)] for label, p in ranked[:SHOWN_LABELS]],
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 3)
