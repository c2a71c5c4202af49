"""A report's promises, put to the test on made-up answers whose truth is known.

Three promises: where nothing changed, at most 5 % of reports say better or worse at all; a 95 %
interval holds the truth in 93 to 97 % of samples; the minimum detectable effect is called in about
80 %. The very functions of `score report` are called; nothing here has statistics of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.report import wording
from tuneproof.eval.selftest import simulated
from tuneproof.eval.selftest.labels import labels_lines
from tuneproof.eval.selftest.line import ALPHA, CONFIDENCE, COVERAGE_BOUNDS, POWER_BOUNDS, Line
from tuneproof.eval.selftest.simulated import SHAPES, groups_of, mean_of
from tuneproof.eval.stats.bootstrap import Estimate, estimate, totals
from tuneproof.eval.stats.corrections import holm
from tuneproof.eval.stats.intervals import UNBOUNDED, Range
from tuneproof.eval.stats.permutation import sign_flip_p
from tuneproof.eval.stats.power import detectable, fewest_differing

Floats = NDArray[np.float64]
SIZES = (32, 100, 300, 2000)
RESAMPLES = 1000
BATCH_CELLS = 4_000_000
"""Cells (items x reports x metrics) simulated at a time."""
LARGE = 300
"""Items of a set of labels above which fewer are simulated."""
POWER_SHAPES = ("overlap", "half zero", "share 30", "length")
GAINED = 0.1
"""Share of items that get better in the samples with a skewed gain."""


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
        yield from labels_lines(n, max(simulations // share, 2), seed)
    for n in sizes:
        yield from _power(n, simulations, seed)


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


def _covers(found: list[Estimate], truth: float) -> NDArray[np.bool_]:
    slack = 1e-9 * max(abs(truth), 1)
    return np.array(
        [
            one.low is not None and one.high is not None
            and one.low - slack <= truth <= one.high + slack
            for one in found
        ]
    )  # fmt: skip


def _few(found: list[Estimate], family: int) -> NDArray[np.bool_]:
    return np.array([one.differing < fewest_differing(ALPHA, family) for one in found])


def _p(differences: Floats, seed: int, *, grouped: bool) -> list[float]:
    sums, _ = totals(differences, groups_of(len(differences)) if grouped else None)
    return sign_flip_p(sums, draws=RESAMPLES * 10, seed=seed)


def _called(found: list[Estimate], p_holm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say for every difference whether a report would call it better or worse."""
    verdicts = [
        wording.verdict(one.low, one.high, p, ALPHA, "higher")
        for one, p in zip(found, p_holm.tolist(), strict=True)
    ]
    return np.array([verdict in ("better", "worse") for verdict in verdicts])


def _nothing_changed(n: int, simulations: int, seed: int, *, grouped: bool) -> Iterator[Line]:
    """Yield the share of reports with a false verdict, and the coverage of every shape."""
    names = list(SHAPES)
    false = 0
    covered = {(name, kind): 0 for name in names for kind in ("score", "difference")}
    few = dict.fromkeys(names, 0)
    for number, reports in _batches(n, simulations, 3 * len(names)):
        generator = np.random.default_rng([seed, n, grouped, number])
        pairs = simulated.sample(n, reports, grouped=grouped, generator=generator)
        p, gains = [], []
        for name in names:
            shape, (base, tuned) = SHAPES[name], pairs[name]
            found = _estimate(base, shape.bounds, number, grouped=grouped)
            covered[name, "score"] += int(_covers(found, mean_of(shape)).sum())
            found = _estimate(tuned - base, shape.difference_bounds, number, grouped=grouped)
            covered[name, "difference"] += int(_covers(found, 0.0).sum())
            few[name] += int(_few(found, len(names)).sum())
            gains.append(found)
            p.append(_p(tuned - base, number, grouped=grouped))
        corrected = np.array([holm(family) for family in zip(*p, strict=True)]).T
        called = [_called(found, row) for found, row in zip(gains, corrected, strict=True)]
        false += int(np.any(called, axis=0).sum())
    setting = f"groups of {simulated.GROUP_SIZE}" if grouped else "single items"
    yield Line(
        promise="false verdict",
        case=f"any of {len(names)} metrics, {setting}",
        n=n,
        found=false / simulations,
        bounds=(0.0, ALPHA),
        simulations=simulations,
    )
    for name in names:
        for kind in ("score", "difference"):
            yield Line(
                promise="coverage",
                case=f"{SHAPES[name].title}, {kind}, {setting}",
                n=n,
                found=covered[name, kind] / simulations,
                bounds=COVERAGE_BOUNDS,
                simulations=simulations,
                warned=few[name] / simulations if kind == "difference" else 0.0,
            )


