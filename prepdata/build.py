"""Building a data set: read the sources, split, remove what leaks or repeats, write, account."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from tuneproof.errors import InputError
from tuneproof.files import atomic_write, replacing, write_jsonl
from tuneproof.formats.data_folder import DROPPED, FILES, MANIFEST, Manifest, Split
from tuneproof.formats.example import digest
from tuneproof.locks import at_work
from tuneproof.prepdata import registry
from tuneproof.prepdata.checks.labels import check_distinct
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.manifest import Counts, Tally, check_folder, drops_as_text, manifest_of
from tuneproof.prepdata.mix import NAME, add_mixed, check_mix, check_texts, with_mix
from tuneproof.prepdata.scratch import Table
from tuneproof.prepdata.selection import drawn, without_repeats
from tuneproof.prepdata.sources.opening import local_files
from tuneproof.prepdata.sources.rows import ReadLog, matching
from tuneproof.prepdata.splits import assign, fraction_of, test_share
from tuneproof.prepdata.spool import Entries, Entry, Spool


def build(config: BuildConfig) -> Manifest:
    """Build train, validation and test files with a manifest; return the manifest.

    The files of an earlier build are replaced together, at the very end.

    Raises:
        InputError: A source is unknown or unreadable, nothing is left to train on, the folder
            holds files that this command did not write, or another process is writing it.
    """
    with at_work(config.out):
        return _build(config)


def _build(config: BuildConfig) -> Manifest:
    check_folder(config.out)
    sources = _sources(config)
    check_mix(sources, config)
    every = with_mix(sources, config)
    dropped: Tally = {name: Counter() for name in every}
    noted: Tally = {name: Counter() for name in every}
    logs = {name: ReadLog() for name in every}
    with tempfile.TemporaryFile() as texts, tempfile.TemporaryFile() as numbered:
        spool, entries = Spool(texts), Entries(numbered)
        with _no_search_for_cycles():
            _read(sources, config, spool, entries, dropped, noted, logs)
            numbers, repeats = without_repeats(entries, spool, config, dropped, noted)
        numbers = drawn(entries, numbers, config, dropped)
        numbers = add_mixed(entries, numbers, spool, config, logs.get(NAME, ReadLog()))
        numbers = entries.in_order(numbers)
        counts = Counts.of(entries.facts(numbers))
        if not counts.records["train"]:
            raise InputError(
                f"nothing is left to train on: {counts.as_text(dropped)} "
                "(a file whose name speaks of validation or test is held out)"
            )
        with replacing(config.out, DROPPED, *FILES.values(), MANIFEST) as folder:
            write_jsonl(
                folder / DROPPED,
                (
                    {
                        "reason": r.reason,
                        "record": spool.row(r.offset),
                        "repeats": spool.row(r.other),
                    }
                    for r in repeats
                ),
            )
            for split, name in FILES.items():
                with atomic_write(folder / name, "wb") as lines:
                    lines.writelines(map(spool.line, entries.offsets(numbers, split)))
            manifest = manifest_of(folder, config, every, counts, dropped, noted, logs)
            manifest.write(folder)
    return manifest


def _sources(config: BuildConfig) -> dict[str, Path | None]:
    """Return the path (None: the Hub) of every source, in the order given."""
    sources: dict[str, Path | None] = {}
    for text in config.source:
        name, _, path = text.partition("=")
        registry.find(name)
        if name in sources:
            raise InputError(f"source {name!r} is given twice; a folder can hold several files")
        if path and name.startswith(registry.HUB):
            raise InputError(f"{text}: what begins with hub: has no path; type jsonl={path}")
        sources[name] = Path(path).expanduser() if path else None
    for local in filter(None, sources.values()):
        local_files(local)  # a mistyped path is an error before hours of reading
    if config.has_own_fields and not any(registry.find(name).is_own for name in sources):
        raise InputError("the options for fields are for the sources csv, jsonl and hub only")
    return sources


def _read(
    sources: dict[str, Path | None],
    config: BuildConfig,
    spool: Spool,
    entries: Entries,
    dropped: Tally,
    noted: Tally,
    logs: dict[str, ReadLog],
) -> None:
    """Read every source into the spool, and add its entries with their splits assigned."""
    for name, path in sources.items():
        reader, first = _Reader(name, path, config, spool), len(entries)
        reader.read(entries, dropped[name], noted[name], logs[name])
        if reader.shared_ids:  # so rows are told apart by more, whatever the file's order
            for tally in (dropped[name], noted[name]):
                tally.clear()
            logs[name] = ReadLog()
            entries.cut(first)
            reader.read(entries, dropped[name], noted[name], logs[name])
        if len(entries) == first:
            where = f"source {name!r}" + (f": {path}" if path else "")
            raise InputError(f"{where} holds no usable row: {drops_as_text(dropped[name])}")
        if reader.source.labels == ():
            check_distinct(name, entries.labels(first))
        offered, groups = entries.splits(first), entries.groups(first)
        share = config.test_fraction
        if share is None:
            share = test_share(groups)
        if offered == {None} and share != config.test_fraction:
            logs[name].remark(
                f"{share:.0%} held out for test; --test-fraction chooses another share"
            )
        split_of = partial(
            assign, offered=offered, val_fraction=config.val_fraction, test_fraction=share
        )
        entries.assign(first, split_of)


class _Reader:
    """Reads one source, again where ids turn out to be shared by rows that are different."""

    def __init__(
        self,
        name: str,
        path: Path | None,
        config: BuildConfig,
        spool: Spool,
    ) -> None:
        self._name, self._path = name, path
        self._config, self._spool = config, spool
        self.source = registry.find(name, config)
        """What is known of the source; after reading, whether its rows have labels too."""
        self.shared_ids: set[tuple[Split | None, str]] = set()
        """The ids that more than one row of a split has, with other contents."""

    def read(
        self, entries: Entries, dropped: Counter[str], noted: Counter[str], log: ReadLog
    ) -> None:
        """Add the entries of the rows that are kept; count the others by reason."""
        name = self._name
        known, sharing = frozenset(self.shared_ids), 0
        contents = Table()
        rows = registry.rows(name, self.source, self._path, log)
        first = next(rows, None)
        if first is None:
            return
        config = registry.fitted(self.source, first, self._config, log)
        source = self.source = registry.find(name, config)
        check_texts(source, name, config)
        record_of = registry.mapper(name, source, config, log)
        rows = matching(chain([first], rows), self._config.where, dropped)
        for row in tqdm(rows, desc=f"reading {name}", unit=" rows", file=sys.stderr, disable=None):
            record = record_of(row)
            if isinstance(record, str):
                dropped[record] += 1
                continue
            if not record.instruction or not record.output:
                dropped["empty answer" if record.instruction else "empty instruction"] += 1
                continue
            texts = (record.instruction, record.input, record.output)
            if (row.split, record.id) in known:
                record, sharing = (
                    replace(record, id=f"{record.id}-{digest(*texts)[:8]}"),
                    sharing + 1,
                )
            key, content = (row.split, record.id), hash(texts)
            before = len(contents)
            earlier = contents.setdefault(hash(key), content)
            if len(contents) == before:
                if earlier == content or not source.is_own:
                    dropped["same id as an earlier row"] += 1
                else:
                    self.shared_ids.add(key)
                continue
            if source.notes is not None:
                noted.update(source.notes(row))
            entries.add(
                Entry(
                    offset=self._spool.add(record),
                    source=name,
                    split=row.split,
                    group=fraction_of(record.group),
                    label=record.output if source.labels is not None else "",
                    order=fraction_of(record.id, f"{self._config.seed} {name}"),
                )
            )
        if sharing:
            log.remark(
                f"{sharing:,} rows share their id with a row of other content; all are kept, with "
                "longer ids"
            )


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Hold the garbage collector still: it would go through all entries again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
