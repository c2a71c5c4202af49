"""The figures of a report: values with their intervals, and verdicts on differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

Verdict = Literal["better", "worse", "no measurable difference", "different"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
TURNED: Mapping[Verdict, Verdict] = {"better": "worse", "worse": "better"}
"""What a verdict becomes when the two variants change places."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A value with its interval, whose ends are None where one group of items is all there is."""

    value: float
    """The figure; a share or a score is a part of 1."""
    low: float | None
    """Lower end of the interval."""
    high: float | None
    """Upper end of it."""


@dataclass(frozen=True, kw_only=True)
class MetricFigure(Figure):
    """A metric of one variant."""

    n: int
    """Items scored."""
    without_reference: int = 0
    """Items not scored for want of a reference."""
    not_scored: int = 0
    """Items not scored for another reason, such as a reference that is no number."""
    empty: int = 0
    """Scored answers without any text."""
    caution: str | None = field(default=None, metadata={"omit": True})
    """Why its interval may be too narrow."""


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """What two one-sided tests say of a difference and a margin."""

    margin: float
    """The difference that is too small to matter."""
    not_worse: bool
    """Whether the variant is not worse by the margin or more."""
    not_better: bool
    """Whether it is not better by the margin or more."""
    items: int | None
    """Items with which equal variants would be found the same four times out of five; None where
    the spread is not known."""

    @property
    def same(self) -> bool:
        """Whether it is neither worse nor better by the margin or more."""
        return self.not_worse and self.not_better

    def turned(self) -> Equivalence:
        """Return it with the two variants in each other's place."""
        return replace(self, not_worse=self.not_better, not_better=self.not_worse)


@dataclass(frozen=True, kw_only=True)
class Gain(Figure):
    """A metric of a tuned variant minus that of the base, tested and judged."""

    against: str | None = field(default=None, metadata={"omit": True})
    """The form of the base it is measured against, where that does better than `base` by it."""
    p: float
    """p-value of the paired permutation test."""
    p_corrected: float
    """The same, corrected for all gains of the report (step-down max-T, the primary metric
    first); at least alpha where the interval holds zero."""
    n: int
    """Items scored for both."""
    units: int = 0
    """Units (groups, or items) scored for both; 0 where an older version did not say."""
    error: float | None = None
    """Standard error of the difference."""
    one_sided_low: float | None = None
    """What the difference is above, by a one-sided test at alpha of its own."""
    one_sided_high: float | None = None
    """What it is below, likewise."""
    is_primary: bool = False
    """Whether it is the primary metric, on all items."""
    equivalence: Equivalence | None = field(default=None, metadata={"omit": True})
    """Whether the two are the same within the margin, where one was named."""
    differing: int
    """Units (groups, or items) in which the two differ."""
    fewest_differing: int
    """Differing units without which no verdict is possible."""
    mde: float | None
    """Minimum detectable effect at 80 % power; None where nothing differs."""
    verdict: Verdict
    """The verdict."""
    warning: str | None
    """Why no verdict was possible, in words; None where enough units differ."""
    sentence: str
    """The verdict in words."""
    caution: str | None = field(default=None, metadata={"omit": True})
    """Why its interval may be too narrow."""

    @property
    def has_too_few_differing(self) -> bool:
        """Whether too few units differ for any verdict."""
        return self.differing < self.fewest_differing


@dataclass(frozen=True, kw_only=True)
class LabelFigure:
    """Precision, recall or F1 of one label; all None where the label has no such figure."""

    value: float | None
    """The figure, as a part of 1."""
    low: float | None
    """Lower end of the interval."""
    high: float | None
    """Upper end of it."""


