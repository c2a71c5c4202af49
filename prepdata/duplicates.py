"""Finding exact duplicates and near-duplicates in bounded memory.

Two records are exact duplicates when instruction and input are the same words. They are
near-duplicates when both their instructions and their inputs share at least `THRESHOLD` of their
five-character shingles (Jaccard), and their instructions name the same numbers: "the change from
2009 to 2010" is another question than "from 2010 to 2011". Candidates come from MinHash with
locality-sensitive hashing (the `rensa` library); each is then compared in full, so that a
near-duplicate is a fact and not an estimate. What LSH misses stays: 64 permutations in 16 bands
find a pair at Jaccard 0.8 with probability 1 - (1 - 0.8^4)^16 = 99.98 %.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import rensa

from prepdata.records import digest, normalised

THRESHOLD = 0.8
SHINGLE = 5
PERMUTATIONS = 64
BANDS = 16
SEED = 1

Texts = tuple[str, str]
"""A record's instruction and input."""


class DuplicateIndex:
    """The records seen so far, to be asked whether another one repeats one of them.

    Memory grows by the hashes of a record, not by its text: the texts of candidates come from
    `texts_of`, which is called with the number that `add` was given.
    """

    def __init__(self, texts_of: Callable[[int], Texts]) -> None:
        """Start empty."""
        self._texts_of = texts_of
        self._exact: dict[bytes, int] = {}
        self._near = rensa.RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS)

    def find(self, texts: Texts) -> tuple[str, int] | None:
        """Return ("duplicate" or "near-duplicate", number of what is repeated), or None."""
        number = self._exact.get(_key(texts))
        if number is not None:
            return "duplicate", number
        for number in sorted(self._near.query(_signature(texts))):
            if are_near(texts, self._texts_of(number)):
                return "near-duplicate", number
        return None

    def add(self, number: int, texts: Texts) -> None:
        """Remember a record under a number; of exact duplicates the first is kept."""
        self._exact.setdefault(_key(texts), number)
        self._near.insert(number, _signature(texts))


def are_near(one: Texts, other: Texts) -> bool:
    """Return whether two records are near-duplicates as defined at the head of this module."""
    if re.findall(r"\d+", one[0]) != re.findall(r"\d+", other[0]):
        return False
    return all(jaccard(a, b) >= THRESHOLD for a, b in zip(one, other, strict=True))


def jaccard(one: str, other: str) -> float:
    """Return the share of five-character shingles two texts have in common, in [0, 1]."""
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b) if a | b else 1.0


def shingles(text: str) -> set[str]:
    """Return the five-character shingles of the normalised text; a shorter text is one shingle."""
    words = normalised(text)
    if len(words) <= SHINGLE:
        return {words} if words else set()
    return {words[start : start + SHINGLE] for start in range(len(words) - SHINGLE + 1)}


def _key(texts: Texts) -> bytes:
    return bytes.fromhex(digest(*map(normalised, texts)))[:16]


@lru_cache(maxsize=1)  # a record is looked up, then added
def _signature(texts: Texts) -> rensa.RMinHash:
    """Return the sketch of the input, or of the instruction where there is no input.

    Not of both: an instruction that all rows share would make all of them look alike.
    """
    sketch = rensa.RMinHash(PERMUTATIONS, SEED)
    sketch.update(list(shingles(texts[1] or texts[0])))
    return sketch
