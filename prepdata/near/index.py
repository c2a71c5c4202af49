"""Which record repeats which, exactly or nearly: the index that finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneproof.formats.example import digest
from tuneproof.prepdata.near.comparing import (
    Frame,
    Match,
    SamenessRule,
    Texts,
    question_key,
    same_answer,
    words_of,
)
from tuneproof.prepdata.near.lookup import BLOCK, EMPTY, Neighbours
from tuneproof.prepdata.near.meaning import LONGEST, meaning_of
from tuneproof.prepdata.near.sketches import THRESHOLD
from tuneproof.prepdata.scratch import on_disk

COMMON = 16
"""An input that more records share, exact repeats apart, says nothing; their instructions are
sketched instead."""
SAMPLED = 5_000
"""Records that what most share is read off, evenly spread."""
MOST_COMPARED = 64
"""Records that one is compared with in full; where more are near, it is of a crowd."""


class DuplicateIndex:
    """Records by number: 0, 1, ... in the order given; those that were added are found again.

    Memory grows by a few numbers of a record, not by its text, and most of those are on disk.
    """

    def __init__(
        self,
        count: int,
        texts_of: Callable[[int], Texts],
        *,
        threshold: float = THRESHOLD,
        is_exact: bool = False,
        progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    ) -> None:
        """Sketch all records.

        Args:
            count: Number of records.
            texts_of: Returns the texts of a record by number.
            threshold: Least share of shingles that near texts have in common.
            is_exact: Whether only exact repeats are looked for.
            progress: Shows how far the sketching is.
        """
        self._texts_of = texts_of
        self._is_exact = is_exact
        step = max(1, -(-count // SAMPLED))
        sampled = [] if is_exact else map(texts_of, range(0, count, step))
        self._comparison = SamenessRule(Frame.of(sampled), threshold)
        self._keys = on_disk((2, count), np.uint64)
        self._hashes = {name: on_disk(count, np.int64) for name in ("answer", "meaning", "input")}
        contexts = self._contexts(progress(range(count)))
        if is_exact:
            for _ in contexts:
                pass
        else:
            self._by_context = Neighbours(contexts, threshold)
        alike = _firsts(*self._keys)
        self._alike, self._answered_alike = alike.data, _firsts(alike, self._hashes["answer"]).data
        self._held_out, self._answered = _empty(count), _empty(count)
        self._is_held, self._is_asked = bytearray(count), bytearray(count)
        if is_exact:
            return
        self._by_meaning = _Chains(_firsts(self._hashes["meaning"]).data)
        self._is_common = self._common_inputs()
        self._by_instruction = (
            Neighbours(map(self._instruction, range(count)), threshold)
            if self._is_common.any()
            else None
        )

    def find(self, numbers: Iterable[int]) -> Iterator[tuple[int, Match | None]]:
        """Yield each number with what it repeats of those added so far, or None.

        The one just yielded may be added before the next is asked for.
        """
        waiting = iter(numbers)
        while block := list(islice(waiting, BLOCK)):
            if not self._is_exact:
                self._by_context.look_up(block)
                if self._by_instruction:
                    self._by_instruction.look_up(block)
            for number in block:
                yield number, self._match(number)

    def add(self, number: int, *, is_held_out: bool = False) -> None:
        """Remember a record; of exact duplicates the first added is named.

        Args:
            number: Of the record.
            is_held_out: Whether its question must not be asked again, whatever the answer.
        """
        key, answered = self._alike[number], self._answered_alike[number]
        if is_held_out:
            self._is_held[number] = True
            if self._held_out[key] == EMPTY:
                self._held_out[key] = number
        self._is_asked[key] = True
        if self._answered[answered] == EMPTY:
            self._answered[answered] = number
        if self._is_exact:
            return
        if self._hashes["meaning"][number]:
            self._by_meaning.add(number)
        if self._by_instruction and self._is_common[number]:
            self._by_instruction.add(number)
        else:
            self._by_context.add(number)

    def has_other_answer(self, number: int) -> bool:
        """Return whether the same question was added, with another answer only."""
        is_known = self._answered[self._answered_alike[number]] != EMPTY
        return bool(self._is_asked[self._alike[number]]) and not is_known

    def _match(self, number: int) -> Match | None:
        key = self._alike[number]
        for first in (self._held_out[key], self._answered[self._answered_alike[number]]):
            if first != EMPTY:
                return "duplicate", first
        if self._is_exact:
            return None
        texts = None
        for other in islice(self._by_meaning.before(number), MOST_COMPARED):
            texts = texts or self._texts_of(number)
            if self._comparison.mean_the_same(
                texts, self._texts_of(other), whatever_answer=bool(self._is_held[other])
            ):
                return "near-duplicate", other
        candidates = set(self._by_context.near(number))
        if self._by_instruction:
            candidates.update(self._by_instruction.near(number))
        candidates = {other for other in candidates if self._alike[other] != key}
        for other in sorted(candidates)[:MOST_COMPARED]:
            texts = texts or self._texts_of(number)
            if self._comparison.are_near(texts, self._texts_of(other)):
                return "near-duplicate", other
        return None

    def _contexts(self, numbers: Iterable[int]) -> Iterator[str]:
        """Yield what is sketched of each record, and note what identifies it."""
        template = self._comparison.template
        keys = [half.data for half in self._keys]
        answers, meanings, inputs = (hashes.data for hashes in self._hashes.values())
        for number in numbers:
            texts = self._texts_of(number)
            key = digest(*question_key(texts))[:32]
            keys[0][number], keys[1][number] = int(key[:16], 16), int(key[16:], 16)
            answers[number] = hash(same_answer(texts.answer))
            inputs[number] = hash(words_of(texts.input)) if texts.input else 0
            meanings[number] = self._meaning(texts)
            yield template.distinct(words_of(texts.input or texts.instruction)) or f"\0{key}"

    def _meaning(self, texts: Texts) -> int:
        """Return the hash of the words that carry a question's meaning; 0 where there are none."""
        if self._is_exact:
            return 0
        words = tuple(
            tuple(sorted(meaning_of(text).words)) if len(text) <= LONGEST else words_of(text)
            for text in texts[:2]
        )
        return hash(words) if any(words) else 0

    def _common_inputs(self) -> NDArray[np.bool_]:
        """Return whether each record has an input that many others share, exact repeats apart."""
        inputs = self._hashes["input"]
        is_first = np.asarray(self._alike) == np.arange(len(inputs))
        shared, counts = np.unique(inputs[is_first & (inputs != 0)], return_counts=True)
        return np.isin(inputs, shared[counts > COMMON])

    def _instruction(self, number: int) -> str:
        """Return what is sketched of the instruction of a record that has an input."""
        if not self._is_common[number]:
            return ""
        words = words_of(self._texts_of(number).instruction)
        return self._comparison.template.distinct(words) or f"\0{self._alike[number]}"


