"""From scores to the report's figures: metrics and gains with intervals, overall and by task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores, count_scored
from tuneproof.eval.stats.against import measured_against
from tuneproof.eval.stats.bootstrap import Estimate, Key, by_group, estimate, spread
from tuneproof.eval.stats.equivalence import equivalence_of
from tuneproof.eval.stats.intervals import (
    DIFFERENCE,
    Floats,
    Range,
    with_unseen,
)
from tuneproof.eval.stats.label_figures import (
    EVERY_LABEL,
    HARDLY_ANY,
    LabelReport,
    Outcomes,
    estimate_sets,
    label_report,
    set_tests,
)
from tuneproof.eval.stats.permutation import MeanTests, SetTests, joint_swaps, sign_flip_p
from tuneproof.eval.stats.primary import compare_pairs, primary_of, primary_report
from tuneproof.eval.stats.seeds import seed_report
from tuneproof.eval.stats.verdicts import Difference, PairedTest, judge
from tuneproof.eval.units import renumbered
from tuneproof.formats.comparison import Comparison
from tuneproof.formats.figures import Gain, MetricFigure, Pair, Primary, SeedFigures, TaskPart

FEW_UNITS = 10
"""Units below which no interval can be relied on."""
CALIBRATED = 63
"""Items below which the interval of a calibration error is too narrow."""
NAMED = 5
"""Most rare labels that are named."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is estimated on some of the items: all, or those of a task."""

    chosen: NDArray[np.bool_]
    """(items,) which they are."""
    against: Mapping[str, str]
    """What the gains of a metric are measured against, where that is not the base."""
    estimates: dict[Key, Estimate]
    tests: tuple[tuple[tuple[Key, ...], MeanTests | SetTests], ...]
    """Gains that are tested together, and what their test is made of."""


@dataclass(frozen=True, kw_only=True)
class Analysis(LabelReport):
    """All figures of a report, named as there."""

    metrics: Mapping[str, Mapping[str, MetricFigure]]
    gains: Mapping[str, Mapping[str, Gain]]
    tasks: Mapping[str, TaskPart]
    """Metrics and gains of every task, where there are several."""
    pairs: tuple[Pair, ...]
    """Every two variants, by the primary metric."""
    primary: Primary | None
    """The primary metric, and the variants ranked by it."""
    seeds: tuple[SeedFigures, ...]
    """Settings of which several seeds were trained."""


def analyse(comparison: Comparison, scores: Scores, config: ReportConfig) -> Analysis:
    """Estimate, test and judge everything, in one family of verdicts."""
    names = list(dict.fromkeys(item.task for item in comparison.items))
    masks = {"": np.ones(len(comparison.items), dtype=bool)}
    for name in names if len(names) > 1 else ():
        masks[name] = np.array([item.task == name for item in comparison.items])
    parts = {name: estimate_part(comparison, scores, config, mask) for name, mask in masks.items()}
    primary = primary_of(comparison, scores, config)
    judged = judge_parts(
        {task: (part, None) for task, part in parts.items()}, config, scores.length_unit, primary
    )
    figures = {
        task: _figures(comparison, scores, part, judged, task) for task, part in parts.items()
    }
    whole = figures.pop("")
    pairs = compare_pairs(comparison, scores, config, primary, whole.gains)
    labels = label_report(comparison, parts[""].estimates)
    return Analysis(
        metrics=whole.metrics,
        gains=whole.gains,
        tasks=figures,
        pairs=pairs,
        seeds=seed_report(comparison, scores, config, primary),
        primary=primary_report(comparison, parts[""].estimates, whole, pairs, config, primary),
        **vars(labels),
    )


