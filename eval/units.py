"""What counts as one unit: items that rise and fall together are drawn and swapped together.

The same question under two ids is one piece of evidence, not two, and questions about one passage
rise and fall with it, whether or not the file records a group. So items are one unit that

- have the same recorded group,
- ask the same: prompt and input are the same words,
- ask about the same: an input of the same words, or
- ask nearly the same: the same figures, and at least three quarters of the words in common
  (Jaccard), both of all words and of those that few other items have: what a template brings makes
  nothing alike.

An input that half of the items or more have is a frame rather than a passage, and so is a system
message that more than a few have, and a question with unlike right answers: what they are about is
then not in the file. Units are the connected sets of such items. The build of data has a stricter
measure for what it drops (`prepdata.near`); here nothing is dropped, and to take two questions for
one only makes a report more careful.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING

from tuneproof.formats.comparison import Item
from tuneproof.formats.conversation import last_question, transcript
from tuneproof.formats.example import normalised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLD = 0.75
"""Least share of words that nearly equal questions have in common."""
SHARED_BY = 10
"""Items that must share a word, ..."""
SHARE = 0.05
"""... and the share of all items, from which it counts as part of a template."""
DIGITS = re.compile(r"\d+")


def group_numbers(items: Sequence[Item]) -> NDArray[np.int64] | None:
    """Number the items' units from 0, or return None when every item stands for itself."""
    import numpy as np

    parents = list(range(len(items)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for one, other in _joined(items):
        parents[root(other)] = root(one)
    roots = [root(number) for number in range(len(items))]
    if len(set(roots)) == len(roots):
        return None
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(one, len(numbers)) for one in roots], dtype=np.int64)


def renumbered(numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Number the groups of some items from 0 without gaps; None when no two are in one group."""
    import numpy as np

    known, inverse = np.unique(numbers, return_inverse=True)
    return None if len(known) == len(numbers) else inverse.astype(np.int64)


def _joined(items: Sequence[Item]) -> Iterator[tuple[int, int]]:
    """Yield pairs of items that are one unit; all others follow from them."""
    yield from _same((item.task, item.group) for item in items)
    questions = [(normalised(item.instruction), normalised(item.input)) for item in items]
    frames = _frames(items, questions)
    yield from _same(
        number if question in frames else question for number, question in enumerate(questions)
    )
    passages = _passages(items)
    counts = Counter(passages)
    yield from _same(
        text if text and 2 * counts[text] < len(items) else number
        for number, text in enumerate(passages)
    )
    distinct = list(dict.fromkeys(questions))
    first = {question: number for number, question in reversed(list(enumerate(questions)))}
    for one, other in near_pairs([" ".join(filter(None, question)) for question in distinct]):
        yield first[distinct[one]], first[distinct[other]]


def _passages(items: Sequence[Item]) -> list[str]:
    """Return what the items are about: their inputs, without a system message that is a template.

    One that few items have may hold a passage; one that many have says how to answer.
    """
    counts = Counter(map(_system, items))
    common = max(SHARED_BY, SHARE * len(items))
    passages = []
    for item in items:
        system, passage = _system(item), item.input
        if system and counts[system] > common:
            before = item.messages[: last_question(item.messages)]
            beside = passage.removeprefix(transcript(before)).strip()
            others = transcript([turn for turn in before if turn.role != "system"])
            passage = "\n\n".join(filter(None, (others, beside)))
        passages.append(passage)
    return [normalised(passage) for passage in passages]


def _system(item: Item) -> str:
    return "\n\n".join(turn.content for turn in item.messages if turn.role == "system")


def _frames(items: Sequence[Item], questions: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the questions that half of the items or more have, with unlike right answers."""
    counts = Counter(questions)
    often = {
        question for question, count in counts.items() if 2 * count >= len(items) and count > 1
    }
    answers: dict[tuple[str, str], set[str | None]] = {question: set() for question in often}
    for item, question in zip(items, questions, strict=True):
        if question in often:
            answers[question].add(item.reference)
    return {question for question in often if len(answers[question]) > 1}


def _same(keys: Iterable[Hashable]) -> Iterator[tuple[int, int]]:
    """Yield each number whose key stood before, with the first that had it."""
    known: dict[Hashable, int] = {}
    for number, key in enumerate(keys):
        if (first := known.setdefault(key, number)) != number:
            yield first, number


def near_pairs(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of normalised texts that are nearly the same.

    Sorted by how rare they are, the first few words of two near texts must have one in common
    (prefix filtering: Chaudhuri et al., 2006, A primitive operator for similarity joins), so that
    only few pairs are compared.
    """
    words = [frozenset(text.split()) for text in texts]
    counts = Counter(word for known in words for word in known)
    common = max(SHARED_BY, SHARE * len(texts))
    rare = [frozenset(word for word in known if counts[word] <= common) for known in words]
    figures = [DIGITS.findall(text) for text in texts]
    seen: dict[str, list[int]] = defaultdict(list)
    for number, known in enumerate(rare):
        ordered = sorted(known, key=lambda word: (counts[word], word))
        prefix = ordered[: len(ordered) - ceil(THRESHOLD * len(ordered)) + 1]
        for other in sorted({other for word in prefix for other in seen[word]}):
            if (
                figures[number] == figures[other]
                and _are_near(known, rare[other])
                and _are_near(words[number], words[other])
            ):
                yield other, number
        for word in prefix:
            seen[word].append(number)


def _are_near(one: frozenset[str], other: frozenset[str]) -> bool:
    shared = len(one & other)
    return shared >= THRESHOLD * (len(one) + len(other) - shared)
