"""Which of the texts that were added may be near another, asked in blocks.

Many texts are looked up by few operations on long arrays: by chance, most share a band with more
texts than are near.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tuneproof.prepdata.buckets import Buckets
from tuneproof.prepdata.sketches import sketches_of

BLOCK = 512
"""Texts to look up at once; more are a little faster, unless very many of them are near."""
NOBODY = -1


class Neighbours:
    """Texts by number: 0, 1, ... in the order given; those that were added are found again.

    Numbers whose texts are the same share all that is computed of the text.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Sketch the texts, which must be normalised."""
        self._distinct = array("i")
        sketches = sketches_of(self._first_seen(texts))
        self._bitmaps = sketches.bitmaps
        self._buckets = Buckets(sketches.bands, sketches.bitmaps.places)
        self._latest = array("i", [NOBODY]) * len(sketches.bands)
        self._before = array("i", [NOBODY]) * len(self._distinct)
        self._waiting: list[int] = []
        self._block: list[int] = []
        self._found: dict[int, list[int]] = {}

    def add(self, number: int) -> None:
        """Let the text be found under this number."""
        text = self._distinct[number]
        if self._latest[text] == NOBODY:
            self._waiting.append(text)
        self._before[number], self._latest[text] = self._latest[text], number

    def look_up(self, numbers: Sequence[int]) -> None:
        """Find what may be near each text of a block, for `near`.

        The block's own texts are put in as well, as if they had been added, and taken out again.
        """
        self._buckets.take_last(np.array(self._block, np.int64))
        self._buckets.put(np.array(self._waiting, np.int64))
        self._waiting = []
        asked = {self._distinct[number] for number in numbers}
        self._block = [text for text in asked if self._latest[text] == NOBODY]
        self._buckets.put(np.array(self._block, np.int64))
        self._found = defaultdict(list)
        for pairs in self._buckets.sharing(np.array(list(asked), np.int64)):
            near = np.searchsorted(self._bitmaps.places, self._bitmaps.near(*pairs))
            for one, other in near.T.tolist():
                self._found[one].append(other)

    def near(self, number: int) -> Iterator[int]:
        """Yield the numbers added until now whose texts may be near; the block has `number`."""
        text = self._distinct[number]
        for other in {text, *self._found.get(text, ())}:
            added = self._latest[other]
            while added != NOBODY:
                yield added
                added = self._before[added]

    def _first_seen(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield each text once, and note which one every number has."""
        known: dict[int, int] = {}
        for text in texts:
            if (key := hash(text)) not in known:
                known[key] = len(known)
                yield text
            self._distinct.append(known[key])
