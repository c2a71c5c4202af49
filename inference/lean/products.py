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

SMALL = 2**16
"""Numbers of a weight that is not worth a copy, as those of an adapter."""


def replace(model: nn.Module, *, is_packed: bool = False) -> list[Undo]:
    """Replace every linear layer in float32, where there is oneDNN; return what takes each back.

    Args:
        model: Any.
        is_packed: Whether every weight is copied, once, into the order that products read it in:
            a fifth faster, for as much memory again as the weights take.
    """
    is_known = platform.machine() in ("x86_64", "AMD64") and torch.backends.mkldnn.is_available()
    if not is_known or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return []
    return [
        swap(module, _forward(module, is_packed=is_packed and module.weight.numel() > SMALL))
        for module in model.modules()
        if type(module) in (nn.Linear, Conv1D) and module.weight.dtype == torch.float32
    ]


def _forward(layer: Any, *, is_packed: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    plain, packed = layer.forward, None

    def forward(values: torch.Tensor) -> torch.Tensor:
        nonlocal packed
        if torch.is_grad_enabled() or values.dtype != layer.weight.dtype:
            out: torch.Tensor = plain(values)
            return out
        weight = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
        if is_packed and packed is None:
            packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        return product(values, weight if packed is None else packed, layer.bias)

    return forward


def product(
    values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Return x W^T + b, shape (..., out), for x of (..., in) and W, packed or not, of (out, in)."""
    rows = values.reshape(-1, values.shape[-1])
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found.view(*values.shape[:-1], -1)
