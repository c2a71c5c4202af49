"""The self-test of classification: whole reports of made-up labels, from answers to verdicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.score import score
from tuneproof.eval.selftest.line import ALPHA, COVERAGE_BOUNDS, Line
from tuneproof.eval.stats.estimates import analyse
from tuneproof.formats.comparison import Answer, Comparison, Item, Variant

LABELS = ("red", "green", "blue", "grey")
FREQUENCY = (0.5, 0.25, 0.15, 0.1)
RESAMPLES = 500
SHOWN = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "matthews": "Matthews",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}


def labels_lines(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield the share of reports of `n` labelled items with a false verdict, and the coverage.

    The truth of a figure of sets is what sets of this size give on average: a calibration error,
    say, is larger in small sets by its nature, and so is what its interval is for.
    """
    config = ReportConfig(resamples=RESAMPLES)
    found = defaultdict(list)
    false = 0
    for number in range(simulations):
        comparison = made_up(n, np.random.default_rng([seed, n, number, 5]))
        report = analyse(comparison, score(comparison), config)
        verdicts = {gain["verdict"] for gain in report["gains"]["tuned"].values()}
        false += bool(verdicts & {"better", "worse"})
        for metric in SHOWN:
            found[metric, "score"].append(report["metrics"]["base"][metric])
            found[metric, "difference"].append(report["gains"]["tuned"][metric])
    yield Line(
        promise="false verdict",
        case="any metric of labels, single items",
        n=n,
        found=false / simulations,
        bounds=(0.0, ALPHA),
        simulations=simulations,
    )
    for (metric, kind), cells in found.items():
        truth = float(np.mean([c["value"] for c in cells])) if kind == "score" else 0.0
        covers = [c["low"] - 1e-9 <= truth <= c["high"] + 1e-9 for c in cells]
        yield Line(
            promise="coverage",
            case=f"{SHOWN[metric]}, {kind}, single items",
            n=n,
            found=float(np.mean(covers)),
            bounds=COVERAGE_BOUNDS,
            simulations=simulations,
            warned=float(np.mean([bool(c.get("warning")) for c in cells])),
        )


def made_up(n: int, generator: np.random.Generator) -> Comparison:
    """Return labels by two equally good models, which are right on 6 or 7 of 10 items."""
    right = generator.choice(len(LABELS), n, p=FREQUENCY)
    hints = generator.normal(size=(n, len(LABELS)))
    hints[np.arange(n), right] += 1.6
    variants = ("base", "tuned")
    rows = {name: hints + 0.7 * generator.normal(size=hints.shape) for name in variants}
    items = [
        Item(
            id=str(number),
            task="colours",
            prompt="Which?",
            reference=LABELS[right[number]],
            answers={name: _answer(rows[name][number]) for name in variants},
        )
        for number in range(n)
    ]
    return Comparison(
        sources=(Path("made up"),),
        variants=tuple(Variant(name=name) for name in variants),
        items=tuple(items),
        labels=LABELS,
    )


def _answer(logits: NDArray[np.float64]) -> Answer:
    shares = np.exp(1.5 * (logits - logits.max()))
    probabilities = dict(zip(LABELS, (shares / shares.sum()).tolist(), strict=True))
    label = max(probabilities, key=probabilities.__getitem__)
    return Answer(text=None, label=label, label_probabilities=probabilities)
