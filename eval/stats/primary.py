"""The primary metric: which it is, any two variants compared by it, and all of them ranked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from tuneproof.errors import InputError, unknown
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.metrics.words import is_unspaced
from tuneproof.eval.score import Scores
from tuneproof.eval.stats.against import best_untuned
from tuneproof.eval.stats.bootstrap import Estimate, Key, by_group, estimate
from tuneproof.eval.stats.equivalence import equivalence_of
from tuneproof.eval.stats.intervals import Floats
from tuneproof.eval.stats.permutation import MeanTests, joint_swaps, mcnemar, sign_flip_p
from tuneproof.eval.stats.verdicts import Judged, PairedTest, correct, verdict
from tuneproof.formats.comparison import Comparison, Item
from tuneproof.formats.figures import Figure, Gain, Pair, Primary, Rung, TaskPart
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


def primary_of(comparison: Comparison, scores: Scores, config: ReportConfig) -> str | None:
    """Return the primary metric: the declared one, else by task; None where nothing has a value.

    Raises:
        InputError: The declared one is no metric, has no direction, or has no value here.
    """
    declared = config.primary
    if declared is None:
        metric = primary_metric(comparison.items, with_labels=comparison.labels is not None)
        return metric if metric in METRICS and metric not in scores.not_available else None
    if declared not in METRICS:
        raise unknown("metric", declared, METRICS)
    if METRICS[declared].direction == "none":
        raise InputError(f"--primary {declared}: it has no better direction, so it cannot decide")
    if reason := scores.not_available.get(declared):
        raise InputError(f"--primary {declared}: not available: {reason}")
    is_set = METRICS[declared].is_of_a_set and comparison.labels is not None
    if declared not in scores.values and not is_set:
        known = ", ".join(scores.values)
        raise InputError(f"--primary {declared}: no answer here is scored by it; {known} are")
    return declared


def compare_pairs(
    comparison: Comparison,
    scores: Scores,
    config: ReportConfig,
    primary: str | None,
    gains: Mapping[str, Mapping[str, Gain]],
) -> tuple[Pair, ...]:
    """Compare any two variants on the same items by the primary metric.

    Accuracy stands in for a primary metric that is a figure of whole sets. A tuned variant and the
    base have the verdict of their gain; all other pairs are one family. Empty where there are no
    other pairs.
    """
    metric = next((m for m in (primary, "accuracy") if m is not None and m in scores.values), None)
    if metric is None:
        return ()
    table = scores.values[metric]
    named = zip(comparison.names, table.T, strict=True)
    columns = {name: column for name, column in named if not np.isnan(column).all()}
    names = sorted(columns, key=lambda name: name != comparison.base)
    pairs = list(combinations(names, 2))
    known = {pair: gain for pair in pairs if (gain := _gain_of(pair, comparison, gains, metric))}
    if len(known) == len(pairs):
        return ()
    every = {(a, b): columns[a] - columns[b] for a, b in pairs}
    differences = {pair: values for pair, values in every.items() if not np.isnan(values).all()}
    if not differences:
        return ()
    estimates = estimate(
        np.column_stack(list(differences.values())),
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        groups=scores.units,
        ranges=[METRICS[metric].difference_bounds] * len(differences),
    )
    sums = by_group(np.nan_to_num(np.column_stack(list(differences.values()))), scores.units)
    p_values = sign_flip_p(sums, draws=config.draws, seed=config.seed)
    tests = {
        pair: PairedTest(estimate=seen, p=p)
        for pair, seen, p in zip(differences, estimates, p_values, strict=True)
    }
    judged = _judged_pairs(tests, sums, known, config)
    best = best_untuned(comparison, scores, metric)
    asked = _pairs_above(best, comparison.tuned, columns, metric)
    asked -= {frozenset(pair) for pair in known}
    judged |= _beside_best(tests, sums, asked, config)
    return tuple(
        _pair(pair, metric, values, tests[pair], judged[pair], config)
        for pair, values in differences.items()
    )


def _judged_pairs(
    tests: Mapping[tuple[str, str], PairedTest],
    sums: Floats,
    known: Mapping[tuple[str, str], Gain],
    config: ReportConfig,
) -> dict[tuple[str, str], Judged]:
    """Correct the pairs that are no gains; take over the others."""
    others = [column for column, pair in enumerate(tests) if pair not in known]
    swaps = joint_swaps([MeanTests(sums=sums[:, others])], draws=config.draws, seed=config.seed)
    pairs = [pair for pair in tests if pair not in known]
    results = correct([tests[p] for p in pairs], swaps, [False] * len(pairs), 1 - config.confidence)
    taken = {
        pair: Judged(
            p_corrected=gain.p_corrected,
            low=None if gain.high is None else -gain.high,
            high=None if gain.low is None else -gain.low,
            level=1 - config.confidence,
            is_called=gain.verdict in ("better", "worse"),
        )
        for pair, gain in known.items()
    }
    return taken | dict(zip(pairs, results, strict=True))


def _pairs_above(
    best: str | None, tuned: Collection[str], columns: Mapping[str, Floats], metric: str
) -> set[frozenset[str]]:
    """Return the pairs of a tuned variant and the best one without tuning that it is above."""
    if best is None:
        return set()
    sign = METRICS[metric].sign
    means = {name: sign * float(np.nanmean(column)) for name, column in columns.items()}
    above = [name for name in columns if name in tuned and means[name] > means[best]]
    return {frozenset((name, best)) for name in above}


def _beside_best(
    tests: Mapping[tuple[str, str], PairedTest],
    sums: Floats,
    pairs: Collection[frozenset[str]],
    config: ReportConfig,
) -> dict[tuple[str, str], Judged]:
    """Correct the pairs that a headline is made of, apart from all others.

    Whether a tuned variant is above the best option without tuning is the one question that was
    asked beforehand. That the best is the largest of several means makes it no easier to be above
    it; to be below it would be, so that there the correction for all pairs stays.
    """
    chosen = [column for column, pair in enumerate(tests) if frozenset(pair) in pairs]
    if not chosen:
        return {}
    asked = [pair for pair in tests if frozenset(pair) in pairs]
    swaps = joint_swaps([MeanTests(sums=sums[:, chosen])], draws=config.draws, seed=config.seed)
    results = correct(
        [tests[pair] for pair in asked], swaps, [False] * len(asked), 1 - config.confidence
    )
    return dict(zip(asked, results, strict=True))


def _pair(
    pair: tuple[str, str],
    metric: str,
    differences: Floats,
    test: PairedTest,
    judged: Judged,
    config: ReportConfig,
) -> Pair:
    direction, seen = METRICS[metric].direction, test.estimate
    alpha = 1 - config.confidence
    sign = METRICS[metric].sign
    a_only, b_only = (int((sign * side * differences > 0).sum()) for side in (1, -1))
    least, most = seen.interval_at(1 - 2 * alpha) if seen.interval_at else (None, None)
    return Pair(
        a=pair[0],
        b=pair[1],
        metric=metric,
        difference=seen.value,
        low=judged.low,
        high=judged.high,
        mcnemar_p=mcnemar(a_only, b_only),
        p=test.p,
        p_corrected=judged.p_corrected,
        verdict=verdict(seen.value, judged.is_called, direction),
        a_only=a_only,
        b_only=b_only,
        equivalence=None
        if config.margin is None
        else equivalence_of(
            least, most, seen.error, seen.n, margin=config.margin, direction=direction, alpha=alpha
        ),
    )


def _gain_of(
    pair: tuple[str, str],
    comparison: Comparison,
    gains: Mapping[str, Mapping[str, Gain]],
    metric: str,
) -> Gain | None:
    """Return the gain that a pair is, what it is measured against being the first of it."""
    gain = gains.get(pair[1], {}).get(metric)
    return gain if gain is not None and pair[0] == (gain.against or comparison.base) else None


def primary_report(
    comparison: Comparison,
    estimates: Mapping[Key, Estimate],
    whole: TaskPart,
    pairs: tuple[Pair, ...],
    config: ReportConfig,
    primary: str | None,
) -> Primary | None:
    """Return the variants ranked by the primary metric, with intervals that hold together."""
    if primary is None:
        return None
    known = {name: estimates.get(Key("metric", name, primary)) for name in comparison.names}
    seen = {name: one for name, one in known.items() if one is not None}
    if not seen:
        return None
    level = 1 - config.confidence ** (1 / len(seen))  # of means that rise together: Sidak, 1967
    mdes = [gains[primary].mde for gains in whole.gains.values() if primary in gains]
    rungs = []
    for name, one in seen.items():
        low, high = one.interval_at(1 - level) if one.interval_at else (None, None)
        gain = whole.gains.get(name, {}).get(primary)
        gain = None if gain is None or gain.against else gain
        turned = (p.seen_from(name, comparison.base) for p in pairs if p.metric == primary)
        pair = next((p for p in turned if p is not None), None)
        rungs.append(
            Rung(
                variant=name,
                value=one.value,
                low=low,
                high=high,
                **(_as_gain(gain) if gain else _as_pair(pair)),
            )
        )
    return Primary(
        metric=primary,
        is_declared=config.primary is not None,
        seen_from=max((mde for mde in mdes if mde is not None), default=None),
        ladder=tuple(
            sorted(rungs, key=lambda r: r.value, reverse=METRICS[primary].direction == "higher")
        ),
    )


def _as_gain(gain: Gain) -> dict[str, Any]:
    """Return what a rung says of a tuned variant, measured against the base."""
    return {
        "verdict": gain.verdict,
        "difference": Figure(value=gain.value, low=gain.low, high=gain.high),
        "equivalence": gain.equivalence,
    }


def _as_pair(pair: Pair | None) -> dict[str, Any]:
    """Return what a rung says of a baseline, and of the base itself."""
    if pair is None:
        return {"verdict": None, "difference": None}
    return {
        "verdict": pair.verdict,
        "difference": Figure(value=pair.difference, low=pair.low, high=pair.high),
        "equivalence": pair.equivalence,
    }
