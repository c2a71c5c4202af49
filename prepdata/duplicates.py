"""Finding exact duplicates and near-duplicates in bounded memory.

Two records are exact duplicates when instruction and input are the same words. They are
near-duplicates when both their instructions and their inputs share at least `THRESHOLD` of their
five-character shingles (Jaccard). In either case their instructions must name the same figures:
"the change from 2009 to 2010" is another question than "from 2010 to 2011", and "3 + 4" than
"3 - 4". Candidates come from sketches (`prepdata.sketches`); each is then compared in full, so that
a near-duplicate is a fact and not an estimate. What the sketches miss stays: 64 permutations in 16
bands find a pair at Jaccard 0.8 with probability 1 - (1 - 0.8^4)^16 = 99.98 %.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Set
from functools import lru_cache

from prepdata.records import digest, normalised
from prepdata.sketches import THRESHOLD, Neighbours, Sketch, sketch_of

SHINGLE = 5
CAPACITY = 10_000
"""Records that an index is made for where nobody says how many there will be."""
COMMON = 16
"""An input that so many records share tells nothing; their instructions are sketched instead."""
FIGURES = re.compile(r"\d+|(?<=\d)\s?[-+*/^=<>]\s?(?=\d)")
"""Numbers, and what is done with them."""

Texts = tuple[str, str]
"""A record's instruction and input."""


class DuplicateIndex:
    """The records seen so far, to be asked whether another one repeats one of them.

    Memory grows by the hashes of a record, not by its text: the texts of candidates come from
    `texts_of`, which is called with the number that `add` was given.
    """

    def __init__(self, texts_of: Callable[[int], Texts], capacity: int = CAPACITY) -> None:
        """Start empty, for about so many records."""
        self._texts_of = texts_of
        self._exact: dict[bytes, int] = {}
        self._by_context = Neighbours(capacity)
        self._by_instruction = Neighbours(CAPACITY)
        self._sharing: Counter[int] = Counter()
        self._has_common_inputs = False

    def find(self, texts: Texts) -> tuple[str, int] | None:
        """Return ("duplicate" or "near-duplicate", number of what is repeated), or None."""
        number = self._exact.get(_key(texts))
        if number is not None:
            return "duplicate", number
        candidates = set(self._by_context.near(_sketch(_context(texts))))
        if self._has_common_inputs:
            candidates.update(self._by_instruction.near(_sketch(texts[0])))
        for number in sorted(candidates):
            if are_near(texts, self._texts_of(number)):
                return "near-duplicate", number
        return None

    def add(self, number: int, texts: Texts) -> None:
        """Remember a record under a number; of exact duplicates the first is kept."""
        self._exact.setdefault(_key(texts), number)
        context = hash(_words(texts[1]))
        if texts[1] and self._sharing[context] >= COMMON:
            self._has_common_inputs = True
            self._by_instruction.add(number, _sketch(texts[0]))
        else:
            self._sharing[context] += 1
            self._by_context.add(number, _sketch(_context(texts)))


def are_near(one: Texts, other: Texts) -> bool:
    """Return whether two records are near-duplicates as defined at the head of this module."""
    if _figures(one[0]) != _figures(other[0]):
        return False
    return all(jaccard(a, b) >= THRESHOLD for a, b in zip(one, other, strict=True))


def jaccard(one: str, other: str) -> float:
    """Return the share of five-character shingles two texts have in common, in [0, 1]."""
    if one == other:
        return 1.0
    a, b = shingles(one), shingles(other)
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if a or b else 1.0


@lru_cache(maxsize=4)  # one text is compared with several candidates
def shingles(text: str) -> Set[str]:
    """Return the five-character shingles of the normalised text; a shorter text is one shingle."""
    words = _words(text)
    if len(words) <= SHINGLE:
        return {words} if words else set()
    return {words[start : start + SHINGLE] for start in range(len(words) - SHINGLE + 1)}


def _context(texts: Texts) -> str:
    """Return the input, or the instruction where there is no input.

    Not both: an instruction that all rows share would make all of them look alike.
    """
    return texts[1] or texts[0]


def _figures(text: str) -> list[str]:
    return [figure.strip() for figure in FIGURES.findall(text)]


@lru_cache(maxsize=4)
def _words(text: str) -> str:
    """Return the normalised text, or the text itself where it holds no word at all (``?!``)."""
    return normalised(text) or text.strip()


@lru_cache(maxsize=2)  # a record is looked up, then added
def _key(texts: Texts) -> bytes:
    return bytes.fromhex(digest(*map(_words, texts), *_figures(texts[0])))[:16]


@lru_cache(maxsize=2)
def _sketch(text: str) -> Sketch:
    return sketch_of(shingles(text))
