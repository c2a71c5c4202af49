"""Which split a record belongs to: decided by the record alone, not by order, seed or neighbours.

A source's official splits are kept. Where there are none, the hash of the record's group decides,
so a group is never cut in two, the test file is the same for everybody, and a row keeps its place
when the source grows. Where a source has only one held-out split it is the test split, whatever it
is called, and validation is taken from train (as is usual for data whose test answers are secret).
"""

from __future__ import annotations

from collections.abc import Set

from tuneproof.formats.data_folder import Split
from tuneproof.formats.example import digest, normalised

ENOUGH = 100
"""Records of a test set that show a difference of 10 percentage points (1 / sqrt(n))."""
SHARES = (0.05, 0.1, 0.2)


def assign(
    fraction: float,
    official: Split | None,
    offered: Set[Split | None],
    *,
    val_fraction: float,
    test_fraction: float,
) -> Split:
    """Return the split of a record.

    Args:
        fraction: The hash of what must stay together (`fraction_of` its name), in [0, 1).
        official: The split the source names, if any.
        offered: All the splits the source names.
        val_fraction: Share of the rows that goes to validation where the source names none.
        test_fraction: Share of the rows that goes to test where the source names no split at all.
    """
    held_out = offered & {"validation", "test"}
    if official is not None and official in held_out:
        return official if len(held_out) == 2 else "test"
    if not held_out:
        if fraction < test_fraction:
            return "test"
        fraction -= test_fraction
    if len(held_out) < 2 and fraction < val_fraction:
        return "validation"
    return "train"


def test_share(groups: int) -> float:
    """Return the share that becomes test where the user names none.

    There are few to choose from, so that it seldom changes when a source grows; the records of a
    smaller share are all among those of a larger.

    Args:
        groups: How many there are of what must stay together.
    """
    return next((share for share in SHARES if share * groups >= ENOUGH), SHARES[-1])


def fraction_of(text: str, salt: str = "") -> float:
    """Return a number in [0, 1) that depends on the normalised text (and a salt) alone."""
    return int(digest(salt, normalised(text) or text)[:13], 16) / 16**13
