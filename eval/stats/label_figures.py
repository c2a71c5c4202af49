"""What only a task with a label set has: F1 and its kin, label by label, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.label_sets import BINS, label_f1, label_precision, label_recall
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import group_numbers
from tuneproof.eval.stats.bootstrap import Estimate, by_group, estimate_of_totals
from tuneproof.eval.stats.intervals import Range
from tuneproof.eval.stats.pairs import compare_pairs
from tuneproof.eval.stats.permutation import swap_p
from tuneproof.formats.comparison import Answer, Comparison, Item

Floats = NDArray[np.float64]
OF_SETS = {name: metric for name, metric in METRICS.items() if metric.is_of_a_set}
BY_LABEL = {"precision": label_precision, "recall": label_recall, "f1": label_f1}
Groups = NDArray[np.int64]
Key = tuple[str, ...]


class Outcomes:
    """The right and the given labels of some items as numbers, for the variants that gave any."""

    def __init__(self, comparison: Comparison, items: Sequence[Item]) -> None:
        """Look up every label's number."""
        assert comparison.labels is not None
        self.labels = comparison.labels
        self.base = comparison.base
        self.items = items
        first = items[0].answers
        self.names = [name for name in comparison.names if first[name].label is not None]
        self.calibrated = [n for n in self.names if first[n].label_probabilities is not None]
        numbers: dict[str | None, int] = {label: i for i, label in enumerate(self.labels)}
        self.right = np.array([numbers[item.reference] for item in items])  # (items,)
        self.given = np.array(  # (items, variants)
            [[numbers[item.answers[name].label] for name in self.names] for item in items]
        ).reshape(len(items), len(self.names))

    def confusion(self, name: str) -> NDArray[np.int64]:
        """Return (right label, given label) counts."""
        size = len(self.labels)
        cells = self.right * size + self.given[:, self.names.index(name)]
        return np.bincount(cells, minlength=size**2).reshape(size, size)

    def confidence(self, name: str) -> Floats:
        """Return (items,) the probability of the given label."""
        return np.array([confidence_of(item.answers[name]) for item in self.items])

    def table(self) -> Floats:
        """Return (items, variants, columns) what adds up: hits, predicted, actual, gaps, count."""
        size, rows = len(self.labels), np.arange(len(self.items))
        table = np.zeros((len(rows), len(self.names), 3 * size + BINS + 1))
        for column, name in enumerate(self.names):
            given, part = self.given[:, column], table[:, column]
            is_right = given == self.right
            part[rows, given] = is_right
            part[rows, size + given] = 1
            part[rows, 2 * size + self.right] = 1
            if name in self.calibrated:
                confidence = self.confidence(name)
                part[rows, 3 * size + bin_of(confidence)] = confidence - is_right
        table[:, :, -1] = 1
        return table

    def split(self, sums: Floats) -> dict[str, Floats]:
        """Name the parts of summed rows of the table; the argument is (..., columns)."""
        size = len(self.labels)
        ends = np.cumsum([size, size, size, BINS])
        parts = np.split(sums, ends, axis=-1)
        named = dict(zip(("hits", "predicted", "actual", "gaps", "count"), parts, strict=True))
        return named | {"count": named["count"][..., 0]}


def confidence_of(answer: Answer) -> float:
    """Return the probability of the label an answer gives; NaN where it has none."""
    if answer.label is None or answer.label_probabilities is None:
        return float("nan")
    return answer.label_probabilities[answer.label]


def bin_of(confidence: Floats) -> NDArray[np.int64]:
    """Return the calibration bin, from 0, of each confidence."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def set_figures(
    comparison: Comparison, items: Sequence[Item], config: ReportConfig
) -> tuple[dict[Key, Estimate], dict[Key, float]]:
    """Estimate the figures of the whole set, and test those that are gains.

    Returns:
        ``("metric", variant, name)`` and ``("gain", variant, name)`` for the metrics of sets, and
        ``("label", variant, precision | recall | f1, label)``; and the p-values of the gains.
    """
    outcomes = Outcomes(comparison, items)
    if not outcomes.names:
        return {}, {}
    groups = group_numbers(items)
    table = outcomes.table()
    keys, differing, ranges = _keys(comparison, outcomes, table, groups)

    def statistic(sums: Floats) -> Floats:
        parts = outcomes.split(sums.reshape(len(sums), *table.shape[1:]))
        return np.column_stack(list(_values(comparison, outcomes, parts).values()))

    found = estimate_of_totals(
        table.reshape(len(items), -1),
        statistic,
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        differing=differing,
        ranges=ranges,
        groups=groups,
    )
    return dict(zip(keys, found, strict=True)), _p_values(comparison, outcomes, table, config)


def _p_values(
    comparison: Comparison, outcomes: Outcomes, table: Floats, config: ReportConfig
) -> dict[Key, float]:
    """Return the permutation test's p-value of every gain in a figure of sets."""
    if outcomes.base not in outcomes.names:
        return {}
    groups = group_numbers(outcomes.items)
    found: dict[Key, float] = {}
    base = outcomes.names.index(outcomes.base)
    for name in outcomes.names:
        if name not in comparison.tuned:
            continue
        both = {name, outcomes.base} <= set(outcomes.calibrated)
        chosen = {m: s for m, s in OF_SETS.items() if both or "gaps" not in s.needs}

        def figures(sums: Floats, chosen: dict[str, Any] = chosen) -> Floats:
            parts = outcomes.split(sums)
            return np.column_stack(
                [
                    spec.function(*(parts[column] for column in spec.needs))
                    for spec in chosen.values()
                ]
            )

        p = swap_p(
            by_group(table[:, outcomes.names.index(name)], groups),
            by_group(table[:, base], groups),
            figures,
            draws=config.draws,
            seed=config.seed,
        )
        found |= {("gain", name, m): each for m, each in zip(chosen, p, strict=True)}
    return found


