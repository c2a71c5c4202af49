"""Matrix products in float32 by oneDNN, whatever the processor.

torch gives them to MKL, which uses half of the registers of processors that are not Intel's.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from core.swap import Undo, swap


def layers(model: nn.Module) -> list[Any]:
    """Return the linear layers in float32 that still compute by torch, where there is oneDNN."""
    is_known = platform.machine() in ("x86_64", "AMD64") and torch.backends.mkldnn.is_available()
    if not is_known or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return []
    return [
        each
        for each in model.modules()
        if type(each) in (nn.Linear, Conv1D)
        and each.weight.dtype == torch.float32
        and "forward" not in vars(each)
    ]


def replace(model: nn.Module, *, takes_memory: bool = False) -> list[Undo]:
    """Replace these layers; return what takes each back.

    Args:
        model: Any.
        takes_memory: Whether every weight is copied, once, into the order that products read it in:
            a fifth faster, for as much memory again as the weights take.
    """
    return [swap(layer, _forward(layer, takes_memory=takes_memory)) for layer in layers(model)]


def _forward(layer: Any, *, takes_memory: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    plain, copy = layer.forward, None

    def forward(values: torch.Tensor) -> torch.Tensor:
        nonlocal copy
        if torch.is_grad_enabled() or values.dtype != layer.weight.dtype:
            out: torch.Tensor = plain(values)
            return out
        if takes_memory and copy is None:
            copy = reordered(layer)
        return product(values, _matrix(layer) if copy is None else copy, layer.bias)

    return forward


def _matrix(layer: Any) -> torch.Tensor:
    """Return a layer's weight as (out, in)."""
    weight: torch.Tensor = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
    return weight


def reordered(layer: Any) -> torch.Tensor:
    """Return a copy of a layer's weight in the order that products read it in."""
    found: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(_matrix(layer).detach())
    return found


def product(
    values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Return x W^T + b, shape (..., out), for x of (..., in) and W, reordered or not."""
    rows = values.reshape(-1, values.shape[-1])
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found.view(*values.shape[:-1], -1)
