"""What models of Llama's kind compute between products: RMSNorm and rotary positions, fused.

In plain torch each is a chain of small kernels, and as many again backwards, every one of which
reads and writes all hidden states. Both are found by what they compute, not by a name: a module or
function that gives what the formula gives on random numbers.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import torch
from torch import nn

from tuneproof.kernels.probe import FAULTS
from tuneproof.kernels.swap import Undo, swap

EPSILONS = ("variance_epsilon", "eps")
"""What modules call the number that keeps a root from being zero."""
ROTARY = "apply_rotary_pos_emb"
"""What transformers calls the function that turns queries and keys, in each model's module."""


def rms_norm(values: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return values over the root of their mean square, times a frozen weight.

    Args:
        values: Shape (..., width).
        weight: Shape (width,).
        epsilon: Is added to the mean square.
    """
    out: torch.Tensor = _RmsNorm.apply(values, weight, epsilon)
    return out


class _RmsNorm(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, weight: torch.Tensor, epsilon: float
    ) -> torch.Tensor:
        exact, width = values.float(), values.shape[-1]
        norm = torch.linalg.vector_norm(exact, dim=-1, keepdim=True)
        scale = norm.square_().div_(width).add_(epsilon).rsqrt_()
        ctx.save_for_backward(values, weight, scale)
        return (exact * scale).mul_(weight).to(values.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        values, weight, scale = ctx.saved_tensors
        exact = values.float()
        back = gradient.float() * weight
        along = (back * exact).sum(-1, keepdim=True)
        along.mul_(scale.pow(3)).div_(-exact.shape[-1])
        back.mul_(scale).addcmul_(exact, along)
        return back.to(values.dtype), None, None


def use_fused_norms(model: nn.Module) -> list[Undo]:
    """Replace every frozen RMSNorm; return what takes each back."""
    return [
        swap(module, partial(_normed, module, first, epsilon))
        for module in model.modules()
        if (first := _first_of(module)) is not None and (epsilon := _epsilon(module)) is not None
    ]


def _normed(module: Any, first: float, epsilon: float, values: torch.Tensor) -> torch.Tensor:
    weight = module.weight.float()
    return rms_norm(values, weight if first == 0 else weight + first, epsilon)


def _epsilon(module: Any) -> float | None:
    return next((getattr(module, name) for name in EPSILONS if hasattr(module, name)), None)


def _first_of(module: Any) -> float | None:
    """Return what is added to a module's weight, 0 or as Gemma's 1; None if it is no RMSNorm."""
    parameters, epsilon = dict(module.named_parameters()), _epsilon(module)
    weight = parameters.get("weight")
    is_one = len(parameters) == 1 and weight is not None and weight.ndim == 1
    if not is_one or weight is None or weight.requires_grad or not isinstance(epsilon, float):
        return None
    values = torch.randn(3, len(weight), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        try:
            wanted = module(values.to(weight.dtype))
        except FAULTS:
            return None
        for first in (0.0, 1.0):
            found = rms_norm(values.to(weight.dtype), weight.float() + first, epsilon)
            if found.shape == wanted.shape and torch.allclose(
                found.float(), wanted.float(), atol=1e-5 if weight.dtype == torch.float32 else 1e-1
            ):
                return first
    return None


class _Rotated(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> torch.Tensor:
        ctx.dtype = states.dtype
        ctx.save_for_backward(cos, sin)
        return _turned(states, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        half = sin.shape[-1] // 2
        swapped = torch.cat([sin[..., half:], sin[..., :half]], -1)
        return _turned(gradient, cos, swapped, -1).to(ctx.dtype), None, None


def _turned(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, sign: int) -> torch.Tensor:
    """Return the states with each pair of halves turned by an angle, against it with sign -1."""
    out = states * cos
    states, half = states.to(out.dtype), states.shape[-1] // 2
    out[..., :half].addcmul_(states[..., half:], sin[..., :half], value=-sign)
    out[..., half:].addcmul_(states[..., :half], sin[..., half:], value=sign)
    return out


def rotated(
    q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return queries and keys turned by their positions, as transformers' function of Llama does.

    Args:
        q: Shape (batch, heads, tokens, width).
        k: Likewise.
        cos: Of the angles, shape (batch, tokens, width).
        sin: Likewise.
        unsqueeze_dim: Where `cos` and `sin` lack the heads.
    """
    cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
    return _Rotated.apply(q, cos, sin), _Rotated.apply(k, cos, sin)


def use_fused_rotation(model: nn.Module) -> list[Undo]:
    """Let a model's code turn queries and keys by `rotated` where that is the same."""
    homes = {type(module).__module__ for module in model.modules()}
    undo: list[Undo] = []
    for home in sorted(homes & sys.modules.keys()):
        plain = getattr(sys.modules[home], ROTARY, None)
        if plain is not None and plain is not rotated and _is_llamas(plain):
            setattr(sys.modules[home], ROTARY, rotated)
            undo.append(partial(setattr, sys.modules[home], ROTARY, plain))
    return undo


def _is_llamas(plain: Any) -> bool:
    draw = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 4, 3, 8, generator=draw), torch.randn(2, 1, 3, 8, generator=draw)
    cos, sin = torch.randn(2, 3, 8, generator=draw), torch.randn(2, 3, 8, generator=draw)
    try:
        wanted = plain(q, k, cos, sin)
    except FAULTS:
        return False
    found = rotated(q, k, cos, sin)
    return all(
        one.shape == other.shape and torch.allclose(one, other, atol=1e-5)
        for one, other in zip(found, wanted, strict=True)
    )
