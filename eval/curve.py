"""A learning curve: how the primary metric grows with the data, and what twice as much brings.

Scores of language models grow about evenly with each doubling of their data (Hestness et al., 2017,
"Deep Learning Scaling is Predictable, Empirically"), until they level off. So every item gets a
straight line over the logarithm of the number of training examples; the mean of the slopes is what
a doubling brought, and its interval is that of a mean over independent units of items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.report import wording
from tuneproof.eval.score import score
from tuneproof.files import read_json, write_json
from tuneproof.formats.codec import decode
from tuneproof.formats.joined import read_comparisons
from tuneproof.text import table

if TYPE_CHECKING:
    from tuneproof.eval.stats.intervals import Floats, Integers, Range

SCHEMA = "tuneproof/curve@1"
ROUNDING = 1e-9
"""Slopes that differ by less are the same, computed in another order."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One share of the data."""

    variant: str
    """The run that was trained on it."""
    examples: int
    """Training examples."""
    value: float
    """The metric."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A learning curve of one setting."""

    schema: str = SCHEMA
    """The form of the file."""
    metric: str
    """The primary metric."""
    items: int
    """Items that all runs have a value on."""
    points: tuple[Point, ...]
    """The least data first."""
    doubling: float
    """What a doubling of the data brought on average, in the metric's unit."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of it."""
    last: float
    """What the last step brought, a doubling's worth of it: less where the curve levels off."""

    def lines(self) -> str:
        """Return the curve as a table, and what twice the data would bring."""
        unit, title = METRICS[self.metric].unit, METRICS[self.metric].title
        rows = [["examples", title], *([f"{p.examples:,}", wording.amount(p.value, unit)]
                                       for p in self.points)]  # fmt: skip
        return f"{table(rows, left=0)}\n{self.growth()}"

    def growth(self) -> str:
        """Return what twice the data would bring."""
        unit, title = METRICS[self.metric].unit, METRICS[self.metric].title
        size = wording.change(self.doubling, unit)
        interval = wording.interval(self.low, self.high, unit)
        text = f"Each doubling of the data changed {title} by {size} ({interval})"
        sign = METRICS[self.metric].sign
        if not self.low <= 0 <= self.high:
            word = "more data helps" if sign * self.doubling > 0 else "more data hurts"
        else:
            word = "whether more data helps is not shown"
        last = (
            f"; the last one by {wording.change(self.last, unit)}" if len(self.points) > 2 else ""
        )
        return (
            f"{text}{last}: {word}. Twice the data would bring about as much again if the curve "
            "goes on as it went, less where it levels off; of one seed."
        )


def read_curve(path: Path) -> Curve:
    """Read a curve.json."""
    return decode(Curve, read_json(path), str(path))


def learning_curve(
    files: Sequence[Path], sizes: Mapping[str, int], config: ReportConfig, out: Path
) -> Curve:
    """Measure how runs on shares of the same data differ, and write curve.json.

    Args:
        files: Comparison files that hold the runs.
        sizes: Training examples by the run's name; two or more different ones.
        config: Settings of the statistics.
        out: The folder to write into.

    Raises:
        InputError: Fewer than two sizes, or no metric that scores the answers.
    """
    if len(set(sizes.values())) < 2:
        raise InputError("a learning curve needs runs on two or more numbers of examples")
    import numpy as np

    from tuneproof.eval.stats.primary import primary_of
    from tuneproof.eval.units import group_numbers

    comparison = read_comparisons(files)
    scores = score(comparison)
    metric = primary_of(comparison, scores, config)
    if metric is None or metric not in scores.values:
        raise InputError("no primary metric scores these answers; give one with score.primary")
    names = sorted(sizes, key=sizes.__getitem__)
    values = scores.values[metric][:, [comparison.names.index(name) for name in names]]
    known = ~np.isnan(values).any(axis=1)
    items = [comparison.items[index] for index in np.flatnonzero(known).tolist()]
    if len(items) < 2:
        raise InputError(
            f"{len(items)} items have a value of {metric} for every run; two are needed"
        )
    doublings = np.log2([sizes[name] for name in names])
    centred = doublings - doublings.mean()
    slopes = values[known] @ centred / np.square(centred).sum()
    steepest = np.abs(centred).sum() / 2 / np.square(centred).sum()
    least, most = METRICS[metric].difference_bounds
    bounds = least * steepest, most * steepest
    mean, low, high = _mean(slopes, group_numbers(items), config.confidence, bounds)
    means = values[known].mean(axis=0)
    curve = Curve(
        metric=metric,
        items=len(items),
        points=tuple(
            Point(variant=name, examples=sizes[name], value=float(value))
            for name, value in zip(names, means, strict=True)
        ),
        doubling=mean,
        low=low,
        high=high,
        last=float((means[-1] - means[-2]) / (doublings[-1] - doublings[-2])),
    )
    write_json(out / "curve.json", asdict(curve))
    return curve


def _mean(
    values: Floats, groups: Integers | None, confidence: float, bounds: Range
) -> tuple[float, float, float]:
    """Return a mean and its interval: Student's t over units, or what no spread leaves open."""
    import numpy as np
    from scipy.stats import t

    from tuneproof.eval.stats.intervals import interval_of_no_spread

    mean = float(values.mean())
    units = np.arange(len(values)) if groups is None else groups
    sums = np.bincount(units, weights=values - mean)
    count = len(sums)
    if count < 2:
        raise InputError("all items are one unit; a curve needs two or more")
    error = np.sqrt(np.square(sums).sum() * count / (count - 1)) / len(values)
    if np.ptp(values) < ROUNDING:
        mean = round(mean / ROUNDING) * ROUNDING
        return mean, *interval_of_no_spread(mean, count, confidence, bounds)
    reach = float(t.isf((1 - confidence) / 2, count - 1) * error)
    return mean, mean - reach, mean + reach