def _unlike_shapes(n: int, simulations: int, seed: int) -> Line:
    """Return how often two variants of equal means but unlike scores are told apart, uncorrected.

    The tuned one scores 0 on half of the items and twice as much on the others. Then answers may
    not simply change places, and the permutation test holds only nearly.
    """
    called = 0
    for number, reports in _batches(n, simulations, 3):
        generator = np.random.default_rng([seed, n, 6, number])
        base, tuned = simulated.sample(n, reports, grouped=False, generator=generator)["overlap"]
        gain = 2 * tuned * (generator.random(tuned.shape) < 0.5) - base
        found = _estimate(gain, UNBOUNDED, number, grouped=False)
        p = np.array(_p(gain, number, grouped=False))
        called += int(_called(found, p).sum())
    return Line(
        promise="false verdict",
        case="one metric, equal means but unlike shapes",
        n=n,
        found=called / simulations,
        bounds=(0.0, ALPHA),
        simulations=simulations,
    )


def _skewed_gain(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield the coverage of gains that a tenth of the items has and the others have not."""
    for name in ("overlap", "share 30"):
        shape, covered, few = SHAPES[name], 0, 0
        truth = GAINED * (1 - mean_of(shape)) if name == "share 30" else GAINED * mean_of(shape)
        for number, reports in _batches(n, simulations, 3):
            generator = np.random.default_rng([seed, n, 2, number])
            base, _ = simulated.sample(n, reports, grouped=False, generator=generator)[name]
            lucky = generator.random(base.shape) < GAINED
            gain = np.where(lucky, 1 - base if name == "share 30" else base, 0.0)
            found = _estimate(gain, shape.difference_bounds, number, grouped=False)
            covered += int(_covers(found, truth).sum())
            few += int(_few(found, len(SHAPES)).sum())
        yield Line(
            promise="coverage",
            case=f"{shape.title}, {100 * GAINED:.0f} % of items gain",
            n=n,
            found=covered / simulations,
            bounds=COVERAGE_BOUNDS,
            simulations=simulations,
            warned=few / simulations,
        )


def _power(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield how often a gain of the minimum detectable effect is called, beside null metrics."""
    for name in POWER_SHAPES:
        effect = _true_effect(name, n, seed)
        called = few = 0
        for number, reports in _batches(n, simulations, 3):
            generator = np.random.default_rng([seed, n, 3, number])
            base, tuned = simulated.sample(n, reports, grouped=False, generator=generator)[name]
            gain = _raised(tuned - base, name, effect, generator)
            found = _estimate(gain, SHAPES[name].difference_bounds, number, grouped=False)
            p_holm = np.minimum(1, np.array(_p(gain, number, grouped=False)) * len(SHAPES))
            called += int(_called(found, p_holm).sum())
            few += int(_few(found, len(SHAPES)).sum())
        yield Line(
            promise="power",
            case=f"{SHAPES[name].title}, MDE {effect:.3g}, 1 of {len(SHAPES)} metrics",
            n=n,
            found=called / simulations,
            bounds=POWER_BOUNDS,
            simulations=simulations,
            warned=few / simulations,
        )


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
    if not name.startswith("share"):
        return np.where(differences != 0, differences + effect / _moving(name), 0.0)
    room = 1 - differences  # what one item can gain
    return differences + (generator.random(differences.shape) < effect) * room


def _moving(name: str) -> float:
    """Return the share of items whose two scores differ by chance."""
    generator = np.random.default_rng(0)
    base, tuned = simulated.sample(20_000, 1, grouped=False, generator=generator)[name]
    return float(np.mean(base != tuned))
