"""Which records stay: none that repeats another or leaks into train, no more than --limit."""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, zip_longest

from tqdm import tqdm

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import SPLITS, Split
from tuneproof.formats.example import TEST_PROMPTS, read_prompts
from tuneproof.formats.regressions import ASKED, NAME, read_items
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.manifest import Tally
from tuneproof.prepdata.near.index import DuplicateIndex
from tuneproof.prepdata.spool import Entry, Spool

Pool = dict[str, list[Entry]]
"""A source's records of one split, by label."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """A record that was left out, and the one it repeats."""

    reason: str
    """Its split, what it is, and the split of the other: ``train: near-duplicate of test``."""
    offset: int
    """Of the record, in the spool."""
    other: int
    """Of the one it repeats."""


def without_repeats(
    entries: list[Entry], spool: Spool, config: BuildConfig, dropped: Tally, noted: Tally
) -> tuple[list[Entry], list[Repeat]]:
    """Drop what stands in a more precious split too: test goes before validation before train.

    The test split is left as it is, and with `duplicates: keep` all splits are: what repeats is
    counted only. From train, repeats within train, prompts of the prompt file that comes with the
    project and items that are asked for regressions are dropped as well. A question that stands in
    train with several answers stays, and is noted.

    Returns:
        The entries that stay, and what was dropped as a repeat.
    """
    offsets = array("Q", [entry.offset for entry in entries])
    asked = [(TEST_PROMPTS.name, record) for record in read_prompts(TEST_PROMPTS)]
    asked += [(NAME, item.example()) for item in read_items(ASKED)]
    offsets.extend(spool.add(record) for _, record in asked)
    index = _sketched(len(entries), offsets, spool, config)
    numbers: dict[str | None, list[int]] = {split: [] for split in SPLITS}
    for number, entry in enumerate(entries):
        numbers[entry.split].append(number)
    kept, repeats = numbers["test"], []
    for number in kept:
        index.add(number, is_held_out=True)
    for split in ("validation", "train"):
        held_out = {(entries[number].source, entries[number].group) for number in kept}
        chosen: list[int] = []
        numbered = tqdm(numbers[split], desc=f"comparing {split}", disable=None, file=sys.stderr)
        for number, repeated in index.find(numbered):
            entry = entries[number]
            if repeated is not None:
                kind, other = repeated
                is_entry = other < len(entries)
                origin = entries[other].split if is_entry else asked[other - len(entries)][0]
                reason = f"{split}: {kind} of {origin}"
                if config.duplicates == "keep":
                    noted[entry.source][f"{reason}, and kept"] += 1
                    chosen.append(number)
                    continue
                dropped[entry.source][reason] += 1
                repeats.append(Repeat(reason=reason, offset=entry.offset, other=offsets[other]))
            elif (entry.source, entry.group) in held_out and config.duplicates != "keep":
                dropped[entry.source][f"{split}: its group stands in a held-out split"] += 1
            else:
                chosen.append(number)
                if split == "train":
                    if index.has_other_answer(number):
                        noted[entry.source]["train: same question as another, other answer"] += 1
                    if config.duplicates in ("near", "exact"):
                        index.add(number)
        if split == "validation":
            for number in chosen:
                index.add(number, is_held_out=True)
        kept = kept + chosen
    return [entries[number] for number in kept], repeats


def _sketched(
    count: int, offsets: Sequence[int], spool: Spool, config: BuildConfig
) -> DuplicateIndex:
    """Return an index of all entries in their order; the project's prompts follow and are added."""
    index = DuplicateIndex(
        len(offsets),
        lambda number: spool.texts(offsets[number]),
        threshold=config.near_threshold,
        is_exact=config.duplicates not in ("near", "keep"),
        progress=partial(tqdm, desc="sketching", file=sys.stderr, disable=None),
    )
    for number in range(count, len(offsets)):
        index.add(number, is_held_out=True)
    return index


def drawn(entries: list[Entry], config: BuildConfig, dropped: Tally) -> list[Entry]:
    """Keep no more per source and split than the settings allow, by their order.

    Labels are drawn in turn, so in numbers as equal as they allow; with `balanced` in equal ones.

    Raises:
        InputError: `balanced`, and a label has fewer records than the limit asks for.
    """
    if not (config.limit or config.test_limit or config.balanced):
        return entries
    pools: dict[tuple[str, Split | None], Pool] = defaultdict(lambda: defaultdict(list))
    labels: dict[str, set[str]] = defaultdict(set)
    for entry in sorted(entries, key=lambda entry: entry.order):
        pools[entry.source, entry.split][entry.label].append(entry)
        labels[entry.source].add(entry.label)
    chosen: list[Entry] = []
    for (source, split), pool in pools.items():
        before = sum(map(len, pool.values()))
        if config.balanced and labels[source] != {""}:
            _level(pool, labels[source], config, source, split)
        left = sum(map(len, pool.values()))
        limit = config.limit_of(split) or left
        in_turn = (entry for turn in zip_longest(*pool.values()) for entry in turn if entry)
        chosen += islice(in_turn, limit)
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
    least = len(pool[smallest])
    limit = config.limit_of(split)
    wanted = limit // len(labels) if limit else least
    if least < wanted and split != "validation" and not config.allow_fewer:
        raise InputError(
            f"{source}: {split} has {least} records of label {smallest!r}, and {wanted} of each "
            f"are asked for; lower the limit, or give --allow-fewer to go on with {least} of each"
        )
    for label in labels:
        del pool[label][min(least, wanted) :]
