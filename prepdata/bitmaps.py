"""Bitmaps of sets, by which most pairs that are not near are ruled out without looking at the sets.

Every element turns one bit over. Two bitmaps differ in no more bits than their sets in elements, so
two that differ in more belong to sets that are not near: for certain, and most chance hits of a
look-up are such (Sandes et al., 2020, Bitmap Filter: Speeding up Exact Set Similarity Joins).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.8
"""Least share of elements that two near sets have in common (Jaccard)."""
RATE = (1 - THRESHOLD) / (1 + THRESHOLD)
"""Elements in which two near sets may differ at most, as a share of the elements of both."""
SLACK = 1e-6
LEAST_BITS = 256
"""Bits of the smallest bitmap; a set of more elements has about as many bits as elements."""
WORD = 64

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Bitmaps:
    """Sets, each known by its place: where its size and, behind it, its bitmap stand in `words`.

    A look-up jumps about in memory, which takes longer than to compare; so what is needed of a set
    stands together.
    """

    places: Indices
    """Of each set, ascending."""
    words: NDArray[np.uint64]

    @classmethod
    def of(cls, owners: Indices, elements: NDArray[np.uint64], count: int) -> Bitmaps:
        """Return the bitmaps of `count` sets, given the owner of every element, and its hash."""
        sizes = np.bincount(owners, minlength=count)
        widths = _widths(sizes)
        ends = np.cumsum(1 + widths)
        places = ends - widths - 1
        bits = elements.astype(np.int64) & (WORD * widths - 1)[owners]
        turned = np.bincount(
            WORD * (places + 1)[owners] + bits, minlength=WORD * (1 + widths).sum()
        )
        words = np.packbits((turned & 1).astype(np.uint8), bitorder="little").view("<u8")
        words[places] = sizes
        return cls(places, words)

    @classmethod
    def joined(cls, parts: Sequence[Bitmaps]) -> Bitmaps:
        """Return all as one."""
        offsets = np.cumsum([0, *(len(part.words) for part in parts)])[:-1]
        places = [part.places + offset for part, offset in zip(parts, offsets, strict=True)]
        return cls(np.concatenate(places), np.concatenate([part.words for part in parts]))

    def near(self, ones: Indices, others: Indices) -> tuple[Indices, Indices]:
        """Return those of the pairs that may be near; the others are not, for certain.

        All sets are given by their places. A set and itself are no pair.
        """
        sizes, other_sizes = (self.words[places].astype(np.int64) for places in (ones, others))
        fits = (other_sizes >= THRESHOLD * sizes - SLACK) & (ones != others)
        fits &= sizes >= THRESHOLD * other_sizes - SLACK
        ones, others, sizes, other_sizes = (x[fits] for x in (ones, others, sizes, other_sizes))
        most = RATE * (sizes + other_sizes) + SLACK
        is_less = sizes <= other_sizes
        small, large = np.where(is_less, ones, others), np.where(is_less, others, ones)
        narrow = _widths(np.minimum(sizes, other_sizes))
        is_wider = _widths(np.maximum(sizes, other_sizes)) > narrow
        kept = [np.empty(0, np.int64)]
        for width in np.flatnonzero(np.bincount(narrow)).tolist():
            for is_folded in (False, True):
                chosen = np.flatnonzero((narrow == width) & (is_wider == is_folded))
                alike = self._alike(small[chosen], large[chosen], most[chosen], width, is_folded)
                kept.append(chosen[alike])
        found = np.concatenate(kept)
        return ones[found], others[found]

    def _alike(
        self,
        small: Indices,
        large: Indices,
        most: NDArray[np.float64],
        width: int,
        is_folded: bool,
    ) -> Indices:
        """Return which of the pairs differ in at most so many bits.

        Args:
            small: Places of sets.
            large: The other set of each pair.
            most: Bits, of each pair.
            width: Words of the smaller set's bitmap.
            is_folded: Whether the other's has twice as many, of which the second half is laid over
                the first.
        """
        found = np.arange(len(small))
        for word in range(1, 1 + width, 2):  # after two words, most pairs differ in too many bits
            for each in (word, word + 1):
                differing = self.words[small + each] ^ self.words[large + each]
                if is_folded:
                    differing ^= self.words[large + each + width]
                most = most - np.bitwise_count(differing)
            left = np.flatnonzero(most >= 0)
            found, small, large, most = found[left], small[left], large[left], most[left]
        return found


def _widths(sizes: Indices) -> Indices:
    """Return how many words the bitmaps of sets have, powers of two; those of near sets double."""
    bits = np.maximum(sizes, LEAST_BITS)
    widths: Indices = (1 << np.ceil(np.log2(bits)).astype(np.int64)) // WORD
    return widths
