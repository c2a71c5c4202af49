"""A report's promises, put to the test on made-up answers whose truth is known.

Where nothing changed, at most 5 % of reports say better or worse at all; a 95 % interval holds the
truth in 93 to 97 % of samples; the minimum detectable effect is called in about 80 %; a primary
metric is called no less often than by max-T alone; variants that differ by the margin are called
the same in at most 5 %; a judge's win rate that votes correct holds the truth as often as others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np
from scipy import stats

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.score import Scores
from tuneproof.eval.selftest import judged, labelled, simulated
from tuneproof.eval.selftest.line import ALPHA, Line, Promise
from tuneproof.eval.selftest.reports import (
    PRIMARY,
    RESAMPLES,
    batches,
    covered,
    estimates_of,
    few,
    judge_reports,
    p_values_of,
)
from tuneproof.eval.selftest.simulated import SHAPES, groups_of, mean_of
from tuneproof.eval.stats.bootstrap import Estimate
from tuneproof.eval.stats.equivalence import equivalence_of, items_needed
from tuneproof.eval.stats.estimates import FEW_UNITS, analyse
from tuneproof.eval.stats.intervals import UNBOUNDED, Floats, Range
from tuneproof.eval.stats.seeds import over_seeds
from tuneproof.eval.stats.verdicts import PairedTest, detectable, settle
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.variant import Variant

SIZES = (32, 100)
ALL_SIZES = (8, 20, 32, 63, 100, 300)
POWER_SHAPES = ("overlap", "half zero", "share 30", "length")
GAINED = 0.1
"""Share of items that get better in the samples with a skewed gain."""
SEEDS = ((2, 0.022), (3, 0.022), (3, 0.049), (5, 0.049))
"""Numbers of seeds, and the standard deviation between their means."""
ITEM_SPREAD, REST_SPREAD = 0.2, 0.1
"""Standard deviation between the items, and of what is left, of a difference between two models."""
LOOPING = 0.05
"""Share of answers that loop where the others repeat nothing."""
TRUE_GAIN = 0.087
"""Gain of the metrics that gain, in the samples with a true gain."""
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
        for grouping in simulated.GROUPINGS:
            yield from _nothing_changed(n, simulations, seed, grouping)
    for n in sizes:
        yield _several_variants(n, simulations, seed)
        yield from _some_gain(n, simulations, seed)
    for n in sizes:
        yield _unlike_shapes(n, simulations, seed)
        yield _rare_loops(n, max(simulations // 2, 2), seed)
    for n in sizes:
        yield from _skewed_gain(n, simulations, seed)
    for n in sizes:
        yield from labelled.lines(n, max(simulations // 2, 2), seed)
    for n in sizes:
        yield from _seeds(n, simulations, seed)
    for n in sizes:
        yield from _power(n, simulations, seed)
    for n in sizes:
        yield from _equivalence(n, simulations, seed)
    yield from judged.lines(simulations, seed)


def _nothing_changed(n: int, simulations: int, seed: int, grouping: str) -> Iterator[Line]:
    """Yield the share of reports with a false verdict, and the coverage of every shape."""
    false = 0
    right: Counter[tuple[str, str]] = Counter()
    warned: Counter[str] = Counter()
    groups = groups_of(n, grouping)
    for number, reports in batches(n, simulations, 3 * len(SHAPES)):
        stream = [seed, n, len(grouping), number]
        pairs = simulated.sample(n, reports, groups, generator=np.random.default_rng(stream))
        gains = {("tuned", name): tuned - base for name, (base, tuned) in pairs.items()}
        for name, shape in SHAPES.items():
            scores = estimates_of(pairs[name][0], shape.bounds, number, groups)
            right[name, "score"] += covered(scores, mean_of(shape))
            gain = estimates_of(gains["tuned", name], shape.difference_bounds, number, groups)
            right[name, "difference"] += covered(gain, 0.0)
            warned[name] += few(gain)
        for report in judge_reports(gains, number, groups):
            false += any(one.is_called for one in report.values())
    yield _line("false verdict", f"any of {len(SHAPES)} metrics, {grouping}", n, false, simulations)
    for name, shape in SHAPES.items():
        for kind in ("score", "difference"):
            case = f"{shape.title}, {kind}, {grouping}"
            units = n if groups is None else int(groups.max()) + 1
            share = warned[name] / simulations if kind == "difference" else float(units < FEW_UNITS)
            yield _line("coverage", case, n, right[name, kind], simulations, share)


def _several_variants(n: int, simulations: int, seed: int) -> Line:
    """Return how often any of three variants that are no different is called better or worse."""
    false = 0
    for number, reports in batches(n, simulations, 9 * len(SHAPES)):
        generator = np.random.default_rng([seed, n, 7, number])
        first = simulated.sample(n, reports, None, generator=generator, variants=4)
        gains = {
            (f"tuned {index}", name): scores[index] - scores[0]
            for name, scores in first.items()
            for index in (1, 2, 3)
        }
        judged = judge_reports(gains, number)
        false += sum(any(one.is_called for one in report.values()) for report in judged)
    case = f"any of 3 variants and {len(SHAPES)} metrics, single items"
    return _line("false verdict", case, n, false, simulations)


def _some_gain(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield false verdicts on the others where some metrics gain, and how intervals hold together.

    Where all gain, also how often the primary metric is called, and how often by max-T alone.
    """
    gaining = {
        "the primary gains": (PRIMARY,),
        "another gains": ("half zero",),
        "all gain": tuple(SHAPES),
    }
    for title, names in gaining.items():
        false = together = called = plain = 0
        for number, reports in batches(n, simulations, 3 * len(SHAPES)):
            generator = np.random.default_rng([seed, n, 8, number])
            pairs = simulated.sample(n, reports, None, generator=generator)
            truth = {name: TRUE_GAIN * (name in names) for name in SHAPES}
            gains = {
                ("tuned", name): pair[1] - pair[0] + truth[name] for name, pair in pairs.items()
            }
            for report in judge_reports(gains, number, bounds=UNBOUNDED):
                false += any(one.is_called and not truth[name] for (_, name), one in report.items())
                called += report["tuned", PRIMARY].is_called
                together += all(
                    covered([one], truth[name])
                    for (_, name), one in report.items()
                    if name != PRIMARY
                )
            if names == (PRIMARY,):
                for report in judge_reports(gains, number, primary=None, bounds=UNBOUNDED):
                    plain += report["tuned", PRIMARY].is_called
        if len(names) < len(SHAPES):
            yield _line("false verdict", f"any other metric where {title}", n, false, simulations)
        yield _line("coverage", f"all but the primary at once, {title}", n, together, simulations)
        if names == (PRIMARY,):
            case = f"a gain of {TRUE_GAIN}; {plain / simulations:.0%} by max-T alone"
            yield _line("primary first", case, n, called, simulations)


