"""What only a task with a label set has: F1 and its kin, overall and label by label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.label_sets import BINS, label_f1, label_precision, label_recall
from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.stats.bootstrap import (
    Estimate,
    Key,
    by_group,
    estimate_of_totals,
    spread,
)
from tuneproof.eval.stats.intervals import Floats, Integers, Range
from tuneproof.eval.stats.permutation import SetTests
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.figures import LabelFigure, LabelFigures, ReliabilityBin

OF_SETS = {name: metric for name, metric in METRICS.items() if metric.is_of_a_set}
HARDLY_ANY = 5
"""Items below which a label says little of how its kind is answered."""
EVERY_LABEL = ("macro_f1", "matthews")
"""Figures in which a label counts much, however rare it is."""
BY_LABEL = {"precision": label_precision, "recall": label_recall, "f1": label_f1}


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """What a report says of the labels; empty where there are none."""

    classes: dict[str, dict[str, LabelFigures]] = field(default_factory=dict)
    confusion: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    reliability: dict[str, tuple[ReliabilityBin, ...]] = field(default_factory=dict)


class Outcomes:
    """The right and the given labels of some items as numbers, for the variants that gave any."""

    def __init__(
        self,
        comparison: Comparison,
        items: Sequence[Item],
        groups: Integers | None = None,
        against: Mapping[str, str] | None = None,
    ) -> None:
        """Look up every label's number; `against` is what a metric's gains are measured from."""
        assert comparison.labels is not None
        self.labels = comparison.labels
        self.against = dict.fromkeys(OF_SETS, comparison.base) | {
            metric: name for metric, name in (against or {}).items() if metric in OF_SETS
        }
        self.items = items
        self.groups = groups
        first = items[0].answers
        self.names = [name for name in comparison.names if first[name].label is not None]
        self.tuned = [name for name in self.names if name in comparison.tuned]
        self.calibrated = [n for n in self.names if first[n].label_probabilities is not None]
        numbers: dict[str | None, int] = {label: i for i, label in enumerate(self.labels)}
        numbers[""] = len(self.labels)  # a text that is none of them
        self.right = np.array([numbers[item.reference] for item in items])  # (items,)
        self.given = np.array(  # (items, variants)
            [[numbers[item.answers[name].label] for name in self.names] for item in items]
        ).reshape(len(items), len(self.names))

    def confusion(self, name: str) -> Integers:
        """Return (right label, given label) counts of the answers that are labels."""
        size = len(self.labels)
        given = self.given[:, self.names.index(name)]
        is_label = given < size
        cells = self.right[is_label] * size + given[is_label]
        return np.bincount(cells, minlength=size**2).reshape(size, size)

    def confidence(self, name: str) -> Floats:
        """Return (items,) the probability of the given label."""
        return np.array([confidence_of(item.answers[name]) for item in self.items])

    def table(self) -> Floats:
        """Return (items, variants, columns) what adds up, in the order of `split`."""
        size, rows = len(self.labels), np.arange(len(self.items))
        table = np.zeros((len(rows), len(self.names), 3 * size + 2 * BINS + 1))
        for column, name in enumerate(self.names):
            given, part = self.given[:, column], table[:, column]
            is_right = given == self.right
            is_label = given < size
            part[rows[is_label], given[is_label]] = is_right[is_label]
            part[rows[is_label], size + given[is_label]] = 1
            part[rows, 2 * size + self.right] = 1
            if name in self.calibrated:
                confidence = self.confidence(name)
                part[rows, 3 * size + bin_of(confidence)] = confidence - is_right
                doubts = confidence * (1 - confidence)
                part[rows, 3 * size + BINS + bin_of(confidence)] = doubts
        table[:, :, -1] = 1
        return table

    def values(self) -> dict[str, dict[str, float]]:
        """Return every figure of the whole set by metric and variant."""
        known: dict[str, dict[str, float]] = {}
        sums = np.asarray(self.table().sum(axis=0))[None]
        for key, (value,) in self.figures(self.split(sums)).items():
            if key.kind == "metric":
                known.setdefault(key.name, {})[key.variant] = float(value)
        return known

    def split(self, sums: Floats) -> dict[str, Floats]:
        """Name the parts of summed rows of the table; the argument is (..., columns)."""
        size = len(self.labels)
        ends = np.cumsum([size, size, size, BINS, BINS])
        names = ("hits", "predicted", "actual", "gaps", "doubts", "count")
        named = dict(zip(names, np.split(sums, ends, axis=-1), strict=True))
        return named | {"count": named["count"][..., 0]}

    def figures(self, parts: dict[str, Floats]) -> dict[Key, Floats]:
        """Return (resamples,) values of every figure, from parts of (resamples, variants, ...)."""
        values: dict[Key, Floats] = {}
        column = {name: index for index, name in enumerate(self.names)}
        for metric, spec in OF_SETS.items():
            table = _figure(spec, parts)
            having = self.calibrated if "gaps" in spec.needs else self.names
            for name in having:
                values[Key("metric", name, metric)] = table[:, column[name]]
                if name in self.tuned and self.against[metric] in having:
                    gain = table[:, column[name]] - table[:, column[self.against[metric]]]
                    values[Key("gain", name, metric)] = gain
        for figure, function in BY_LABEL.items():
            table = function(parts["hits"], parts["predicted"], parts["actual"])
            for name in self.names:
                for index, label in enumerate(self.labels):
                    values[Key(figure, name, label)] = table[:, column[name], index]
        return values


def confidence_of(answer: Answer) -> float:
    """Return the probability of the label an answer gives; NaN where it has none."""
    if not answer.label or answer.label_probabilities is None:
        return float("nan")
    return answer.label_probabilities[answer.label]


def bin_of(confidence: Floats) -> Integers:
    """Return the calibration bin, from 0, of each confidence."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def estimate_sets(outcomes: Outcomes, config: ReportConfig) -> dict[Key, Estimate]:
    """Estimate the figures of the whole set.

    Returns:
        The metrics of sets, their gains, and precision, recall and F1 of every label.
    """
    if not outcomes.names:
        return {}
    table = outcomes.table()
    keys = list(outcomes.figures(outcomes.split(np.asarray(table.sum(axis=0))[None])))

    def statistic(sums: Floats) -> Floats:
        parts = outcomes.split(sums.reshape(len(sums), *table.shape[1:]))
        return np.column_stack(list(outcomes.figures(parts).values()))

    estimates = estimate_of_totals(
        table.reshape(len(table), -1),
        statistic,
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        differing=[_differing(key, outcomes, table) for key in keys],
        ranges=[_range(key) for key in keys],
        groups=outcomes.groups,
    )
    known = dict(zip(keys, estimates, strict=True))
    for key, room in _room(outcomes, table, statistic, keys).items():
        known[key] = with_room(known[key], room, config.confidence)
    return known


