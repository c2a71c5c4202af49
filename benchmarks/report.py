"""`score report` on many made-up items: a base that is mostly wrong, two variants often right."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness import Goal, Settings, run_command
from benchmarks.prepdata import SYLLABLES
from tuneproof.eval.metrics.registry import metrics_of
from tuneproof.files import write_json

ITEMS = 10_000
RESAMPLES = 10_000
MOST_S = 90
MOST_BYTES = 2e9
VARIANTS = {"base": 0.1, "tuned": 0.6, "longer": 0.65}
"""Variant -> the share of its words that are right."""
NUMBERS = 0.5
"""Share of the items whose reference is a number that a program comes to."""
GROUP = 4
"""Items of one page."""
WORDS = (5, 40)


def measure(settings: Settings) -> list[Goal]:
    """Return time and memory of `score report` on items that all stand for themselves."""
    items = 200 if settings.is_small else ITEMS
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "comparison.json", Path(folder) / "out"
        write_comparison(file, items, groups=False)
        child = run_command("eval", "report", file, "--out", out, "--resamples", str(RESAMPLES))
        report = json.loads((out / "report.json").read_text())
    missing = set(metrics_of(with_labels=False, with_programs=True)) - set(
        report["metrics"]["base"]
    )
    if missing:
        raise RuntimeError(f"not scored: {', '.join(sorted(missing))}")
    work = f"`score report`, {items:,} items x {len(VARIANTS)} variants, {RESAMPLES:,} resamples"
    checked = f"all {len(report['definitions'])} metrics of texts have values"
    return [
        Goal(
            work=work,
            against="time",
            value=child.seconds,
            goal=MOST_S,
            unit="s",
            checked=f"{checked}; processor {child.cpu_seconds:.1f} s",
        ),
        Goal(
            work=work,
            against="peak memory",
            value=child.peak_bytes / 1e9,
            goal=MOST_BYTES / 1e9,
            unit="GB",
            checked=checked,
        ),
    ]


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
    subject = " ".join(draw.choices(words, k=draw.randint(*WORDS)))
    is_number = draw.random() < NUMBERS
    value = draw.randint(1, 10**6) / 100
    right = [f"{value}"] if is_number else draw.choices(words, k=draw.randint(*WORDS))
    item: dict[str, Any] = {
        "id": f"q{number}",
        "task": "numbers" if is_number else "words",
        "prompt": f"What of {subject}?",
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
    answer = [word if draw.random() < share else draw.choice(words) for word in right]
    if draw.random() > share:
        answer = (answer * 8)[:60]  # a loop, until the limit
    reason = "length" if len(answer) == 60 else "eos"
    return {"text": " ".join(answer), "tokens": len(answer), "finish_reason": reason}