def _seeds(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield false verdicts on settings, and on one checkpoint of them, where seeds differ."""
    for count, spread in SEEDS:
        generator = np.random.default_rng([seed, n, 9, count])
        settings = checkpoint = 0
        for _ in range(simulations):
            table = (
                generator.normal(0, spread, (count, 1))
                + generator.normal(0, ITEM_SPREAD, (1, n))
                + generator.normal(0, REST_SPREAD, (count, n))
            )
            low, high = over_seeds(table).interval(ALPHA)
            settings += not low <= 0 <= high
            error = table[0].std(ddof=1) / sqrt(n)
            checkpoint += 2 * stats.t.sf(abs(table[0].mean()) / error, n - 1) < ALPHA
        case = f"settings over {count} seeds that differ by {spread:g}"
        share = checkpoint / simulations
        yield _line(
            "false verdict", f"{case}; {share:.0%} by one of them", n, settings, simulations
        )


def _unlike_shapes(n: int, simulations: int, seed: int) -> Line:
    """Return how often two variants of equal means but unlike scores are told apart.

    The tuned one scores 0 on half of the items and twice as much on the others. Then answers may
    not simply change places, and the permutation test holds only nearly.
    """

    def gain(base: Floats, tuned: Floats, generator: np.random.Generator) -> Floats:
        return 2 * tuned * (generator.random(tuned.shape) < 0.5) - base

    called, _ = _one_metric(n, simulations, [seed, n, 6], PRIMARY, gain, UNBOUNDED, is_alone=True)
    return _line("false verdict", "one metric, equal means but unlike shapes", n, called,
                 simulations)  # fmt: skip


def _rare_loops(n: int, simulations: int, seed: int) -> Line:
    """Return how often a variant of which one answer in twenty loops is called better or worse.

    The base repeats itself a little in every answer, and as much on the whole. In many samples no
    loop is drawn, and the tuned variant never repeats itself.
    """
    items = tuple(
        Item(id=f"q{number}", task="t", instruction=f"number {number}", group=f"q{number}",
             answers={name: Answer(text="") for name in ("base", "tuned")})
        for number in range(n)
    )  # fmt: skip
    variants = (Variant(name="base"), Variant(name="tuned"))
    comparison = Comparison(variants=variants, items=items)
    config = ReportConfig(resamples=RESAMPLES // 2, primary="repetition_rate")
    false = 0
    for number in range(simulations):
        generator = np.random.default_rng([seed, n, 11, number])
        loops = generator.random(n) < LOOPING
        scores = np.column_stack([generator.uniform(0, 2 * LOOPING, n), loops])
        values = Scores(
            values={"repetition_rate": scores}, not_available={}, length_unit="words", units=None
        )
        gain = analyse(comparison, values, config).gains["tuned"]["repetition_rate"]
        false += gain.verdict in ("better", "worse")
    case = f"repetition: {LOOPING:.0%} loop, against a little everywhere"
    return _line("false verdict", case, n, false, simulations)


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
        right, warned = _one_metric(n, simulations, [seed, n, 2], name, gain, bounds, truth=truth)
        case = f"{shape.title}, {100 * GAINED:.0f} % of items gain"
        yield _line("coverage", case, n, right, simulations, warned / simulations)


def _power(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield how often a gain of the minimum detectable effect is called, tested alone."""
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
        called, warned = _one_metric(
            n, simulations, [seed, n, 3], name, gain, bounds, is_alone=True
        )
        case = f"{SHAPES[name].title}, MDE {effect:.3g}, as the primary metric"
        yield _line("power", case, n, called, simulations, warned / simulations)


def _equivalence(n: int, simulations: int, seed: int) -> Iterator[Line]:
    """Yield how often variants that differ by the margin are called the same, and equal ones.

    The margin is the one for which a report would ask for `n` items.
    """
    base, tuned = _large_sample(PRIMARY)
    margin = _margin(float(np.std(tuned - base)), n)
    for title, is_null in (("a difference of the margin", True), ("no difference", False)):
        same = 0
        for number, reports in batches(n, simulations, 3):
            generator = np.random.default_rng([seed, n, 9, number])
            base, tuned = simulated.sample(n, reports, None, generator=generator)[PRIMARY]
            for one in estimates_of(tuned - base + margin * is_null, UNBOUNDED, number, None):
                low, high = one.interval_at(1 - 2 * ALPHA) if one.interval_at else (None, None)
                same += equivalence_of(
                    low, high, one.error, n, margin=margin, direction="higher", alpha=ALPHA
                ).same
        case = f"the same within {margin:.3g}, {title}"
        promise: Promise = "false verdict" if is_null else "power"
        yield _line(promise, case, n, same, simulations, float(n < FEW_UNITS))


def _margin(spread: float, n: int) -> float:
    """Return the least margin for which `n` items are enough, of differences of this spread."""
    low, high = 0.0, 100 * spread
    for _ in range(60):
        middle = (low + high) / 2
        needed = items_needed(spread, 1, margin=middle, kind="same", alpha=ALPHA)
        low, high = (middle, high) if (needed or 0) > n else (low, middle)
    return high


def _one_metric(
    n: int,
    simulations: int,
    stream: list[int],
    name: str,
    gain_of: GainOf,
    bounds: Range,
    *,
    truth: float | None = None,
    is_alone: bool = False,
) -> tuple[int, int]:
    """Return the number of reports that are right of one gain, and of those that warn.

    Right is an interval that covers the truth, or of a test alone a verdict.
    """
    right = warned = 0
    for number, reports in batches(n, simulations, 3):
        generator = np.random.default_rng([*stream, number])
        base, tuned = simulated.sample(n, reports, None, generator=generator)[name]
        gain = gain_of(base, tuned, generator)
        estimates = estimates_of(gain, bounds, number, None)
        warned += few(estimates)
        if is_alone:
            p_values = p_values_of(gain, number, None)
            tests = [PairedTest(estimate=e, p=p) for e, p in zip(estimates, p_values, strict=True)]
            right += sum(settle(test, test.p, ALPHA, ALPHA).is_called for test in tests)
        else:
            right += covered(estimates, truth or 0.0)
    return right, warned


def _line(
    promise: Promise, case: str, n: int, hits: float, simulations: int, warned: float = 0.0
) -> Line:
    return Line(
        promise=promise,
        case=case,
        n=n,
        found=hits / simulations,
        simulations=simulations,
        warned=warned,
    )


def _large_sample(name: str) -> tuple[Floats, Floats]:
    """Return the scores of so many items that their spread is the true one."""
    generator = np.random.default_rng(0)
    base, tuned = simulated.sample(50_000, 1, None, generator=generator)[name]
    return base, tuned


def _true_effect(name: str, n: int, seed: int) -> float:
    """Return the minimum detectable effect at the true spread of the differences.

    A gain in a share changes the spread, so the effect is found in a few rounds.
    """
    generator = np.random.default_rng([seed, 4])
    base, tuned = _large_sample(name)
    differences, effect = tuned - base, 0.0
    for _ in range(6):
        moved = _raised(differences, name, effect, generator)
        sizes = np.abs(moved[moved != 0])
        known = Estimate(
            value=0.0, low=None, high=None, n=n, units=n,
            differing=round(len(sizes) * n / len(moved)), error=float(moved.std() / sqrt(n)),
            typical=float(sizes.mean()), step=1 / n if name.startswith("share") else 0.0,
        )  # fmt: skip
        effect = detectable(known, level=ALPHA, alpha=ALPHA) or 0.0
    return effect


def _raised(
    differences: Floats, name: str, effect: float, generator: np.random.Generator
) -> Floats:
    """Raise the mean of differences by `effect`: shares by turning items, scores by moving them."""
    if name.startswith("share"):
        room = 1 - differences  # what one item can gain
        return differences + (generator.random(differences.shape) < effect) * room
    base, tuned = _large_sample(name)
    moving = float(np.mean(base != tuned))  # share of items that differ by chance
    return np.where(differences != 0, differences + effect / moving, 0.0)