def judge_parts(
    parts: Mapping[str, tuple[Part, str | None]],
    config: ReportConfig,
    length_unit: str,
    primary: str | None,
) -> dict[Difference, Gain]:
    """Judge the gains of several parts of the same items as one family.

    Args:
        parts: By task; or, of several comparisons, by the name that takes the variant's place.
        config: Settings of the statistics.
        length_unit: Unit of lengths.
        primary: The metric that goes first.
    """
    tests = [
        (name, stands_for, part, keys, test)
        for name, (part, stands_for) in parts.items()
        for keys, test in part.tests
    ]
    if not tests:
        return {}
    alpha = 1 - config.confidence
    swaps = joint_swaps([row[-1] for row in tests], draws=config.draws, seed=config.seed)
    together, column = swaps.p_values(), 0
    tested: dict[Difference, PairedTest] = {}
    for name, stands_for, part, keys, test in tests:
        p_values = together[column : column + len(keys)]
        column += len(keys)
        if isinstance(test, MeanTests):
            p_values = sign_flip_p(test.sums, draws=config.draws, seed=config.seed)
        for key, p in zip(keys, p_values, strict=True):
            task, variant = (name, key.variant) if stands_for is None else ("", stands_for)
            difference = Difference(task, variant, key.name)
            tested[difference] = PairedTest(estimate=part.estimates[key], p=p)
    judged = judge(tested, swaps, alpha, length_unit, primary)
    return judged if config.margin is None else with_equivalence(judged, config.margin, alpha)


def with_equivalence(
    judged: Mapping[Difference, Gain], margin: float, alpha: float
) -> dict[Difference, Gain]:
    """Judge the gains in the primary metric against the margin too."""
    return {
        key: replace(
            gain,
            equivalence=equivalence_of(
                gain.one_sided_low,
                gain.one_sided_high,
                gain.error,
                gain.n,
                margin=margin,
                direction=METRICS[key.metric].direction,
                alpha=alpha,
            )
            if gain.is_primary
            else None,
        )
        for key, gain in judged.items()
    }


def estimate_all(comparison: Comparison, scores: Scores, config: ReportConfig) -> Part:
    """Estimate every mean and every paired difference on all items."""
    return estimate_part(comparison, scores, config, np.ones(len(comparison.items), dtype=bool))


def estimate_part(
    comparison: Comparison, scores: Scores, config: ReportConfig, chosen: NDArray[np.bool_]
) -> Part:
    """Estimate every mean and every paired difference on the chosen items, in one resampling."""
    items = [item for item, is_in in zip(comparison.items, chosen, strict=True) if is_in]
    units = scores.units
    groups = None if units is None else renumbered(units[chosen])
    against = measured_against(comparison, scores)
    columns = _columns(comparison, scores, chosen, against)
    estimated = estimate(
        np.column_stack(list(columns.values())),
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        groups=groups,
        ranges=[_range(key) for key in columns],
    )
    estimates = {
        key: _with_unseen(
            key, one, columns, against.get(key.name, comparison.base), config.confidence
        )
        for key, one in zip(columns, estimated, strict=True)
    }
    tests: list[tuple[tuple[Key, ...], MeanTests | SetTests]] = []
    gains = {key: values for key, values in columns.items() if key.kind == "gain"}
    if gains:
        differences = np.nan_to_num(np.column_stack(list(gains.values())))
        sums = by_group(spread(differences, chosen), units)
        tests.append((tuple(gains), MeanTests(sums=sums)))
    if comparison.labels is not None:
        outcomes = Outcomes(comparison, items, groups, against)
        estimates |= estimate_sets(outcomes, config)
        tests += set_tests(outcomes, chosen, units)
    return Part(chosen=chosen, against=against, estimates=estimates, tests=tuple(tests))


