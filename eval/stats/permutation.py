"""p-values of paired differences: what would chance do if the two variants were the same?

If they were, each item's two answers could change places. The paired permutation test (Fisher,
1935; Dror et al., 2018, The Hitchhiker's Guide to Testing Statistical Significance in NLP) does
just that: it swaps the pairs of random items, many times, and counts how often the difference is
then at least as large as the one seen. A group of items is swapped as a whole. With few differing
units every way of swapping is tried, so the p-value is exact; otherwise it is (1 + hits) /
(1 + draws), which is never too small (Phipson and Smyth, 2010). Where all differences are of one
size, as those of 0/1 scores are, it is McNemar's exact test.

All tests of a report share their swaps (`joint_swaps`), so that one can also say how large the
largest of their differences would be by chance: see `stats.correction`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneproof.eval.stats import bootstrap
from tuneproof.eval.stats.intervals import Floats

_SLACK = 1e-9
"""Share of the observed difference below which another one counts as equal to it."""


@dataclass(frozen=True, kw_only=True)
class MeanTests:
    """Differences of means, all of the same units."""

    sums: Floats
    """(units, tests) sum of each unit's differences; 0 where none is scored."""

    @property
    def columns(self) -> int:
        """Columns of the widest table that one draw takes."""
        return int(self.sums.shape[1])

    def moves(self) -> NDArray[np.bool_]:
        """Return (units,) whether swapping the unit changes anything."""
        return np.asarray((self.sums != 0).any(axis=1))

    def swapped(self, choice: Floats, units: NDArray[np.bool_]) -> Floats:
        """Return (draws, tests) differences after swapping.

        Args:
            choice: (draws, chosen units) 1 where a unit is swapped.
            units: (units,) which are chosen; no others change anything.
        """
        part = self.sums[units]
        return np.asarray(part.sum(axis=0) - 2 * (choice @ part))


@dataclass(frozen=True, kw_only=True)
class SetTests:
    """Differences of figures of whole sets, such as F1."""

    first: Floats
    """(units, columns) what adds up for one variant."""
    second: Floats
    """(units, columns) the same of the other."""
    figures: Callable[[Floats], Floats]
    """(sets, columns) sums -> (sets, tests)."""

    @property
    def columns(self) -> int:
        """Columns of the widest table that one draw takes."""
        return int(self.first.shape[1])

    def moves(self) -> NDArray[np.bool_]:
        """Return (units,) whether swapping the unit changes anything."""
        return np.asarray((self.first != self.second).any(axis=1))

    def swapped(self, choice: Floats, units: NDArray[np.bool_]) -> Floats:
        """Return (draws, tests) differences after swapping; see `MeanTests.swapped`."""
        change = choice @ (self.second - self.first)[units]
        first, second = self.first.sum(axis=0), self.second.sum(axis=0)
        return self.figures(first + change) - self.figures(second - change)


@dataclass(frozen=True, kw_only=True)
class Swaps:
    """Differences as they are, and after the same random swaps for all tests.

    Each is divided by its root mean square over the swaps, which makes tests comparable. Of a mean
    that is sum(d) / sqrt(sum(d^2)), of which Student's t is a monotone function.
    """

    seen: Floats
    """(tests,) as they are."""
    drawn: Floats
    """(draws, tests) after swapping."""
    is_exact: bool
    """Whether the draws are all possible swaps."""

    def of(self, columns: Sequence[int]) -> Swaps:
        """Return the chosen tests."""
        chosen = list(columns)
        return Swaps(seen=self.seen[chosen], drawn=self.drawn[:, chosen], is_exact=self.is_exact)

    def share(self, hits: NDArray[np.int64]) -> Floats:
        """Return the p-values of so many swaps that reach what is seen."""
        draws = len(self.drawn)
        return np.asarray(hits / draws if self.is_exact else (hits + 1) / (draws + 1))

    def p_values(self) -> list[float]:
        """Return the two-sided p-value of every test alone; 1 where nothing differs."""
        p = self.share(_at_least(self.drawn, self.seen).sum(axis=0))
        return list(np.where(self.seen == 0, 1.0, p).tolist())


