"""A data folder as a web page: lengths, labels, what was left out, what leaks, and its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from tuneproof import web_page
from tuneproof.errors import InputError
from tuneproof.files import read_jsonl, write_text
from tuneproof.finding import Finding, worst_first
from tuneproof.formats.data_folder import DROPPED, SPLITS, DataFolder, Split, read_manifest
from tuneproof.formats.example import Example, example_from
from tuneproof.models.load import load_tokenizer
from tuneproof.prepdata.checks.data import NearPairs, check_data, near_pairs
from tuneproof.prepdata.report import SHARES, quantile
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import lengths
from tuneproof.svg import bars

FOLDER = Path(__file__).parent
ROWS = 2_000
"""Most records in the table, evenly spread over each split."""
PAIRS = 100
"""Most pairs of a kind that are shown."""
CHARACTERS = 1_500
"""Most characters of a text on the page."""
BATCH = 500
BARS = 12
"""Most bars of one width in the chart of the lengths."""
COMMON = 0.99
"""Share of the records that these hold; longer ones have a bar of their own."""
WIDTHS = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
"""Tokens that a bar may hold."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two records that repeat each other."""

    what: str
    """What they are to each other, and where they stand."""
    record: Example
    """One of them."""
    other: Example
    """The one that it repeats."""


def write_page(folder: Path, out: Path, tokenizer: str = "tiny") -> None:
    """Write a data folder's page.

    Args:
        folder: What `prepdata build` wrote.
        out: The file.
        tokenizer: Counts the tokens.

    Raises:
        InputError: The folder is no build, or the tokenizer cannot be loaded.
    """
    read_manifest(folder)  # a folder that is none is an error
    if out.is_dir():
        raise InputError(f"--html {out} is a folder; give a file, such as {out / 'data.html'}")
    data = DataFolder(folder)
    encoder = load_tokenizer(tokenizer, purpose="count")
    template = templates.load()
    counts = {
        split: list(chain.from_iterable(
            lengths(template, encoder, records[start : start + BATCH])
            for start in range(0, len(records), BATCH)
        ))
        for split, records in data.splits.items()
    }  # fmt: skip
    near = near_pairs(data)
    findings = worst_first(check_data(data))
    write_text(out, render(data, counts, near, findings, tokenizer))


def render(
    data: DataFolder,
    counts: Mapping[Split, Sequence[int]],
    near: NearPairs,
    findings: Sequence[Finding],
    tokenizer: str,
) -> str:
    """Return the page.

    Args:
        data: The records.
        counts: Tokens of each record, by split.
        near: Pairs of nearly the same records across the splits.
        findings: What the checks say.
        tokenizer: What counted the tokens.
    """
    rows = table_rows(data, counts)
    dropped, left_out = dropped_pairs(data.path)
    across = [
        Pair(what=f"{split}, nearly in train", record=record, other=twin)
        for split, pairs in near.pairs.items()
        for record, twin in pairs
    ]
    return web_page.render(
        FOLDER / "page.html.j2",
        script=(FOLDER / "page.js.j2").read_text(encoding="utf-8"),
        data={"rows": rows, "splits": [split for split in SPLITS if data.splits[split]]},
        filters={"cut": cut},
        name=data.path.resolve().name,
        folder=data.path,
        sizes={split: len(records) for split, records in data.splits.items()},
        manifest=data.manifest,
        findings=findings,
        lengths=length_chart(counts),
        quantiles=quantiles(counts),
        labels=label_tables(data),
        tokenizer=tokenizer,
        dropped=dropped,
        left_out=left_out,
        across=across[:PAIRS],
        across_count=len(across),
        near=near,
        rows=len(rows),
        characters=CHARACTERS,
    )


def table_rows(data: DataFolder, counts: Mapping[Split, Sequence[int]]) -> list[list[Any]]:
    """Return the records of the table: split, task, id, instruction, input, output, tokens."""
    total = sum(map(len, data.splits.values()))
    rows = []
    for split, records in data.splits.items():
        count = len(records) if total <= ROWS else max(1, ROWS * len(records) // total)
        for index in _spread(len(records), min(count, len(records))):
            one = records[index]
            texts = [cut(text) for text in (one.instruction, one.input, one.output)]
            rows.append([split, one.task, one.id, *texts, counts[split][index]])
    return rows


def length_chart(counts: Mapping[Split, Sequence[int]]) -> str:
    """Return the lengths of the records in even steps, as shares of each split; empty without any.

    The longest in a hundred share a last bar, so that one long record does not flatten all others.
    """
    used = {split: values for split, values in counts.items() if values}
    if not used:
        return ""
    total = Counter(chain.from_iterable(used.values()))
    most = quantile(total, COMMON)
    width = next(w for w in WIDTHS if w * BARS >= most - min(total) + 1)
    first = min(total) // width
    last = most // width  # of the bars of one width
    steps = {
        split: Counter(min(value // width, last + 1) - first for value in values)
        for split, values in used.items()
    }
    names = [f"{step * width:,}" for step in range(first, last + 1)]
    if max(total) // width > last:
        names.append(f"{(last + 1) * width:,}+")
    groups = [
        (name, [round(100 * steps[split][index] / len(used[split]), 1) for split in used])
        for index, name in enumerate(names)
    ]
    title = f"Records by length: from so many tokens on, {width:,} at a time (% of each split)"
    return bars(title, groups, list(used))


def quantiles(counts: Mapping[Split, Sequence[int]]) -> list[tuple[str, list[int]]]:
    """Return for each split the lengths that most records keep within, and the longest."""
    return [
        (split, [*(quantile(Counter(values), share) for share in SHARES), max(values)])
        for split, values in counts.items()
        if values
    ]


def label_tables(data: DataFolder) -> list[tuple[str, list[tuple[str, list[int], float]]]]:
    """Return each task's labels: records by split, and their share of the most frequent one."""
    tables = []
    for task, labels in data.labels.items():
        numbers = {
            split: Counter(record.output for record in records if record.task == task)
            for split, records in data.splits.items()
        }
        most = max((numbers["train"][label] for label in labels), default=0) or 1
        rows = [
            (
                label,
                [numbers[split][label] for split in SPLITS],
                100 * numbers["train"][label] / most,
            )
            for label in sorted(labels, key=lambda label: (-numbers["train"][label], label))
        ]
        tables.append((task, rows))
    return tables


def dropped_pairs(folder: Path) -> tuple[list[Pair], int]:
    """Return records that were left out as repeats, evenly spread, and how many there are."""
    path = folder / DROPPED
    rows = [row for _, row in read_jsonl(path)] if path.is_file() else []
    pairs = []
    for index in _spread(len(rows), min(PAIRS, len(rows))):
        row = rows[index]
        record, other = (
            example_from(row[key], str(path), default_id="") for key in ("record", "repeats")
        )
        pairs.append(Pair(what=row["reason"], record=record, other=other))
    return pairs, len(rows)


def cut(text: str) -> str:
    """Return a text with no more than `CHARACTERS` characters."""
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]} ..."


def _spread(count: int, chosen: int) -> list[int]:
    return [number * count // chosen for number in range(chosen)]
