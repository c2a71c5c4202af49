"""Which records stay: none that repeats another or leaks into train, no more than --limit."""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, zip_longest

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tuneproof.errors import InputError
from tuneproof.formats.data_folder import Split
from tuneproof.formats.example import TEST_PROMPTS, read_prompts
from tuneproof.formats.regressions import ASKED, NAME, read_items
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.manifest import Tally
from tuneproof.prepdata.near.index import DuplicateIndex
from tuneproof.prepdata.spool import Entries, Numbers, Spool

Pool = dict[str, "array[int]"]
"""The numbers of a source's records of one split, by label."""
new_pool = partial(array, "q")


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """A record that was left out, and the one it repeats."""

    reason: str
    """Its split, what it is, and the split of the other: ``train: near-duplicate of test``."""
    offset: int
    """Of the record, in the spool."""
    other: int
    """Of the one it repeats."""


class Repeats:
    """The records that were left out as repeats, in few bytes each."""

    def __init__(self) -> None:
        """Begin without any."""
        self._reasons: dict[str, int] = {}
        self._columns = array("H"), array("Q"), array("Q")

    def add(self, reason: str, offset: int, other: int) -> None:
        """Add one."""
        number = self._reasons.setdefault(reason, len(self._reasons))
        for column, value in zip(self._columns, (number, offset, other), strict=True):
            column.append(value)

    def __iter__(self) -> Iterator[Repeat]:
        """Yield them in the order they were added."""
        reasons = list(self._reasons)
        for number, offset, other in zip(*self._columns, strict=True):
            yield Repeat(reason=reasons[number], offset=offset, other=other)


class _Texts:
    """What can repeat another, by number: the entries, then what is asked of every run."""

    def __init__(self, entries: Entries, spool: Spool) -> None:
        """Take the entries, and read the others into their spool."""
        asked = [(TEST_PROMPTS.name, record) for record in read_prompts(TEST_PROMPTS)]
        asked += [(NAME, item.example()) for item in read_items(ASKED)]
        self._entries, self._spool = entries, spool
        self._starts = entries.rows["offset"]
        self._asked = [(file, spool.add(record)) for file, record in asked]

    def offset(self, number: int) -> int:
        """Return where one lies in the spool."""
        first = len(self._entries)
        return int(self._starts[number]) if number < first else self._asked[number - first][1]

    def origin(self, number: int) -> str:
        """Return the split that one is of, or its file."""
        first = len(self._entries)
        if number < first:
            return str(self._entries.split(number))
        return self._asked[number - first][0]

    def index(self, config: BuildConfig) -> DuplicateIndex:
        """Return an index of all, to which those were added that are asked of every run."""
        first, count = len(self._entries), len(self._entries) + len(self._asked)
        index = DuplicateIndex(
            count,
            lambda number: self._spool.texts(self.offset(number)),
            threshold=config.near_threshold,
            is_exact=config.duplicates not in ("near", "keep"),
            progress=partial(tqdm, desc="sketching", file=sys.stderr, disable=None),
        )
        for number in range(first, count):
            index.add(number, is_held_out=True)
        return index


def without_repeats(
    entries: Entries, spool: Spool, config: BuildConfig, dropped: Tally, noted: Tally
) -> tuple[Numbers, Repeats]:
    """Drop what stands in a more precious split too: test goes before validation before train.

    The test split is left as it is, and with `duplicates: keep` all splits are: what repeats there
    is noted only. From train, repeats within train, prompts of the prompt file that comes with the
    project and items that are asked for regressions are dropped as well. A question that stands in
    train with several answers stays, and is noted where repeats within train are looked for.

    Returns:
        The numbers of the entries that stay, and what was dropped as a repeat.
    """
    texts = _Texts(entries, spool)
    index = texts.index(config)
    kept, repeats = np.zeros(0, np.int64), Repeats()
    for split in ("test", "validation", "train"):
        numbers = entries.of_split(split)
        is_cut = _groups_shared(entries, numbers, kept)
        stays = split == "test" or config.duplicates == "keep"
        chosen = array("q")
        numbered = tqdm(numbers, desc=f"comparing {split}", disable=None, file=sys.stderr)
        compared = index.find(map(int, numbered))
        for (number, repeated), of_cut_group in zip(compared, is_cut, strict=True):
            source = entries.source(number)
            if repeated is not None:
                kind, other = repeated
                reason = f"{split}: {kind} of {texts.origin(other)}"
                if not stays:
                    dropped[source][reason] += 1
                    repeats.add(reason, texts.offset(number), texts.offset(other))
                    continue
                noted[source][f"{reason}, and kept"] += 1
            elif of_cut_group:
                reason = f"{split}: its group stands in a held-out split"
                if not stays:
                    dropped[source][reason] += 1
                    continue
                noted[source][f"{reason}, and kept"] += 1
            elif split == "train" and index.has_other_answer(number):
                noted[source]["train: same question as another, other answer"] += 1
            chosen.append(number)
            if split == "test":
                index.add(number, is_held_out=True)
            elif split == "train" and repeated is None and config.duplicates in ("near", "exact"):
                index.add(number)
        if split == "validation":
            for number in chosen:
                index.add(number, is_held_out=True)
        kept = np.concatenate([kept, np.array(chosen, np.int64)])
    return kept, repeats


