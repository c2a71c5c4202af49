"""Random bits for dropout, fast: four 16-bit numbers from each draw of a small generator.

`torch.bernoulli` takes about 4 ns a number on a CPU, more than the product beside it. The generator
here is numpy's SFC64, seeded from torch's, so that a training that goes on, or a checkpointed layer
that runs again, draws the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

STEPS = 32768
"""Chances are multiples of 1 / STEPS."""


def chance(p: float) -> float:
    """Return the chance that stands for `p` here."""
    return round(p * STEPS) / STEPS


def dropped(shape: Sequence[int], p: float) -> torch.Tensor:
    """Return int16 numbers that are negative with a chance of `chance(p)`, each for itself."""
    count = math.prod(shape)
    seed = int(torch.randint(2**62, ()))
    drawn = np.random.SFC64(seed).random_raw((count + 3) // 4)
    bits = torch.from_numpy(drawn.view(np.int16))[:count].view(*shape)
    return bits.bitwise_and_(STEPS - 1).sub_(round(p * STEPS))


def as_signs(dropped: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the sign bits of the numbers, as integers of the width of `dtype`, for `xor`."""
    if dtype.itemsize == 2:
        return dropped & torch.iinfo(torch.int16).min
    return dropped.to(torch.int32) & torch.iinfo(torch.int32).min


def as_kept(dropped: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return all bits set where a number is not negative, else none, as wide as `dtype`."""
    kept = (dropped >> 15).bitwise_not_()
    return kept if dtype.itemsize == 2 else kept.to(torch.int32)


def as_integers(values: torch.Tensor) -> torch.Tensor:
    """Return a view of floating-point numbers as integers of the same width."""
    return values.view(torch.int16 if values.dtype.itemsize == 2 else torch.int32)
