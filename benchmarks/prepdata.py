"""Build data sets of 100,000 and a million rows: time must grow in proportion, memory hardly."""

from __future__ import annotations

import itertools
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tqdm import tqdm

from benchmarks.harness import Child, Goal, Settings, run_command
from tuneproof.prepdata.near.meaning import DECIDING

FEW, MANY = 100_000, 1_000_000
MOST_TIMES = 11
MOST_BYTES = 2e9
LEAST_PER_S = 5_000
WORDS = 20_000
"""Different words; the n-th is drawn as often as 1 / n, as in a language (Zipf)."""
ASKED = (15, 30)
"""Fewest and most words of an instruction; the answer brings a record to 40 to 80 words."""
ANSWERED = (25, 50)
MOST_ROUNDS = 2
SHARE = 0.05
"""Share of exact repeats, and of near ones."""
SYLLABLES = [c + v for c in "bcdfghklmnprstvw" for v in ("a", "e", "i", "o", "u", "an", "er")]


def measure(settings: Settings) -> list[Goal]:
    """Return how `prepdata build` does on ten times the rows; planted repeats must be found."""
    few, many = (1_000, 10_000) if settings.is_small else (FEW, MANY)
    small, large = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in tqdm(range(min(settings.rounds, MOST_ROUNDS)), desc="prepdata", unit=" rounds"):
            small.append(_build(Path(folder), few)[0])
            child, checked = _build(Path(folder), many)
            large.append(child)
    seconds, more_seconds = (median(child.seconds for child in side) for side in (small, large))
    cpu, more_cpu = (median(child.cpu_seconds for child in side) for side in (small, large))
    peak, more_peak = (max(child.peak_bytes for child in side) for side in (small, large))
    work = f"`prepdata build`, {many:,} rows, exact and near-duplicates removed"
    return [
        Goal(
            work=work,
            against=f"time for {few:,} rows",
            value=more_seconds / seconds,
            goal=MOST_TIMES,
            unit="times",
            checked=f"{seconds:.1f} s and {more_seconds:.1f} s, medians of {len(small)}; processor "
            f"{cpu:.1f} s and {more_cpu:.1f} s, {more_cpu / cpu:.1f} times",
        ),
        Goal(
            work=work,
            against="rows per second",
            value=many / more_seconds,
            goal=LEAST_PER_S,
            unit="rows/s",
            is_upper=False,
            checked=f"{checked}; {many / more_cpu:,.0f} per second of processor",
        ),
        Goal(
            work=work,
            against="peak memory",
            value=more_peak / 1e9,
            goal=MOST_BYTES / 1e9,
            unit="GB",
            checked=f"{few:,} rows: {peak / 1e9:.2f} GB",
        ),
    ]


def _build(folder: Path, count: int) -> tuple[Child, str]:
    """Build so many rows; return what it took, and what was found of the planted repeats."""
    file, out = folder / f"{count}.jsonl", folder / f"data-{count}"
    write_rows(file, count)
    child = run_command("prepdata", "build", "--source", f"jsonl={file}", "--out", out)
    return child, check(file, out)


def check(file: Path, out: Path) -> str:
    """Return how many planted repeats were found: all but those in a held-out file.

    Raises:
        RuntimeError: A planted repeat was missed, or a row was taken for one that is none.
    """
    kept: dict[str, str] = {}
    for split in ("train", "val", "test"):
        with (out / f"{split}.jsonl").open(encoding="utf-8") as handle:
            kept |= {json.loads(line)["id"].removeprefix("jsonl-"): split for line in handle}
    planted, removed, missed, lost = 0, 0, 0, 0
    with file.open(encoding="utf-8") as handle:
        for line in handle:
            name = json.loads(line)["id"]
            original, _, is_repeat = name.partition("-")
            planted += bool(is_repeat)
            if is_repeat and name in kept and original in kept:
                is_held_out = kept[name] == kept[original] != "train"  # held-out files stay whole
                missed += not is_held_out
            elif is_repeat:
                removed += 1
                lost += name not in kept and original not in kept
    dropped = json.loads((out / "manifest.json").read_text())["sources"]["jsonl"]["dropped"]
    others = sum(dropped.values()) - removed
    if missed or lost or others:
        raise RuntimeError(
            f"of {planted:,} planted repeats {missed:,} were missed; {lost:,} were dropped with "
            f"their original, {others:,} rows that repeat none"
        )
    kept_both = planted - removed
    return (
        f"{planted:,} repeats planted, {removed:,} found, "
        f"{kept_both:,} beside theirs in val or test"
    )


def write_rows(path: Path, count: int) -> None:
    """Write a JSONL of records; of 20, one repeats another exactly and one nearly.

    A repeat has the id of its original with ``-same`` or ``-near`` behind it. A near one has a word
    more at its beginning or its end, so it shares well over 0.8 of its shingles.
    """
    with path.open("w", encoding="utf-8") as handle:
        for row in itertools.islice(_rows(random.Random(0)), count):
            handle.write(json.dumps(row) + "\n")


def _rows(draw: random.Random) -> Iterator[dict[str, str]]:
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(WORDS)]
    words = [f"{word}x" if word in DECIDING else word for word in words]  # as "no" and "her" are
    weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def text(shortest: int, longest: int) -> str:
        return " ".join(draw.choices(words, cum_weights=weights, k=draw.randint(shortest, longest)))

    waiting: list[dict[str, str]] = []
    for number in itertools.count():
        kind = draw.random()
        if kind < 2 * SHARE and len(waiting) > 10:
            original = waiting.pop(draw.randrange(len(waiting)))
            instruction, word = original["instruction"], draw.choice(words)
            if kind < SHARE:
                yield {**original, "id": f"{original['id']}-same"}
            else:
                changed = f"{word} {instruction}" if kind < 1.5 * SHARE else f"{instruction} {word}"
                yield {**original, "id": f"{original['id']}-near", "instruction": changed}
            continue
        row = {"id": f"r{number}", "instruction": text(*ASKED), "output": text(*ANSWERED)}
        if draw.random() < 3 * SHARE:  # enough to repeat, far apart in the file
            waiting.append(row)
        yield row
