"""Which of the texts that were added may be near another: buckets of shared bands, then bitmaps."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tuneproof.prepdata.near.sketches import THRESHOLD, Indices, sketches_of
from tuneproof.prepdata.scratch import Parts, Table, on_disk

MOST_PAIRS = 1 << 16
"""Pairs held at once, unless one text alone has more: few enough for the processor's cache."""
BLOCK = 512
"""Texts to look up at once; more are a little faster, unless very many of them are near."""
EMPTY = -1
PUT = 4_096
"""Texts that are put into their buckets at once."""


class Neighbours:
    """Texts by number: 0, 1, ... in the order given; those that were added are found again.

    Numbers whose texts are the same share all that is computed of the text.
    """

    def __init__(self, texts: Iterable[str], threshold: float = THRESHOLD) -> None:
        """Sketch the texts, which must be normalised; near are those that share so much."""
        self._threshold = threshold
        self._distinct = array("i")
        sketches = sketches_of(self._first_seen(texts))
        self._bitmaps = sketches.bitmaps
        self._buckets = Buckets(sketches.bands, sketches.bitmaps.starts)
        self._latest = array("i", [EMPTY]) * len(sketches.bands)
        self._before = array("i", [EMPTY]) * len(self._distinct)
        self._waiting = array("i")
        self._block: list[int] = []
        self._near: dict[int, list[int]] = {}

    def add(self, number: int) -> None:
        """Let the text be found under this number."""
        text = self._distinct[number]
        if self._latest[text] == EMPTY:
            self._waiting.append(text)
        self._before[number], self._latest[text] = self._latest[text], number

    def look_up(self, numbers: Sequence[int]) -> None:
        """Find what may be near each text of a block, for `near`.

        The block's own texts are put in as well, as if they had been added, and taken out again.
        """
        self._buckets.take_last(np.array(self._block, np.int64))
        self._buckets.put(np.array(self._waiting, np.int64))
        self._waiting = array("i")
        asked = {self._distinct[number] for number in numbers}
        self._block = [text for text in asked if self._latest[text] == EMPTY]
        self._buckets.put(np.array(self._block, np.int64))
        self._near = defaultdict(list)
        for pairs in self._buckets.sharing(np.array(list(asked), np.int64)):
            near = np.searchsorted(
                self._bitmaps.starts, self._bitmaps.near(*pairs, self._threshold)
            )
            for one, other in near.T.tolist():
                self._near[one].append(other)

    def near(self, number: int) -> Iterator[int]:
        """Yield the numbers added until now whose texts may be near; the block has `number`."""
        text = self._distinct[number]
        for other in {text, *self._near.get(text, ())}:
            added = self._latest[other]
            while added != EMPTY:
                yield added
                added = self._before[added]

    def _first_seen(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield each text once, and note which one every number has."""
        known = Table()
        for text in texts:
            count = len(known)
            number = known.setdefault(hash(text), count)
            if len(known) > count:
                yield text
            self._distinct.append(number)


class Buckets:
    """Which texts share a hash with which of those that were put in, many texts at once.

    All hashes are known from the start, so the buckets lie in one array, each with room for all
    that may come; a hash that one text alone has needs none.
    """

    def __init__(self, hashes: NDArray[np.uint32], names: Indices) -> None:
        """Make room for the hashes, (text, band); only those of one band are compared.

        Args:
            hashes: Of the texts 0, 1, ...
            names: A number for each text, which `sharing` yields.
        """
        self._names = names
        self._bucket, sizes = _numbered(hashes)
        self._starts = on_disk(len(sizes), np.int64)
        np.cumsum(sizes, dtype=np.int64, out=self._starts)
        np.subtract(self._starts, sizes, out=self._starts)
        self._filled = on_disk(len(sizes), np.int32)
        kind = np.int32 if names.max(initial=0) < 1 << 31 else np.int64
        self._held = on_disk(int(sizes.sum(dtype=np.int64)), kind)

    def put(self, texts: Indices) -> None:
        """Put texts at the end of their buckets; each may be there but once."""
        for start in range(0, len(texts), PUT):
            self._put(texts[start : start + PUT])

    def _put(self, texts: Indices) -> None:
        buckets = self._bucket[texts]
        order = np.argsort(buckets, axis=None)
        order = order[np.count_nonzero(buckets == 0) :]
        owners, filling = self._names[texts][order // buckets.shape[1]], buckets.ravel()[order]
        firsts = np.flatnonzero(np.diff(filling, prepend=0))
        rank = np.arange(len(order)) - np.repeat(firsts, np.diff(firsts, append=len(order)))
        self._held[self._starts[filling] + self._filled[filling] + rank] = owners
        np.add.at(self._filled, filling, 1)

    def take_last(self, texts: Indices) -> None:
        """Take the texts out again that were put in last."""
        buckets = self._bucket[texts]
        np.subtract.at(self._filled, buckets[buckets > 0], 1)

    def sharing(self, texts: Indices) -> Iterator[tuple[Indices, Indices]]:
        """Yield pairs of a text and one that is in and shares a hash, part by part, by name.

        A text that is in makes a pair with itself; texts that share two hashes are two pairs.
        """
        counts = self._filled[self._bucket[texts]]
        parts = np.cumsum(counts.sum(axis=1)) // MOST_PAIRS
        for part in np.unique(parts):
            mine = parts == part
            filled = counts[mine].ravel()
            shift = self._starts[self._bucket[texts[mine]].ravel()] - (np.cumsum(filled) - filled)
            others = self._held[np.repeat(shift, filled) + np.arange(filled.sum())]
            ones = np.repeat(self._names[texts[mine]], counts[mine].sum(axis=1))
            yield ones, others.astype(np.int64)


def _numbered(hashes: NDArray[np.uint32]) -> tuple[NDArray[np.int32], Indices]:
    """Return the bucket of every hash, (text, band), and how many texts each bucket is for.

    Bucket 0 stands for the hashes of one text alone and has no room.
    """
    bucket = on_disk(hashes.shape, np.int32)
    sizes = Parts(np.int32)
    sizes.append(np.zeros(1))
    count = 0
    for band in range(hashes.shape[1]):
        column = hashes[:, band]
        order = np.argsort(column)
        ordered = column[order]
        is_first = np.append(np.ones(min(1, len(ordered)), bool), ordered[1:] != ordered[:-1])
        firsts = np.flatnonzero(is_first)
        alike = np.diff(firsts, append=len(order))
        is_shared = alike > 1
        numbers = np.where(is_shared, np.cumsum(is_shared) + count, 0)
        bucket[order, band] = np.repeat(numbers.astype(np.int32), alike)
        sizes.append(alike[is_shared])
        count += int(is_shared.sum())
    return bucket, sizes.whole()
