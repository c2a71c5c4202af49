"""A report's promises, put to the test on made-up answers whose truth is known.

Three promises: where nothing changed, at most 5 % of reports say better or worse at all; a 95 %
interval holds the truth in 93 to 97 % of samples; the minimum detectable effect is called in about
80 %. The very functions of `score report` are called; nothing here has statistics of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.score import score
from tuneproof.eval.selftest import simulated
from tuneproof.eval.selftest.line import ALPHA, CONFIDENCE, Line
from tuneproof.eval.selftest.simulated import SHAPES, groups_of, mean_of
from tuneproof.eval.stats.bootstrap import Estimate, estimate, totals
from tuneproof.eval.stats.estimates import analyse
from tuneproof.eval.stats.intervals import UNBOUNDED, Floats, Range
from tuneproof.eval.stats.permutation import sign_flip_p
from tuneproof.eval.stats.verdicts import detectable, fewest_differing, holm, verdict
from tuneproof.formats.report import Figure, Gain

SIZES = (32, 100, 300, 2000)
RESAMPLES = 1000
LABEL_RESAMPLES = 500
BATCH_CELLS = 4_000_000
"""Cells (items x reports x metrics) simulated at a time."""
LARGE = 300
"""Items of a set of labels above which fewer are simulated."""
POWER_SHAPES = ("overlap", "half zero", "share 30", "length")
GAINED = 0.1
"""Share of items that get better in the samples with a skewed gain."""
LABEL_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "matthews": "Matthews",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}
GainOf = Callable[[Floats, Floats, np.random.Generator], Floats]
"""(items, reports) scores of base and tuned variant, and a generator -> (items, reports) gains."""


def selftest(simulations: int, seed: int, sizes: tuple[int, ...] = SIZES) -> Iterator[Line]:
    """Yield the lines of the table.

    Args:
        simulations: Reports simulated for every line.
        seed: Seed of the samples and of the resampling.
        sizes: Items of a report.
    """
    for n in sizes:
        for grouped in (False, True):
            yield from _nothing_changed(n, simulations, seed, grouped=grouped)
    for n in sizes:
        yield _unlike_shapes(n, simulations, seed)
    for n in sizes:
        yield from _skewed_gain(n, simulations, seed)
    for n in sizes:
        share = 2 if n <= LARGE else 10  # whole reports are made, item by item
        yield from _labels(n, max(simulations // share, 2), seed)
    for n in sizes:
        yield from _power(n, simulations, seed)


def _nothing_changed(n: int, simulations: int, seed: int, *, grouped: bool) -> Iterator[Line]:
    """Yield the share of reports with a false verdict, and the coverage of every shape."""
    false = 0
    covered: Counter[tuple[str, str]] = Counter()
    few: Counter[str] = Counter()
    for number, reports in _batches(n, simulations, 3 * len(SHAPES)):
        generator = np.random.default_rng([seed, n, grouped, number])
        pairs = simulated.sample(n, reports, grouped=grouped, generator=generator)
        p_values, gains = [], []
        for name, shape in SHAPES.items():
            base, tuned = pairs[name]
            scores = _estimate(base, shape.bounds, number, grouped=grouped)
            covered[name, "score"] += _covered(scores, mean_of(shape))
            gain = _estimate(tuned - base, shape.difference_bounds, number, grouped=grouped)
            covered[name, "difference"] += _covered(gain, 0.0)
            few[name] += _few(gain)
            gains.append(gain)
            p_values.append(_p(tuned - base, number, grouped=grouped))
        corrected = np.array([holm(family) for family in zip(*p_values, strict=True)]).T
        called = [_called(gain, row) for gain, row in zip(gains, corrected, strict=True)]
        false += int(np.any(called, axis=0).sum())
    setting = f"groups of {simulated.GROUP_SIZE}" if grouped else "single items"
    yield Line(
        promise="false verdict",
        case=f"any of {len(SHAPES)} metrics, {setting}",
        n=n,
        found=false / simulations,
        simulations=simulations,
    )
    for name, shape in SHAPES.items():
        for kind in ("score", "difference"):
            yield Line(
                promise="coverage",
                case=f"{shape.title}, {kind}, {setting}",
                n=n,
                found=covered[name, kind] / simulations,
                simulations=simulations,
                warned=few[name] / simulations if kind == "difference" else 0.0,
            )


def _unlike_shapes(n: int, simulations: int, seed: int) -> Line:
    """Return how often two variants of equal means but unlike scores are told apart, uncorrected.

    The tuned one scores 0 on half of the items and twice as much on the others. Then answers may
    not simply change places, and the permutation test holds only nearly.
    """

    def gain(base: Floats, tuned: Floats, generator: np.random.Generator) -> Floats:
        return 2 * tuned * (generator.random(tuned.shape) < 0.5) - base

    called, _ = _one_metric(n, simulations, [seed, n, 6], "overlap", gain, UNBOUNDED, family=1)
    return Line(
        promise="false verdict",
        case="one metric, equal means but unlike shapes",
        n=n,
        found=called,
        simulations=simulations,
    )


def _skewed_gain(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield the coverage of gains that a tenth of the items has and the others have not."""
    for name in ("overlap", "share 30"):
        shape, is_share = SHAPES[name], name == "share 30"
        truth = GAINED * (1 - mean_of(shape)) if is_share else GAINED * mean_of(shape)

        def gain(
            base: Floats, _: Floats, generator: np.random.Generator, is_share: bool = is_share
        ) -> Floats:
            lucky = generator.random(base.shape) < GAINED
            return np.where(lucky, 1 - base if is_share else base, 0.0)

        bounds = shape.difference_bounds
        covered, few = _one_metric(n, simulations, [seed, n, 2], name, gain, bounds, truth=truth)
        yield Line(
            promise="coverage",
            case=f"{shape.title}, {100 * GAINED:.0f} % of items gain",
            n=n,
            found=covered,
            simulations=simulations,
            warned=few,
        )


