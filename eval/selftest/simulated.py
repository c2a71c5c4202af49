"""Made-up scores of variants with known truth, for `selftest`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from tuneproof.eval.stats.intervals import DIFFERENCE, SHARE, UNBOUNDED, Floats, Integers, Range

GRID = 200_001
"""Points of the table from which a quantile function is read and its mean is taken."""
ITEM_SHARE = 0.5
"""Share of the variance of a score that the item itself brings: what makes pairs alike."""
METRIC_SHARE = 0.4
"""Share of what is left that one answer's metrics have in common."""
GROUP_SIZE = 4
"""Items of one group in clustered samples, as questions about one page."""
UNEQUAL = (1, 1, 1, 2, 1, 3, 1, 6, 2, 14)
"""Items of the groups of an unequal sample, in turn: a tenth of them has nearly half the items."""
GROUPINGS = ("single items", "groups of 4", "unequal groups")


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
    shape: Shape, latent: tuple[Floats, ...], generator: np.random.Generator
) -> tuple[Floats, ...]:
    """Turn normal variables per item into the scores of the variants, the first being the base."""
    from scipy.special import ndtr

    table = _table(shape.title)
    base, *others = (table[(ndtr(normal) * (GRID - 1)).astype(np.int64)] for normal in latent)
    return (
        base,
        *(np.where(generator.random(base.shape) < shape.same, base, tuned) for tuned in others),
    )


def sample(
    n: int,
    reports: int,
    groups: Integers | None,
    *,
    generator: np.random.Generator,
    variants: int = 2,
) -> dict[str, tuple[Floats, ...]]:
    """Return metric -> (items, reports) scores of every variant, between which nothing is.

    All metrics of a report are correlated, and so are the variants; in a grouped sample the items
    of a group are alike as well. The first variant is the base.
    """
    size = (n, reports)

    def normal() -> Floats:
        return generator.normal(size=size)

    def grouped_normal() -> Floats:
        if groups is None:
            return normal()
        shared = generator.normal(size=(int(groups.max()) + 1, reports))[groups]
        return sqrt(0.5) * shared + sqrt(0.5) * normal()

    item = grouped_normal()
    common = [grouped_normal() for _ in range(variants)]
    made = {}
    for name, shape in SHAPES.items():
        own = [sqrt(METRIC_SHARE) * both + sqrt(1 - METRIC_SHARE) * normal() for both in common]
        latent = tuple(sqrt(ITEM_SHARE) * item + sqrt(1 - ITEM_SHARE) * part for part in own)
        made[name] = scores(shape, latent, generator)
    return made


def groups_of(n: int, grouping: str) -> Integers | None:
    """Return the group of each item, or None where every item stands for itself.

    Unequal groups are like pages of which some have one question and some fourteen.
    """
    if grouping == "single items":
        return None
    if grouping == "groups of 4":
        return np.arange(n, dtype=np.int64) // GROUP_SIZE
    sizes: list[int] = []
    while sum(sizes) < n:
        sizes.append(UNEQUAL[len(sizes) % len(UNEQUAL)])
    return np.repeat(np.arange(len(sizes)), sizes)[:n].astype(np.int64)
