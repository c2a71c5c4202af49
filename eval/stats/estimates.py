"""From scores to the report's figures: metrics and gains with intervals, overall and by task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores, count_scored, group_numbers
from tuneproof.eval.stats.bootstrap import Estimate, Key, estimate, totals
from tuneproof.eval.stats.intervals import DIFFERENCE, SHARE, UNBOUNDED, Floats, Range
from tuneproof.eval.stats.label_figures import LabelReport, label_report, set_figures
from tuneproof.eval.stats.permutation import sign_flip_p
from tuneproof.eval.stats.verdicts import Difference, PairedTest, judge
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.report import Gain, MetricFigure, TaskPart


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is estimated on some of the items: all, or those of a task."""

    chosen: NDArray[np.bool_]
    """(items,) which they are."""
    estimates: dict[Key, Estimate]
    p_values: dict[Key, float]
    """Of the gains, not corrected."""

    @property
    def gains(self) -> dict[Key, PairedTest]:
        """The gains, ready to be judged."""
        return {
            key: PairedTest(estimate=estimate, p=self.p_values[key])
            for key, estimate in self.estimates.items()
            if key.kind == "gain"
        }


@dataclass(frozen=True, kw_only=True)
class Analysis(LabelReport):
    """All figures of a report, named as there."""

    metrics: Mapping[str, Mapping[str, MetricFigure]]
    gains: Mapping[str, Mapping[str, Gain]]
    tasks: Mapping[str, TaskPart]
    """The same of every task, where there are several."""


def analyse(comparison: Comparison, scores: Scores, config: ReportConfig) -> Analysis:
    """Estimate, test and judge everything, in one family of verdicts."""
    names = list(dict.fromkeys(item.task for item in comparison.items))
    masks = {"": np.ones(len(comparison.items), dtype=bool)}
    for name in names if len(names) > 1 else ():
        masks[name] = np.array([item.task == name for item in comparison.items])
    parts = {name: estimate_part(comparison, scores, config, mask) for name, mask in masks.items()}
    tested = {
        Difference(task, key.variant, key.name): test
        for task, part in parts.items()
        for key, test in part.gains.items()
    }
    judged = judge(tested, 1 - config.confidence, scores.length_unit)
    figures = {
        task: _figures(comparison, scores, part, judged, task) for task, part in parts.items()
    }
    whole = figures.pop("")
    labels = label_report(comparison, parts[""].estimates, config)
    return Analysis(metrics=whole.metrics, gains=whole.gains, tasks=figures, **vars(labels))


def estimate_all(comparison: Comparison, scores: Scores, config: ReportConfig) -> Part:
    """Estimate every mean and every paired difference on all items."""
    return estimate_part(comparison, scores, config, np.ones(len(comparison.items), dtype=bool))


def estimate_part(
    comparison: Comparison, scores: Scores, config: ReportConfig, chosen: NDArray[np.bool_]
) -> Part:
    """Estimate every mean and every paired difference on the chosen items, in one resampling."""
    items = [item for item, is_in in zip(comparison.items, chosen, strict=True) if is_in]
    groups = group_numbers(items)
    columns = _columns(comparison, scores, chosen)
    found = estimate(
        np.column_stack(list(columns.values())),
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        groups=groups,
        ranges=[_range(key) for key in columns],
    )
    estimates = dict(zip(columns, found, strict=True))
    p_values: dict[Key, float] = {}
    gains = {key: values for key, values in columns.items() if key.kind == "gain"}
    if gains:
        sums, _ = totals(np.column_stack(list(gains.values())), groups)
        p = sign_flip_p(sums, draws=config.draws, seed=config.seed)
        p_values = dict(zip(gains, p, strict=True))
    if comparison.labels is not None:
        of_sets, p_of_sets = set_figures(comparison, items, config)
        estimates |= of_sets
        p_values |= p_of_sets
    return Part(chosen=chosen, estimates=estimates, p_values=p_values)


def _figures(
    comparison: Comparison,
    scores: Scores,
    part: Part,
    judged: Mapping[Difference, Gain],
    task: str,
) -> TaskPart:
    """Return metrics and gains of a part, both in the order of the registry."""
    metrics: dict[str, dict[str, MetricFigure]] = {name: {} for name in comparison.names}
    gains: dict[str, dict[str, Gain]] = {name: {} for name in comparison.tuned}
    order = {metric: index for index, metric in enumerate(METRICS)}
    keys = [key for key in part.estimates if key.kind in ("metric", "gain")]
    for key in sorted(keys, key=lambda key: order[key.name]):
        if key.kind == "gain":
            gains[key.variant][key.name] = judged[Difference(task, key.variant, key.name)]
            continue
        seen = part.estimates[key]
        metrics[key.variant][key.name] = MetricFigure(
            value=seen.value,
            low=seen.low,
            high=seen.high,
            n=seen.n,
            **count_scored(comparison, scores, key.name, key.variant, part.chosen),
        )
    return TaskPart(n=int(part.chosen.sum()), metrics=metrics, gains=gains)


def _columns(
    comparison: Comparison, scores: Scores, chosen: NDArray[np.bool_]
) -> dict[Key, Floats]:
    """Return the per-item values of every figure; those without any value are left out."""
    columns: dict[Key, Floats] = {}
    base = comparison.names.index(comparison.base)
    for metric, table in scores.values.items():
        part = table[chosen]
        for index, variant in enumerate(comparison.names):
            columns[Key("metric", variant, metric)] = part[:, index]
            if variant in comparison.tuned:
                columns[Key("gain", variant, metric)] = part[:, index] - part[:, base]
    return {key: values for key, values in columns.items() if not np.isnan(values).all()}


def _range(key: Key) -> Range:
    if key.name == "length":
        return (0.0, UNBOUNDED[1]) if key.kind == "metric" else UNBOUNDED
    return SHARE if key.kind == "metric" else DIFFERENCE
