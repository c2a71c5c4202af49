"""How the metrics of repetition and echo cut a text into words."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD = re.compile(r"\w+")


@lru_cache(maxsize=64)
def tokens(text: str) -> tuple[str, ...]:
    """Return the lower-cased words and punctuation marks; every mark stands alone."""
    return tuple(_TOKEN.findall(text.lower()))


@lru_cache(maxsize=64)
def words(text: str) -> tuple[str, ...]:
    """Return the lower-cased words without punctuation."""
    return tuple(_WORD.findall(text.lower()))


def ngrams(sequence: tuple[str, ...], n: int) -> list[tuple[str, ...]]:
    """Return all runs of `n` consecutive tokens, in order; empty when the text is shorter."""
    return list(zip(*(sequence[start:] for start in range(n)), strict=False))
