"""Cutting what is asked into batches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import TypeVar

T = TypeVar("T")


def even(items: Sequence[T], most: int) -> list[Sequence[T]]:
    """Return as few batches of at most `most` items as there can be, the larger ones first.

    They are as even as can be: a small batch at the end would take nearly as long as a full one.
    """
    count = ceil(len(items) / most)
    size, larger = divmod(len(items), max(count, 1))
    edges = [place * size + min(place, larger) for place in range(count + 1)]
    return [items[start:stop] for start, stop in pairwise(edges)]