@dataclass(frozen=True, kw_only=True)
class LabelFigures:
    """How well one variant does on one label."""

    support: int
    """Items of this label."""
    precision: LabelFigure
    """Share of the answers with this label that are right."""
    recall: LabelFigure
    """Share of the items of this label that are answered so."""
    f1: LabelFigure
    """Harmonic mean of both."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """The answers whose confidence lies between `low` (exclusive) and `high`."""

    low: float
    """Lower end of the bin."""
    high: float
    """Upper end of it."""
    n: int
    """Answers in the bin; at least one."""
    confidence: float
    """Mean probability of the scored label."""
    accuracy: float
    """Share that is right."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Any two variants on the same items, by the primary metric or accuracy."""

    a: str
    """One variant."""
    b: str
    """The other."""
    metric: str = "accuracy"
    """Of what: the primary metric, or accuracy where that is a figure of whole sets."""
    difference: float
    """Of `a` minus `b`."""
    low: float | None
    """Lower end of its interval."""
    high: float | None
    """Upper end of it."""
    mcnemar_p: float
    """p-value of McNemar's exact test of the items that either has the better of."""
    p: float
    """p-value of the paired permutation test: McNemar's for right and wrong, unless items come in
    groups, which change places whole."""
    p_corrected: float
    """Corrected for all pairs; of a variant and the base it is that of the gain."""
    verdict: Verdict
    """What may be said of `a`, measured against `b`."""
    a_only: int
    """Items that `a` has the better of; of accuracy, that only `a` has right."""
    b_only: int
    """Items that `b` has the better of."""
    equivalence: Equivalence | None = field(default=None, metadata={"omit": True})
    """Whether the two are the same within the margin, where one was named."""

    def seen_from(self, variant: str, other: str) -> Pair | None:
        """Return the comparison of `variant` with `other`; None where it is of others."""
        if (self.a, self.b) == (variant, other):
            return self
        if (self.a, self.b) != (other, variant):
            return None
        return replace(
            self,
            a=variant,
            b=other,
            difference=-self.difference,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
            verdict=TURNED.get(self.verdict, self.verdict),
            equivalence=self.equivalence and self.equivalence.turned(),
            a_only=self.b_only,
            b_only=self.a_only,
        )


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One variant on the ladder of the primary metric."""

    variant: str
    """Its name."""
    value: float
    """The primary metric."""
    low: float | None
    """Lower end of its interval; the intervals of all rungs hold together."""
    high: float | None
    """Upper end of it."""
    verdict: Verdict | None
    """What may be said of it, measured against the base; None for the base itself."""
    difference: Figure | None
    """The variant minus the base, with the interval that belongs to the verdict."""
    equivalence: Equivalence | None = None
    """Whether it is the same as the base, or not worse, within the margin; None without one."""


@dataclass(frozen=True, kw_only=True)
class Primary:
    """The primary metric: the one tested first, by which the variants are ranked."""

    metric: str
    """Its name."""
    is_declared: bool
    """Whether it was named beforehand; otherwise it goes by the task."""
    seen_from: float | None
    """Difference from the base that 80 % of such samples would call: the largest of the tuned
    variants'; None where nothing differs."""
    ladder: tuple[Rung, ...]
    """All variants that have a value, the best first."""


@dataclass(frozen=True, kw_only=True)
class SeedFigure(Figure):
    """How the mean over several seeds of one setting differs from an option without tuning."""

    metric: str
    """Of what."""
    against: str
    """The option: for the primary metric the best one, otherwise the base."""
    mean: float
    """The metric's mean over seeds and items."""
    p_corrected: float
    """Of a test that takes seeds and items as samples; the primary metric goes first."""
    verdict: Verdict
    """What may be said of the settings."""
    seed_share: float
    """Share of the uncertainty (variance of the mean) that is the seeds', in [0, 1]."""
    seed_spread: float
    """Standard deviation between the seeds' means."""


@dataclass(frozen=True, kw_only=True)
class SeedFigures:
    """Several trainings that differ in their seed alone, judged together."""

    name: str
    """What the names of the runs have in common."""
    variants: tuple[str, ...]
    """The runs."""
    figures: tuple[SeedFigure, ...]
    """The primary metric first."""


@dataclass(frozen=True, kw_only=True)
class TaskPart:
    """The figures of one task's items, where there are several tasks."""

    n: int
    """Items of the task."""
    metrics: Mapping[str, Mapping[str, MetricFigure]]
    """By variant and metric."""
    gains: Mapping[str, Mapping[str, Gain]]
    """By tuned variant and metric."""


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """What the training of one variant took; None where it is not known."""

    variant: str
    """Its name."""
    kind: str
    """``base``, ``text``, ``head`` or ``merged``."""
    trainable: float | None
    """Parameters trained."""
    total: float | None
    """Parameters of the whole model."""
    peak_bytes: float | None
    """Most memory held; of the GPU where `on_gpu`."""
    on_gpu: bool
    """Whether it was trained on a GPU."""
    seconds: float | None
    """Wall time of the training."""
    flops: float | None
    """Floating-point operations of the training."""
    tokens: float | None
    """Tokens seen."""
    epochs: float | None
    """Passes over the examples."""
    quality: Mapping[str, MetricFigure]
    """The metrics set against the cost."""
    front: tuple[str, ...]
    """The metrics on whose Pareto front it is."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Quality and compute of all variants."""

    metrics: tuple[str, ...]
    """The metrics set against the cost."""
    rows: tuple[CostRow, ...]
    """By variant, in reading order."""
    flops_spread: float | None
    """By which share the dearest training is above the cheapest; None where there is one."""
    curves: Mapping[str, tuple[Mapping[str, float], ...]]
    """By variant, the evaluations while it was trained: step, flops, validation_loss, ..."""
