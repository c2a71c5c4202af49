"""Which record repeats which, exactly or nearly: the index that finds them."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tuneproof.formats.example import digest
from tuneproof.prepdata.near.comparing import (
    Comparison,
    Match,
    Template,
    Texts,
    question_key,
    same_answer,
    words_of,
)
from tuneproof.prepdata.near.lookup import BLOCK, Neighbours
from tuneproof.prepdata.near.meaning import LONGEST, meaning_of
from tuneproof.prepdata.near.sketches import THRESHOLD

COMMON = 16
"""An input that more records share, exact repeats apart, says nothing; their instructions are
sketched instead."""
SAMPLED = 5_000
"""Records that what most share is read off, evenly spread."""
MOST_COMPARED = 64
"""Records that one is compared with in full; where more are near, it is of a crowd."""


class DuplicateIndex:
    """Records by number: 0, 1, ... in the order given; those that were added are found again.

    Memory grows by the hashes of a record, not by its text.
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
        self._comparison = Comparison(Template.of(sampled), threshold)
        self._held_out: dict[int, int] = {}
        self._answered: dict[tuple[int, int], int] = {}
        self._questions: set[int] = set()
        self._alike, self._answers = array("i"), array("q")
        self._meanings, self._inputs = array("q"), array("q")
        self._by_meaning: dict[int, list[int]] = defaultdict(list)
        self._is_held = bytearray(count)
        contexts = self._contexts(progress(range(count)))
        if is_exact:
            for _ in contexts:
                pass
            return
        self._by_context = Neighbours(contexts, threshold)
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
        key = self._alike[number]
        if is_held_out:
            self._held_out.setdefault(key, number)
            self._is_held[number] = True
        self._questions.add(key)
        self._answered.setdefault((key, self._answers[number]), number)
        if self._is_exact:
            return
        if self._meanings[number]:
            self._by_meaning[self._meanings[number]].append(number)
        if self._by_instruction and self._is_common[number]:
            self._by_instruction.add(number)
        else:
            self._by_context.add(number)

    def has_other_answer(self, number: int) -> bool:
        """Return whether the same question was added, with another answer only."""
        key = self._alike[number]
        return key in self._questions and (key, self._answers[number]) not in self._answered

    def _match(self, number: int) -> Match | None:
        key = self._alike[number]
        first = self._held_out.get(key, self._answered.get((key, self._answers[number])))
        if first is not None:
            return "duplicate", first
        if self._is_exact:
            return None
        texts = None
        for other in self._by_meaning.get(self._meanings[number], ())[:MOST_COMPARED]:
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
        first: dict[bytes, int] = {}
        template = self._comparison.template
        for number in numbers:
            texts = self._texts_of(number)
            key = bytes.fromhex(digest(*question_key(texts)))[:16]
            self._alike.append(first.setdefault(key, number))
            self._answers.append(hash(same_answer(texts.answer)))
            self._inputs.append(hash(words_of(texts.input)) if texts.input else 0)
            self._meanings.append(self._meaning(texts))
            yield template.distinct(words_of(texts.input or texts.instruction)) or f"\0{key.hex()}"

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
        inputs = np.array(self._inputs)
        is_first = np.array(self._alike) == np.arange(len(inputs))
        shared, counts = np.unique(inputs[is_first & (inputs != 0)], return_counts=True)
        return np.isin(inputs, shared[counts > COMMON])

    def _instruction(self, number: int) -> str:
        """Return what is sketched of the instruction of a record that has an input."""
        if not self._is_common[number]:
            return ""
        words = words_of(self._texts_of(number).instruction)
        return self._comparison.template.distinct(words) or f"\0{self._alike[number]}"
