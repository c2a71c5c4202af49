"""Matrix products in float32 by oneDNN, whatever the processor.

torch gives them to MKL, which uses half of the registers of processors that are not Intel's.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers.activations import NewGELUActivation
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
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
    found = layers(model)
    undo, joined = [], set()
    for block in model.modules():
        if type(block) is GPT2MLP and type(block.act) is NewGELUActivation and block.c_fc in found:
            joined.add(block.c_fc)
            undo.append(swap(block.c_fc, _forward(block.c_fc, block.act, copies=takes_memory)))
            undo.append(swap(block.act, _nothing_more))
    rest = [layer for layer in found if layer not in joined]
    return undo + [swap(layer, _forward(layer, copies=takes_memory)) for layer in rest]


def _nothing_more(values: torch.Tensor) -> torch.Tensor:
    return values


def _forward(
    layer: Any, then: Any = None, *, copies: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a layer's product, or that and the tanh GELU after it in one go."""
    plain, finish, copy = layer.forward, then.forward if then else _nothing_more, None
    function, form = ("gelu", "tanh") if then else ("none", "")

    def forward(values: torch.Tensor) -> torch.Tensor:
        nonlocal copy
        if torch.is_grad_enabled() or values.dtype != layer.weight.dtype:
            out: torch.Tensor = finish(plain(values))
            return out
        if copies and copy is None:
            copy = torch.ops.mkldnn._reorder_linear_weight(_matrix(layer).detach())
        weight, rows = (
            _matrix(layer) if copy is None else copy,
            values.reshape(-1, values.shape[-1]),
        )
        out = torch.ops.mkldnn._linear_pointwise(rows, weight, layer.bias, function, [], form)
        return out.view(*values.shape[:-1], -1)

    return forward


def _matrix(layer: Any) -> torch.Tensor:
    """Return a layer's weight as (out, in)."""
    weight: torch.Tensor = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
    return weight
