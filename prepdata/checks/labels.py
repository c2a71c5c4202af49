"""Checks of labels: alike, misspelt, never seen, unbalanced, swapped, contradicting each other."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from tuneproof.errors import InputError
from tuneproof.finding import Finding, finding, quoted, share
from tuneproof.formats.data_folder import DataFolder, Split
from tuneproof.formats.example import Example
from tuneproof.labels import normalize_label, spellings
from tuneproof.prepdata.checks.advice import DATA

Key = int
"""What makes two questions the same: a hash of their words, signs and figures."""
LabelCounts = Mapping[str, Mapping[Split, int]]
"""Number of records by label and split."""
Predict = Callable[[Sequence[Example], Sequence[Example], Sequence[str]], Sequence[str]]
"""Learns from examples and returns a label for each of others, given the label set."""

MOST_LABELS = 20
"""Without a manifest a task counts as labelled when it has so few different outputs, ..."""
RECORDS_PER_LABEL = 10
"""... each so many times on average."""
ALIKE = 0.85
"""Similarity (difflib's ratio, in [0, 1]) from which a rare label may be a misspelling."""
RARE = 0.02
"""... where it has at most this share of the other's records: a true class is seldom so rare."""
UNSEEN = 0.05
"""Share of the test records with labels that train lacks from which it is an error."""
CONTRADICTING = 0.01
"""Share of the records with a twin of another label from which it is a finding."""
IMBALANCE = 10
"""The commonest label is warned of when it has so many times the records of the rarest."""
CHECKED = 2_000
"""Test records that the order of the labels is checked on."""
LEARNED = 20_000
"""Training records that the check learns the labels from."""


def check_distinct(task: str, labels: Iterable[str]) -> None:
    """Raise InputError where two labels are one but for case, spaces or outer punctuation."""
    for same in spellings(sorted(labels)):
        listed = ", ".join(map(repr, same))
        raise InputError(f"{task}: the labels {listed} are the same word; write them alike")


def check_counts(task: str, labels: Sequence[str], counts: LabelCounts) -> Iterator[Finding]:
    """Yield what one should know of a label set before training on it, from its counts alone."""
    yield from _unseen(task, counts)
    train = {label: counts.get(label, {}).get("train", 0) for label in labels}
    for label in labels:
        if not any(counts.get(label, {}).values()):
            yield finding(DATA, "label-unused", f"{task}: label {label!r}: no record has it")
    present = {label: n for label, n in train.items() if n}
    if len(present) == 1:
        yield finding(
            DATA, "one-label", f"{task}: train has one label only, {next(iter(present))!r}"
        )
    if present and max(present.values()) > IMBALANCE * min(present.values()):
        most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        yield finding(
            DATA,
            "labels-unbalanced",
            f"{task}: unbalanced: {most!r} has {present[most]:,} training records, "
            f"{least!r} has {present[least]:,}",
        )
    for label in labels:
        longer = [other for other in labels if other != label and other.startswith(label)]
        if longer:
            listed = ", ".join(map(repr, longer))
            evidence = f"{task}: label {label!r} is also how {listed} begins"
            yield finding(DATA, "label-begins-another", evidence)


def check_labels(folder: DataFolder, keys: Mapping[Split, Sequence[Key]]) -> Iterator[Finding]:
    """Yield what is wrong with the labels of each classification task.

    Args:
        folder: The records.
        keys: What makes two questions the same, of each record.
    """
    for task in folder.tasks:
        known = folder.labels.get(task)
        if known is None and _has_many(folder, task):
            continue
        counts: dict[str, dict[Split, int]] = defaultdict(dict)
        for split, part in folder.splits.items():
            for label, n in Counter(r.output for r in part if r.task == task).items():
                counts[label][split] = n
        if known is None and not _looks_labelled(counts):
            continue
        if known is not None:
            yield from _unknown(folder, task, known)
        yield from _unseen(task, counts)
        yield from _alike(folder, task, {label: sum(n.values()) for label, n in counts.items()})
        yield from _contradictions(folder, task, keys["train"])


def check_swapped(folder: DataFolder, predict: Predict) -> Iterator[Finding]:
    """Yield tasks whose labels mean one thing in train and another in test.

    Args:
        folder: The records.
        predict: A classifier that learns train and labels the test; a renaming of what it says
            that does decisively better (`tuneproof.label_order`) is a swap.
    """
    from tuneproof.label_order import check_mapping

    for task in sorted(folder.labels.keys() & set(folder.tasks)):
        labels = folder.labels[task]
        train, test = (
            [record for record in part if record.task == task and record.output in labels]
            for part in (folder.train[:LEARNED], folder.test[:CHECKED])
        )
        if len(labels) < 2 or not test or len({record.output for record in train}) < 2:
            continue
        right = [record.output for record in test]
        mapping = check_mapping(right, predict(train, test, labels), labels)
        if mapping.is_turned:
            read = ", ".join(f"{a!r} in train is {b!r} in test" for a, b in mapping.renamed.items())
            yield finding(
                DATA,
                "labels-swapped",
                f"{task}: TF-IDF and logistic regression are right in {mapping.accuracy:.1%} of "
                f"{len(test):,} test records, but in {mapping.best_accuracy:.1%} if {read}",
            )


def _has_many(folder: DataFolder, task: str) -> bool:
    """Return whether a task has too many different outputs to be labels."""
    outputs: set[str] = set()
    for record in folder.train:
        if record.task == task:
            outputs.add(record.output)
            if len(outputs) > MOST_LABELS:
                return True
    return False


def _looks_labelled(counts: LabelCounts) -> bool:
    train = [n for by_split in counts.values() if (n := by_split.get("train", 0))]
    return 1 < len(train) <= MOST_LABELS and sum(train) >= RECORDS_PER_LABEL * len(train)


def _unknown(folder: DataFolder, task: str, known: Sequence[str]) -> Iterator[Finding]:
    for split, records in folder.splits.items():
        strange = [r for r in records if r.task == task and r.output not in known]
        if not strange:
            continue
        first = strange[0]
        near = difflib.get_close_matches(first.output, known, n=1, cutoff=0.5)
        hint = f" (did it mean {near[0]!r}?)" if near else ""
        yield finding(
            DATA,
            "label-unknown",
            f"{share(len(strange), len(records))} {split} records of {task} have a label that "
            f"manifest.json does not name; {first.id}: {quoted(first.output)}{hint}",
            file=folder.file(split),
        )


def _unseen(task: str, counts: LabelCounts) -> Iterator[Finding]:
    """Find labels that train lacks and a held-out split asks for."""
    splits: tuple[Split, ...] = ("test", "validation")
    for split in splits:
        asked = {label: n for label, by_split in counts.items() if (n := by_split.get(split))}
        unseen = sorted(label for label in asked if not counts[label].get("train"))
        count, total = sum(asked[label] for label in unseen), sum(asked.values())
        if unseen:
            yield finding(
                DATA,
                "label-unseen",
                f"{share(count, total)} {split} records of {task} have a label that train never "
                f"shows: {', '.join(map(quoted, unseen[:MOST_LABELS]))}",
                severity="error" if split == "test" and count >= UNSEEN * total else "warning",
            )


def _alike(folder: DataFolder, task: str, counts: Mapping[str, int]) -> Iterator[Finding]:
    """Find labels that are one but for their spelling, or of which one is a rare misspelling."""
    for one, other in combinations(sorted(counts), 2):
        most, least = sorted((one, other), key=lambda label: counts[label], reverse=True)
        is_same = normalize_label(one) == normalize_label(other)
        is_rare = counts[least] <= RARE * counts[most]
        if is_same or (is_rare and _is_misspelling(least, most)):
            yield finding(
                DATA,
                "labels-alike",
                f"{task}: {least!r} ({counts[least]:,} records) is nearly {most!r} "
                f"({counts[most]:,})",
                severity="error" if is_same else "warning",
                file=folder.file("train"),
            )


def _is_misspelling(one: str, other: str) -> bool:
    """Return whether two labels differ by a letter or two; figures tell labels apart."""
    if re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    return difflib.SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= ALIKE


def _contradictions(folder: DataFolder, task: str, keys: Sequence[Key]) -> Iterator[Finding]:
    labels: dict[Key, set[str]] = defaultdict(set)
    records = [(k, r) for k, r in zip(keys, folder.train, strict=True) if r.task == task]
    for key, record in records:
        labels[key].add(record.output)
    conflicting = [record for key, record in records if len(labels[key]) > 1]
    if conflicting and len(conflicting) >= CONTRADICTING * len(records):
        first = conflicting[0]
        yield finding(
            DATA,
            "labels-contradict",
            f"{share(len(conflicting), len(records))} training records of {task} have a twin with "
            f"another label; {first.id}: {quoted(first.text)}",
            file=folder.file("train"),
        )
