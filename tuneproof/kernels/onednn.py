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

from tuneproof.kernels.memory import use_large_pages
from tuneproof.kernels.swap import Undo, swap


def use_onednn(model: nn.Module, *, copies_weights: bool = False) -> list[Undo]:
    """Replace every linear layer in float32, where there is oneDNN; return what takes each back.

    In GPT-2, the tanh GELU behind such a layer goes with it.

    Args:
        model: Any model.
        copies_weights: Whether every weight is copied, once, into the order that products read:
            faster, for as much memory again as the weights take.
    """
    is_known = platform.machine() in ("x86_64", "AMD64") and torch.backends.mkldnn.is_available()
    if not is_known or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return []
    gelus = {
        block.c_fc: block.act
        for block in model.modules()
        if type(block) is GPT2MLP and type(block.act) is NewGELUActivation
    }
    layers = [
        layer
        for layer in model.modules()
        if type(layer) in (nn.Linear, Conv1D) and layer.weight.dtype == torch.float32
    ]
    if copies_weights:
        use_large_pages(sum(layer.weight.nbytes for layer in layers))
    undo = []
    for layer in layers:
        gelu = gelus.get(layer)
        undo.append(swap(layer, _forward(layer, gelu, copies=copies_weights)))
        if gelu is not None:
            undo.append(swap(gelu, nn.Identity().forward))
    return undo


def _forward(layer: Any, gelu: Any, *, copies: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a layer's product, or that and the tanh GELU behind it in one go."""
    plain, after, copy = layer.forward, gelu and gelu.forward, None
    function, form = ("gelu", "tanh") if gelu else ("none", "")

    def forward(values: torch.Tensor) -> torch.Tensor:
        nonlocal copy
        if torch.is_grad_enabled() or values.dtype != layer.weight.dtype:
            out: torch.Tensor = plain(values)
            return after(out) if after else out
        if copies and copy is None:
            copy = torch.ops.mkldnn._reorder_linear_weight(_matrix(layer))
        weight = _matrix(layer) if copy is None else copy
        rows = values.reshape(-1, values.shape[-1])
        out = torch.ops.mkldnn._linear_pointwise(rows, weight, layer.bias, function, [], form)
        return out.view(*values.shape[:-1], -1)

    return forward


def _matrix(layer: Any) -> torch.Tensor:
    """Return a layer's weight as (out, in)."""
    weight: torch.Tensor = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
    return weight
