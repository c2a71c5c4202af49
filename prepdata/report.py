"""Reports for a terminal: the sources, what a build came to, and what a built folder holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from tuneproof.errors import InputError
from tuneproof.files import read_jsonl
from tuneproof.formats.data_folder import DROPPED, FILES, SPLITS, Manifest, read_manifest
from tuneproof.formats.example import Example, example_from, read_examples
from tuneproof.models.load import load_tokenizer
from tuneproof.prepdata import registry
from tuneproof.prepdata.checks.data import check_manifest
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import lengths
from tuneproof.text import bar, bars, indented, one_line, table

BATCH = 500
SHORTEST = 32
"""The histogram's first bar holds what is up to so many tokens long; each next up to twice that."""
SHARES = (0.5, 0.9, 0.99)
FILES_SHOWN = 6
"""Files that a summary names; the manifest has all."""


def sources_table() -> str:
    """Return the sources: how much there is, its licence, where it comes from, what it holds."""
    rows = [("source", "rows", "licence", "from")]
    sources = registry.all_sources()
    for name, source in sources.items():
        where = "made on the spot" if source.generate else "your files"
        rows.append(
            (name, source.size, source.licence, f"Hub: {source.hub_id}" if source.hub_id else where)
        )
    rows.append(("hub:OWNER/NAME", "-", "see its card", "Hub: any data set"))
    head, *lines = table(rows, left=4).split("\n")
    indent = " " * (max(len(name) for name, *_ in rows) + 2)
    summaries = [indent + source.summary for source in sources.values()]
    summaries.append(indent + "add :CONFIG for one of several configurations, @SPLIT for one split")
    return "\n".join(
        [head, *(line for pair in zip(lines, summaries, strict=True) for line in pair)]
    )


def build_summary(folder: Path, manifest: Manifest) -> str:
    """Return the summary of a build that was just written."""
    wrote = f"wrote {', '.join(manifest.files)} and manifest.json to {folder}"
    parts = (overview(manifest), reading(manifest), seen_by_test(manifest), wrote)
    return "\n\n".join(filter(None, parts))


def seen_by_test(manifest: Manifest) -> str:
    """Return what difference a test set of that size can show: 1 / sqrt(n), of a share."""
    facts = manifest.files.get(FILES["test"])
    if facts is None or (count := facts.records) < 1:
        return ""
    points = 100 / math.sqrt(count)
    return (
        f"{count:,} test records: a difference between two models is seen from about "
        f"{points:.{0 if points >= 2 else 1}f} percentage points on"
    )


def reading(manifest: Manifest) -> str:
    """Return what was read from where, what was assumed, and what was not read."""
    lines = []
    for name, source in manifest.sources.items():
        parts = [f"{count:,} rows of {file}" for file, count in source.read.items()]
        shown = parts if len(parts) <= FILES_SHOWN else [*parts[:FILES_SHOWN], "and others"]
        if parts:
            total = f"{sum(source.read.values()):,} rows in all: " if len(parts) > 1 else ""
            lines.append(f"read of {name}: {total}{', '.join(shown)}")
        lines += map(indented, source.remarks)
    return "\n".join(lines)


def overview(manifest: Manifest) -> str:
    """Return records per source and split, what was left out and why, and warnings."""
    parts = [_counts(manifest)]
    for title, key in (("left out", "dropped"), ("noted of the rows read", "notes")):
        rows = [
            (name, f"{count:,}", reason)
            for name, source in manifest.sources.items()
            for reason, count in getattr(source, key).items()
        ]
        if rows:
            parts.append(f"{title}\n{indented(table(rows, left=(0, 2)))}")
    warnings = [f"warning: {finding.evidence}" for finding in check_manifest(manifest)]
    if warnings:
        parts.append("\n".join(warnings))
    return "\n\n".join(parts)


