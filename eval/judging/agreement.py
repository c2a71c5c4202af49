"""Krippendorff's alpha: how far several people who judged the same items agree beyond chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


def krippendorff_alpha(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Return alpha for values without an order; 1 is agreement, 0 what chance would bring.

    1 - observed / expected disagreement, over all pairs of values of one unit and over all pairs of
    values at all (Krippendorff, 2011, Computing Krippendorff's Alpha-Reliability). Units may have
    different numbers of values; those with fewer than two say nothing.

    Args:
        units: The values that each unit was given.

    Returns:
        At most 1; None where no unit has two values, or only one value was ever given, so that
        there is nothing to disagree about.
    """
    paired = [Counter(values) for values in units if len(values) > 1]
    totals = sum(paired, Counter[Hashable]())
    count = totals.total()
    expected = count**2 - sum(number**2 for number in totals.values())
    if not expected:
        return None
    observed = sum(
        (values.total() ** 2 - sum(number**2 for number in values.values())) / (values.total() - 1)
        for values in paired
    )
    return 1 - (count - 1) * observed / expected
