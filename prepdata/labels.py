"""Label sets of classification tasks: what makes them unusable, and what is worth a warning."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tuneproof.errors import InputError

LABEL_COUNTS = Mapping[str, Mapping[str, int]]
"""Number of records by label and split."""
IMBALANCE = 10
"""The commonest label is warned of when it has so many times the records of the rarest."""


def check_distinct(task: str, labels: Iterable[str]) -> None:
    """Raise InputError when two labels are the same but for case, spaces and punctuation."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        spellings[_key(label)].append(label)
    for same in spellings.values():
        if len(same) > 1:
            listed = ", ".join(map(repr, sorted(same)))
            raise InputError(f"{task}: the labels {listed} are the same word; write them alike")


def warnings(task: str, labels: Sequence[str], counts: LABEL_COUNTS) -> list[str]:
    """Return what one should know before training on these labels, one sentence each."""
    in_train = {label: counts.get(label, {}).get("train", 0) for label in labels}
    found = []
    for label in labels:
        held_out = {
            split: n for split, n in counts.get(label, {}).items() if split != "train" and n
        }
        if not in_train[label]:
            where = " and ".join(held_out)
            seen = f"train never saw it, but {where} asks for it" if where else "no record has it"
            found.append(f"{task}: label {label!r}: {seen}")
    present = {label: n for label, n in in_train.items() if n}
    if len(present) == 1:
        found.append(f"{task}: train has one label only, {next(iter(present))!r}")
    if present and max(present.values()) > IMBALANCE * min(present.values()):
        most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        found.append(
            f"{task}: unbalanced: {most!r} has {present[most]:,} training records, "
            f"{least!r} has {present[least]:,}"
        )
    for label in labels:
        longer = [other for other in labels if other != label and other.startswith(label)]
        if longer:
            listed = ", ".join(map(repr, longer))
            found.append(f"{task}: label {label!r} is also how {listed} begins")
    return found


def _key(label: str) -> str:
    """Return the label as it is compared; signs count that tell labels apart: C++, C#, -1, +."""
    text = unicodedata.normalize("NFKC", label).casefold()
    return " ".join(re.findall(r"(?<!\w)-\d+|[\w+#]+", text)) or text
