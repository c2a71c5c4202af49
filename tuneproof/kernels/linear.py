"""Frozen linear layers and LoRA on them: weights are cast once, products accumulate in place.

Under autocast a frozen weight is cast to bfloat16 in every forward pass; here the copy is kept
while the training lasts. PEFT's LoRA casts its input to float32 (autocast casts it back), scales
a whole output and adds it to another; here the products accumulate in place, and one input is
kept. Weights of 4 bits are computed anew for every product, and not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any, TypeAlias

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import nn
from transformers.pytorch_utils import Conv1D

from tuneproof.kernels.swap import Undo, swap
from tuneproof.models.four_bit import is_four_bit

Matrix: TypeAlias = Callable[[torch.dtype], torch.Tensor]
"""Returns a frozen weight as a matrix (in, out) in the dtype that is multiplied in."""


def multiplied_in(values: torch.Tensor) -> torch.dtype:
    """Return the dtype that autocast has linear layers and attention multiply these values in."""
    device = values.device.type
    is_cast = device != "meta" and torch.is_autocast_enabled(device)
    dtype: torch.dtype = torch.get_autocast_dtype(device) if is_cast else values.dtype
    return dtype


def uncast(values: torch.Tensor) -> AbstractContextManager[Any]:
    """Return a block in which autocast leaves the dtypes alone; on ``meta`` it always does."""
    device = values.device.type
    return nullcontext() if device == "meta" else torch.autocast(device, enabled=False)


class _Product(torch.autograd.Function):  # type: ignore[misc]
    """x W + b, and with an adapter also s (x A^T) B^T, over rows x; W is frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: torch.Tensor,
        matrix: Matrix,
        bias: torch.Tensor | None,
        down: torch.Tensor | None,
        up: torch.Tensor | None,
        scaling: float,
    ) -> torch.Tensor:
        weight = matrix(rows.dtype)
        out = rows @ weight if bias is None else torch.addmm(bias, rows, weight)
        ctx.matrix, ctx.scaling, inner = matrix, scaling, None
        if down is not None and up is not None:
            inner = rows @ down.T
            out.addmm_(inner, up.T, alpha=scaling)
        ctx.save_for_backward(rows if down is not None else None, down, up, inner)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, down, up, inner = ctx.saved_tensors
        for_rows = gradient @ ctx.matrix(gradient.dtype).T if ctx.needs_input_grad[0] else None
        for_bias = gradient.sum(0) if ctx.needs_input_grad[2] else None
        if down is None:
            return for_rows, None, for_bias, None, None, None
        narrow = (gradient @ up).mul_(ctx.scaling)
        if for_rows is not None:
            for_rows.addmm_(narrow, down)
        for_up = (gradient.T @ inner).mul_(ctx.scaling)
        return for_rows, None, for_bias, narrow.T @ rows, for_up, None


