"""A made-up comparison: answers of a base that is mostly wrong and of two that are often right."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from benchmarks.rows import SYLLABLES
from tuneproof.files import write_json

VARIANTS = {"base": 0.1, "tuned": 0.6, "longer": 0.65}
"""Variant -> the share of its words that are right."""
NUMBERS = 0.5
"""Share of the items whose reference is a number that a program comes to."""
GROUP = 4
"""Items of one page."""
WORDS = (5, 40)


def write_comparison(path: Path, count: int, *, groups: bool = True, seed: int = 0) -> None:
    """Write a comparison of so many items, by three variants; every metric of texts has values."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 3))) for _ in range(2_000)]
    items = [_item(draw, words, number, groups=groups) for number in range(count)]
    decoding = {"do_sample": False, "max_new_tokens": 60}
    write_json(
        path,
        {
            "schema": "tuneproof/comparison@1",
            "decoding": decoding,
            "template": "{{ instruction }}",
            "labels": None,
            "variants": [{"name": name, "model": "made-up"} for name in VARIANTS],
            "items": items,
        },
    )


def _item(draw: random.Random, words: list[str], number: int, *, groups: bool) -> dict[str, Any]:
    asked = " ".join(draw.choices(words, k=draw.randint(*WORDS)))
    is_number = draw.random() < NUMBERS
    value = draw.randint(1, 10**6) / 100
    right = [f"{value}"] if is_number else draw.choices(words, k=draw.randint(*WORDS))
    item: dict[str, Any] = {
        "id": f"q{number}",
        "task": "numbers" if is_number else "words",
        "prompt": f"What of {asked}?",
        "input": " ".join(draw.choices(words, k=100)),
        "reference": " ".join(right),
        "answers": {name: _answer(draw, words, right, share) for name, share in VARIANTS.items()},
    }
    if groups:
        item["group"] = f"page {number // GROUP}"
    if is_number:
        item["executed"] = f"{value}"
    return item


def _answer(
    draw: random.Random, words: list[str], right: list[str], share: float
) -> dict[str, Any]:
    said = [word if draw.random() < share else draw.choice(words) for word in right]
    if draw.random() > share:
        said = (said * 8)[:60]  # a loop, until the limit
    reason = "length" if len(said) == 60 else "eos"
    return {"text": " ".join(said), "tokens": len(said), "finish_reason": reason}
