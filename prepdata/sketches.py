"""Sketches of texts: few numbers each, from which near texts are found among very many.

Two sketches that share a band of MinHash values are candidates (locality-sensitive hashing; Broder,
1997); `rensa` computes the values. In a large set most candidates are chance hits, so each sketch
has a bitmap as well, in which every shingle turns one bit over. Two bitmaps differ in no more bits
than their sets in elements, which rules out most chance hits for certain, without reading a text
(Sandes et al., 2020, Bitmap Filter: Speeding up Exact Set Similarity Joins).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cached_property

import rensa

THRESHOLD = 0.8
"""Least share of shingles that two near texts have in common (Jaccard)."""
RATE = (1 - THRESHOLD) / (1 + THRESHOLD)
"""Elements in which two near sets may differ at most, as a share of the elements of both."""
PERMUTATIONS = 64
BANDS = 16
SEED = 1
ROWS = PERMUTATIONS // BANDS
LEAST_BITS = 256
"""Bits of the smallest bitmap; a text of more shingles has about as many bits as shingles."""
SLACK = 1e-6
CROWD = 8
"""Texts that share a band, from which it has a list of its own."""


@dataclass(frozen=True)
class Sketch:
    """What is needed of a text to find others near it."""

    bands: tuple[int, ...]
    """A hash of each band of MinHash values, 32 bits."""
    shingles: Set[str]
    """What the text consists of."""

    @cached_property
    def keys(self) -> tuple[int, ...]:
        """The hashes with their band in the last digit."""
        return tuple(value * BANDS + band for band, value in enumerate(self.bands))

    @cached_property
    def bits(self) -> int:
        """The bitmap, `bits_of` the number of shingles wide; most texts asked about need none."""
        last, bits = bits_of(len(self.shingles)) - 1, 0
        for value in map(hash, self.shingles):
            bits ^= 1 << (value & last)
        return bits


def sketch_of(shingles: Set[str]) -> Sketch:
    """Return the sketch of a text, given its shingles."""
    values = rensa.RMinHash(PERMUTATIONS, SEED)
    values.update(list(shingles))
    digest = values.digest()
    starts = range(0, PERMUTATIONS, ROWS)
    return Sketch(
        bands=tuple(hash(tuple(digest[start : start + ROWS])) & 0xFFFFFFFF for start in starts),
        shingles=shingles,
    )


def bits_of(size: int) -> int:
    """Return how wide the bitmap of so many shingles is: a power of two."""
    return int(max(LEAST_BITS, 1 << max(0, size - 1).bit_length()))


def can_be_near(size: int, bits: int, other_size: int, other_bits: int) -> bool:
    """Return whether two sets may share `THRESHOLD` of their shingles; False is certain."""
    if max(size, other_size) > LEAST_BITS:
        wide, narrow = bits_of(size), bits_of(other_size)
        if wide < narrow:
            wide, narrow, bits, other_bits = narrow, wide, other_bits, bits
        while wide > narrow:
            wide //= 2
            bits = (bits >> wide) ^ (bits & ((1 << wide) - 1))
    return (bits ^ other_bits).bit_count() <= RATE * (size + other_size) + SLACK


class Neighbours:
    """The sketches of texts, to be asked which of them may be near another.

    A hash table of plain arrays, whose entries are chained; it takes less than half the memory of
    `rensa`'s. A band that many texts share moves to a list of its own, which is read at once.
    """

    def __init__(self, capacity: int) -> None:
        """Start empty; more texts than `capacity` are slower to find, and found all the same."""
        self._last = (1 << (2 * BANDS * max(capacity, BANDS)).bit_length()) - 1
        self._heads = array("I", bytes(4 * (self._last + 1)))
        self._next = array("I", [0] * BANDS)  # an entry is numbered text * BANDS + band; 0 ends
        self._bands = array("I", [0] * BANDS)
        self._crowds: dict[int, list[int]] = {}
        self._numbers = array("Q", [0])
        self._sizes = array("I", [0])
        self._bits = [0]

    def add(self, number: int, sketch: Sketch) -> None:
        """Remember a text's sketch under a number."""
        heads, last, entry = self._heads, self._last, len(self._next)
        for key in sketch.keys:
            crowd = self._crowds.get(key)
            if crowd is None:
                self._next.append(heads[key & last])
                heads[key & last] = entry
            else:
                self._next.append(0)
                crowd.append(entry // BANDS)
            entry += 1
        self._bands.extend(sketch.bands)
        self._numbers.append(number)
        self._sizes.append(len(sketch.shingles))
        self._bits.append(sketch.bits)

    def near(self, sketch: Sketch) -> Iterator[int]:
        """Yield the numbers of the texts that share a band and are not ruled out by the bitmap."""
        size, sizes = len(sketch.shingles), self._sizes
        least, most = THRESHOLD * size - SLACK, size / THRESHOLD + SLACK
        for place in self._sharing(sketch):
            other = sizes[place]
            if least <= other <= most and can_be_near(size, sketch.bits, other, self._bits[place]):
                yield self._numbers[place]

    def _sharing(self, sketch: Sketch) -> set[int]:
        """Return the places of the texts that share a band."""
        heads, chained, bands, last = self._heads, self._next, self._bands, self._last
        places: set[int] = set()
        for key, value in zip(sketch.keys, sketch.bands, strict=True):
            sharing = self._crowds.get(key)
            if sharing is None:
                sharing, entry = [], heads[key & last]
                while entry:  # the entries of one slot are of one band
                    if bands[entry] == value:
                        sharing.append(entry // BANDS)
                    entry = chained[entry]
                if len(sharing) > CROWD:
                    self._crowds[key] = sharing
            places.update(sharing)
        return places
