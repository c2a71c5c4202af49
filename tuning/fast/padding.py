"""Leaving padding out: a batch of uneven rows goes through the model in parts of like length.

The rows of a batch do not see each other, so that the losses are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import nn

from tuning.fast.swap import Undo

SHARE, LEAST = 1 / 8, 256
"""What a cut has to save: of the positions, and in positions; each part costs some time too."""


def parts(lengths: Sequence[int]) -> list[list[int]]:
    """Return the rows in groups, the longest first, so that little padding is left.

    Args:
        lengths: Tokens of every row.
    """
    return _cut(sorted(range(len(lengths)), key=lambda row: -lengths[row]), lengths)


def _cut(rows: list[int], lengths: Sequence[int]) -> list[list[int]]:
    """Cut rows, sorted from long to short, where it saves most, as often as it saves enough."""
    whole = len(rows) * lengths[rows[0]]
    costs = {
        place: place * lengths[rows[0]] + (len(rows) - place) * lengths[rows[place]]
        for place in range(1, len(rows))
    }
    best = min(costs, key=costs.__getitem__, default=None)
    if best is None or whole - costs[best] < max(LEAST, SHARE * whole):
        return [rows]
    return _cut(rows[:best], lengths) + _cut(rows[best:], lengths)


def replace(model: nn.Module) -> list[Undo]:
    """Let `completion_losses` cut the batches of a model; return what takes that back."""
    model.leaves_padding_out = True
    return [partial(delattr, model, "leaves_padding_out")]
