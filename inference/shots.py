"""Answered examples for a question: from the training split, near to it or drawn at random."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from tuneproof.formats.example import Example, normalised

By = Literal["nearest", "random"]
AMONG = 4
"""Examples of different labels are looked for among so many times as many as are wanted."""
AT_ONCE = 256
"""Questions whose similarities are computed in one go."""
PARTLY = 64
"""Candidates that are put in order at first; all of them are where these do not suffice."""


@dataclass(frozen=True, kw_only=True)
class Shots:
    """The examples that stand answered before each question."""

    k: int
    """Examples before a question, where there is room."""
    by: By
    """How they were chosen."""
    seed: int | None
    """Seed of the draw; None where nothing is drawn."""
    file: str
    """The file that they are from."""
    chosen: Mapping[str, tuple[Example, ...]]
    """The examples by the question's id; the nearest one last."""

    def recorded(self) -> dict[str, Any]:
        """Return how they were chosen, as the comparison file says it."""
        drawn = {} if self.seed is None else {"seed": self.seed}
        return {"k": self.k, "by": self.by, **drawn, "file": self.file}


def choose_nearest(
    candidates: Sequence[Example], items: Sequence[Example], k: int, *, labels: bool = False
) -> dict[str, tuple[Example, ...]]:
    """Return the k nearest candidates of each item by TF-IDF of words and word pairs, nearest last.

    Those of the item's own task are taken where there are any; the item itself, its group, and
    whatever asks the same are never taken.

    Args:
        candidates: Training examples.
        items: What is asked.
        k: How many.
        labels: Whether answers are labels: then those of different labels come first, among
            the `AMONG` times k nearest.

    Returns:
        By the item's id; fewer where there are not so many.
    """
    chosen: dict[str, tuple[Example, ...]] = {}
    for pool, asked in _by_task(candidates, items):
        for item, ranked in _ranked(pool, asked):
            near = list(islice(ranked, AMONG * k if labels else k))
            chosen[item.id] = tuple(reversed(_different(near, k) if labels else near))
    return chosen


def choose_random(
    candidates: Sequence[Example],
    items: Sequence[Example],
    k: int,
    *,
    seed: int,
    labels: bool = False,
) -> dict[str, tuple[Example, ...]]:
    """Return k candidates for each item, the same ones wherever none is its own; see above."""
    chosen: dict[str, tuple[Example, ...]] = {}
    for pool, asked in _by_task(candidates, items):
        order = random.Random(seed).sample(range(len(pool.examples)), len(pool.examples))
        for item in asked:
            drawn = list(islice(pool.allowed(item, order), AMONG * k if labels else k))
            chosen[item.id] = tuple(_different(drawn, k) if labels else drawn)
    return chosen


class _Pool:
    """Candidates, and which of them a question may have."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples
        self._asks = [_question(example) for example in examples]

    def allowed(self, item: Example, order: Iterable[int]) -> Iterator[Example]:
        """Yield the candidates in an order, without the item itself, its group and its repeats."""
        asks = _question(item)
        for index in order:
            one = self.examples[index]
            if one.id != item.id and one.group != item.group and self._asks[index] != asks:
                yield one


def _by_task(
    candidates: Sequence[Example], items: Sequence[Example]
) -> Iterator[tuple[_Pool, list[Example]]]:
    """Yield the items of each task with the candidates of the same one, or all there are."""
    answered = [one for one in candidates if one.output.strip()]
    for task in dict.fromkeys(item.task for item in items):
        same = [one for one in answered if one.task == task]
        yield _Pool(same or answered), [item for item in items if item.task == task]


def _ranked(pool: _Pool, items: Sequence[Example]) -> Iterator[tuple[Example, Iterator[Example]]]:
    """Yield each item with what it may have, the nearest first."""
    import numpy as np

    if not pool.examples:
        yield from ((item, iter(())) for item in items)
        return
    vectors, known = tf_idf([_text(one) for one in pool.examples])
    transposed = known.T.tocsr()

    def order(likeness: Any) -> Iterator[int]:
        most = min(PARTLY, len(likeness))
        near = np.sort(np.argpartition(-likeness, most - 1)[:most])
        near = near[np.argsort(-likeness[near], kind="stable")]
        yield from near.tolist()
        rest = np.argsort(-likeness, kind="stable")
        yield from rest[~np.isin(rest, near)].tolist()

    for start in range(0, len(items), AT_ONCE):
        some = items[start : start + AT_ONCE]
        rows = (vectors.transform([_text(item) for item in some]) @ transposed).toarray()
        for item, likeness in zip(some, rows, strict=True):
            yield item, pool.allowed(item, order(likeness))


def tf_idf(texts: list[str]) -> tuple[Any, Any]:
    """Return a fitted TF-IDF of words and word pairs, and the texts' vectors: (texts, terms).

    They have length 1. Texts without any word of two letters are seen as characters.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        return words, words.fit_transform(texts)
    except ValueError:  # no words of two letters in any of them
        characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 3))
        return characters, characters.fit_transform([text or " " for text in texts])


def _different(ranked: Sequence[Example], k: int) -> list[Example]:
    """Return k examples in their order, of as many different answers as there are."""
    firsts = {one.output: index for index, one in reversed(list(enumerate(ranked)))}
    indices = sorted(firsts.values())[:k]
    indices += [index for index in range(len(ranked)) if index not in indices][: k - len(indices)]
    return [ranked[index] for index in sorted(indices)]


def _text(example: Example) -> str:
    """Return what similarity goes by: all that is asked."""
    turns = [message.content for message in example.messages if message.role == "user"]
    return "\n".join(turns) if turns else f"{example.instruction}\n{example.input}"


def _question(example: Example) -> str:
    text = _text(example)
    return normalised(text) or text  # which leaves nothing of a text without words
