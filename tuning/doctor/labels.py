"""Labels of the records: misspelt, never seen, alike, or contradicting each other."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from tuneproof.eval.metrics.labels import normalize_label
from tuneproof.finding import Finding, found, quoted, share
from tuneproof.formats.example import Example, Split
from tuneproof.tuning.doctor.folder import Folder, Key
from tuneproof.tuning.doctor.registry import DATA

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
"""Share of the records with a twin of another label from which it is told."""


def check_labels(folder: Folder, keys: Mapping[Split, Sequence[Key]]) -> Iterator[Finding]:
    """Yield what is wrong with the labels of each classification task."""
    for task in sorted({record.task for record in folder.train}):
        known = folder.labels.get(task)
        outputs = {
            split: Counter(record.output for record in part if record.task == task)
            for split, part in folder.splits.items()
        }
        if known is None and not _looks_labelled(outputs["train"]):
            continue
        if known is not None:
            yield from _unknown(folder, task, known)
        yield from _unseen(task, outputs)
        yield from _alike(folder, task, sum(outputs.values(), Counter()))
        yield from _contradictions(folder, task, keys["train"])


def labelled_tasks(folder: Folder) -> list[str]:
    """Return the tasks of a folder whose manifest names their labels."""
    return sorted(folder.labels.keys() & {record.task for record in folder.train})


def _looks_labelled(outputs: Counter[str]) -> bool:
    return 1 < len(outputs) <= MOST_LABELS and outputs.total() >= RECORDS_PER_LABEL * len(outputs)


def _unknown(folder: Folder, task: str, known: Sequence[str]) -> Iterator[Finding]:
    for split, records in folder.splits.items():
        strange = [each for each in records if each.task == task and each.output not in known]
        if not strange:
            continue
        first = strange[0]
        near = difflib.get_close_matches(first.output, known, n=1, cutoff=0.5)
        hint = f" (did it mean {near[0]!r}?)" if near else ""
        yield found(
            DATA,
            "label-unknown",
            f"{share(len(strange), len(records))} {split} records of {task} have a label that "
            f"manifest.json does not name; {first.id}: {quoted(first.output)}{hint}",
            file=folder.file(split),
        )


def _unseen(task: str, outputs: Mapping[Split, Counter[str]]) -> Iterator[Finding]:
    unseen = {label: n for label, n in outputs["test"].items() if label not in outputs["train"]}
    if unseen:
        count, total = sum(unseen.values()), outputs["test"].total()
        yield found(
            DATA,
            "label-unseen",
            f"{share(count, total)} test records of {task} have a label that train never shows: "
            f"{', '.join(quoted(label) for label in sorted(unseen)[:5])}",
            severity="error" if count >= UNSEEN * total else "warning",
        )


def _alike(folder: Folder, task: str, outputs: Counter[str]) -> Iterator[Finding]:
    """Find labels that are one but for case and spaces, or of which one is a rare misspelling."""
    for one, other in combinations(sorted(outputs), 2):
        most, least = sorted((one, other), key=lambda label: outputs[label], reverse=True)
        is_same = normalize_label(one) == normalize_label(other)
        if not is_same and not (
            outputs[least] <= RARE * outputs[most] and _is_misspelling(least, most)
        ):
            continue
        yield found(
            DATA,
            "labels-alike",
            f"{task}: {least!r} ({outputs[least]:,} records) is nearly {most!r} "
            f"({outputs[most]:,})",
            severity="error" if is_same else "warning",
            file=folder.file("train"),
        )


def _is_misspelling(one: str, other: str) -> bool:
    """Return whether two labels differ by a letter or two; figures tell labels apart."""
    if re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    return difflib.SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= ALIKE


def _contradictions(folder: Folder, task: str, keys: Sequence[Key]) -> Iterator[Finding]:
    labels: dict[Key, set[str]] = defaultdict(set)
    records = [
        (each, record)
        for each, record in zip(keys, folder.train, strict=True)
        if record.task == task
    ]
    for each, record in records:
        labels[each].add(record.output)
    torn: list[Example] = [record for each, record in records if len(labels[each]) > 1]
    if len(torn) >= CONTRADICTING * len(records) and torn:
        yield found(
            DATA,
            "labels-contradict",
            f"{share(len(torn), len(records))} training records of {task} have a twin with another "
            f"label; {torn[0].id}: {quoted(torn[0].input or torn[0].instruction)}",
            file=folder.file("train"),
        )