class Copy:
    """A frozen weight as a matrix (in, out) in the dtype that is multiplied in."""

    def __init__(self, layer: nn.Module) -> None:
        """Take a layer; nothing is copied before the first call."""
        self._layer = layer
        self._cast: torch.Tensor | None = None
        self._of: tuple[int, int] | None = None

    def __call__(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the matrix; it is copied once, and again if the weight has changed."""
        weight = self._layer.weight
        matrix = weight if isinstance(self._layer, Conv1D) else weight.T
        if weight.dtype == dtype:
            return matrix.detach()
        of = (weight.data_ptr(), weight._version)
        if self._cast is None or self._of != of or self._cast.dtype != dtype:
            self._cast, self._of = matrix.detach().to(dtype), of
        return self._cast


def four_bits(layer: nn.Module) -> Matrix:
    """Return a layer of bitsandbytes as a matrix, which is computed at every call."""
    from bitsandbytes.functional import dequantize_4bit

    def computed(dtype: torch.dtype) -> torch.Tensor:
        state = copy(layer.weight.quant_state)
        state.dtype = dtype  # as bitsandbytes multiplies; its own is that of the unquantised weight
        values: torch.Tensor = dequantize_4bit(layer.weight.data, state)
        return values.T

    return computed


def cast_frozen_weights_once(model: nn.Module) -> list[Undo]:
    """Replace every frozen linear layer, and plain LoRA on such; return what undoes each."""
    undo, inner = [], set()
    for module in model.modules():
        if "forward" in vars(module):  # another kernel has it already
            continue
        if _is_lora(module) and _is_plain(module) and _is_frozen(module.base_layer):
            inner.add(id(module.base_layer))
            undo.append(swap(module, _lora_forward(module)))
        elif id(module) not in inner and _is_frozen(module):
            undo.append(swap(module, _frozen_forward(module)))
    return undo


def _is_lora(module: Any) -> bool:
    """Return whether a module is PEFT's LoRA on a linear layer, of 4 bits or not."""
    is_over_four_bits = (
        type(module).__name__ == "Linear4bit"
        and type(module).__module__.startswith("peft.tuners.lora.")
        and is_four_bit(module.base_layer)
    )
    return type(module) is LoraLinear or is_over_four_bits


def _is_plain(module: Any) -> bool:
    """Return whether every adapter of a layer is two products; DoRA's are not, others have bias."""
    biases = [part.bias for part in (*module.lora_A.values(), *module.lora_B.values())]
    return not module.lora_variant and all(bias is None for bias in biases)


def _is_frozen(module: Any) -> bool:
    if is_four_bit(module):  # on a GPU bitsandbytes has kernels that multiply 4 bits themselves
        state = getattr(module.weight, "quant_state", None)
        is_packed = getattr(state, "packing_format_for_cpu", False)
        return module.weight.device.type == "cpu" and state is not None and not is_packed
    return type(module) in (nn.Linear, Conv1D) and not module.weight.requires_grad


def _is_same_dtype(layer: Any, values: torch.Tensor) -> bool:
    """Return whether a layer multiplies in the dtype of others; one of 4 bits has its own."""
    return getattr(layer, "compute_dtype", None) in (None, multiplied_in(values))


def _matrix(layer: nn.Module) -> Matrix:
    return four_bits(layer) if is_four_bit(layer) else Copy(layer)


def _frozen_forward(layer: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    plain, matrix = layer.forward, _matrix(layer)

    def forward(values: torch.Tensor) -> torch.Tensor:
        if not _is_same_dtype(layer, values):
            out: torch.Tensor = plain(values)
            return out
        return through(values, matrix, layer.bias)

    return forward


def _lora_forward(module: Any) -> Callable[..., torch.Tensor]:
    plain, base, matrix = module.forward, module.base_layer, _matrix(module.base_layer)

    def forward(values: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        active = [name for name in module.active_adapters if name in module.lora_A]
        is_plain = len(active) == 1 and not (args or kwargs) and _is_same_dtype(base, values)
        if not is_plain or module.disable_adapters or module.merged:
            out: torch.Tensor = plain(values, *args, **kwargs)
            return out
        (name,) = active
        down, up, scaling = module.lora_A[name], module.lora_B[name], module.scaling[name]
        chance = getattr(module.lora_dropout[name], "p", 0.0) if module.training else 0.0
        if not chance:
            return through(values, matrix, base.bias, down.weight, up.weight, scaling)
        dropped = module.lora_dropout[name](values.to(multiplied_in(values)))
        update = up(down(dropped)) * scaling
        return through(values, matrix, base.bias) + update

    return forward


def through(
    values: torch.Tensor,
    matrix: Matrix,
    bias: torch.Tensor | None,
    down: torch.Tensor | None = None,
    up: torch.Tensor | None = None,
    scaling: float = 1.0,
) -> torch.Tensor:
    """Return a frozen layer's output, with an adapter's where there is one.

    Args:
        values: Shape (..., in).
        matrix: The layer's weight.
        bias: Of the layer.
        down: Of the adapter, shape (rank, in).
        up: Of the adapter, shape (out, rank).
        scaling: Of the adapter's output.
    """
    dtype = multiplied_in(values)
    rows = values.to(dtype).reshape(-1, values.shape[-1])
    parts = [None if part is None else part.to(dtype) for part in (bias, down, up)]
    with uncast(values):
        out: torch.Tensor = _Product.apply(rows, matrix, *parts, scaling)
    return out.view(*values.shape[:-1], -1)
