"""When two labels are the same: the one rule for building data, scoring answers and the doctor.

Alike are labels that differ in case, in how Unicode writes a letter, in runs of spaces, and in
quotes, brackets or full stops around them. Every sign inside tells labels apart (``A/B`` and
``A B``), and so do signs around them that carry meaning (``C++``, ``C#``, ``-1``, ``>50K``).
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

MARKS = " \t\r\n.,;:!?\"'`*_()[]{}«»\u2018\u2019\u201c\u201d"
"""What may stand around a label, in a generated answer or a hand-written file."""


@lru_cache(maxsize=4096)
def normalize_label(text: str) -> str:
    """Return the form that two labels, or a label and an answer, share when they are the same.

    A text of `MARKS` only is kept, so that ``?`` can be a label.
    """
    folded = unicodedata.normalize("NFD", text).casefold()
    line = " ".join(unicodedata.normalize("NFC", folded).split())
    return line.strip(MARKS) or line


def spellings(labels: Iterable[str]) -> list[list[str]]:
    """Return the groups of two or more that are one label, each in the order given."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[normalize_label(label)].append(label)
    return [group for group in groups.values() if len(group) > 1]