def _with_unseen(
    key: Key, seen: Estimate, columns: Mapping[Key, Floats], base: str, confidence: float
) -> Estimate:
    """Widen a gain's interval where one of the two had the least or greatest score throughout."""
    if key.kind != "gain" or _range(key) != DIFFERENCE or seen.interval_at is None:
        return seen
    gain = columns[key]
    scored = ~np.isnan(gain)
    if np.isin(gain[scored], (-1, 0, 1)).all():
        return seen  # shares, whose interval knows of it
    mine, other = (columns[Key("metric", who, key.name)][scored] for who in (key.variant, base))
    below = bool((mine == 1).all() or (other == 0).all())
    above = bool((mine == 0).all() or (other == 1).all())
    if not below and not above:
        return seen
    wider = with_unseen(seen.interval_at, seen.value, seen.units, below=below, above=above)
    low, high = wider(confidence)
    return replace(seen, low=low, high=high, interval_at=wider)


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
    rare = _rare_labels(comparison, part.chosen)
    for key in sorted(keys, key=lambda key: order[key.name]):
        seen = part.estimates[key]
        caution = _caution(seen, key, rare)
        if key.kind == "gain":
            gain = judged[Difference(task, key.variant, key.name)]
            gains[key.variant][key.name] = _measured(gain, part.against.get(key.name), caution)
            continue
        metrics[key.variant][key.name] = MetricFigure(
            value=seen.value,
            low=seen.low,
            high=seen.high,
            n=seen.n,
            caution=caution,
            **count_scored(comparison, scores, key.name, key.variant, part.chosen),
        )
    return TaskPart(n=int(part.chosen.sum()), metrics=metrics, gains=gains)


def _measured(gain: Gain, against: str | None, caution: str | None) -> Gain:
    """Return a gain that says from what it is measured, and why to be careful."""
    sentence = gain.sentence
    if against is not None:
        said, _, called = sentence.rpartition(":")
        sentence = f"{said} from {against}, which is better than base:{called}"
    return replace(gain, sentence=sentence, against=against, caution=caution)


def _rare_labels(comparison: Comparison, chosen: NDArray[np.bool_]) -> str | None:
    """Name the labels of which hardly an item is there."""
    if comparison.labels is None:
        return None
    items = [item for item, is_in in zip(comparison.items, chosen, strict=True) if is_in]
    counts = Counter(item.reference for item in items)
    rare = [(label, counts[label]) for label in comparison.labels if counts[label] < HARDLY_ANY]
    if not rare:
        return None
    named = ", ".join(f"{label} ({count})" for label, count in rare[:NAMED])
    more = f" and {len(rare) - NAMED} more" if len(rare) > NAMED else ""
    return f"labels with fewer than {HARDLY_ANY} items: {named}{more}"


def _caution(seen: Estimate, key: Key, rare_labels: str | None) -> str | None:
    """Say why an interval may be too narrow: few units, rare labels, or few items that count."""
    if seen.units < FEW_UNITS:
        return f"only {seen.units} independent {'item' if seen.units == 1 else 'items'}"
    if key.name == "calibration_error":
        few = f"fewer than {CALIBRATED} items tell little of calibration"
        return few if seen.n < CALIBRATED else None
    if key.name in EVERY_LABEL:
        return rare_labels
    is_share = seen.step > 0  # whose interval holds for a single hit too
    if key.kind == "gain" or is_share or not 0 < seen.differing < HARDLY_ANY:
        return None
    of = f"{seen.differing} of {seen.units}"
    return f"only {of} {'items' if seen.units == seen.n else 'units'} score other than 0"


def _columns(
    comparison: Comparison, scores: Scores, chosen: NDArray[np.bool_], against: Mapping[str, str]
) -> dict[Key, Floats]:
    """Return the per-item values of every figure; those without any value are left out."""
    columns: dict[Key, Floats] = {}
    for metric, table in scores.values.items():
        part, base = table[chosen], comparison.names.index(against.get(metric, comparison.base))
        for index, variant in enumerate(comparison.names):
            columns[Key("metric", variant, metric)] = part[:, index]
            if variant in comparison.tuned:
                columns[Key("gain", variant, metric)] = part[:, index] - part[:, base]
    return {key: values for key, values in columns.items() if not np.isnan(values).all()}


def _range(key: Key) -> Range:
    metric = METRICS[key.name]
    return metric.bounds if key.kind == "metric" else metric.difference_bounds
