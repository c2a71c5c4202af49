"""Dropout with cheap random numbers: the same mean and variance, other draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tuneproof.kernels.bits import as_integers, as_kept, chance, dropped
from tuneproof.kernels.swap import Undo, swap

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def dropout(values: torch.Tensor, p: float) -> torch.Tensor:
    """Return the values with a share `p` of them set to nothing and the others scaled up."""
    out: torch.Tensor = _Dropout.apply(values, p)
    return out


class _Dropout(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, p: float) -> torch.Tensor:
        ctx.scale = 1 / (1 - chance(p))
        ctx.kept = as_kept(dropped(values.shape, p), values.dtype)
        return _masked(values, ctx.kept, ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _masked(gradient, ctx.kept, ctx.scale), None


def _masked(values: torch.Tensor, kept: torch.Tensor, scale: float) -> torch.Tensor:
    bits = as_integers(values.contiguous()) & kept
    return bits.view(values.dtype).mul_(scale)


def replace(model: nn.Module) -> list[Undo]:
    """Give every dropout of a model the cheap random numbers; return what takes each back."""
    return [
        swap(module, _forward(module))
        for module in model.modules()
        if type(module) is nn.Dropout and 0 < module.p < 1 and not module.inplace
    ]


def _forward(module: nn.Dropout) -> Callable[[torch.Tensor], torch.Tensor]:
    plain = module.forward

    def forward(values: torch.Tensor) -> torch.Tensor:
        if not module.training or values.dtype not in DTYPES:
            out: torch.Tensor = plain(values)
            return out
        return dropout(values, module.p)

    return forward
