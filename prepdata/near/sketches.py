"""Sketches of texts: MinHash bands that near texts share, and bitmaps that rule out the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import rensa
from numpy.typing import NDArray

from tuneproof.prepdata.scratch import Parts

Indices = NDArray[np.int64]

SHINGLE = 5
"""Characters of a shingle."""
THRESHOLD = 0.8
"""Least share of shingles that two near texts have in common (Jaccard), unless it is set."""
SLACK = 1e-6
PERMUTATIONS = 60
ROWS = 5
BANDS = np.vstack(
    [np.arange(PERMUTATIONS).reshape(-1, ROWS), np.arange(PERMUTATIONS).reshape(ROWS, -1).T]
)
"""The MinHash values of each band. Each is in two bands; no two are together in more than one. They
find 99.9 % of the pairs at 0.8, 98.8 % at 0.7 and 85.7 % at 0.6; too few below."""
SEED = 1
BATCH_CHARACTERS = 1 << 18
BATCH_TEXTS = 1 << 16
"""Texts sketched at once; their number and 48 bits of a hash are sorted as one. Two shingles of a
text have the same 48 bits in one of 10^14 pairs, which is neglected."""
LEAST_BITS = 256
"""Bits of the smallest bitmap; a set of more elements has about as many bits as elements."""
WORD = 64
FACTORS = np.array(
    [
        0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
        0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5, 0xFF51AFD7ED558CCD,
    ],
    np.uint64,
)  # fmt: skip
"""Odd numbers without a pattern, which hashes are made with (those of xxHash and Murmur3)."""


@dataclass(frozen=True)
class Bitmaps:
    """Sets, each known by where its size and, behind it, its bitmap begin in `words`.

    A look-up jumps about in memory, which takes longer than to compare; so what is needed of a set
    stands together.
    """

    starts: Indices
    """Where each set begins, ascending."""
    words: NDArray[np.uint64]

    @classmethod
    def of(cls, owners: Indices, elements: NDArray[np.uint64], count: int) -> Bitmaps:
        """Return the bitmaps of `count` sets, given the owner of every element, and its hash."""
        sizes = np.bincount(owners, minlength=count)
        widths = _widths(sizes)
        starts = np.cumsum(1 + widths) - widths - 1
        bits = elements.astype(np.int64) & (WORD * widths - 1)[owners]
        turned = np.bincount(
            WORD * (starts + 1)[owners] + bits, minlength=WORD * (1 + widths).sum()
        )
        words = np.packbits((turned & 1).astype(np.uint8), bitorder="little").view("<u8")
        words[starts] = sizes
        return cls(starts, words)

    def near(
        self, ones: Indices, others: Indices, threshold: float = THRESHOLD
    ) -> tuple[Indices, Indices]:
        """Return those of the pairs that may be near; the others are not, for certain.

        All sets are given by their starts. A set and itself are no pair.
        """
        rate = (1 - threshold) / (1 + threshold)  # differing shingles, as a share of those of both
        sizes, other_sizes = (self.words[starts].astype(np.int64) for starts in (ones, others))
        fits = (other_sizes >= threshold * sizes - SLACK) & (ones != others)
        fits &= sizes >= threshold * other_sizes - SLACK
        ones, others, sizes, other_sizes = (x[fits] for x in (ones, others, sizes, other_sizes))
        most = rate * (sizes + other_sizes) + SLACK
        is_less = sizes <= other_sizes
        small, large = np.where(is_less, ones, others), np.where(is_less, others, ones)
        narrow = _widths(np.minimum(sizes, other_sizes))
        is_wider = _widths(np.maximum(sizes, other_sizes)) > narrow
        parts = [np.empty(0, np.int64)]
        for width in np.flatnonzero(np.bincount(narrow)).tolist():
            for is_folded in (False, True):
                chosen = np.flatnonzero((narrow == width) & (is_wider == is_folded))
                alike = self._alike(small[chosen], large[chosen], most[chosen], width, is_folded)
                parts.append(chosen[alike])
        kept = np.concatenate(parts)
        return ones[kept], others[kept]

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
            small: Starts of sets.
            large: The other set of each pair.
            most: Bits, of each pair.
            width: Words of the smaller set's bitmap.
            is_folded: Whether the other's has twice as many, of which the second half is laid over
                the first.
        """
        kept = np.arange(len(small))
        for first in range(1, 1 + width, 2):  # after two words, most pairs differ in too many bits
            for word in (first, first + 1):
                differing = self.words[small + word] ^ self.words[large + word]
                if is_folded:
                    differing ^= self.words[large + word + width]
                most = most - np.bitwise_count(differing)
            left = np.flatnonzero(most >= 0)
            kept, small, large, most = kept[left], small[left], large[left], most[left]
        return kept