def with_room(seen: Estimate, room: Range, confidence: float) -> Estimate:
    """Return an estimate whose interval takes in the values between two others."""
    interval_at = seen.interval_at
    if interval_at is None:
        return seen

    def wider(confidence: float) -> Range:
        low, high = interval_at(confidence)
        return min(low, room[0]), max(high, room[1])

    low, high = wider(confidence)
    return replace(seen, low=low, high=high, interval_at=wider)


def _room(
    outcomes: Outcomes,
    table: Floats,
    statistic: Callable[[Floats], Floats],
    keys: Sequence[Key],
) -> dict[Key, Range]:
    """Return what figures of all labels alike would be with one more item of a rare label.

    Resamples cannot know how a label is answered of which hardly an item is there. One item more,
    answered rightly or wrongly by either variant, stands for those that were not drawn.
    """
    support = np.bincount(outcomes.right, minlength=len(outcomes.labels))
    rare = np.flatnonzero(support < HARDLY_ANY)
    if not len(rare) or len(rare) == len(support):
        return {}
    size, common = len(outcomes.labels), int(support.argmax())
    base = np.array([name in outcomes.against.values() for name in outcomes.names])
    more = []
    for label in rare.tolist():
        for is_right in (base, ~base, base | True, base & False):
            row = np.zeros(table.shape[1:])
            row[is_right, label] = 1
            row[np.arange(len(base)), size + np.where(is_right, label, common)] = 1
            row[:, 2 * size + label] = 1
            row[:, -1] = 1
            more.append(table.sum(axis=0) + row)
    values = statistic(np.array(more).reshape(len(more), -1))
    return {
        key: (float(values[:, column].min()), float(values[:, column].max()))
        for column, key in enumerate(keys)
        if key.kind in ("metric", "gain") and key.name in EVERY_LABEL
    }


