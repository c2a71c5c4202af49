"""Which records stay: none that repeats another or leaks into train, no more than --limit."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from core.errors import InputError
from prepdata.config import BuildConfig
from prepdata.duplicates import DuplicateIndex
from prepdata.records import Record, Split
from prepdata.spool import Entry, Spool
from prompts.prompt_files import TEST_PROMPTS, read_prompts

Dropped = dict[str, Counter[str]]
"""How many rows were left out, by source and reason."""

Pool = dict[str, list[Entry]]
"""A source's records of one split, by label."""


def without_repeats(entries: list[Entry], spool: Spool, dropped: Dropped) -> list[Entry]:
    """Drop what stands in a more precious split too: test goes before validation before train.

    The test split is left as it is. From train, repeats within train and prompts of the prompt
    file that comes with the project are dropped as well.
    """
    index = DuplicateIndex(spool.texts, len(entries))
    origin: dict[int, str] = {}

    def remember(offsets: Iterable[int], name: str) -> None:
        for offset in offsets:
            index.add(offset, spool.texts(offset))
            origin[offset] = name

    remember([spool.add(record) for record in _test_prompts()], TEST_PROMPTS.name)
    kept = [entry for entry in entries if entry.split == "test"]
    remember((entry.offset for entry in kept), "test")
    for split in ("validation", "train"):
        held_out = {(entry.source, entry.group) for entry in kept}
        chosen: list[Entry] = []
        candidates = [entry for entry in entries if entry.split == split]
        for entry in tqdm(candidates, desc=f"comparing {split}", disable=None, file=sys.stderr):
            texts = spool.texts(entry.offset)
            repeated = index.find(texts)
            if repeated is not None:
                kind, offset = repeated
                dropped[entry.source][f"{split}: {kind} of {origin.get(offset, split)}"] += 1
            elif (entry.source, entry.group) in held_out:
                dropped[entry.source][f"{split}: its group stands in a held-out split"] += 1
            else:
                chosen.append(entry)
                if split == "train":
                    index.add(entry.offset, texts)
        if split == "validation":
            remember((entry.offset for entry in chosen), "validation")
        kept += chosen
    return kept


def drawn(entries: list[Entry], config: BuildConfig, dropped: Dropped) -> list[Entry]:
    """Keep no more per source and split than the settings allow, by place.

    Labels are drawn in turn, so in numbers as equal as they allow; with `balanced` in equal ones.

    Raises:
        InputError: `balanced`, and a label has fewer records than the limit asks for.
    """
    if not (config.limit or config.test_limit or config.balanced):
        return entries
    pools: dict[tuple[str, Split | None], Pool] = defaultdict(lambda: defaultdict(list))
    labels: dict[str, set[str]] = defaultdict(set)
    for entry in sorted(entries, key=lambda entry: entry.place):
        pools[entry.source, entry.split][entry.label].append(entry)
        labels[entry.source].add(entry.label)
    chosen: list[Entry] = []
    for (source, split), pool in pools.items():
        before = sum(map(len, pool.values()))
        if config.balanced and labels[source] != {""}:
            _level(pool, labels[source], config, source, split)
        left = sum(map(len, pool.values()))
        limit = config.limit_of(split) or left
        chosen += [entry for _, entry in zip(range(limit), _in_turn(pool.values()), strict=False)]
        dropped[source].update(
            {"to balance the labels": before - left, "beyond --limit": max(0, left - limit)}
        )
    for source in labels:
        dropped[source] = +dropped[source]  # reasons that fit no row are none
    return chosen


def _level(
    pool: Pool, labels: set[str], config: BuildConfig, source: str, split: Split | None
) -> None:
    """Cut every label's records to the number that the smallest has, or the limit's share."""
    smallest = min(sorted(labels), key=lambda label: len(pool[label]))
    found = len(pool[smallest])
    limit = config.limit_of(split)
    wanted = limit // len(labels) if limit else found
    if found < wanted and split != "validation" and not config.allow_fewer:
        raise InputError(
            f"{source}: {split} has {found} records of label {smallest!r}, and {wanted} of each "
            f"are asked for; lower the limit, or give --allow-fewer to go on with {found} of each"
        )
    for label in labels:
        del pool[label][min(found, wanted) :]


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