def joint_swaps(tests: Sequence[MeanTests | SetTests], *, draws: int, seed: int) -> Swaps:
    """Swap the same random units for all tests.

    Args:
        tests: At least one; all of the same number of units.
        draws: Random swaps, where not all ways can be tried.
        seed: Seed of a generator used nowhere else.
    """
    units = np.any([test.moves() for test in tests], axis=0)
    number = int(units.sum())
    is_exact = _all_fit(number, draws)

    def swapped(choice: Floats) -> Floats:
        return np.hstack([test.swapped(choice, units) for test in tests])

    seen = swapped(np.zeros((1, number)))[0]
    widest = max(number, len(seen), *(test.columns for test in tests))
    choices = (
        iter([_every_choice(number)]) if is_exact else _random_choices(number, widest, draws, seed)
    )
    drawn = np.concatenate([swapped(choice) for choice in choices])
    scale = np.sqrt(np.mean(np.square(drawn), axis=0))
    scale[scale <= 1e-12] = np.inf
    return Swaps(seen=seen / scale, drawn=drawn / scale, is_exact=is_exact)


def mcnemar(a_only: int, b_only: int) -> float:
    """Return the two-sided p-value of the exact McNemar test; 1 where nothing differs.

    Args:
        a_only: Items that only the first variant has right.
        b_only: Items that only the second has right.

    It is the binomial test of an even coin (McNemar, 1947; `scipy.stats.binomtest`).
    """
    from scipy.special import bdtr

    if a_only == b_only:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(a_only, b_only), a_only + b_only, 0.5)))


def sign_flip_p(sums: Floats, *, draws: int, seed: int) -> list[float]:
    """Return the two-sided p-value of every column's mean being zero.

    Args:
        sums: (units, columns) sum of each unit's differences; 0 where none is scored.
        draws: Random flips, where not all ways can be tried.
        seed: Seed of a generator used nowhere else.
    """
    sizes = np.abs(sums)
    largest = sizes.max(axis=0)
    differing = np.count_nonzero(sums, axis=0)
    even = ((sizes == 0) | (sizes >= largest * (1 - _SLACK))).all(axis=0)
    p = np.ones(sums.shape[1])
    sampled = []
    for column in np.flatnonzero(differing).tolist():
        moved = sums[sums[:, column] != 0, column]
        if even[column]:
            p[column] = mcnemar(int((moved > 0).sum()), int((moved < 0).sum()))
        elif _all_fit(len(moved), draws):
            totals = _every_choice(len(moved)) @ np.c_[-2 * moved] + moved.sum()
            p[column] = np.mean(_at_least(totals, np.c_[moved.sum()]))
        else:
            sampled.append(column)
    if sampled:
        rows = (sums[:, sampled] != 0).any(axis=1)
        part = sums[rows][:, sampled]
        total = part.sum(axis=0)
        hits = np.zeros(len(sampled))
        for choice in _random_choices(len(part), part.shape[1], draws, seed):
            hits += _at_least(total - 2 * (choice @ part), total).sum(axis=0)
        p[sampled] = (hits + 1) / (draws + 1)
    return list(np.minimum(p, 1.0).tolist())


def _at_least(values: Floats, seen: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.abs(values) >= np.abs(seen) * (1 - _SLACK) - 1e-12)


def _all_fit(units: int, draws: int) -> bool:
    """Say whether all ways to swap so many units are no more than `draws`."""
    return units < 60 and 2 ** (units - 1) <= draws


def _every_choice(units: int) -> Floats:
    """Return (2^(units - 1), units) 0/1: all ways to swap, the first unit never.

    Swapping all others instead only turns the sign of the difference, so half the ways are enough.
    """
    numbers = np.arange(2 ** max(units - 1, 0))
    return np.asarray(numbers[:, None] << 1 >> np.arange(units) & 1, dtype=float)


def _random_choices(units: int, columns: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield (draws in a chunk, units) 0/1, each with even chances."""
    generator = np.random.default_rng([seed, 1])  # other draws than the bootstrap's
    step = max(1, bootstrap.CHUNK_CELLS // max(units, columns))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        bits = generator.integers(0, 256, (rows, -(-units // 8)), dtype=np.uint8)
        yield np.unpackbits(bits, axis=1, count=units).astype(float)