def _groups_shared(entries: Entries, numbers: Numbers, held: Numbers) -> NDArray[np.bool_]:
    """Return whether each of some entries has source and group with one of the others in common."""
    groups, sources = entries.rows["group"], entries.rows["source"]
    is_shared = np.zeros(len(numbers), bool)
    for source in np.unique(sources[held]):
        of_source = sources[numbers] == source
        theirs = np.unique(groups[held[sources[held] == source]])
        ours = groups[numbers[of_source]]
        positions = np.minimum(np.searchsorted(theirs, ours), len(theirs) - 1)
        is_shared[of_source] = theirs[positions] == ours
    return is_shared


def drawn(entries: Entries, numbers: Numbers, config: BuildConfig, dropped: Tally) -> Numbers:
    """Keep no more per source and split than the settings allow, by their order.

    Labels are drawn in turn, so in numbers as equal as they allow; with `balanced` in equal ones.

    Args:
        entries: All that were read.
        numbers: Those to choose from.
        config: The settings.
        dropped: Gets the numbers of those that are left out.

    Raises:
        InputError: `balanced`, and a label has fewer records than the limit asks for.
    """
    if not (config.limit or config.test_limit or config.balanced):
        return numbers
    pools: dict[tuple[str, Split | None], Pool] = defaultdict(lambda: defaultdict(new_pool))
    labels: dict[str, set[str]] = defaultdict(set)
    ordered = entries.in_order(numbers)
    for number, (source, split, label) in zip(ordered, entries.facts(ordered), strict=True):
        pools[source, split][label].append(number)
        labels[source].add(label)
    chosen = new_pool()
    for (source, split), pool in pools.items():
        before = sum(map(len, pool.values()))
        if config.balanced and labels[source] != {""}:
            _level(pool, labels[source], config, source, split)
        left = sum(map(len, pool.values()))
        limit = config.limit_of(split) or left
        in_turn = (n for turn in zip_longest(*pool.values()) for n in turn if n is not None)
        chosen.extend(islice(in_turn, limit))
        dropped[source].update(
            {"to balance the labels": before - left, "beyond --limit": max(0, left - limit)}
        )
    for source in labels:
        dropped[source] = +dropped[source]  # reasons that fit no row are none
    return np.array(chosen, np.int64)


def _level(
    pool: Pool, labels: set[str], config: BuildConfig, source: str, split: Split | None
) -> None:
    """Cut every label's records to the number that the smallest has, or the limit's share.

    In validation, and where fewer are allowed, that is the smallest that has any.
    """
    if split == "validation" or config.allow_fewer:
        labels = {label for label in labels if pool[label]}
        if not labels:
            return
    smallest = min(sorted(labels), key=lambda label: len(pool[label]))
    least = len(pool[smallest])
    limit = config.limit_of(split)
    if limit and limit < len(labels) and split != "validation":
        raise InputError(
            f"{source}: {limit} records of {split or 'all'} are under one of each of "
            f"{len(labels)} labels; raise the limit, or leave out --balanced"
        )
    wanted = max(1, limit // len(labels) if limit else least)
    if least < wanted and split != "validation" and not config.allow_fewer:
        raise InputError(
            f"{source}: {split} has {least} records of label {smallest!r}, and {wanted} of each "
            f"are asked for; lower the limit, or give --allow-fewer to go on "
            + (f"with {least} of each" if least else "without that label there")
        )
    for label in labels:
        del pool[label][min(least, wanted) :]
