"""Made-up scores and labels of two variants with known truth, for `selftest`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from tuneproof.eval.stats.intervals import DIFFERENCE, SHARE, UNBOUNDED, Floats, Integers, Range
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.variant import Variant

GRID = 200_001
"""Points of the table from which a quantile function is read and its mean is taken."""
ITEM_SHARE = 0.5
"""Share of the variance of a score that the item itself brings: what makes pairs alike."""
METRIC_SHARE = 0.4
"""Share of what is left that one answer's metrics have in common."""
GROUP_SIZE = 4
"""Items of one group in clustered samples, as questions about one page."""
LABELS = ("red", "green", "blue", "grey")
FREQUENCY = (0.5, 0.25, 0.15, 0.1)
"""Of the labels."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How one metric's scores are distributed, and how often the two answers are the same."""

    title: str
    quantile: Callable[[Floats], Floats]
    """Probability (0 to 1) -> score."""
    same: float = 0.0
    """Share of items on which both variants get the very same score."""
    bounds: Range = SHARE

    @property
    def difference_bounds(self) -> Range:
        """The range of a paired difference."""
        return DIFFERENCE if self.bounds == SHARE else UNBOUNDED


def _overlap(p: Floats) -> Floats:
    from scipy.special import betaincinv

    return np.asarray(betaincinv(1.3, 4.0, p))


def _half_zero(p: Floats) -> Floats:
    return np.asarray(np.where(p < 0.5, 0.0, _overlap(np.clip((p - 0.5) / 0.5, 0, 1))))


def _length(p: Floats) -> Floats:
    from scipy.special import ndtri

    return np.asarray(np.minimum(np.round(np.exp(3.5 + 0.8 * ndtri(np.clip(p, 1e-9, 1)))), 256.0))


def _share(size: float) -> Callable[[Floats], Floats]:
    return lambda p: np.asarray(p < size, dtype=float)


SHAPES: dict[str, Shape] = {
    "overlap": Shape(title="ROUGE-like", quantile=_overlap),
    "overlap too": Shape(title="ROUGE-like, again", quantile=_overlap),
    "half zero": Shape(title="half of the scores 0", quantile=_half_zero),
    "share 30": Shape(title="share of 30 %", quantile=_share(0.3)),
    "share 90": Shape(title="share of 90 %", quantile=_share(0.9)),
    "share 97": Shape(title="share of 97 %", quantile=_share(0.97)),
    "length": Shape(title="skewed like lengths", quantile=_length, bounds=(0.0, np.inf)),
    "ties 70": Shape(title="70 % of pairs equal", quantile=_overlap, same=0.7),
    "ties 90": Shape(title="90 % of pairs equal", quantile=_overlap, same=0.9),
}


def mean_of(shape: Shape) -> float:
    """Return the true mean of a shape's scores."""
    return float(_table(shape.title).mean())


@lru_cache(maxsize=32)
def _table(title: str) -> Floats:
    (shape,) = (shape for shape in SHAPES.values() if shape.title == title)
    return shape.quantile((np.arange(GRID) + 0.5) / GRID)


def scores(
    shape: Shape, latent: tuple[Floats, Floats], generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Turn two normal variables per item into the scores of base and tuned variant."""
    from scipy.special import ndtr

    table = _table(shape.title)
    base, tuned = (table[(ndtr(normal) * (GRID - 1)).astype(np.int64)] for normal in latent)
    is_same = generator.random(base.shape) < shape.same
    return base, np.where(is_same, base, tuned)


def sample(
    n: int, reports: int, *, grouped: bool, generator: np.random.Generator
) -> dict[str, tuple[Floats, Floats]]:
    """Return metric -> (items, reports) scores of base and tuned variant, between which nothing is.

    All metrics of a report are correlated, and so are the two variants; in a grouped sample the
    items of a group are alike as well.
    """
    size = (n, reports)

    def normal() -> Floats:
        return generator.normal(size=size)

    def grouped_normal() -> Floats:
        if not grouped:
            return normal()
        shared = np.repeat(generator.normal(size=(-(-n // GROUP_SIZE), reports)), GROUP_SIZE, 0)[:n]
        return sqrt(0.5) * shared + sqrt(0.5) * normal()

    item = grouped_normal()
    common = [grouped_normal() for _ in range(2)]
    pairs = {}
    for name, shape in SHAPES.items():
        own = [sqrt(METRIC_SHARE) * both + sqrt(1 - METRIC_SHARE) * normal() for both in common]
        base, tuned = (sqrt(ITEM_SHARE) * item + sqrt(1 - ITEM_SHARE) * part for part in own)
        pairs[name] = scores(shape, (base, tuned), generator)
    return pairs


def groups_of(n: int) -> Integers:
    """Return the group of each item of a grouped sample."""
    return np.arange(n, dtype=np.int64) // GROUP_SIZE


def labelled(n: int, generator: np.random.Generator) -> Comparison:
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
            instruction="Which?",
            output=LABELS[right[number]],
            group=str(number),
            answers={name: _label_answer(rows[name][number]) for name in variants},
        )
        for number in range(n)
    ]
    return Comparison(
        variants=tuple(Variant(name=name) for name in variants), items=tuple(items), labels=LABELS
    )


def _label_answer(logits: Floats) -> Answer:
    shares = np.exp(1.5 * (logits - logits.max()))
    probabilities = dict(zip(LABELS, (shares / shares.sum()).tolist(), strict=True))
    label = max(probabilities, key=probabilities.__getitem__)
    return Answer(text=None, label=label, label_probabilities=probabilities)