@dataclass(frozen=True)
class Sketches:
    """What is needed of texts to find those near each other."""

    bands: NDArray[np.uint32]
    """A hash of each band of MinHash values: (text, band)."""
    bitmaps: Bitmaps
    """Bitmaps of the texts' shingles."""


def sketches_of(texts: Iterable[str]) -> Sketches:
    """Return the sketches of normalised texts."""
    bands, starts = Parts(np.uint32, len(BANDS)), Parts(np.int64)
    words = Parts(np.uint64)
    for batch in _batches(texts):
        part = _sketches(batch)
        bands.append(part.bands)
        starts.append(part.bitmaps.starts + words.count)
        words.append(part.bitmaps.words)
    return Sketches(bands=bands.whole(), bitmaps=Bitmaps(starts.whole(), words.whole()))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the texts in lists; the last one may be empty."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if characters >= BATCH_CHARACTERS or len(batch) == BATCH_TEXTS:
            yield batch
            batch, characters = [], 0
    yield batch


def _sketches(texts: list[str]) -> Sketches:
    hashes, counts = _shingle_hashes(texts)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    minhash = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        hashes, offsets, PERMUTATIONS, SEED
    )
    values = np.array(minhash.to_rows(), np.uint64).reshape(-1, PERMUTATIONS)
    bands = np.zeros((len(texts), len(BANDS)), np.uint64)
    for chosen in BANDS.T:
        bands = (bands + values[:, chosen]) * FACTORS[0]
    owners = np.repeat(np.arange(len(texts), dtype=np.uint64), counts)
    keys = np.sort(owners << 48 | hashes >> 16)
    keys = keys[np.diff(keys, prepend=np.uint64(0xFFFFFFFFFFFFFFFF)) != 0]
    return Sketches(
        bands=(bands >> 32).astype(np.uint32),
        bitmaps=Bitmaps.of((keys >> 48).astype(np.int64), keys, len(texts)),
    )


def _shingle_hashes(texts: list[str]) -> tuple[NDArray[np.uint64], Indices]:
    """Return the hashes of the texts' shingles one behind the other, and how many each text has.

    A text shorter than a shingle is one.
    """
    whole = [text.ljust(SHINGLE, "\0") for text in texts]
    lengths = np.array([len(text) for text in whole], np.int64)
    encoded = "".join(whole).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(encoded, "<u4").astype(np.uint64)
    count = max(0, len(points) - SHINGLE + 1)
    hashes = np.zeros(count, np.uint64)
    for offset in range(SHINGLE):
        hashes += points[offset : offset + count] * FACTORS[offset]
    hashes ^= hashes >> 32  # every character decides every bit
    hashes *= FACTORS[SHINGLE]
    hashes ^= hashes >> 29
    is_inside = np.ones(count, bool)
    ends = np.cumsum(lengths)[:-1]
    is_inside[(ends[:, None] - np.arange(1, SHINGLE)).ravel()] = False
    return hashes[is_inside], lengths - SHINGLE + 1


def _widths(sizes: Indices) -> Indices:
    """Return how many words the bitmaps of sets have, powers of two; those of near sets double."""
    bits = np.maximum(sizes, LEAST_BITS)
    widths: Indices = (1 << np.ceil(np.log2(bits)).astype(np.int64)) // WORD
    return widths
