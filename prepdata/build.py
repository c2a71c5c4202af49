"""Building a data set: read the sources, split, remove what leaks or repeats, write, account.

Every record goes through a temporary file, so that memory holds only a few numbers per record.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from core.errors import InputError
from core.files import write_jsonl
from prepdata import manifest, registry
from prepdata.config import BuildConfig
from prepdata.duplicates import DuplicateIndex, Texts
from prepdata.records import FILES, Record, Split
from prepdata.splits import assign, fraction_of
from prompts.prompt_files import TEST_PROMPTS, read_prompts

Dropped = dict[str, Counter[str]]
"""Counts by source and reason."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What memory holds of a record: where its text lies, and what decides its fate."""

    offset: int
    source: str
    split: Split | None
    group: float
    """The hash of the group's name, in [0, 1); it also decides the split where a source has none."""
    label: str
    place: float
    """Where in the output file it stands, and whether --limit draws it; in [0, 1)."""


class Spool:
    """Records in a temporary file, to be read again by offset."""

    def __init__(self, handle: IO[bytes]) -> None:
        """Write to an empty binary file opened for reading and writing."""
        self._handle = handle
        self._end = 0

    def add(self, record: Record) -> int:
        """Append a record and return its offset."""
        offset = self._end
        line = json.dumps(record.as_row()).encode() + b"\n"
        self._handle.seek(offset)
        self._handle.write(line)
        self._end += len(line)
        return offset

    def read(self, offset: int) -> Record:
        """Return the record at an offset."""
        self._handle.seek(offset)
        return Record(**json.loads(self._handle.readline()))

    def texts(self, offset: int) -> Texts:
        """Return the instruction and input of the record at an offset."""
        record = self.read(offset)
        return record.instruction, record.input


def build(config: BuildConfig) -> dict[str, Any]:
    """Build train, validation and test files with a manifest; return the manifest.

    Raises:
        InputError: A source is unknown or unreadable, nothing is left to train on, or the folder
            holds files that this command did not write.
    """
    manifest.check_folder(config.out)
    sources = _sources(config)
    dropped: Dropped = {name: Counter() for name in sources}
    with tempfile.TemporaryFile() as handle:
        spool = Spool(handle)
        entries = _read(sources, config, spool, dropped)
        entries = _without_repeats(entries, spool, dropped)
        entries = _drawn(entries, config, dropped)
        entries.sort(key=lambda entry: entry.place)
        if not any(entry.split == "train" for entry in entries):
            raise InputError("nothing is left to train on: " + manifest.drops_as_text(dropped))
        config.out.mkdir(parents=True, exist_ok=True)
        for split, name in FILES.items():
            chosen = (entry.offset for entry in entries if entry.split == split)
            write_jsonl(config.out / name, (spool.read(offset).as_row() for offset in chosen))
    return manifest.write(config, sources, _counts(entries), _labels(entries), dropped)


def _sources(config: BuildConfig) -> dict[str, Path | None]:
    """Return the path (None: the Hub) of every source, in the order given."""
    sources: dict[str, Path | None] = {}
    for text in config.source:
        name, _, path = text.partition("=")
        registry.find(name)
        if name in sources:
            raise InputError(f"source {name!r} is given twice")
        sources[name] = Path(path).expanduser() if path else None
    return sources


def _read(
    sources: dict[str, Path | None], config: BuildConfig, spool: Spool, dropped: Dropped
) -> list[Entry]:
    """Read every source into the spool; return the entries with their splits assigned."""
    entries: list[Entry] = []
    for name, path in sources.items():
        found = list(_entries(name, path, config.seed, spool, dropped[name]))
        offered = {entry.split for entry in found}
        fractions = {"val_fraction": config.val_fraction, "test_fraction": config.test_fraction}
        for entry in found:
            split = assign(entry.group, entry.split, offered, **fractions)
            entries.append(replace(entry, split=split))
    return entries


def _entries(
    name: str, path: Path | None, seed: int, spool: Spool, dropped: Counter[str]
) -> Iterator[Entry]:
    source = registry.find(name)
    seen: set[tuple[Split | None, str]] = set()
    rows = registry.rows(name, source, path)
    for row in tqdm(rows, desc=f"reading {name}", unit=" rows", file=sys.stderr, disable=None):
        record = source.record(row)
        reason = _unusable(record)
        if record is not None and (row.split, record.id) in seen:
            reason = "same id as an earlier row"
        if record is None or reason:
            dropped[reason] += 1
            continue
        seen.add((row.split, record.id))
        yield Entry(
            offset=spool.add(record),
            source=name,
            split=row.split,
            group=fraction_of(record.group),
            label=record.output if source.labels is not None else "",
            place=fraction_of(record.id, f"{seed} {name}"),
        )