def _values(
    comparison: Comparison, outcomes: Outcomes, parts: dict[str, Floats]
) -> dict[Key, Floats]:
    """Return key -> (resamples,) of every figure, from parts of (resamples, variants, ...)."""
    values: dict[Key, Floats] = {}
    places = {name: index for index, name in enumerate(outcomes.names)}
    for metric, spec in OF_SETS.items():
        table = np.asarray(spec.function(*(parts[column] for column in spec.needs)))
        having = outcomes.calibrated if "gaps" in spec.needs else outcomes.names
        for name in having:
            values["metric", name, metric] = table[:, places[name]]
            if name in comparison.tuned and outcomes.base in having:
                gain = table[:, places[name]] - table[:, places[outcomes.base]]
                values["gain", name, metric] = gain
    for figure, function in BY_LABEL.items():
        table = function(parts["hits"], parts["predicted"], parts["actual"])
        for name, place in places.items():
            for index, label in enumerate(outcomes.labels):
                values["label", name, figure, label] = table[:, place, index]
    return values


def _keys(
    comparison: Comparison, outcomes: Outcomes, table: Floats, groups: Groups | None
) -> tuple[list[Key], list[int], list[Range]]:
    """Return the keys of the figures, how many units bear on each gain, and the ranges."""
    parts = outcomes.split(np.asarray(table.sum(axis=0))[None])
    keys = list(_values(comparison, outcomes, parts))
    differing, ranges = [], []
    for kind, name, metric, *_ in keys:
        lowest = -1.0 if metric == "matthews" else 0.0
        if kind == "gain":
            pair = [outcomes.names.index(each) for each in (name, outcomes.base)]
            moved = by_group(table[:, pair[0]] - table[:, pair[1]], groups)
            differing.append(int((moved != 0).any(axis=1).sum()))
            ranges.append((lowest - 1, 1 - lowest))
        else:
            differing.append(len(table))
            ranges.append((lowest, 1.0))
    return keys, differing, ranges


def classify(
    comparison: Comparison, figures: dict[Key, Estimate], config: ReportConfig
) -> dict[str, Any]:
    """Return `classes`, `confusion`, `reliability` and `pairs` of a report."""
    if comparison.labels is None:
        return {"classes": {}, "confusion": {}, "reliability": {}, "pairs": []}
    outcomes = Outcomes(comparison, comparison.items)
    support = np.bincount(outcomes.right, minlength=len(outcomes.labels)).tolist()
    return {
        "classes": {
            name: {
                label: {
                    "support": count,
                    **{f: _cell(figures["label", name, f, label]) for f in BY_LABEL},
                }
                for label, count in zip(outcomes.labels, support, strict=True)
            }
            for name in outcomes.names
        },
        "confusion": {name: outcomes.confusion(name).tolist() for name in outcomes.names},
        "reliability": {name: _reliability(outcomes, name) for name in outcomes.calibrated},
        "pairs": compare_pairs(outcomes, config),
    }


def _cell(found: Estimate) -> dict[str, float | None]:
    """Return value and interval; None where a label gives no such figure."""
    value = None if np.isnan(found.value) else found.value
    return {"value": value, "low": found.low, "high": found.high}


def _reliability(outcomes: Outcomes, name: str) -> list[dict[str, float | int]]:
    """Return every bin that holds an item: its bounds, items, mean confidence and accuracy."""
    confidence = outcomes.confidence(name)
    is_right = outcomes.given[:, outcomes.names.index(name)] == outcomes.right
    bins = bin_of(confidence)
    return [
        {
            "low": number / BINS,
            "high": (number + 1) / BINS,
            "n": int((bins == number).sum()),
            "confidence": float(confidence[bins == number].mean()),
            "accuracy": float(is_right[bins == number].mean()),
        }
        for number in np.unique(bins).tolist()
    ]