def _figure(spec: Metric, parts: dict[str, Floats]) -> Floats:
    return np.asarray(spec.function(*(parts[column] for column in spec.needs)))


def _differing(key: Key, outcomes: Outcomes, table: Floats) -> int:
    """Return how many units bear on a figure."""
    if key.kind != "gain":
        return len(table)
    both = (key.variant, outcomes.against[key.name])
    mine, base = (table[:, outcomes.names.index(name)] for name in both)
    return int((by_group(mine - base, outcomes.groups) != 0).any(axis=1).sum())


def _range(key: Key) -> Range:
    lowest = -1.0 if key.kind not in BY_LABEL and key.name == "matthews" else 0.0
    return (lowest - 1, 1 - lowest) if key.kind == "gain" else (lowest, 1.0)


def set_tests(
    outcomes: Outcomes, chosen: NDArray[np.bool_], units: Integers | None
) -> list[tuple[tuple[Key, ...], SetTests]]:
    """Return the permutation tests of every gain in a figure of sets.

    Args:
        outcomes: The labels of the chosen items.
        chosen: (items,) which they are, of all items.
        units: (items,) unit of each of all items; None where each is its own.
    """
    table = outcomes.table()

    def of(name: str) -> Floats:
        return by_group(spread(table[:, outcomes.names.index(name)], chosen), units)

    tests = []
    bases = dict.fromkeys(base for base in outcomes.against.values() if base in outcomes.names)
    for name, base in product(outcomes.tuned, bases):
        both = {name, base} <= set(outcomes.calibrated)
        specs = {
            metric: spec
            for metric, spec in OF_SETS.items()
            if outcomes.against[metric] == base and (both or "gaps" not in spec.needs)
        }
        if not specs:
            continue

        def figures(sums: Floats, specs: Sequence[Metric] = tuple(specs.values())) -> Floats:
            parts = outcomes.split(sums)
            return np.column_stack([_figure(spec, parts) for spec in specs])

        test = SetTests(first=of(name), second=of(base), figures=figures)
        tests.append((tuple(Key("gain", name, metric) for metric in specs), test))
    return tests


def label_report(comparison: Comparison, estimates: dict[Key, Estimate]) -> LabelReport:
    """Return what a report says label by label."""
    if comparison.labels is None:
        return LabelReport()
    outcomes = Outcomes(comparison, comparison.items)
    support = np.bincount(outcomes.right, minlength=len(outcomes.labels)).tolist()

    def figure(kind: str, name: str, label: str) -> LabelFigure:
        seen = estimates[Key(kind, name, label)]
        value = None if np.isnan(seen.value) else seen.value
        return LabelFigure(value=value, low=seen.low, high=seen.high)

    return LabelReport(
        classes={
            name: {
                label: LabelFigures(
                    support=count, **{kind: figure(kind, name, label) for kind in BY_LABEL}
                )
                for label, count in zip(outcomes.labels, support, strict=True)
            }
            for name in outcomes.names
        },
        confusion={
            name: tuple(tuple(row) for row in outcomes.confusion(name).tolist())
            for name in outcomes.names
        },
        reliability={name: _reliability(outcomes, name) for name in outcomes.calibrated},
    )


def _reliability(outcomes: Outcomes, name: str) -> tuple[ReliabilityBin, ...]:
    """Return every bin that holds an item."""
    confidence = outcomes.confidence(name)
    is_right = outcomes.given[:, outcomes.names.index(name)] == outcomes.right
    bins = bin_of(confidence)
    return tuple(
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            n=int((bins == number).sum()),
            confidence=float(confidence[bins == number].mean()),
            accuracy=float(is_right[bins == number].mean()),
        )
        for number in np.unique(bins).tolist()
    )
