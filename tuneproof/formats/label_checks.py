"""Check the labels of a comparison file: the label set, the labels in it, their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.errors import InputError, unknown
from tuneproof.labels import spellings

TOLERANCE = 1e-3
"""How far probabilities may be from what they should be, so that a file may round them."""


def check_labels(where: str, labels: Sequence[Any]) -> tuple[str, ...]:
    """Return the label set, or raise InputError when generated answers could not tell it apart."""
    for label in labels:
        if not isinstance(label, str) or not label.strip():
            raise InputError(f"{where}: label {label!r} is not a text; labels are texts")
    for one, other, *_ in spellings(labels):
        raise InputError(
            f"{where}: labels {one!r} and {other!r} are the same but for case, spaces and "
            "outer punctuation; give each a name of its own"
        )
    if len(labels) < 2:
        raise InputError(f"{where}: {len(labels)} label; a label set has at least two")
    return tuple(labels)


def check_label(where: str, label: str | None, labels: Sequence[str]) -> str:
    """Return a label of the set, or raise InputError naming the nearest one."""
    if label is None:
        raise InputError(f"{where} is missing; the file has 'labels', so it must be one of them")
    if label not in labels:
        raise InputError(f"{where}: {unknown('label', label, labels)}")
    return label


def check_probabilities(
    where: str, row: Mapping[str, Any], label: str | None, labels: Sequence[str]
) -> dict[str, float]:
    """Return the probabilities in the order of the label set.

    Raises:
        InputError: They are not for exactly the label set, not probabilities, do not sum to 1, or
            the highest is not that of `label`.
    """
    for name in row:
        if name not in labels:
            raise InputError(f"{where}: {unknown('label', name, labels)}")
    for name in labels:
        value = row.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            stated = "missing" if name not in row else repr(value)
            raise InputError(f"{where}: {name!r} is {stated}; expected a probability from 0 to 1")
    total = sum(row.values())
    if abs(total - 1) > TOLERANCE:
        raise InputError(f"{where}: the probabilities sum to {total:.4g}; expected 1")
    if not label or row[label] < max(row.values()) - TOLERANCE:
        stated = repr(label) if label else "none"
        raise InputError(
            f"{where}: 'label' is {stated}; expected the most probable one, "
            f"{max(row, key=row.__getitem__)!r}"
        )
    return {name: float(row[name]) for name in labels}
