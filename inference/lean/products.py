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


def replace(model: nn.Module) -> list[Undo]:
    """Replace every linear layer in float32, where there is oneDNN; return what takes each back."""
    is_known = platform.machine() in ("x86_64", "AMD64") and torch.backends.mkldnn.is_available()
    if not is_known or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return []
    return [
        swap(module, _forward(module))
        for module in model.modules()
        if type(module) in (nn.Linear, Conv1D) and module.weight.dtype == torch.float32
    ]


def _forward(layer: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    plain, is_turned = layer.forward, isinstance(layer, Conv1D)

    def forward(values: torch.Tensor) -> torch.Tensor:
        weight = layer.weight.T if is_turned else layer.weight
        if torch.is_grad_enabled() or values.dtype != weight.dtype:
            out: torch.Tensor = plain(values)
            return out
        return product(values, weight, layer.bias)

    return forward


def product(
    values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Return x W^T + b, shape (..., out), for x of (..., in) and W of (out, in)."""
    rows = values.reshape(-1, values.shape[-1])
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return found.view(*values.shape[:-1], -1)
