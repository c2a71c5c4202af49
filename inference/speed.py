"""How fast variants answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tuneproof.inference.generate import Answer

Answers = list[dict[str, Answer]]
"""For each prompt of a batch the answers by variant."""


class Speed:
    """Writes tokens per second into what the comparison records of its variants.

    Variants of one batch are answered together; each is charged its share of the rows.
    """

    def __init__(self, described: list[dict[str, Any]]) -> None:
        """Take the variants' entries, which are changed; None stands until something is asked."""
        self._described = described
        self._seconds = 0.0
        self._tokens = {row["name"]: 0 for row in described}
        for row in described:
            row["tokens_per_second"] = None

    def of(self, answer: Callable[[], Answers]) -> Answers:
        """Return what a function answers, and count it."""
        began = time.perf_counter()
        answers = answer()
        self._seconds += time.perf_counter() - began
        for by_variant in answers:
            for name, found in by_variant.items():
                self._tokens[name] += found.tokens
        share = self._seconds / len(self._described)
        for row in self._described:
            row["tokens_per_second"] = round(self._tokens[row["name"]] / share, 1)
        return answers
