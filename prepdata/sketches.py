"""Sketches of texts: few numbers each, from which near texts are found among very many.

Two texts that share a band of MinHash values are candidates (locality-sensitive hashing; Broder,
1997); `rensa` computes the values. A text's shingles are hashed in numpy, many texts at once. Two
shingles of a text have the same 48 bits in one of 10^14 pairs, which is neglected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import rensa
from numpy.typing import NDArray

from tuneproof.prepdata.bitmaps import Bitmaps

SHINGLE = 5
"""Characters of a shingle."""
PERMUTATIONS = 60
ROWS = 5
BANDS = np.vstack(
    [np.arange(PERMUTATIONS).reshape(-1, ROWS), np.arange(PERMUTATIONS).reshape(ROWS, -1).T]
)
"""The MinHash values of each band. Each is in two bands; no two are together in more than one."""
SEED = 1
BATCH_CHARACTERS = 1 << 18
BATCH_TEXTS = 1 << 16
"""Texts sketched at once; their number and 48 bits of a hash are sorted as one."""
FACTORS = np.array(
    [
        0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
        0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5, 0xFF51AFD7ED558CCD,
    ],
    np.uint64,
)  # fmt: skip
"""Odd numbers without a pattern, which hashes are made with (those of xxHash and Murmur3)."""


@dataclass(frozen=True)
class Sketches:
    """What is needed of texts to find those near each other."""

    bands: NDArray[np.uint32]
    """A hash of each band of MinHash values: (text, band)."""
    bitmaps: Bitmaps
    """Of the texts' shingles."""


def sketches_of(texts: Iterable[str]) -> Sketches:
    """Return the sketches of normalised texts."""
    parts = [_sketches(batch) for batch in _batches(texts)]
    return Sketches(
        bands=np.concatenate([part.bands for part in parts]),
        bitmaps=Bitmaps.joined([part.bitmaps for part in parts]),
    )


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
    ends = np.cumsum(counts)
    offsets = np.concatenate([[0], ends]).astype(np.uint64)
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


def _shingle_hashes(texts: list[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the hashes of the texts' shingles one behind the other, and how many each text has.

    A text shorter than a shingle is one.
    """
    whole = [text.ljust(SHINGLE, "\0") for text in texts]
    lengths = np.array([len(text) for text in whole], np.int64)
    encoded = "".join(whole).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(encoded, "<u4").astype(np.uint64)
    count = max(0, len(points) - SHINGLE + 1)
    hashes = np.zeros(count, np.uint64)
    for place in range(SHINGLE):
        hashes += points[place : place + count] * FACTORS[place]
    hashes ^= hashes >> 32  # every character decides every bit
    hashes *= FACTORS[SHINGLE]
    hashes ^= hashes >> 29
    is_inside = np.ones(count, bool)
    ends = np.cumsum(lengths)[:-1]
    is_inside[(ends[:, None] - np.arange(1, SHINGLE)).ravel()] = False
    return hashes[is_inside], lengths - SHINGLE + 1