class _Chains:
    """Numbers that were added, by what they are alike in, in the order they were added."""

    def __init__(self, alike: memoryview) -> None:
        """Take for each number the first that is like it."""
        self._alike = alike
        self._first, self._last, self._next = (_empty(len(alike)) for _ in range(3))

    def add(self, number: int) -> None:
        """Add a number."""
        kind = self._alike[number]
        if self._first[kind] == EMPTY:
            self._first[kind] = number
        else:
            self._next[self._last[kind]] = number
        self._last[kind] = number

    def before(self, number: int) -> Iterator[int]:
        """Yield the numbers that were added and are like this one."""
        other = self._first[self._alike[number]]
        while other != EMPTY:
            yield other
            other = self._next[other]


def _empty(count: int) -> memoryview:
    """Return so many numbers, none of which stands for a record."""
    numbers = on_disk(count, np.int32)
    numbers.fill(EMPTY)
    return numbers.data


def _firsts(*columns: NDArray[Any]) -> NDArray[np.int32]:
    """Return for each row of some columns the first row that is the same."""
    order = np.lexsort(columns)
    is_first = np.zeros(len(order), bool)
    is_first[:1] = True
    for column in columns:
        ordered = column[order]
        is_first[1:] |= ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(is_first)
    firsts = on_disk(len(order), np.int32)
    firsts[order] = np.repeat(order[starts], np.diff(starts, append=len(order)))
    return firsts