def _unusable(record: Record | None) -> str:
    """Return why a record cannot be used, or nothing."""
    if record is None:
        return "no text"
    if not record.instruction:
        return "empty instruction"
    return "" if record.output else "empty answer"


def _without_repeats(entries: list[Entry], spool: Spool, dropped: Dropped) -> list[Entry]:
    """Drop what stands in a more precious split too: test goes before validation before train.

    The test split is left as it is. From train, repeats within train and prompts of the prompt
    file that comes with the project are dropped as well.
    """
    index = DuplicateIndex(spool.texts)
    origin: dict[int, str] = {}

    def remember(offsets: Iterable[int], name: str) -> None:
        for offset in offsets:
            index.add(offset, spool.texts(offset))
            origin[offset] = name

    remember([spool.add(record) for record in _test_prompts()], TEST_PROMPTS.name)
    kept = [entry for entry in entries if entry.split == "test"]
    remember((entry.offset for entry in kept), "test")
    for split in ("validation", "train"):
        groups = {entry.group for entry in kept}
        chosen: list[Entry] = []
        candidates = [entry for entry in entries if entry.split == split]
        for entry in tqdm(candidates, desc=f"comparing {split}", disable=None, file=sys.stderr):
            texts = spool.texts(entry.offset)
            repeated = index.find(texts)
            if entry.group in groups:
                dropped[entry.source][f"{split}: its group stands in a held-out split"] += 1
            elif repeated is not None:
                kind, offset = repeated
                dropped[entry.source][f"{split}: {kind} of {origin.get(offset, split)}"] += 1
            else:
                chosen.append(entry)
                if split == "train":
                    index.add(entry.offset, texts)
        if split == "validation":
            remember((entry.offset for entry in chosen), "validation")
        kept += chosen
    return kept


def _test_prompts() -> Iterator[Record]:
    """Yield the prompts that come with the project as records."""
    for item in read_prompts(TEST_PROMPTS):
        yield Record(
            id=item.id,
            task=item.task,
            instruction=item.prompt,
            input=item.input,
            output=item.reference or "",
            group=item.group,
        )


def _drawn(entries: list[Entry], config: BuildConfig, dropped: Dropped) -> list[Entry]:
    """Apply --limit: per source and split, in equal numbers per label, by the seed."""
    if config.limit is None:
        return entries
    pools: dict[tuple[str, Split | None], dict[str, list[Entry]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for entry in sorted(entries, key=lambda entry: entry.place):
        pools[entry.source, entry.split][entry.label].append(entry)
    drawn: list[Entry] = []
    for (source, _), by_label in pools.items():
        rounds = _in_turn(by_label.values())
        chosen = [entry for _, entry in zip(range(config.limit), rounds, strict=False)]
        left_out = sum(map(len, by_label.values())) - len(chosen)
        if left_out:
            dropped[source]["beyond --limit"] += left_out
        drawn += chosen
    return drawn


def _in_turn(queues: Iterable[list[Entry]]) -> Iterator[Entry]:
    """Yield the first of every queue, then the second of every queue, until all are empty."""
    waiting = [iter(queue) for queue in queues]
    while waiting:
        going = []
        for queue in waiting:
            entry = next(queue, None)
            if entry is not None:
                going.append(queue)
                yield entry
        waiting = going


def _counts(entries: list[Entry]) -> dict[str, Counter[str]]:
    """Return the number of records by split and source."""
    counts: dict[str, Counter[str]] = {split: Counter() for split in FILES}
    for entry in entries:
        counts[str(entry.split)][entry.source] += 1
    return counts


def _labels(entries: list[Entry]) -> dict[str, list[str]]:
    """Return the label set of every classification task."""
    labels: dict[str, list[str]] = {}
    for name in {entry.source for entry in entries}:
        known = registry.find(name).labels
        if known is not None:
            found = sorted({entry.label for entry in entries if entry.source == name})
            labels[name] = list(known) or found
    return labels


