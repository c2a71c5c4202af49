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
    """The bitmaps and sizes of sets."""

    sizes: Indices
    """Elements, of each set."""
    widths: Indices
    """Words of each bitmap, a power of two."""
    starts: Indices
    """Where the bitmap of each set begins in `words`."""
    words: NDArray[np.uint64]
    """The bits of all, one bitmap behind the other."""

    @classmethod
    def of(cls, owners: Indices, elements: NDArray[np.uint64], count: int) -> Bitmaps:
        """Return the bitmaps of `count` sets, given the owner of every element, and its hash."""
        sizes = np.bincount(owners, minlength=count)
        widths = widths_of(sizes)
        starts = np.cumsum(widths) - widths
        bits = elements.astype(np.int64) & (WORD * widths - 1)[owners]
        is_set = np.bincount(WORD * starts[owners] + bits, minlength=WORD * widths.sum()) & 1
        words = np.packbits(is_set.astype(np.uint8), bitorder="little").view("<u8")
        return cls(sizes, widths, starts, words)

    @classmethod
    def joined(cls, parts: Sequence[Bitmaps]) -> Bitmaps:
        """Return all as one."""
        offsets = np.cumsum([0, *(len(part.words) for part in parts)])[:-1]
        starts = [part.starts + offset for part, offset in zip(parts, offsets, strict=True)]
        return cls(
            np.concatenate([part.sizes for part in parts]),
            np.concatenate([part.widths for part in parts]),
            np.concatenate(starts),
            np.concatenate([part.words for part in parts]),
        )

    def near(self, ones: Indices, others: Indices) -> tuple[Indices, Indices]:
        """Return those of the pairs that may be near; the others are not, for certain.

        A set and itself are no pair.
        """
        sizes, other_sizes = self.sizes[ones], self.sizes[others]
        fits = (other_sizes >= THRESHOLD * sizes - SLACK) & (ones != others)
        fits &= sizes >= THRESHOLD * other_sizes - SLACK
        ones, others, sizes, other_sizes = (x[fits] for x in (ones, others, sizes, other_sizes))
        narrow = np.minimum(self.widths[ones], self.widths[others])
        most = RATE * (sizes + other_sizes) + SLACK
        found = [
            chosen[self._alike(ones[chosen], others[chosen], width, most[chosen])]
            for width in np.flatnonzero(np.bincount(narrow)).tolist()
            for chosen in (np.flatnonzero(narrow == width),)
        ]
        kept = np.concatenate([np.empty(0, np.int64), *found])
        return ones[kept], others[kept]

    def _alike(
        self, ones: Indices, others: Indices, width: int, most: NDArray[np.float64]
    ) -> Indices:
        """Return the places of the pairs that differ in at most so many bits.

        Args:
            ones: Sets whose bitmaps are of this width or twice as wide.
            others: The other set of each pair.
            width: In words.
            most: Bits, of each pair.
        """
        places = np.arange(len(ones))
        for word in range(0, width, 2):  # after two words, most pairs differ in too many bits
            for each in (word, word + 1):
                differing = self._word(ones, each, width) ^ self._word(others, each, width)
                most = most - np.bitwise_count(differing)
            left = np.flatnonzero(most >= 0)
            places, ones, others, most = places[left], ones[left], others[left], most[left]
        return places

    def _word(self, sets: Indices, word: int, width: int) -> NDArray[np.uint64]:
        """Return one word of bitmaps, of wider ones as if they were of this width."""
        place = self.starts[sets] + word
        found: NDArray[np.uint64] = self.words[place]
        wide = np.flatnonzero(self.widths[sets] > width)
        found[wide] ^= self.words[place[wide] + width]
        return found


def widths_of(sizes: Indices) -> Indices:
    """Return how many words the bitmaps of sets are wide; those of near sets at most double."""
    bits = np.maximum(sizes, LEAST_BITS)
    widths: Indices = (1 << np.ceil(np.log2(bits)).astype(np.int64)) // WORD
    return widths
