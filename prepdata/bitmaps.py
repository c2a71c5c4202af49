"""Bitmaps of sets, by which most pairs that are not near are ruled out without looking at the sets.

Every element turns one bit over. Two bitmaps differ in no more bits than their sets in elements, so
two that differ in more belong to sets that are not near: for certain, and most chance hits of a
look-up are such (Sandes et al., 2020, Bitmap Filter: Speeding up Exact Set Similarity Joins).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
AT_ONCE = 1 << 16
"""Pairs compared at once: few enough for the processor's cache."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Bitmaps:
    """The bitmaps and sizes of sets."""

    sizes: Indices
    """Elements, of each set."""
    starts: Indices
    """Where the bitmap of each set begins in `words`."""
    words: NDArray[np.uint64]
    """The bits of all, one bitmap behind the other."""

    @classmethod
    def of(cls, owners: Indices, elements: NDArray[np.uint64], count: int) -> Bitmaps:
        """Return the bitmaps of `count` sets, given the owner of every element, and its hash."""
        sizes = np.bincount(owners, minlength=count)
        bits = bits_of(sizes)
        ends = np.cumsum(bits)
        starts = ends - bits
        places = starts[owners] + (elements.astype(np.int64) & (bits[owners] - 1))
        is_set = np.bincount(places, minlength=ends[-1] if count else 0) & 1
        words = np.packbits(is_set.astype(np.uint8), bitorder="little").view("<u8")
        return cls(sizes, starts // WORD, words)

    @classmethod
    def joined(cls, parts: Sequence[Bitmaps]) -> Bitmaps:
        """Return all as one."""
        offsets = np.cumsum([0, *(len(part.words) for part in parts)])[:-1]
        starts = [part.starts + offset for part, offset in zip(parts, offsets, strict=True)]
        return cls(
            np.concatenate([part.sizes for part in parts]),
            np.concatenate(starts),
            np.concatenate([part.words for part in parts]),
        )

    def near(self, ones: Indices, others: Indices) -> tuple[Indices, Indices]:
        """Return those of the pairs that may be near; the others are not, for certain."""
        kept = [self._near(ones[part], others[part]) for part in _parts(len(ones))]
        empty = np.empty(0, np.int64)
        return (
            np.concatenate([empty, *(one for one, _ in kept)]),
            np.concatenate([empty, *(other for _, other in kept)]),
        )

    def _near(self, ones: Indices, others: Indices) -> tuple[Indices, Indices]:
        sizes, other_sizes = self.sizes[ones], self.sizes[others]
        smaller, larger = np.minimum(sizes, other_sizes), np.maximum(sizes, other_sizes)
        fits = smaller >= THRESHOLD * larger - SLACK
        ones, others, narrow = ones[fits], others[fits], bits_of(smaller[fits])
        most = RATE * (sizes + other_sizes)[fits] + SLACK
        is_near = np.zeros(len(ones), bool)
        for bits in np.unique(narrow).tolist():
            (chosen,) = np.nonzero(narrow == bits)
            differing = self._folded(ones[chosen], bits) ^ self._folded(others[chosen], bits)
            is_near[chosen] = np.bitwise_count(differing).sum(axis=1) <= most[chosen]
        return ones[is_near], others[is_near]

    def _folded(self, chosen: Indices, bits: int) -> NDArray[np.uint64]:
        """Return bitmaps at a width that is theirs or half of it: (set, word)."""
        width = bits // WORD
        columns = self.starts[chosen][:, None] + np.arange(width)
        words: NDArray[np.uint64] = self.words[columns]
        (wide,) = np.nonzero(bits_of(self.sizes[chosen]) > bits)
        words[wide] ^= self.words[columns[wide] + width]
        return words


def bits_of(sizes: Indices) -> Indices:
    """Return how wide the bitmaps of sets are: powers of two, of near sets at most doubled."""
    wide: Indices = 1 << np.ceil(np.log2(np.maximum(sizes, LEAST_BITS))).astype(np.int64)
    return wide


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + AT_ONCE) for start in range(0, count, AT_ONCE))
