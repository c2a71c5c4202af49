"""Made-up reports of labels with known truth: whole comparisons, through all of a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.score import score
from tuneproof.eval.selftest.line import Line
from tuneproof.eval.selftest.reports import covered
from tuneproof.eval.stats.estimates import analyse
from tuneproof.eval.stats.intervals import Floats
from tuneproof.eval.stats.label_figures import Outcomes, bin_of
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.figures import Figure, Gain, MetricFigure
from tuneproof.formats.variant import Variant

RESAMPLES = 500
MANY = 40_000
"""Items from which a true value is read off."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One kind of made-up classification."""

    title: str
    frequency: tuple[float, ...]
    """How often each label is right, as shares."""
    metrics: tuple[str, ...] = ()
    """Those whose coverage is looked at."""
    repeats: int = 1
    """Ids under which every question is asked."""


TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "matthews": "Matthews",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}
SETTINGS = (
    Setting(title="single items", frequency=(0.5, 0.25, 0.15, 0.1), metrics=tuple(TITLES)),
    Setting(title="a label of 2 %", frequency=(0.5, 0.3, 0.18, 0.02), metrics=("macro_f1",)),
    Setting(title="5 % positives", frequency=(0.95, 0.05), metrics=("matthews",)),
    Setting(title="the same question twice", frequency=(0.5, 0.25, 0.15, 0.1), repeats=2),
    Setting(title="the same question four times", frequency=(0.5, 0.25, 0.15, 0.1), repeats=4),
)


def lines(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield false verdicts and coverage of whole reports of `n` labelled items."""
    for index, setting in enumerate(SETTINGS):
        yield from _lines(setting, n, simulations, [seed, n, index, 5])


def _lines(setting: Setting, n: int, simulations: int, stream: list[int]) -> Iterator[Line]:
    """Yield the lines of one kind of classification.

    The truth of a figure of sets is what sets of this size give on average; of the calibration
    error it is what infinitely many items would give, which its debiased estimate is of.
    """
    config = ReportConfig(resamples=RESAMPLES)
    figures: dict[tuple[str, str], list[Figure]] = defaultdict(list)
    false = 0
    for number in range(simulations):
        comparison = labelled(n, setting, np.random.default_rng([*stream, number]))
        analysis = analyse(comparison, score(comparison), config)
        verdicts = {gain.verdict for gain in analysis.gains["tuned"].values()}
        false += bool(verdicts & {"better", "worse"})
        for metric in setting.metrics:
            figures[metric, "score"].append(analysis.metrics["base"][metric])
            figures[metric, "difference"].append(analysis.gains["tuned"][metric])
    yield Line(
        promise="false verdict",
        case=f"any metric of labels, {setting.title}",
        n=n,
        found=false / simulations,
        simulations=simulations,
    )
    for (metric, kind), seen in figures.items():
        truth = float(np.mean([figure.value for figure in seen])) if kind == "score" else 0.0
        if (metric, kind) == ("calibration_error", "score"):
            truth = _calibration_error(setting)
        warned = [_is_warned(figure) for figure in seen]
        yield Line(
            promise="coverage",
            case=f"{TITLES[metric]}, {kind}, {setting.title}",
            n=n,
            found=covered(seen, truth) / simulations,
            simulations=simulations,
            warned=float(np.mean(warned)),
        )


@lru_cache(maxsize=4)
def _calibration_error(setting: Setting) -> float:
    """Return the calibration error of so many items that chance adds hardly anything."""
    comparison = labelled(MANY, setting, np.random.default_rng(1))
    outcomes = Outcomes(comparison, comparison.items)
    confidence = outcomes.confidence("base")
    gaps = confidence - (outcomes.given[:, 0] == outcomes.right)
    return float(np.abs(np.bincount(bin_of(confidence), gaps)).sum() / MANY)


def _is_warned(figure: Figure) -> bool:
    """Say whether the report warns of too few items, of a label or that differ."""
    few = isinstance(figure, Gain) and figure.warning is not None
    rare = isinstance(figure, Gain | MetricFigure) and figure.caution is not None
    return few or rare


def labelled(n: int, setting: Setting, generator: np.random.Generator) -> Comparison:
    """Return labels by two equally good models, which are right on 6 or 7 of 10 items."""
    labels = tuple(f"label {number}" for number in range(len(setting.frequency)))
    questions = -(-n // setting.repeats)
    right = generator.choice(len(labels), questions, p=setting.frequency)
    hints = generator.normal(size=(questions, len(labels)))
    hints[np.arange(questions), right] += 1.6
    variants = ("base", "tuned")
    rows = {name: hints + 0.7 * generator.normal(size=hints.shape) for name in variants}
    items = [
        Item(
            id=str(number),
            task="colours",
            instruction="Which?",
            input=f"text {number % questions}",
            output=labels[right[number % questions]],
            group=str(number),
            answers={name: _answer(rows[name][number % questions], labels) for name in variants},
        )
        for number in range(n)
    ]
    return Comparison(
        variants=tuple(Variant(name=name) for name in variants), items=tuple(items), labels=labels
    )


def _answer(logits: Floats, labels: tuple[str, ...]) -> Answer:
    shares = np.exp(1.5 * (logits - logits.max()))
    probabilities = dict(zip(labels, (shares / shares.sum()).tolist(), strict=True))
    label = max(probabilities, key=probabilities.__getitem__)
    return Answer(text=None, label=label, label_probabilities=probabilities)