def inspect(folder: Path, *, tokenizer: str = "tiny", records: int = 3, dropped: int = 0) -> str:
    """Return a report on a folder that `prepdata build` wrote.

    Args:
        folder: The folder.
        tokenizer: Counts the tokens.
        records: Show so many training records.
        dropped: Show so many records that were left out as repeats, instead of all the rest.

    Raises:
        InputError: The folder is no build, its files are not those of its manifest, or the
            tokenizer cannot be loaded.
    """
    manifest = read_manifest(folder)
    if dropped:
        return dropped_pairs(folder, dropped)
    encoder = load_tokenizer(tokenizer, purpose="count")
    template = templates.load()
    counts: Counter[int] = Counter()
    for name, stated in manifest.files.items():
        examples, seen = read_examples(folder / name), 0
        while batch := list(islice(examples, BATCH)):
            counts.update(lengths(template, encoder, batch))
            seen += len(batch)
        if seen != stated.records:
            raise InputError(
                f"{folder / name} holds {seen:,} records, but its manifest says "
                f"{stated.records:,}; run `prepdata build` again"
            )
    title = f"tokens per record (prompt by template {template.name!r} + answer, {tokenizer})"
    parts = [
        overview(manifest),
        f"{title}\n{indented(histogram(counts))}",
        *(_label_chart(manifest, task) for task in manifest.labels),
        *(_shown(record) for record in islice(read_examples(folder / FILES["train"]), records)),
    ]
    return "\n\n".join(parts)


def dropped_pairs(folder: Path, most: int) -> str:
    """Return records that were left out as repeats, each with the one it repeats.

    They are spread evenly over all there are.
    """
    path = folder / DROPPED
    rows = [row for _, row in read_jsonl(path)] if path.is_file() else []
    if not rows:
        return f"{folder}: nothing was left out as a repeat"
    count = min(most, len(rows))
    chosen = [rows[number * len(rows) // count] for number in range(count)]
    parts = [f"{len(rows):,} records were left out as repeats; {count:,} of them"]
    for row in chosen:
        pair = [example_from(row[key], str(path), default_id="") for key in ("record", "repeats")]
        first, *others = _shown(pair[0]).split("\n")
        parts.append("\n".join([f"{row['reason']}: {first}", *others, *_repeated(pair[1])]))
    return "\n\n".join(parts)


def _repeated(record: Example) -> list[str]:
    first, *others = _shown(record).split("\n")
    return [f"  repeats {first}", *others]


def histogram(counts: Mapping[int, int]) -> str:
    """Return bars for lengths in doubling steps, then the lengths that most records keep within.

    Args:
        counts: Number of records by length in tokens.
    """
    edges = [SHORTEST]
    while edges[-1] < max(counts):
        edges.append(2 * edges[-1])
    steps: Counter[int] = Counter()
    for length, count in counts.items():
        steps[next(edge for edge in edges if length <= edge)] += count
    width = len(f"{edges[-1]:,}")
    chart = bars([(f"up to {edge:>{width},}", steps[edge]) for edge in edges])
    within = ", ".join(f"{share:.0%} within {quantile(counts, share):,}" for share in SHARES)
    return f"{chart}\n{within}, longest {max(counts):,}"


def quantile(counts: Mapping[int, int], share: float) -> int:
    """Return the smallest length that at least `share` of the records, in (0, 1], keep within."""
    needed = share * sum(counts.values())
    seen = 0
    for length in sorted(counts):
        seen += counts[length]
        if seen >= needed:
            return length
    raise ValueError("no lengths")


def _counts(manifest: Manifest) -> str:
    """Return a table of the records per source and split."""
    numbers = {
        name: [*(source.records.get(split, 0) for split in SPLITS), sum(source.dropped.values())]
        for name, source in manifest.sources.items()
    }
    if len(numbers) > 1:
        numbers["total"] = [sum(column) for column in zip(*numbers.values(), strict=True)]
    rows = [(name, *(f"{n:,}" for n in row)) for name, row in numbers.items()]
    return table([("source", *SPLITS, "left out"), *rows])


def _label_chart(manifest: Manifest, task: str) -> str:
    """Return the labels of a task by their number of training records, with a bar each."""
    counts = manifest.label_counts[task]
    numbers = {
        label: [counts.get(label, {}).get(split, 0) for split in SPLITS]
        for label in manifest.labels[task]
    }
    most = max(row[0] for row in numbers.values())
    rows = [
        (one_line(label, 48), *(f"{n:,}" for n in row), bar(row[0], most))
        for label, row in sorted(numbers.items(), key=lambda item: (-item[1][0], item[0]))
    ]
    left = (0, len(SPLITS) + 1)
    return f"labels of {task}\n{indented(table([('label', *SPLITS, ''), *rows], left=left))}"


def _shown(record: Example) -> str:
    fields = ("instruction", "input", "output")
    lines = [
        f"  {name + ':':12} {one_line(text)}" for name in fields if (text := getattr(record, name))
    ]
    return "\n".join([f"{record.task} {record.id}", *lines])
