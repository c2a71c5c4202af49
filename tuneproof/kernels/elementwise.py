"""Faster dropout and GELU on a CPU, where they can cost more than the matrix products around them.

Dropout keeps its mean and variance but draws its random bits faster: `torch.bernoulli` takes about
4 ns a number on a CPU; here each draw of numpy's SFC64 gives four 16-bit numbers. It is seeded from
torch's generator, so that a resumed training, or a checkpointed layer that runs again, draws the
same. GELU's tanh form is one fused kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers.activations import NewGELUActivation

from tuneproof.kernels.swap import Undo, swap

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
"""What dropout can be computed in by bits."""
STEPS = 32768
"""Chances are multiples of 1 / STEPS."""


def use_fast_dropout(model: nn.Module) -> list[Undo]:
    """Let every dropout of a model draw cheap random bits; return what takes each back."""
    return [
        swap(module, _dropout_forward(module))
        for module in model.modules()
        if type(module) is nn.Dropout and 0 < module.p < 1 and not module.inplace
    ]


def use_fused_gelu(model: nn.Module) -> list[Undo]:
    """Compute every tanh GELU that no other kernel computes at once; return what undoes each."""
    return [
        swap(module, partial(F.gelu, approximate="tanh"))
        for module in model.modules()
        if type(module) is NewGELUActivation and "forward" not in vars(module)
    ]


def dropout(values: torch.Tensor, p: float) -> torch.Tensor:
    """Return the values with a share `p` of them set to zero and the others scaled up."""
    out: torch.Tensor = _Dropout.apply(values, p)
    return out


class _Dropout(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, p: float) -> torch.Tensor:
        ctx.scale = 1 / (1 - chance(p))
        kept = as_kept(dropped(values.shape, p), values.dtype)
        ctx.save_for_backward(kept)
        return _masked(values, kept, ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (kept,) = ctx.saved_tensors
        return _masked(gradient, kept, ctx.scale), None


def _masked(values: torch.Tensor, kept: torch.Tensor, scale: float) -> torch.Tensor:
    bits = as_integers(values.contiguous()) & kept
    return bits.view(values.dtype).mul_(scale)


def _dropout_forward(module: nn.Dropout) -> Callable[[torch.Tensor], torch.Tensor]:
    plain = module.forward

    def forward(values: torch.Tensor) -> torch.Tensor:
        if not module.training or values.dtype not in DTYPES:
            out: torch.Tensor = plain(values)
            return out
        return dropout(values, module.p)

    return forward


def chance(p: float) -> float:
    """Return `p` rounded to the chances that can be drawn."""
    return round(p * STEPS) / STEPS


def dropped(shape: Sequence[int], p: float) -> torch.Tensor:
    """Return int16 numbers that are negative with a chance of `chance(p)`, independently."""
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
