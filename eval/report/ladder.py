"""The ladder: every option on the primary metric, with and without tuning, and what each costs.

A user decides between tuning and the best that can be had without it: the base in its own form,
with examples in its prompt, a classical baseline, or the answer of the nearest training example.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from tuneproof.eval.metrics.registry import METRICS, unit_of
from tuneproof.eval.report import wording
from tuneproof.formats.figures import Figure, Rung, SeedFigures, Verdict
from tuneproof.formats.report import Report
from tuneproof.formats.variant import Variant
from tuneproof.text import table

TITLES = {
    "base-as-tuned": "base, asked as the run",
    "base-few-shot": "base with examples in its prompt",
    "base-prompted": "base with a system message",
    "majority": "most frequent label",
    "nearest": "nearest training example",
    "tf-idf": "TF-IDF + logistic regression",
}
"""What a reader sees in place of a variant's name."""
Kind = Literal["run", "base", "baseline"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One option on the ladder."""

    name: str
    """The variant."""
    title: str
    """What it is, for a reader."""
    kind: Kind
    """``run``: tuned, or another model; ``base``: the base in some form; ``baseline``: no model."""
    is_best_untuned: bool
    """Whether nothing without tuning is better."""
    value: str
    """The primary metric, in words."""
    interval: str
    """Its interval, in words."""
    at: float
    """Where the value stands between 0 and 100, the largest end of all intervals being 100."""
    low: float
    """Where its interval begins, likewise."""
    high: float
    """Where it ends, likewise."""
    tokens: float | None
    """Mean tokens read and written for an answer; None where nothing is generated."""
    seconds: float | None
    """Mean seconds for an answer; None where it is not known."""


@dataclass(frozen=True, kw_only=True)
class AgainstBest:
    """A variant beside the best option without tuning, on the primary metric."""

    best: str
    """The best option's name."""
    best_value: float
    """Its value."""
    value: float
    """The variant's."""
    difference: Figure
    """The variant minus the best, with the interval that belongs to the verdict."""
    verdict: Verdict
    """What may be said."""


def steps(report: Report) -> list[Step]:
    """Return the ladder of a report, the best first; empty without a primary metric."""
    if report.primary is None:
        return []
    unit = unit_of(report.primary.metric, report.length_unit)
    rungs, best = report.primary.ladder, best_untuned(report)
    ends = [end for rung in rungs for end in (rung.value, rung.high) if end is not None]
    top = max([end for end in ends if isfinite(end)], default=0.0) or 1.0
    by_name = {variant.name: variant for variant in report.variants}

    def at(value: float) -> float:
        return round(min(max(100 * value / top, 0.0), 100.0), 2)

    return [
        Step(
            name=rung.variant,
            title=TITLES.get(rung.variant, rung.variant),
            kind=kind_of(report, by_name[rung.variant]),
            is_best_untuned=best is not None and rung.variant == best.variant,
            value=wording.amount(rung.value, unit),
            interval=wording.interval(rung.low, rung.high, unit),
            at=at(rung.value),
            low=at(rung.value if rung.low is None else rung.low),
            high=at(rung.value if rung.high is None else rung.high),
            tokens=_tokens(by_name[rung.variant]),
            seconds=by_name[rung.variant].number("seconds_per_answer"),
        )
        for rung in rungs
    ]


def kind_of(report: Report, variant: Variant) -> Kind:
    """Return whether a variant is tuned, the base in some form, or a baseline.

    The base is what gains are measured against, whatever it is called.
    """
    if variant.is_baseline:
        return "baseline"
    return "base" if variant.is_base or variant.name == report.base else "run"


def best_untuned(report: Report) -> Rung | None:
    """Return the best option without tuning; None where there is none on the ladder."""
    if report.primary is None:
        return None
    untuned = {variant.name for variant in report.variants if kind_of(report, variant) != "run"}
    return next((rung for rung in report.primary.ladder if rung.variant in untuned), None)


def against_best(report: Report, variant: str) -> AgainstBest | None:
    """Compare a variant with the best option without tuning; None where that cannot be done."""
    best = best_untuned(report)
    if report.primary is None or best is None:
        return None
    metric = report.primary.metric
    own = next((rung for rung in report.primary.ladder if rung.variant == variant), None)
    if own is None:
        return None
    gain = report.gains.get(variant, {}).get(metric)
    if gain is not None and best.variant == (gain.against or report.base):
        difference, verdict = Figure(value=gain.value, low=gain.low, high=gain.high), gain.verdict
    else:
        turned = (pair.seen_from(variant, best.variant) for pair in report.pairs)
        pair = next((p for p in turned if p is not None and p.metric == metric), None)
        if pair is None:
            return None
        difference = Figure(value=pair.difference, low=pair.low, high=pair.high)
        verdict = pair.verdict
    return AgainstBest(
        best=best.variant,
        best_value=best.value,
        value=own.value,
        difference=difference,
        verdict=verdict,
    )


def headline(report: Report, variant: str) -> str:
    """Say in one sentence how a variant stands to the best option without tuning."""
    against, best = against_best(report, variant), best_untuned(report)
    if report.primary is None or best is None:
        return wording.headline(
            variant,
            report.base,
            [
                gain.verdict
                for name, gain in report.gains[variant].items()
                if METRICS[name].direction != "none"
            ],
        )
    metric = report.primary.metric
    unit, title = unit_of(metric, report.length_unit), METRICS[metric].title
    (own,) = (other for other in report.variants if other.name == variant)
    value = f"{variant}, this checkpoint" if own.is_tuned else variant
    reached = report.metrics[variant].get(metric)
    value += f": {title} {wording.amount(reached.value, unit) if reached else 'not available'}"
    if against is None:
        return (
            f"{value}; the best option without tuning, {TITLES.get(best.variant, best.variant)}, "
            f"has {wording.amount(best.value, unit)}, and no test compares the two in {title}."
        )
    direction = METRICS[metric].direction
    return _against(value, against, unit, direction, is_tuned=own.is_tuned)


def over_seeds(report: Report, seeds: SeedFigures) -> AgainstBest:
    """Compare settings with the best option without tuning, over all their seeds."""
    first = seeds.figures[0]
    return AgainstBest(
        best=first.against,
        best_value=report.metrics[first.against][first.metric].value,
        value=first.mean,
        difference=first,
        verdict=first.verdict,
    )


def seed_headline(report: Report, seeds: SeedFigures) -> str:
    """Say how settings stand to the best option without tuning, over all their seeds."""
    first, against = seeds.figures[0], over_seeds(report, seeds)
    unit, title = unit_of(first.metric, report.length_unit), METRICS[first.metric].title
    value = f"{seeds.name}, {len(seeds.variants)} seeds: {title} "
    value += wording.amount(first.mean, unit)
    return (
        f"{_against(value, against, unit, METRICS[first.metric].direction)} "
        f"{100 * first.seed_share:.0f} % of the uncertainty is the seeds', whose values differ by "
        f"{wording.change(first.seed_spread, unit).removeprefix('+')} (standard deviation)."
    )


def _against(
    value: str, against: AgainstBest, unit: str, direction: str, *, is_tuned: bool = True
) -> str:
    """Say how a value stands to the best option without tuning."""
    best = TITLES.get(against.best, against.best)
    if is_tuned:
        best = f"the best option without tuning, {best}"
    reached = wording.amount(against.best_value, unit)
    if against.verdict not in ("better", "worse"):
        change = wording.bounded_change(against.difference, unit)
        return f"{value}, not shown to differ from {best} ({reached}): {change}."
    side = "above" if against.difference.value > 0 else "below"
    size = wording.size(against.difference, unit)
    if direction == "lower":
        side += ", which is better," if against.verdict == "better" else ", which is worse,"
    return f"{value}, {size} {side} {best} ({reached})."


def ladder_table(report: Report) -> str:
    """Return the ladder as a plain table; empty without a primary metric."""
    if report.primary is None:
        return ""
    rows = [["", METRICS[report.primary.metric].title, "interval", "tokens", "seconds"]]
    rows += [
        [
            f"{step.title}{' *' if step.is_best_untuned else ''}",
            step.value,
            step.interval,
            "" if step.tokens is None else f"{step.tokens:,.0f}",
            "" if step.seconds is None else f"{step.seconds:.3g}",
        ]
        for step in steps(report)
    ]
    return f"{table(rows)}\n* the best option without tuning; tokens and seconds are per answer"


def _tokens(variant: Variant) -> float | None:
    asked, answered = variant.number("prompt_tokens"), variant.number("answer_tokens")
    return None if asked is None else asked + (answered or 0.0)