def _power(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield how often a gain of the minimum detectable effect is called, beside null metrics."""
    for name in POWER_SHAPES:
        effect = _true_effect(name, n, seed)

        def gain(
            base: Floats,
            tuned: Floats,
            generator: np.random.Generator,
            name: str = name,
            effect: float = effect,
        ) -> Floats:
            return _raised(tuned - base, name, effect, generator)

        bounds = SHAPES[name].difference_bounds
        called, few = _one_metric(n, simulations, [seed, n, 3], name, gain, bounds)
        yield Line(
            promise="power",
            case=f"{SHAPES[name].title}, MDE {effect:.3g}, 1 of {len(SHAPES)} metrics",
            n=n,
            found=called,
            simulations=simulations,
            warned=few,
        )


def _labels(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield false verdicts and coverage of whole reports of `n` labelled items.

    The truth of a figure of sets is what sets of this size give on average: a calibration error,
    say, is larger in small sets by its nature, and so is what its interval is for.
    """
    config = ReportConfig(resamples=LABEL_RESAMPLES)
    figures: dict[tuple[str, str], list[Figure]] = defaultdict(list)
    false = 0
    for number in range(simulations):
        generator = np.random.default_rng([seed, n, number, 5])
        comparison = simulated.labelled(n, generator)
        analysis = analyse(comparison, score(comparison), config)
        verdicts = {gain.verdict for gain in analysis.gains["tuned"].values()}
        false += bool(verdicts & {"better", "worse"})
        for metric in LABEL_METRICS:
            figures[metric, "score"].append(analysis.metrics["base"][metric])
            figures[metric, "difference"].append(analysis.gains["tuned"][metric])
    yield Line(
        promise="false verdict",
        case="any metric of labels, single items",
        n=n,
        found=false / simulations,
        simulations=simulations,
    )
    for (metric, kind), seen in figures.items():
        truth = float(np.mean([figure.value for figure in seen])) if kind == "score" else 0.0
        warned = [isinstance(figure, Gain) and figure.warning is not None for figure in seen]
        yield Line(
            promise="coverage",
            case=f"{LABEL_METRICS[metric]}, {kind}, single items",
            n=n,
            found=_covered(seen, truth) / simulations,
            simulations=simulations,
            warned=float(np.mean(warned)),
        )


def _one_metric(
    n: int,
    simulations: int,
    stream: list[int],
    name: str,
    gain_of: GainOf,
    bounds: Range,
    *,
    truth: float | None = None,
    family: int = len(SHAPES),
) -> tuple[float, float]:
    """Return the share of reports that are right of one gain, and of those that warn.

    Right is an interval that covers the truth, or without one, a verdict in a family of null
    metrics.
    """
    right = few = 0
    for number, reports in _batches(n, simulations, 3):
        generator = np.random.default_rng([*stream, number])
        base, tuned = simulated.sample(n, reports, grouped=False, generator=generator)[name]
        gain = gain_of(base, tuned, generator)
        estimates = _estimate(gain, bounds, number, grouped=False)
        few += _few(estimates)
        if truth is not None:
            right += _covered(estimates, truth)
        else:
            p = np.minimum(1, np.array(_p(gain, number, grouped=False)) * family)
            right += int(_called(estimates, p).sum())
    return right / simulations, few / simulations


def _batches(n: int, simulations: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield (number, reports) of batches that fit into memory."""
    step = max(1, BATCH_CELLS // (n * columns))
    for number, start in enumerate(range(0, simulations, step)):
        yield number, min(step, simulations - start)


def _estimate(values: Floats, bounds: Range, seed: int, *, grouped: bool) -> list[Estimate]:
    return estimate(
        values,
        resamples=RESAMPLES,
        confidence=CONFIDENCE,
        seed=seed,
        groups=groups_of(len(values)) if grouped else None,
        ranges=[bounds] * values.shape[1],
    )


def _covered(estimates: list[Estimate] | list[Figure], truth: float) -> int:
    """Count the intervals that hold the truth."""
    slack = 1e-9 * max(abs(truth), 1)
    return sum(
        one.low is not None
        and one.high is not None
        and one.low - slack <= truth <= one.high + slack
        for one in estimates
    )


def _few(estimates: list[Estimate]) -> int:
    """Count the gains of which a report warns that too few items differ."""
    return sum(one.differing < fewest_differing(ALPHA, len(SHAPES)) for one in estimates)


def _p(differences: Floats, seed: int, *, grouped: bool) -> list[float]:
    sums, _ = totals(differences, groups_of(len(differences)) if grouped else None)
    return sign_flip_p(sums, draws=RESAMPLES * 10, seed=seed)


def _called(estimates: list[Estimate], p_holm: Floats) -> NDArray[np.bool_]:
    """Say for every difference whether a report would call it better or worse."""
    verdicts = [
        verdict(one.low, one.high, p, ALPHA, "higher")
        for one, p in zip(estimates, p_holm.tolist(), strict=True)
    ]
    return np.array([called in ("better", "worse") for called in verdicts])


def _true_effect(name: str, n: int, seed: int) -> float:
    """Return the minimum detectable effect at the true spread of the differences.

    A gain in a share changes the spread, so the effect is found in a few rounds.
    """
    generator = np.random.default_rng([seed, 4])
    pairs = simulated.sample(100_000, 1, grouped=False, generator=generator)[name]
    differences, effect = pairs[1] - pairs[0], 0.0
    for _ in range(6):
        moved = _raised(differences, name, effect, generator)
        sizes = np.abs(moved[moved != 0])
        known = Estimate(
            value=0.0, low=None, high=None, n=n, units=n,
            differing=round(len(sizes) * n / len(moved)), error=float(moved.std() / sqrt(n)),
            typical=float(sizes.mean()), step=1 / n if name.startswith("share") else 0.0,
        )  # fmt: skip
        effect = detectable(known, alpha=ALPHA, family=len(SHAPES)) or 0.0
    return effect


def _raised(
    differences: Floats, name: str, effect: float, generator: np.random.Generator
) -> Floats:
    """Raise the mean of differences by `effect`: shares by turning items, scores by moving them."""
    if name.startswith("share"):
        room = 1 - differences  # what one item can gain
        return differences + (generator.random(differences.shape) < effect) * room
    null = np.random.default_rng(0)
    base, tuned = simulated.sample(20_000, 1, grouped=False, generator=null)[name]
    moving = float(np.mean(base != tuned))  # share of items that differ by chance
    return np.where(differences != 0, differences + effect / moving, 0.0)
