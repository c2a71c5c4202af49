"""Which record repeats which, exactly or nearly: the index, and the definition it goes by."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Set
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tuneproof.formats.example import digest, normalised
from tuneproof.prepdata.near.lookup import BLOCK, Neighbours
from tuneproof.prepdata.near.sketches import SHINGLE, THRESHOLD

COMMON = 16
"""An input that more records share, exact repeats apart, says nothing; their instructions are
sketched instead."""
FIGURES = re.compile(r"\d+|(?<=\d)\s?[-+*/^=<>]\s?(?=\d)")
"""Numbers, and what is done with them."""

Texts = tuple[str, str]
"""A record's instruction and input."""
Match = tuple[str, int]
"""What a record is, "duplicate" or "near-duplicate", and the number of the one it repeats."""


class DuplicateIndex:
    """Records by number: 0, 1, ... in the order given; those that were added are found again.

    Memory grows by the hashes of a record, not by its text.
    """

    def __init__(self, texts: Iterable[Texts], texts_of: Callable[[int], Texts]) -> None:
        """Sketch all records; `texts_of` returns the texts of a number once more."""
        self._texts_of = texts_of
        self._added: dict[int, int] = {}
        self._alike = array("i")
        self._inputs = array("q")
        self._by_context = Neighbours(self._contexts(texts))
        self._is_common = self._common_inputs()
        self._by_instruction = (
            Neighbours(map(self._instruction, range(len(self._inputs))))
            if self._is_common.any()
            else None
        )

    def find(self, numbers: Iterable[int]) -> Iterator[tuple[int, Match | None]]:
        """Yield each number with what it repeats of those added so far, or None.

        The one just yielded may be added before the next is asked for.
        """
        waiting = iter(numbers)
        while block := list(islice(waiting, BLOCK)):
            self._by_context.look_up(block)
            if self._by_instruction:
                self._by_instruction.look_up(block)
            for number in block:
                yield number, self._match(number)

    def add(self, number: int) -> None:
        """Remember a record; of exact duplicates the first added is named."""
        self._added.setdefault(self._alike[number], number)
        if self._by_instruction and self._is_common[number]:
            self._by_instruction.add(number)
        else:
            self._by_context.add(number)

    def _match(self, number: int) -> Match | None:
        first = self._added.get(self._alike[number])
        if first is not None:
            return "duplicate", first
        candidates = set(self._by_context.near(number))
        if self._by_instruction:
            candidates.update(self._by_instruction.near(number))
        if candidates:
            texts = self._texts_of(number)
            for other in sorted(candidates):
                if are_near(texts, self._texts_of(other)):
                    return "near-duplicate", other
        return None

    def _contexts(self, texts: Iterable[Texts]) -> Iterator[str]:
        """Yield the context of each record, and note which are alike and which share an input."""
        first: dict[bytes, int] = {}
        for number, pair in enumerate(texts):
            key = bytes.fromhex(digest(*question_key(pair)))[:16]
            self._alike.append(first.setdefault(key, number))
            self._inputs.append(hash(_words(pair[1])) if pair[1] else 0)
            yield _words(_context(pair))

    def _common_inputs(self) -> NDArray[np.bool_]:
        """Return whether each record has an input that many others share, exact repeats apart."""
        inputs = np.array(self._inputs)
        is_first = np.array(self._alike) == np.arange(len(inputs))
        shared, counts = np.unique(inputs[is_first & (inputs != 0)], return_counts=True)
        return np.isin(inputs, shared[counts > COMMON])

    def _instruction(self, number: int) -> str:
        """Return the instruction of a record that has an input."""
        return _words(self._texts_of(number)[0]) if self._inputs[number] else ""


def question_key(texts: Texts) -> tuple[str, ...]:
    """Return what two duplicates share: the words, and the figures of the instruction."""
    return (*map(_words, texts), *_figures(texts[0]))


def are_near(one: Texts, other: Texts) -> bool:
    """Return whether two records are near-duplicates as the package defines them."""
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
