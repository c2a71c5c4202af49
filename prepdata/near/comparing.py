"""Whether two records are the same, nearly the same, or different: the definition.

What carries the difference decides: figures, signs, names, negations, the answer, and what stands
where other records of the same template have something else.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tuneproof.formats.example import normalised
from tuneproof.prepdata.near.meaning import (
    DECIDING,
    FIGURE,
    meaning_of,
    names_of,
    quoted_in,
    same_meaning,
)
from tuneproof.prepdata.near.sketches import SHINGLE, THRESHOLD

FIGURES = re.compile(r"\d+|(?<=\d)\s?[-+*/^=<>]\s?(?=\d)")
"""Numbers, and what is done with them."""
SIGNS = re.compile(r"[^\w\s.,;:!?'\"()\[\]{}«»\u2018-\u201f\u2010-\u2015\u2026`*_\-]")
ASCII_SIGNS = re.compile(r"[#$%&+/<=>@\\^|~]")
"""The same of a text without other letters than those of ASCII, found sooner."""
BESIDE_FIGURES = re.compile(
    r"(?<=\d)\s?(\*)\s?(?=\d)|(?<![\w)\]])([-\u2013\u2212])(?=[$\u20ac\u00a3]?\d)"
)
"""The two that are signs beside figures only: a product, and the minus before a number."""
WIRE_LABEL = re.compile(
    r"^\W*(?:breaking(?: news)?|developing|exclusive|icymi|just in|latest|look|update|watch)\s*:",
    re.IGNORECASE,
)
"""What a newsroom puts before a message that it sends again."""
CREDIT = re.compile(r"\s(?:[-\u2013\u2014] ?[A-Z]{2,4}|\(?via @\w+\)?)\W*$")
"""Whom a message is from: ``- FT``, ``via @who``."""
GRAM = 3
"""Words of a piece of a template."""
READ = 200
"""Words of a text that are looked through for such pieces."""
SHARED_BY = 10
"""Texts that must share such a piece, ..."""
SHARE = 0.01
"""... and the share of those sampled."""


LONG = 25
"""Words from which one word less or more does not turn round what a text with that answer says."""


class Texts(NamedTuple):
    """What of a record is compared."""

    instruction: str
    """What is asked."""
    input: str
    """What it is asked about; empty where there is nothing."""
    answer: str = ""
    """The right answer; empty where none is known, which is then no difference."""


Match = tuple[str, int]
"""What a record is, "duplicate" or "near-duplicate", and the number of the one it repeats."""


@dataclass(frozen=True)
class Frame:
    """What many texts of a data set share: the frame of a template, not what is filled in."""

    grams: Set[int]
    """Hashes of pieces of a few words that many of the texts have."""

    @classmethod
    def of(cls, sample: Iterable[Texts]) -> Frame:
        """Return what many of some texts share; the same instruction or input counts once."""
        known: set[int] = set()
        grams = array("q")
        for texts in sample:
            for text in (texts.instruction, texts.input):
                words = words_of(text)
                if words and hash(words) not in known:
                    known.add(hash(words))
                    grams.extend(set(map(hash, _grams(words.split()[:READ]))))
        least = max(SHARED_BY, SHARE * len(known))
        different, counts = np.unique(np.array(grams), return_counts=True)
        return cls(frozenset(different[counts >= least].tolist()))

    def shared(self, words: Sequence[str]) -> list[bool]:
        """Return which of the words are part of the frame."""
        is_shared = [False] * len(words)
        for start in self._starts(words):
            is_shared[start : start + GRAM] = [True] * GRAM
        return is_shared

    def distinct(self, text: str) -> str:
        """Return a normalised text without the frame; figures are not part of it."""
        if not self.grams or not self._starts(words := text.split()):
            return text
        pairs = zip(words, self.shared(words), strict=True)
        return " ".join(word for word, is_shared in pairs if not is_shared)

    def _starts(self, words: Sequence[str]) -> list[int]:
        """Return where pieces of the frame begin."""
        grams = self.grams
        pieces = enumerate(map(hash, _grams(words))) if grams else ()
        return [number for number, piece in pieces if piece in grams]


@dataclass(frozen=True)
class SamenessRule:
    """Compares records of one data set."""

    template: Frame = Frame(frozenset())
    """What many of its texts share."""
    threshold: float = THRESHOLD
    """Least share of shingles that near texts have in common."""

    def mean_the_same(self, one: Texts, other: Texts, *, whatever_answer: bool = False) -> bool:
        """Return whether two questions have the same words that carry meaning, and the answers too.

        Args:
            one: A record.
            other: Another.
            whatever_answer: Whether the answers are not compared.
        """
        if not whatever_answer and not self.answer_the_same(one, other):
            return False
        if signs_of(one) != signs_of(other):
            return False
        if sorted(map(quoted_in, one[:2])) != sorted(map(quoted_in, other[:2])):
            return False
        parts = zip(one[:2], other[:2], strict=True)
        return all(words_of(a) == words_of(b) or _mean_the_same(a, b) for a, b in parts)

    def are_near(self, one: Texts, other: Texts) -> bool:
        """Return whether two records are alike in all that carries a difference."""
        if _figures(one.instruction) != _figures(other.instruction):
            return False
        inputs = _without_wire(one.input, other.input)
        one, other = one._replace(input=inputs[0]), other._replace(input=inputs[1])
        if signs_of(one) != signs_of(other) or not self.answer_the_same(one, other):
            return False
        if not all(self._are_alike(a, b) for a, b in zip(one[:2], other[:2], strict=True)):
            return False
        return not any(self._decides(a, b) for a, b in zip(one[:2], other[:2], strict=True))

    def answer_the_same(self, one: Texts, other: Texts) -> bool:
        """Return whether two records have the same answer, or one of them has none."""
        a, b = one.answer, other.answer
        if not a or not b or same_answer(a) == same_answer(b):
            return True
        return meaning_of(a) == meaning_of(b) or (
            _figures(a) == _figures(b) and self._are_alike(a, b) and not self._decides(a, b)
        )

    def _are_alike(self, one: str, other: str) -> bool:
        """Return whether two texts, without what many share, have enough shingles in common."""
        a, b = words_of(one), words_of(other)
        if a == b:
            return True
        distinct = self.template.distinct(a), self.template.distinct(b)
        return jaccard(*(distinct if all(distinct) else (a, b))) >= self.threshold

    def _decides(self, one: str, other: str) -> bool:
        """Return whether what two texts differ in makes them say something else."""
        a, b = words_of(one).split(), words_of(other).split()
        if a == b:
            return False
        names = names_of(one) | names_of(other)
        shared, shared_too = self.template.shared(a), self.template.shared(b)
        for kind, a_from, a_to, b_from, b_to in SequenceMatcher(
            None, a, b, autojunk=False
        ).get_opcodes():
            if kind == "equal":
                continue
            changed = {*a[a_from:a_to], *b[b_from:b_to]}
            if changed & names or any(map(FIGURE.search, changed)):
                return True
            if changed & DECIDING and min(len(a), len(b)) < LONG:
                return True
            beside = shared[max(0, a_from - 1) : a_from] + shared[a_to : a_to + 1]
            is_frame = any(shared[a_from:a_to] + shared_too[b_from:b_to])
            if is_frame or (any(beside) if kind == "replace" else len(beside) > 1 and all(beside)):
                return True
        return False


def question_key(texts: Texts) -> tuple[str, ...]:
    """Return what two duplicates share: the words, the signs, and the figures of the question."""
    return (
        *map(words_of, texts[:2]), *_figures(texts.instruction), *map(str, signs_of(texts)),
    )  # fmt: skip


def same_answer(text: str) -> str:
    """Return what two answers share that are the same: words and signs."""
    return f"{words_of(text)}\0{''.join(_signs(text))}"


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
    words = words_of(text)
    if len(words) <= SHINGLE:
        return {words} if words else set()
    return {words[start : start + SHINGLE] for start in range(len(words) - SHINGLE + 1)}


def signs_of(texts: Texts) -> list[str]:
    """Return the signs of a question that are no punctuation: of C++, >50K, 5 €, -3, a smile."""
    return [sign for text in texts[:2] for sign in sorted(_signs(text))]


def _signs(text: str) -> list[str]:
    signs = (ASCII_SIGNS if text.isascii() else SIGNS).findall(text)
    return [*signs, *("*" if product else "-" for product, _ in BESIDE_FIGURES.findall(text))]


@lru_cache(maxsize=8)
def words_of(text: str) -> str:
    """Return the normalised text, or the text itself where it holds no word at all (``?!``)."""
    return normalised(text) or text.strip()


def _mean_the_same(one: str, other: str) -> bool:
    """Return whether two texts have the same words that carry meaning, and names in one order."""
    a, b = meaning_of(one), meaning_of(other)
    names = names_of(one) | names_of(other)
    in_order = [[word for word in side.words if word in names] for side in (a, b)]
    return in_order[0] == in_order[1] and same_meaning(a, b)


def _without_wire(one: str, other: str) -> tuple[str, str]:
    """Return two texts without a newsroom's label, and without the credit that only one has."""
    one, other = WIRE_LABEL.sub("", one), WIRE_LABEL.sub("", other)
    marks = [CREDIT.search(text) for text in (one, other)]
    if sum(mark is not None for mark in marks) == 1:
        one, other = CREDIT.sub("", one), CREDIT.sub("", other)
    return one, other


def _figures(text: str) -> list[str]:
    return [figure.strip() for figure in FIGURES.findall(text)]


def _grams(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(GRAM)), strict=False)
