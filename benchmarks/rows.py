"""Made-up records for the data benchmarks, with planted repeats whose number is known."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

WORDS = 20_000
"""Different words; the n-th is drawn as often as 1 / n, as in a language (Zipf)."""
ASKED = (15, 30)
"""Fewest and most words of an instruction; the answer brings a record to 40 to 80 words."""
ANSWERED = (25, 50)
SHARE = 0.05
"""Share of exact repeats, and of near ones."""
SYLLABLES = [c + v for c in "bcdfghklmnprstvw" for v in ("a", "e", "i", "o", "u", "an", "er")]


def write_rows(path: Path, count: int, seed: int = 0) -> None:
    """Write a JSONL of records; of 20, one repeats another exactly and one nearly.

    A repeat has the id of its original with ``-same`` or ``-near`` behind it. A near one has a word
    more at its beginning or its end, so it shares well over 0.8 of its shingles.
    """
    with path.open("w", encoding="utf-8") as handle:
        for row in itertools.islice(_rows(random.Random(seed)), count):
            handle.write(json.dumps(row) + "\n")


def _rows(draw: random.Random) -> Iterator[dict[str, str]]:
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(WORDS)]
    weights = list(itertools.accumulate(1 / place for place in range(1, WORDS + 1)))

    def text(shortest: int, longest: int) -> str:
        return " ".join(draw.choices(words, cum_weights=weights, k=draw.randint(shortest, longest)))

    waiting: list[dict[str, str]] = []
    for number in itertools.count():
        fate = draw.random()
        if fate < 2 * SHARE and len(waiting) > 10:
            original = waiting.pop(draw.randrange(len(waiting)))
            asked, word = original["instruction"], draw.choice(words)
            if fate < SHARE:
                yield {**original, "id": f"{original['id']}-same"}
            else:
                changed = f"{word} {asked}" if fate < 1.5 * SHARE else f"{asked} {word}"
                yield {**original, "id": f"{original['id']}-near", "instruction": changed}
            continue
        row = {"id": f"r{number}", "instruction": text(*ASKED), "output": text(*ANSWERED)}
        if draw.random() < 3 * SHARE:  # enough to repeat, far apart in the file
            waiting.append(row)
        yield row
